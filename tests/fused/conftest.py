import shutil

import pytest

from manualgrad.functions import _chunked


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/fused" not in item.path.as_posix():
            continue
        item.add_marker(pytest.mark.filterwarnings("error:manualgrad.fused"))
        if not (shutil.which("c++") or shutil.which("cl")):
            item.add_marker(pytest.mark.skip(reason="no C++ compiler"))


@pytest.fixture(autouse=True)
def _short_rows(monkeypatch):
    """Kernels for rows of any length: those of the samples are short."""
    monkeypatch.setattr(_chunked, "_VECTOR", 1)
