"""Docstrings of public names, prepared for autodoc, which parses them as reStructuredText."""

from __future__ import annotations

import re
from typing import Any

from making.catalogue_pages import page_of

__all__ = ["as_rst"]


def as_rst(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Escape stars and bars, which are not markup in these docstrings, and link to the catalogue."""
    for number, line in enumerate(lines):
        line = re.sub(r"(?<![*\w\\`])\*(?=[A-Za-z._]+\b(?!\*))", r"\\*", line)
        line = re.sub(r"(?<![`\\])\|", r"\\|", line)
        lines[number] = re.sub(r"`manualgrad\.functions\.([\w.]+)`", _derivation, line)


def _derivation(module: re.Match[str]) -> str:
    """Replace the name of a module of the catalogue with a link to its page."""
    page = page_of(f"{module[1].replace('.', '/')}.py")
    return f":doc:`manualgrad.functions.{module[1]} <{page.removesuffix('.md')}>`" if page else module[0]
