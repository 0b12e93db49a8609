"""Docstrings of `manualgrad/functions/` as MyST, with their equations typeset."""

from __future__ import annotations

from making.equations import display
from making.lexer import NotAFormula
from making.prose import Link, paragraph

__all__ = ["markdown"]


def markdown(docstring: str, link: Link) -> str:
    """Convert a dedented docstring to MyST; a block that is not in the notation is shown unchanged."""
    return "\n\n".join(_part(part, link) for part in docstring.split("\n\n"))


def _part(part: str, link: Link) -> str:
    lines = part.splitlines()
    if all(line.startswith("    ") for line in lines):
        return _equations(lines)
    if lines[0].startswith("- "):
        items = part[2:].split("\n- ")
        return "\n".join(f"- {paragraph(item, link)}" for item in items)
    return paragraph(part, link)


def _equations(lines: list[str]) -> str:
    try:
        return f"```{{math}}\n{display(lines)}\n```"
    except NotAFormula:
        return "```text\n" + "\n".join(line[4:] for line in lines) + "\n```"
