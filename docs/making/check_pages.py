"""The catalogue of checks: each with a Function that fails it, from the tests' own collection of broken ones."""

from __future__ import annotations

import inspect
from typing import Any

import broken

from making.written import Folder
from manualgrad.testing import CHECKS, WHAT

__all__ = ["write"]


def write(folder: Folder) -> None:
    parts = [
        "# The checks",
        f"`manualgrad.testing.check_function` has {len(CHECKS)} checks. Here is each of them, with a Function that fails it."
        " These are Functions of this project's own tests, which hold that the check finds the fault and says how to mend it.",
        *(_section(check) for check in CHECKS),
        "## The correct ones",
        "The Functions above that are derived from another one differ from it in what is shown. These are the others:",
        *(_code(cls) for cls in _bases()),
    ]
    folder.write("checks.md", "\n\n".join(parts) + "\n")


def _shown() -> dict[str, Any]:
    """For each check, the first broken Function of its own."""
    found: dict[str, Any] = {}
    for function, _, check, *_ in broken.BROKEN:
        if inspect.isclass(function):
            found.setdefault(check, function)
    return found


def _section(check: str) -> str:
    cls = _shown()[check]
    others = [function for function, _, of, *_ in broken.BROKEN if of == check and function is not cls]
    named = ", ".join(f"`{function.__name__}`" for function in others)
    also = f"\n\nIt also finds {named}." if named else ""
    return f"## {check}\n\n{WHAT[check]}\n\n{_code(cls)}{also}"


def _bases() -> list[Any]:
    """What the shown ones are derived from."""
    found: list[Any] = []
    for cls in _shown().values():
        for base in cls.__mro__[1:]:
            if base.__module__ == broken.__name__ and base not in found and base not in _shown().values():
                found.append(base)
    return found


def _code(cls: Any) -> str:
    return f"```python\n{inspect.getsource(cls).rstrip()}\n```"
