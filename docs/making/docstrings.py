"""Docstrings of public names, for autodoc, which takes them for reStructuredText."""

from __future__ import annotations

import inspect
import re
from typing import Any

import torch.nn.functional as F

from making.catalogue_pages import page_of

__all__ = ["as_rst"]

_LINK = "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional"


def as_rst(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Ours use no reStructuredText: their stars and bars are signs. One that is PyTorch's becomes a link."""
    torchs = getattr(F, name.rpartition(".")[2], None) if name.startswith("manualgrad.nn.functional.") else None
    if torchs is not None and inspect.getdoc(value) == inspect.getdoc(torchs):
        lines[:] = _torchs(torchs.__name__)
        return
    for number, line in enumerate(lines):
        line = re.sub(r"(?<![*\w\\`])\*(?=[A-Za-z._]+\b(?!\*))", r"\\*", line)
        line = re.sub(r"(?<![`\\])\|", r"\\|", line)
        lines[number] = re.sub(r"`manualgrad\.functions\.([\w.]+)`", _derivation, line)


def _derivation(module: re.Match[str]) -> str:
    """A module of the catalogue that is named, as a link to its page."""
    page = page_of(f"{module[1].replace('.', '/')}.py")
    return f":doc:`manualgrad.functions.{module[1]} <{page.removesuffix('.md')}>`" if page else module[0]


def _torchs(name: str) -> list[str]:
    return [
        f"`torch.nn.functional.{name} <{_LINK}.{name}.html>`__, with its arguments, shapes and errors, and a gradient by hand."
    ]
