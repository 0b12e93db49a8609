"""train.py under torchrun: the processes' result is that of one, and what is left when one of them dies."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datasets import write_dataset
from paths import TRAIN
from runs import outcome
from torch.testing import assert_close

from manualgrad.training.runs import has_checkpoint, load_checkpoint

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="finds a process in /proc"),
]


@pytest.fixture
def options(tmp_path):
    # 47 images: each epoch ends with a mini-batch of 2 images, one for each process
    write_dataset(tmp_path / "data", train=47, test=21)
    small = ("--dataset", "fashion-mnist", "--data-dir", tmp_path / "data", "--device", "cpu", "--threads", 1)
    return (*small, "--batch-size", 5, "--epochs", 40)


def torchrun(*options, tmp_path):
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--monitor-interval=0.1", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*map(str, line)], cwd=tmp_path, env=environment, **pipes)


def kill(rank, process, folder):
    """Kill the process of this rank when the run in the folder has a checkpoint from its second epoch or later."""
    give_up = time.monotonic() + 90
    while not (has_checkpoint(folder) and load_checkpoint(folder).training["results"]):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < give_up
        time.sleep(0.05)
    (pid,) = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal() and is_process(path, rank, folder))
    os.kill(pid, signal.SIGKILL)


def is_process(path, rank, folder):
    try:
        environment, line = (path / "environ").read_bytes().split(b"\0"), (path / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"RANK={rank}".encode() in environment and str(folder).encode() in line


@pytest.mark.exhaustive
def test_processes_that_torchrun_starts_anew_resume_to_the_result_of_one(train_py, options, tmp_path):
    assert train_py(*options, "--out", tmp_path / "one")[0] == 0
    folder = tmp_path / "two"
    process = torchrun("--max-restarts=1", TRAIN, *options, "--save-every", "0.05s", "--out", folder, tmp_path=tmp_path)
    kill(1, process, folder)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.count("47 training images") == 2, "one process prints, and then the one in its place"
    assert "in 2 processes" in out
    assert re.search(r"Resuming .* (in|at the start of) epoch \d+", out)
    assert_close(outcome(folder), outcome(tmp_path / "one"))
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".jsonl", *[".png"] * 3, *[".pt"] * 3]


@pytest.mark.exhaustive
def test_a_killed_process_ends_all_and_leaves_a_checkpoint_to_resume_from(train_py, options, tmp_path):
    assert train_py(*options, "--out", tmp_path / "one")[0] == 0
    folder = tmp_path / "two"
    process = torchrun(TRAIN, *options, "--save-every", "0.05s", "--out", folder, tmp_path=tmp_path)
    kill(0, process, folder)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "exitcode  : -9 (pid" in err
    assert 0 < len(load_checkpoint(folder).training["results"]) < 40
    assert train_py("--resume", folder)[0] == 0, "by one process now"
    assert_close(outcome(folder), outcome(tmp_path / "one"))
