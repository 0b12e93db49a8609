"""A line of this package, found in its source as it is on this machine."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import manualgrad

__all__ = ["Line", "find"]

_ROOT = Path(manualgrad.__file__).parent.parent


@dataclass(frozen=True)
class Line:
    """Attributes:
    file: from the folder that the package lies in, "manualgrad/network/stack.py".
    line: its number, from 1.
    code: the line itself, without what indents it.
    """

    file: str
    line: int
    code: str


def find(where: Callable[..., Any] | property, fragment: str) -> Line:
    """The first line of a function or a property that has this fragment.

    Raises:
        LookupError: when there is none, as the source was changed.
    """
    function = inspect.unwrap(where.fget if isinstance(where, property) and where.fget else where)  # type: ignore[arg-type]
    lines, first = inspect.getsourcelines(function)
    for number, code in enumerate(lines, first):
        if fragment in code:
            file = Path(inspect.getsourcefile(function) or "").relative_to(_ROOT).as_posix()
            return Line(file, number, code.strip())
    raise LookupError(f"{function.__qualname__} has no line with {fragment!r}")
