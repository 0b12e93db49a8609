"""Sphinx configuration of the site: `sphinx-build -W --keep-going -b html docs site`.

`making/` generates pages from the code in `generated/` before Sphinx reads the documents.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "tests" / "helpers")]

from making import docstrings, everything, links  # noqa: E402

import manualgrad  # noqa: E402

project = "manualgrad"
author = "the manualgrad authors"
version = release = manualgrad.__version__
copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["making", "pictures"]
nitpicky = True
# Names of other packages, which are not documented here, and private names.
nitpick_ignore_regex = [(r"py:.*", r"(?!manualgrad).*"), (r"py:.*", r"manualgrad\..*\._.*")]
suppress_warnings = ["myst.header"]

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
mathjax_path = "mathjax/tex-chtml.js"  # copied from a package by _mathjax, so that formulas work offline
mathjax3_config = {
    "chtml": {"displayAlign": "left", "displayIndent": "1.5em", "mtextInheritFont": True},
    "options": {"enableMenu": False},
}

default_role = "literal"  # for `name` in docstrings
napoleon_custom_sections = [("Class attributes", "params_style"), "Shapes", "Shape"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "furo"
html_title = "manualgrad"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "top_of_page_buttons": [],  # generated pages do not have a source to show
    "source_repository": "https://github.com/manualgrad/manualgrad/",
    "source_branch": "main",
    "source_directory": "docs/",
}


def setup(app):
    app.connect("builder-inited", lambda app: everything.make(HERE / "generated"))
    app.connect("source-read", _links)
    app.connect("autodoc-process-docstring", docstrings.as_rst)
    app.connect("build-finished", _mathjax)


def _links(app, document, text):
    text[0] = links.on_the_site(text[0], (HERE / document).parent)


def _mathjax(app, error):
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if error or app.builder.format != "html":
        return
    source, target = Path(package.origin).parent / "static" / "mathjax", Path(app.outdir) / "_static" / "mathjax"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "tex-chtml.js", target)
    shutil.copytree(source / "output" / "chtml" / "fonts", target / "output" / "chtml" / "fonts", dirs_exist_ok=True)
