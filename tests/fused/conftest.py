import shutil

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/fused" not in item.path.as_posix():
            continue
        item.add_marker(pytest.mark.filterwarnings("error:manualgrad.fused"))
        if not (shutil.which("c++") or shutil.which("cl")):
            item.add_marker(pytest.mark.skip(reason="no C++ compiler"))


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    """A folder for the kernels of this run."""
    from manualgrad._fused import store

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANUALGRAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        store.folder.cache_clear()
        yield
    store.folder.cache_clear()
