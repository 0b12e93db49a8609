"""Generated pages: a page is written only if it has changed, and deleted if it is not generated any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Folder", "table"]


class Folder:
    """A folder of the site that contains only generated pages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names: set[Path] = set()

    def write(self, name: str, text: str) -> None:
        """Write a page, unless the file has this text already: Sphinx rebuilds newer files."""
        file = self.path / name
        self._names.add(file)
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    @contextmanager
    def alone(self) -> Iterator[Folder]:
        """Delete all other pages of the folder at the end."""
        yield self
        for file in self.path.rglob("*.md"):
            if file not in self._names:
                file.unlink()


def table(head: list[str], rows: list[list[str]]) -> str:
    """Format a Markdown table."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
