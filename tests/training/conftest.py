import sys

import pytest


@pytest.fixture(autouse=True)
def _as_train_py(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])
