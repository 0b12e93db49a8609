"""An entry of the reference, and the docstring that is made of it."""

from __future__ import annotations

import inspect
from typing import NamedTuple

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


def of_class(name: str, summary: str, entry: Entry) -> str:
    """The docstring of `nn.name`."""
    arguments = f"A subclass of `torch.nn.{name}`, of which it has the arguments, parameters, state_dict and initial values."
    return _docstring(inspect.cleandoc(summary), arguments, entry)


def places(n: int, side: object) -> str:
    """`side` for each of n dimensions: "8, 8"."""
    return ", ".join([str(side)] * n)


def _docstring(summary: str, arguments: str, entry: Entry) -> str:
    derived = f"The gradient is derived in `manualgrad.functions.{entry.page}`."
    sections = {"Shapes": entry.shapes, "Raises": "\n".join(entry.raises), "Example": entry.example}
    parts = [title + ":\n    " + text.replace("\n", "\n    ") for title, text in sections.items()]
    return "\n\n".join([summary, f"{arguments}\n{derived}", *parts]) + "\n"
