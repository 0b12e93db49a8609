"""Links between files of the repository, which work on GitHub, converted for the site.

A link to `../manualgrad/functions/attention.py` becomes a link to its page in the catalogue; links to other files outside this
folder point to GitHub.
"""

from __future__ import annotations

import re
from pathlib import Path

from making.catalogue_pages import GITHUB, page_of
from making.sources import ROOT

__all__ = ["on_the_site"]

DOCS = ROOT / "docs"
PAGES = {
    "README.md": "/index.md",
    "CHANGELOG.md": "/changelog.md",
    "CONTRIBUTING.md": "/contributing.md",
    "benchmarks/README.md": "/speed.md",
    "manualgrad/__init__.py": "/generated/reference/index.md",
    "manualgrad/torch_api/catalogue.py": "/generated/catalogue/by-torch-name.md",
    "manualgrad/functions/__init__.py": "/generated/catalogue/index.md",
    "tests/helpers/broken.py": "/generated/checks.md",
}


def on_the_site(text: str, folder: Path) -> str:
    """Convert the links in the text of a document in this folder."""
    return re.sub(r"(?<=\]\()([^)\s:#]+)(#[^)\s]*)?(?=\))", lambda link: _target(link, folder), text)


def _target(link: re.Match[str], folder: Path) -> str:
    if link[1].startswith("/"):
        return link[0]
    file = (folder / link[1]).resolve()
    if file.is_relative_to(DOCS) or not file.is_relative_to(ROOT) or file.suffix in (".png", ".svg"):
        return link[0]
    path = file.relative_to(ROOT).as_posix()
    page = PAGES.get(path) or page_of(path.removeprefix("manualgrad/functions/"))
    return (page or f"{GITHUB}/{path}") + (link[2] or "")
