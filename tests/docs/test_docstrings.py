"""Docstrings, which use no reStructuredText, in it."""

import sys

from paths import ROOT

sys.path.append(str(ROOT / "docs"))

from making.docstrings import as_rst


def rst(text):
    lines = [text]
    as_rst(None, "function", "manualgrad.something", None, None, lines)
    return lines[0]


def test_a_star_and_a_bar_are_signs():
    assert rst("weight [out, *kernel], of |z|, 2 * x") == r"weight [out, \*kernel], of \|z\|, 2 * x"


def test_a_module_of_the_catalogue_is_a_link_to_its_page():
    found = rst("derived in `manualgrad.functions.pooling.max_pool`, not in `manualgrad.functions.nowhere`")
    link = ":doc:`manualgrad.functions.pooling.max_pool </generated/catalogue/pooling/max_pool>`"
    assert found == f"derived in {link}, not in `manualgrad.functions.nowhere`"
