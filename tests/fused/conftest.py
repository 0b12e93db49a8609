import shutil

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/fused" not in item.path.as_posix():
            continue
        item.add_marker(pytest.mark.filterwarnings("error:manualgrad.fused"))
        if not (shutil.which("c++") or shutil.which("cl")):
            item.add_marker(pytest.mark.skip(reason="no C++ compiler"))
