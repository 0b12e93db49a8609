"""The wheel, installed away from the checkout: what its users have."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
import torchvision
from datasets import write_dataset
from paths import ROOT

import manualgrad

CHECKED = """
import torch

def make_inputs():
    return (torch.randn(3, dtype=torch.float64, requires_grad=True),)
"""


def build(target, source, folder):
    line = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(line, cwd=source, check=True, capture_output=True)
    (made,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs commands in a folder with a small data set, in an environment whose manualgrad is the wheel's."""
    site, here = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("here")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    write_dataset(here / "data", train=200, test=50)
    (here / "mine.py").write_text(CHECKED)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(*line, code=0):
        done = subprocess.run([sys.executable, *map(str, line)], cwd=here, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

    run.here = here
    where, _ = run("-c", "import manualgrad; print(manualgrad.__file__)")
    assert Path(where.strip()).is_relative_to(site)
    return run


SMALL = ("--dataset", "fashion-mnist", "--data-dir", "data", "--epochs", 1, "--batch-size", 10, "--device", "cpu")


# One process for several commands, as each start of torch takes seconds.
COMMANDS = """
import sys
from manualgrad.cli import main

for line in sys.argv[1:]:
    try:
        code = main(line.split())
    except SystemExit as stop:
        code = stop.code
    print(f"[{code}]")
"""


@pytest.mark.exhaustive
def test_what_a_wheel_has_can_be_used_without_a_checkout(installed):
    torchvision.utils.save_image(torch.eye(28), installed.here / "image.png")
    out, err = installed(
        *("-c", COMMANDS),
        f"train {' '.join(map(str, SMALL))} --recipe nielsen-30 --out run",
        "explain --checkpoint run --data-dir data",
        "predict image.png --checkpoint run",
        "check manualgrad.functions:SigmoidFunction --inputs mine:make_inputs",
    )
    assert err == ""
    assert [line for line in out.splitlines() if line.startswith("[")] == ["[0]"] * 4
    assert "784-30-10 (sigmoid) on fashion-mnist" in out
    assert "wants of 784-30-10 of run" in " ".join(out.split())
    assert re.search(r"^backward\s+SUCCESS$", out, re.MULTILINE)


@pytest.mark.exhaustive
def test_the_words_of_an_installed_train_are_those_to_type(installed):
    out, err = installed("-c", COMMANDS, "train --help", "train --epochs 0")
    assert out.startswith("usage: manualgrad train")
    assert "manualgrad train --recipe best" in out
    assert "torchrun --nproc-per-node=2 -m manualgrad train " in out
    assert "train.py" not in out
    assert err == "manualgrad train: argument --epochs: must be a positive integer, got '0'\n"
    _, err = installed("-c", f"import sys; sys.modules['rich'] = None\n{COMMANDS}", "train", "derive")
    assert err == "".join(
        f'{name}: rich is missing: pip install "manualgrad[train]"\n' for name in ("manualgrad train", "manualgrad")
    )


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs libuv there")
def test_an_installed_train_runs_under_torchrun(installed):
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "manualgrad", "train")
    out, _ = installed(*torchrun, *SMALL, "--threads", 1, "--out", "in-two")
    assert "in 2 processes" in out
    assert (installed.here / "in-two" / "model.pt").is_file()


def test_the_sdist_builds_the_same_wheel(wheel, tmp_path):
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build("wheel", tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path / "again")
    contents = [{name: archive.read(name) for name in archive.namelist()} for archive in map(zipfile.ZipFile, (wheel, again))]
    assert contents[0] == contents[1]


def test_the_page_and_what_it_starts_from_are_in_the_wheel(wheel):
    play = ROOT / "manualgrad" / "teaching" / "play"
    files = [file for folder in ("page", "start") for file in (play / folder).rglob("*") if file.is_file()]
    assert {"index.html", "start.npz", "LICENCE.md"} <= {file.name for file in files}
    assert {file.relative_to(ROOT).as_posix() for file in files} <= set(zipfile.ZipFile(wheel).namelist())


def test_a_version_stands_in_one_place_and_a_tag_matches_it(wheel):
    assert wheel.name == f"manualgrad-{manualgrad.__version__}-py3-none-any.whl"
    assert importlib.metadata.version("manualgrad") == manualgrad.__version__
    ran = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    versions = [tag for tag in ran.stdout.split() if tag.startswith("v")]
    assert versions in ([], [f"v{manualgrad.__version__}"])
