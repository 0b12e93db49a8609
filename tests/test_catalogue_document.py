"""docs/catalogue.md is what docs/catalogue.py writes: the pages, the names and, of a small model, the coverage."""

import importlib
import sys

import pytest
from paths import ROOT

TEXT = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")


@pytest.fixture
def catalogue(monkeypatch):
    """docs/catalogue.py, which imports every library of models, for seconds."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "docs")])
    return importlib.import_module("catalogue")


def test_the_document_has_every_page_layer_and_name(catalogue):
    written = catalogue.document({}).split("## The pages")[1]
    assert TEXT.split("## The pages")[1] == written, "run `python docs/catalogue.py`"


def test_the_document_has_every_model_with_what_was_measured(catalogue):
    shares = {"squeezenet1_1": catalogue.coverage(catalogue.MODELS["squeezenet1_1"])}
    (row,) = [line for line in catalogue.document(shares).splitlines() if line.startswith("| squeezenet1_1")]
    assert row in TEXT
    assert all(f"\n| {name} |" in TEXT for name in catalogue.MODELS)
