"""Pages that are made with the site: written where they have changed, and taken away where they are gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Folder", "table"]


class Folder:
    """A folder of the site that holds made pages alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names: set[Path] = set()

    def write(self, name: str, text: str) -> None:
        """Write a page, if it is not as it stands there already: Sphinx reads again what is newer."""
        file = self.path / name
        self._names.add(file)
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    @contextmanager
    def alone(self) -> Iterator[Folder]:
        """Afterwards, nothing else is in the folder."""
        yield self
        for file in self.path.rglob("*.md"):
            if file not in self._names:
                file.unlink()


def table(head: list[str], rows: list[list[str]]) -> str:
    """In Markdown."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
