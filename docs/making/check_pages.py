"""The page of the checks, each with a Function that fails it, from `tests/helpers/broken.py`."""

from __future__ import annotations

import inspect
from typing import Any

import broken

from making.written import Folder
from manualgrad.testing import CHECKS, WHAT, check_function

__all__ = ["write"]


def write(folder: Folder) -> None:
    parts = [
        "# The checks",
        f"`manualgrad.testing.check_function` has {len(CHECKS)} checks. Each section below describes one of them, and shows a"
        " Function that fails it and the check's report. The Functions come from this project's tests, which verify that each"
        " check finds its faults.",
        *(_section(check, cls, inputs) for check, (cls, inputs) in _shown().items()),
        "## The correct Functions",
        "Some of the Functions above subclass a correct one and override only what is shown. These are the correct ones:",
        *(_code(cls) for cls in _bases()),
    ]
    folder.write("checks.md", "\n\n".join(parts) + "\n")


def _shown() -> dict[str, tuple[Any, Any]]:
    """Return, for each check in order, the first broken Function that it finds, and inputs for it."""
    found: dict[str, tuple[Any, Any]] = {}
    for function, inputs, check, *_ in broken.BROKEN:
        if inspect.isclass(function):
            found.setdefault(check, (function, inputs))
    return {check: found[check] for check in CHECKS}


def _section(check: str, cls: Any, inputs: Any) -> str:
    others = [function for function, _, of, *_ in broken.BROKEN if of == check and function is not cls]
    named = ", ".join(f"`{function.__name__}`" for function in others)
    said = check_function(cls, inputs, checks=check, raise_exception=False)
    parts = [f"## {check}", WHAT[check], _code(cls), f"```output\n{said}\n```", f"It also finds {named}." if named else ""]
    return "\n\n".join(part for part in parts if part)


def _bases() -> list[Any]:
    """Return the base classes of the shown Functions that are not shown themselves."""
    shown = [cls for cls, _ in _shown().values()]
    bases = [base for cls in shown for base in cls.__mro__[1:] if base.__module__ == broken.__name__ and base not in shown]
    return list(dict.fromkeys(bases))


def _code(cls: Any) -> str:
    return f"```python\n{inspect.getsource(cls).rstrip()}\n```"
