"""Lines of code of this package, looked up in the installed source."""

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
    """A line of code.

    Attributes:
        file: the path from the folder that contains the package, such as "manualgrad/network/stack.py".
        line: the line number, from 1.
        code: the line, without its indentation.
    """

    file: str
    line: int
    code: str


def find(where: Callable[..., Any] | property, fragment: str) -> Line:
    """Find the first line of a function or a property that contains this fragment.

    Raises:
        LookupError: if there is no such line, because the source has changed.
    """
    function = inspect.unwrap(where.fget if isinstance(where, property) and where.fget else where)  # type: ignore[arg-type]
    lines, first = inspect.getsourcelines(function)
    for number, code in enumerate(lines, first):
        if fragment in code:
            file = Path(inspect.getsourcefile(function) or "").relative_to(_ROOT).as_posix()
            return Line(file, number, code.strip())
    raise LookupError(f"{function.__qualname__} has no line with {fragment!r}")
