"""Shared terminal output of the commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from manualgrad.commands.errors import BadInput
from manualgrad.teaching.number import number

__all__ = ["bar", "console", "number", "save", "table"]


def console() -> Console:
    return Console(highlight=False)


def table(title: str, *columns: str) -> Table:
    """Make a table whose columns are right-aligned, except those whose heading starts with "<"."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="", expand=False)
    for column in columns:
        made.add_column(column.lstrip("<"), justify="left" if column.startswith("<") else "right")
    return made


def bar(value: float, largest: float, width: int = 16) -> str:
    """Return a bar for `value` relative to the `largest` of its column: a blue ↑ above 0, an orange ↓ below."""
    length = round(abs(value) / largest * width) if largest else 0
    return f"[{'dodger_blue2' if value > 0 else 'dark_orange3'}]{'↑' if value > 0 else '↓'}{'█' * length}[/]" if length else ""


def save(path: Path, draw: Callable[[Path], object]) -> None:
    """Draw a picture to `path`, and create its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(path)
    except (OSError, ValueError) as error:  # ValueError: matplotlib does not support the suffix
        raise BadInput(f"--out: {path} cannot be written ({error}).") from error
