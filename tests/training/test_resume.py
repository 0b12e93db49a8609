"""train.py stopped, killed, resumed, and short of a place to write to: nothing that it had is lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from datasets import write_dataset
from runs import outcome

from manualgrad.training import files
from manualgrad.training.keeper import Keeper
from manualgrad.training.runs import Run, load_checkpoint, load_network


def assert_same(folder, expected_folder):
    (network, metrics), (expected, expected_metrics) = outcome(folder), outcome(expected_folder)
    assert metrics == expected_metrics
    assert list(network) == list(expected)
    assert all(torch.equal(network[name], expected[name]) for name in expected)


@pytest.mark.exhaustive
@pytest.mark.skipif(os.name != "posix", reason="forks, and sends SIGKILL")
def test_a_run_killed_at_random_moments_ends_bit_for_bit_as_if_it_had_not_been(tmp_path):
    write_dataset(tmp_path / "data", train=200)
    options = [
        "--dataset",
        "fashion-mnist",
        "--data-dir",
        tmp_path / "data",
        "--epochs",
        100,
        "--batch-size",
        5,
        "--threads",
        1,
    ]
    options += ["--device", "cpu", "--optimizer", "momentum", "--distort", 0.5]
    line = [sys.executable, Path(__file__).parent / "killed.py", tmp_path, 40, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*map(str, line)], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["codes"] == [0, 0]
    assert found["left"] == sorted(found["left"]), "no checkpoint is older than the one before"
    assert len({tuple(where) for where in found["left"]}) > 8, "the kills met the training"
    assert any(step for _, step in found["left"]), "also in mid-epoch"
    assert_same(tmp_path / "killed", tmp_path / "whole")
    assert not list((tmp_path / "killed").glob("*.part"))


@pytest.fixture
def stopped(train_py, small, tmp_path, monkeypatch):
    """A run that Ctrl-C stopped in its second epoch, and the same one that was not stopped."""
    assert train_py(*small, "--out", tmp_path / "whole")[0] == 0
    steps = []

    def after_step(self):
        steps.append(self.training.step)
        if len(steps) == 7:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "after_step", after_step)
        code, out, err = train_py(*small, "--out", tmp_path / "out")
    assert (code, err) == (130, "")
    assert "Interrupted in epoch 2; the network was saved." in out
    assert f"To resume: python train.py --resume {tmp_path / 'out'}" in out
    return tmp_path / "out"


def test_a_stopped_run_is_resumed_to_the_same_result(train_py, stopped, tmp_path):
    assert len((stopped / "metrics.jsonl").read_text().splitlines()) == 1
    code, out, err = train_py("--resume", stopped)
    assert (code, err) == (0, "")
    assert f"Resuming {stopped} in epoch 2, after 2 of its 5 steps.\n" in out
    assert_same(stopped, tmp_path / "whole")


@pytest.mark.parametrize("engine", ["autograd", "backprop"])
def test_a_run_for_the_cross_entropy_is_resumed_to_the_same_result(engine, train_py, small, tmp_path):
    how = ["--cost", "cross-entropy", "--activation", "tanh", "--engine", engine, "--schedule", "constant"]
    how += ["--optimizer", "adam"] if engine == "autograd" else []
    assert train_py(*small, *how, "--epochs", 3, "--out", tmp_path / "whole")[0] == 0
    assert train_py(*small, *how, "--epochs", 1, "--out", tmp_path / "out")[0] == 0
    assert train_py("--resume", tmp_path / "out", "--epochs", 3)[0] == 0
    assert_same(tmp_path / "out", tmp_path / "whole")


def test_a_run_from_before_there_was_a_choice_of_costs_has_the_quadratic_one(train_py, small, stopped, tmp_path):
    state = files.load(stopped / "checkpoint.pt")
    assert state["config"].pop("cost") == "quadratic"
    files.save(stopped / "checkpoint.pt", state)
    code, _, err = train_py("--resume", stopped, "--cost", "cross-entropy")
    assert (code, err) == (2, f"train.py: --cost cannot change on resume: the run in {stopped} has quadratic\n")
    assert train_py("--resume", stopped)[0] == 0
    assert_same(stopped, tmp_path / "whole")
    config = json.loads((stopped / "config.json").read_text())
    assert config.pop("cost") == "quadratic"
    (stopped / "config.json").write_text(json.dumps(config))
    network, config = load_network(stopped)
    assert config["cost"] == "quadratic"
    assert isinstance(network[-1], torch.nn.Sigmoid)


def test_a_finished_run_that_is_resumed_stays_as_it_is_and_gets_what_it_lacks(train_py, stopped, tmp_path):
    network = (tmp_path / "whole" / "model.pt").read_bytes()
    for name in ("metrics.jsonl", "model.pt", "config.json"):
        (tmp_path / "whole" / name).unlink()
        assert train_py("--resume", tmp_path / "whole")[0] == 0
    assert (tmp_path / "whole" / "model.pt").read_bytes() == network
    assert train_py("--resume", stopped)[0] == 0
    assert_same(stopped, tmp_path / "whole")


def test_metrics_later_than_the_checkpoint_are_dropped(train_py, stopped, tmp_path):
    with open(stopped / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 2, "cost": 1')
    assert train_py("--resume", stopped)[0] == 0
    assert_same(stopped, tmp_path / "whole")


def test_the_settings_are_the_runs_and_may_be_repeated_but_not_changed(train_py, small, stopped, tmp_path):
    for options in (("--batch-size", 9), ("--lr", 1), ("--hidden", 3), ("--compile",), ("--seed", 5)):
        code, out, err = train_py("--resume", stopped, *options)
        assert (code, out) == (2, "")
        assert f"train.py: {options[0]} cannot change on resume: the run in {stopped} has " in err
        assert err.count("\n") == 1
    code, _, err = train_py("--resume", stopped, "--out", tmp_path / "other")
    assert code == 2
    assert "--out cannot be combined with --resume" in err
    assert train_py("--resume", stopped, *small, "--save-every", 1)[0] == 0
    assert_same(stopped, tmp_path / "whole")


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_finished_run_is_trained_further(schedule, train_py, small, tmp_path):
    """As one that began so long, where the schedule does not depend on the length; else it is said that it is not."""
    settings = (*small, "--schedule", schedule)
    assert train_py(*settings, "--epochs", 4, "--out", tmp_path / "whole")[0] == 0
    assert train_py(*settings, "--out", tmp_path / "out")[0] == 0
    code, out, _ = train_py("--resume", tmp_path / "out", "--epochs", 4)
    assert code == 0
    assert f"Resuming {tmp_path / 'out'} at the start of epoch 3. Its length changes from 2 epochs to 4" in out
    (_, metrics), (_, expected) = outcome(tmp_path / "out"), outcome(tmp_path / "whole")
    assert [m[3] for m in metrics[2:]] == [m[3] for m in expected[2:]], "the learning rates of the new length"
    assert json.loads((tmp_path / "out" / "config.json").read_text())["epochs"] == 4
    if schedule == "constant":
        assert "the result is bit-identical to a run started with that length" in out
        assert_same(tmp_path / "out", tmp_path / "whole")
    else:
        assert "the learning rate follows the cosine schedule for 4 epochs, so the result differs from a run" in out
        assert metrics != expected


def test_a_run_trained_further_is_resumed_in_its_new_length(train_py, small, stopped, tmp_path, monkeypatch):
    assert train_py("--resume", stopped, "--epochs", 5)[0] == 0
    before = outcome(stopped)[1]
    code, out, _ = train_py("--resume", stopped)
    assert f"{stopped} is finished after 5 epochs; to train it further, pass a larger --epochs." in out
    assert (code, outcome(stopped)[1]) == (0, before)


def test_a_run_cannot_be_made_shorter_than_it_is(train_py, stopped):
    code, _, err = train_py("--resume", stopped, "--epochs", 1)
    assert (code, err) == (2, f"train.py: --epochs is too small: the run in {stopped} is already in epoch 2, got 1\n")


def test_one_epoch_is_one_epoch(train_py, small, tmp_path):
    assert "are classified correctly after 1 epoch and " in train_py(*small, "--epochs", 1, "--out", tmp_path / "out")[1]


def test_the_data_may_have_moved(train_py, stopped, tmp_path):
    (tmp_path / "data").rename(tmp_path / "moved")
    code, _, err = train_py("--resume", stopped)
    assert code == 2
    assert "could not be downloaded" in err
    assert train_py("--resume", stopped, "--data-dir", tmp_path / "moved")[0] == 0
    assert_same(stopped, tmp_path / "whole")


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_offered(train_py, small, tmp_path, monkeypatch):
    assert train_py(*small, "--out", tmp_path / "whole")[0] == 0
    assert train_py(*small, "--save-every", 1, "--out", tmp_path / "out")[0] == 0
    checkpoint = tmp_path / "out" / "checkpoint.pt"
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)

    code, out, err = train_py("--resume", tmp_path / "out")
    assert (code, out) == (2, "")
    previous = tmp_path / "out" / "checkpoint.previous.pt"
    assert err == (
        f"train.py: --resume: {checkpoint} is damaged, or was not written by torch.save; "
        f"the previous checkpoint, from epoch 3, step 0, is intact: --resume {previous}.\n"
    )
    assert train_py("--resume", previous)[0] == 0
    assert_same(tmp_path / "out", tmp_path / "whole")
    assert train_py("--resume", tmp_path / "out")[0] == 0


def test_without_a_whole_one_before_it_none_is_offered(train_py, stopped):
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        (stopped / name).write_bytes(b"")
    code, _, err = train_py("--resume", stopped)
    assert code == 2
    assert err.endswith("checkpoint.pt is damaged, or was not written by torch.save.\n")


FOREIGN = {
    "model.pt": "is not a checkpoint that this version can read; to resume its run, pass the folder: --resume ",
    "config.json": "is damaged, or was not written by torch.save",
    "nothing.pt": "cannot be read (No such file or directory)",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_checkpoint_is_named(name, train_py, stopped):
    code, _, err = train_py("--resume", stopped / name)
    assert code == 2
    assert f"train.py: --resume: {stopped / name} {FOREIGN[name]}" in err
    assert err.count("\n") == 1


def test_a_folder_without_a_run_is_named(train_py, tmp_path):
    code, _, err = train_py("--resume", tmp_path)
    assert code == 2
    assert err == f"train.py: --resume: {tmp_path / 'checkpoint.pt'} cannot be read (No such file or directory).\n"


def test_a_run_of_another_torch_is_resumed_and_said_to_be_one(train_py, stopped):
    state = files.load(stopped / "checkpoint.pt")
    state["versions"]["torch"] = "1.0"
    files.save(stopped / "checkpoint.pt", state)
    code, _, err = train_py("--resume", stopped)
    assert code == 0
    assert err.startswith(f"train.py: the run began with torch 1.0, this is {torch.__version__}: the last bits of the results")


def test_an_unwritable_folder_is_said_before_anything_is_done(train_py, stopped, monkeypatch):
    monkeypatch.setattr(files.os, "replace", no_space)
    code, _, err = train_py("--resume", stopped)
    assert code == 2
    assert err == f"train.py: --resume: cannot write to {stopped} (No space left on device).\n"


def no_space(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.fixture
def full_disk(monkeypatch):
    """A file system that is full from the first step on: what was there stays, and nothing more fits."""
    replace = os.replace

    def after_step(self):
        def full(source, target):
            if Path(target).is_relative_to(self.run.folder):
                no_space()
            replace(source, target)

        monkeypatch.setattr(files.os, "replace", full)

    monkeypatch.setattr(Keeper, "after_step", after_step)


def test_a_disk_that_fills_during_the_training_does_not_lose_it(train_py, small, full_disk, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = train_py(*small, "--out", tmp_path / "out")
    assert code == 1
    *warnings, last = err.splitlines()
    names = ("metrics.jsonl", "checkpoint.pt", "model.pt")
    why = "could not be written (No space left on device)"
    assert warnings == [f"train.py: {tmp_path / 'out' / name} {why}" for name in names], "each is said once"
    assert "are classified correctly after 2 epochs" in out
    (elsewhere,) = tmp_path.glob("manualgrad-*")
    assert last == f"train.py: the network and its checkpoint are in {elsewhere} instead; move them to a permanent folder"

    monkeypatch.undo()
    assert len(load_checkpoint(tmp_path / "out").training["results"]) == 0, "the first checkpoint is still there"
    assert train_py(*small, "--out", tmp_path / "whole")[0] == 0
    assert_same(elsewhere, tmp_path / "whole")


def test_when_nothing_can_be_written_anywhere_the_results_are_at_least_shown(train_py, small, full_disk, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.mkdtemp", no_space)
    code, out, err = train_py(*small, "--out", tmp_path / "out")
    assert code == 1
    assert "are classified correctly after 2 epochs" in out
    assert "the network could not be written to a temporary folder either (No space left on device)" in err


def test_a_folder_deleted_during_the_training_is_made_again(train_py, small, tmp_path, monkeypatch):
    after_step = Keeper.after_step

    def delete(self):
        if self.training.step == 3:
            for file in self.run.folder.iterdir():
                file.unlink()
            self.run.folder.rmdir()
        after_step(self)

    monkeypatch.setattr(Keeper, "after_step", delete)
    code, _, err = train_py(*small, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert len(outcome(tmp_path / "out")[1]) == 2


@pytest.mark.parametrize(("every", "saved"), [("1", [1, 2]), ("2", [2]), ("3", []), ("100s", []), ("1e-9s", "each step")])
def test_a_checkpoint_is_saved_as_often_as_asked(every, saved, train_py, small, tmp_path, monkeypatch):
    where, save = [], Run.save_checkpoint

    def note(self, training):
        where.append((len(training.results), training.step))
        save(self, training)

    monkeypatch.setattr(Run, "save_checkpoint", note)
    assert train_py(*small, "--save-every", every, "--out", tmp_path / "out")[0] == 0
    steps = [(epoch, step) for epoch in range(2) for step in range(1, 6)]
    expected = steps if saved == "each step" else [(epoch, 0) for epoch in saved]
    assert where == [(0, 0), *expected, (2, 0)], "at the start, as asked, and at the end"


@pytest.mark.parametrize("name", ["model.pt", "config.json", "curve.png", "metrics.jsonl"])
def test_another_file_of_a_run_is_answered_with_its_folder(name, train_py, small, tmp_path):
    assert train_py(*small, "--epochs", 1, "--out", tmp_path / "out")[0] == 0
    code, _, err = train_py("--resume", tmp_path / "out" / name)
    assert code == 2
    assert err.endswith(f"; to resume its run, pass the folder: --resume {tmp_path / 'out'}.\n")
