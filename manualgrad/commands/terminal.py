"""What the commands' screens have in common."""

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
    """Right-aligned but for the columns whose heading starts with "<"."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="", expand=False)
    for column in columns:
        made.add_column(column.lstrip("<"), justify="left" if column.startswith("<") else "right")
    return made


def bar(value: float, largest: float, width: int = 16) -> str:
    """A bar of `value` beside the `largest` of its column: blue and upwards above 0, orange and downwards below."""
    length = round(abs(value) / largest * width) if largest else 0
    return f"[{'dodger_blue2' if value > 0 else 'dark_orange3'}]{'↑' if value > 0 else '↓'}{'█' * length}[/]" if length else ""


def save(path: Path, draw: Callable[[Path], object]) -> None:
    """Draw a picture into `path`, whose folder is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(path)
    except (OSError, ValueError) as error:  # ValueError: of an ending that matplotlib has no format for
        raise BadInput(f"--out: {path} cannot be written ({error}).") from error
