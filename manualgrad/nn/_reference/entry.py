"""An entry of the reference, and the docstring that is made of it."""

from __future__ import annotations

import inspect
from typing import NamedTuple

from manualgrad.nn._reference.arguments import arguments

__all__ = ["Entry", "of_class", "of_function", "places"]


class Entry(NamedTuple):
    """What is said of one function or class.

    Attributes:
        summary: the formula, in a line; empty for a class, which has it where it is defined.
        page: the module of `manualgrad.functions` that derives it.
        shapes: of what goes in and comes out.
        raises: for each error "Type: when: `a call that raises it`".
        example: lines of a Python session.
    """

    summary: str
    page: str
    shapes: str
    raises: tuple[str, ...]
    example: str


def of_function(name: str, entry: Entry) -> str:
    """The docstring of `nn.functional.name`."""
    return _docstring(entry.summary, f"The arguments are those of `torch.nn.functional.{name}`.", entry)


def of_class(name: str, cls: type, entry: Entry) -> str:
    """The docstring of `nn.name`, whose formula is in that of the class."""
    same = f"Same arguments, parameters, state_dict and initialization as `torch.nn.{name}`, its base class."
    return _docstring(inspect.cleandoc(cls.__doc__ or ""), same, entry, arguments(name, cls))


def places(n: int, side: object) -> str:
    """`side` for each of n dimensions: "8, 8"."""
    return ", ".join([str(side)] * n)


def _docstring(summary: str, same: str, entry: Entry, args: str = "") -> str:
    derived = f"The gradient is derived in `manualgrad.functions.{entry.page}`."
    sections = {"Args": args, "Shapes": entry.shapes, "Raises": "\n".join(entry.raises), "Example": entry.example}
    parts = [title + ":\n    " + text.replace("\n", "\n    ") for title, text in sections.items() if text]
    return "\n\n".join([summary, f"{same}\n{derived}", *parts]) + "\n"
