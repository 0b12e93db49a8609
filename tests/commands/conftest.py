import pytest
from datasets import write_dataset
from screens import write_run

from manualgrad.training.plots import style


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(style, "_DPI", 60)  # most of a command's time is its picture


@pytest.fixture
def run(tmp_path):
    """A run's folder, and beside it the data set that it is for, of 300 images."""
    write_dataset(tmp_path, train=300, test=50)
    return write_run(tmp_path / "run")
