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
def _kernels_of_all_sizes(monkeypatch):
    """The samples are small."""
    monkeypatch.setattr(_chunked, "_VECTOR", 1)
    monkeypatch.setattr(_chunked, "_CALL", 0)
