"""Everything that is generated with the site."""

from __future__ import annotations

from pathlib import Path

from making import catalogue_pages, check_pages, figures, reference_pages
from making.written import Folder

__all__ = ["make"]


def make(folder: Path) -> None:
    """Write the generated pages and pictures to this folder."""
    with Folder(folder).alone() as pages:
        catalogue_pages.write(pages)
        check_pages.write(pages)
        reference_pages.write(pages)
    figures.draw(folder / "pictures")
