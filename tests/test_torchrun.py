"""train.py under torchrun: the processes' result is that of one, and what is left when one of them dies."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_data import write_dataset
from torch.testing import assert_close

from manualgrad.runs import has_checkpoint, load_checkpoint

TRAIN = Path(__file__).parent.parent / "train.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="gloo finds the network's interface by itself on Linux"),
]


@pytest.fixture
def small(tmp_path):
    write_dataset(tmp_path / "data", train=47, test=21)
    return "--dataset", "fashion-mnist", "--data-dir", tmp_path / "data", "--device", "cpu", "--threads", 1


def start(*command, cwd):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*map(str, command)]
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def one(*options, cwd):
    return start(sys.executable, TRAIN, *options, cwd=cwd)


def two(*options, cwd, torchrun=()):
    return start(*TORCHRUN, "--rdzv-endpoint=localhost:0", *torchrun, TRAIN, *options, cwd=cwd)


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def outcome(folder):
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return torch.load(folder / "model.pt", weights_only=True), [(m["cost"], m["accuracy"], m["lr"]) for m in metrics]


HOW = {
    # 47 images: each epoch ends with a mini-batch of 7, of which one process has 4 and the other 3
    "defaults": ["--batch-size", 10],
    # and here with one image, of which the second process has none
    "all else": [
        *("--batch-size", 23, "--optimizer", "adamw", "--clip-grad-norm", 0.5, "--distort", 1, "--schedule", "step"),
        *("--weight-decay", 0.1, "--hidden", 12),
    ],
    "torch's layers": ["--batch-size", 10, "--layers", "torch", "--optimizer", "momentum"],
}


@pytest.mark.parametrize("how", HOW)
def test_two_processes_train_the_network_that_one_trains(how, small, tmp_path):
    options = (*small, *HOW[how], "--epochs", 3)
    finish(one(*options, "--out", "one", cwd=tmp_path))
    out = finish(two(*options, "--out", "two", cwd=tmp_path))
    assert_close(outcome(tmp_path / "two"), outcome(tmp_path / "one"))
    assert out.count("images to train on") == 1, "one process prints"
    assert "in 2 processes" in out
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == sorted(p.name for p in (tmp_path / "one").iterdir())


def wait_for_steps(folder, process):
    """Until a checkpoint in the second epoch or later is written."""
    give_up = time.monotonic() + 90
    while not (has_checkpoint(folder) and len(load_checkpoint(folder).training["results"]) > 0):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < give_up
        time.sleep(0.05)


def pid_of(rank, out):
    """Of the process of this rank whose run goes to the folder `out`: torchrun's child with RANK in its environment."""
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"RANK={rank}".encode() in environment and str(out).encode() in line:
            return int(folder.name)
    raise AssertionError(f"there is no process {rank}")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_all_and_leaves_a_checkpoint_that_is_gone_on_with(rank, small, tmp_path):
    options = (*small, "--batch-size", 5, "--epochs", 60, "--seed", 3)
    finish(one(*options, "--out", tmp_path / "whole", cwd=tmp_path))
    process = two(*options, "--save-every", "0.05s", "--out", tmp_path / "out", cwd=tmp_path)
    wait_for_steps(tmp_path / "out", process)
    os.kill(pid_of(rank, tmp_path / "out"), signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "exitcode  : -9 (pid" in err
    assert len(load_checkpoint(tmp_path / "out").training["results"]) < 60
    finish(two("--resume", tmp_path / "out", cwd=tmp_path))
    assert_close(outcome(tmp_path / "out"), outcome(tmp_path / "whole"))


def test_torchrun_restarts_the_processes_where_they_were(small, tmp_path):
    options = (*small, "--batch-size", 5, "--epochs", 60, "--save-every", "0.05s")
    finish(one(*options, "--out", tmp_path / "whole", cwd=tmp_path))
    process = two(*options, "--out", tmp_path / "out", cwd=tmp_path, torchrun=["--max-restarts=2", "--monitor-interval=0.1"])
    wait_for_steps(tmp_path / "out", process)
    os.kill(pid_of(1, tmp_path / "out"), signal.SIGKILL)
    out = finish(process)
    assert re.search(r"Going on with .* in epoch \d+, after \d+ steps", out)
    assert_close(outcome(tmp_path / "out"), outcome(tmp_path / "whole"))


REFUSED = {
    "--engine backprop": "torchrun is for --engine autograd: backprop takes plain steps in float32, in one process",
    "--compare": "torchrun does not go with --compare, which trains two networks from the start, in one process",
}


@pytest.mark.parametrize("option", REFUSED)
def test_what_is_for_one_process_is_refused(option, small, tmp_path):
    process = two(*small, *option.split(), "--out", "out", cwd=tmp_path)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert err.count(f"train.py: {REFUSED[option]}") == 1
    assert not (tmp_path / "out").exists()


def test_restarts_without_a_folder_to_find_the_checkpoint_in_are_refused(small, tmp_path):
    process = two(*small, cwd=tmp_path, torchrun=["--max-restarts=1", "--monitor-interval=0.1"])
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "--out is needed with torchrun's --max-restarts" in err
