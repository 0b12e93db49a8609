"""The network that a command looks at: a run's, or one trained on the spot."""

import json

import pytest
import torch
from datasets import write_dataset
from screens import SIZES, is_picture, manualgrad, with_run, write_run

from manualgrad.training import data
from manualgrad.training.loop import make_network
from manualgrad.training.runs import load_network


@pytest.mark.exhaustive
def test_a_checkpoint_is_a_runs_folder_or_its_model(run, capsys, tmp_path):
    other = write_run(tmp_path / "other [bold]", [784, 40, 10], "relu")  # brackets are rich's markup elsewhere
    screens = []
    for checkpoint in (other, other / "model.pt"):
        options = ("--checkpoint", checkpoint, "--data-dir", tmp_path)
        code, out, err = manualgrad(capsys, "explain", *options)
        assert (code, err) == (0, "")
        assert "784-40-10 of other [bold]" in " ".join(out.split())
        screens.append(out.split("\n\n", 1)[1])
    assert screens[0] == screens[1]


def write_checkpoint(run, name="checkpoint.pt"):
    """What a training writes before it is over; its network is another than model.pt's."""
    config = json.loads((run / "config.json").read_text())
    network = make_network(config["sizes"], config["activation"])
    training = {"model": network.state_dict(), "results": [], "step": 0}
    versions = {"torch": "2"}
    torch.save({"format": "manualgrad checkpoint 1", "config": config, "versions": versions, "training": training}, run / name)
    return network


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.previous.pt", ""])
def test_a_checkpoint_may_be_that_of_a_training_which_is_not_over(name, run, tmp_path):
    network = write_checkpoint(run, name or "checkpoint.pt")
    if not name:
        (run / "model.pt").unlink()
    loaded, config = load_network(run / name)
    assert config["sizes"] == SIZES
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), network.parameters(), strict=True))


def test_of_a_run_that_is_over_the_network_is_its_model(run):
    write_checkpoint(run)
    state = torch.load(run / "model.pt", weights_only=True)
    assert torch.equal(load_network(run)[0].state_dict()["0.weight"], state["0.weight"])


def test_a_checkpoint_needs_no_config_beside_it(run, tmp_path):
    write_checkpoint(run)
    moved = (run / "checkpoint.pt").rename(tmp_path / "moved.pt")
    assert load_network(moved)[1]["dataset"] == "fashion-mnist"


def test_another_file_of_a_run_is_answered_with_its_folder(run, capsys):
    code, _, err = manualgrad(capsys, "explain", "--checkpoint", run / "config.json")
    assert code == 2
    assert err.endswith(f"; to load the network of its run, pass the folder: --checkpoint {run}.\n")


def test_a_folder_of_runs_is_answered_with_the_last_of_them(run, capsys, tmp_path):
    (tmp_path / "runs").mkdir()
    for name in ("20260101-mnist", "20260102-mnist"):
        run = write_run(tmp_path / "runs" / name)
    code, _, err = manualgrad(capsys, "explain", "--checkpoint", tmp_path / "runs")
    assert code == 2
    last = f"the latest run in it is {run}"
    assert err == (
        f"manualgrad: --checkpoint: {tmp_path / 'runs'} is not a run's folder: it does not contain model.pt; {last}.\n"
    )


def test_the_network_of_a_run_is_the_one_explained(run, capsys):
    model = make_network(SIZES)
    model.load_state_dict(torch.load(run / "model.pt", weights_only=True))
    _, out, _ = manualgrad(capsys, "explain", "--index", 5, *with_run(run))
    training, _ = data.load("fashion-mnist", run.parent)
    for a in model(training.x[5]).tolist():
        assert f"{a:.4f}" in out


def test_without_a_checkpoint_a_short_training_comes_first(capsys, tmp_path):
    code, out, err = manualgrad(capsys, "explain", "--digit", 2)
    assert (code, err) == (0, "")
    assert "a 2, wants of 784-16-16-10 after 1 epoch (test accuracy" in " ".join(out.split())
    assert is_picture(tmp_path / "runs" / "explain.png")


@pytest.mark.exhaustive
def test_epochs_0_is_the_untrained_network_of_the_notes(capsys):
    code, out, _ = manualgrad(capsys, "explain", "--epochs", 0)
    assert code == 0
    assert "wants of 784-16-16-10, untrained" in out


def test_the_same_seed_shows_the_same(run, capsys):
    screens = {manualgrad(capsys, "average", "--seed", seed, *with_run(run))[1] for seed in (1, 1, 2)}
    assert len(screens) == 2


def without(run, name):
    (run / name).unlink()


def damaged(run, name, content=b"damaged"):
    (run / name).write_bytes(content)


def of_another_shape(run):
    torch.save(make_network([784, 5, 10]).state_dict(), run / "model.pt")


def of_another_data_set(run):
    (run / "config.json").write_text(json.dumps({"sizes": [4, 3, 10], "activation": "relu", "dataset": "fashion-mnist"}))
    torch.save(make_network([4, 3, 10]).state_dict(), run / "model.pt")


def with_config(**config):
    def change(run):
        (run / "config.json").write_text(
            json.dumps({"sizes": SIZES, "activation": "relu", "dataset": "fashion-mnist"} | config)
        )

    return change


DAMAGE = {
    "no model": (lambda run: without(run, "model.pt"), "model.pt cannot be read (No such file or directory)."),
    "no config": (lambda run: without(run, "config.json"), "config.json, with the network's sizes, cannot be read"),
    "a damaged model": (lambda run: damaged(run, "model.pt"), "model.pt is damaged, or was not written by torch.save."),
    "half a model": (
        lambda run: damaged(run, "model.pt", (run / "model.pt").read_bytes()[:5000]),
        "model.pt is damaged, or was not written by torch.save.",
    ),
    "no state_dict": (lambda run: torch.save([1, 2], run / "model.pt"), "does not contain the parameters of 784-12-11-10"),
    "another shape": (
        of_another_shape,
        "does not contain the parameters of 784-12-11-10, the network in config.json.",
    ),
    "no JSON": (lambda run: damaged(run, "config.json"), "config.json is damaged: invalid JSON"),
    "bytes": (lambda run: damaged(run, "config.json", b"\xff\xfe\x00"), "config.json is damaged: invalid JSON"),
    "no object": (lambda run: damaged(run, "config.json", b"[]"), "sizes must be two or more positive integers, got None."),
    "no sizes": (with_config(sizes=[784]), "config.json is damaged: sizes must be two or more positive integers, got [784]."),
    "huge sizes": (with_config(sizes=[784, 10**12, 10]), "does not contain the parameters of 784-1000000000000-10"),
    "no activation": (with_config(activation="gelu"), "config.json is damaged: unknown activation 'gelu'."),
    "no cost": (with_config(activation="relu", cost="hinge"), "config.json is damaged: unknown cost 'hinge'."),
    "no data set": (with_config(activation="sigmoid", dataset="letters"), "config.json is damaged: unknown dataset 'letters'."),
    "another data set": (of_another_data_set, "does not fit fashion-mnist, which requires 784 inputs and 10 outputs"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_run_exits_with_2_and_one_sentence(damage, message, run, capsys, tmp_path):
    damage(run)
    code, out, err = manualgrad(capsys, "explain", *with_run(run))
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("manualgrad: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "runs" / "explain.png").exists()


def test_a_run_that_is_not_there_exits_with_2(capsys):
    code, _, err = manualgrad(capsys, "sensitivity", "--checkpoint", "nowhere")
    assert code == 2
    assert "nowhere does not exist" in err


@pytest.mark.parametrize("command", ["explain", "sensitivity", "average", "descent"])
def test_a_checkpoint_without_a_name_is_refused(command, capsys):
    code, _, err = manualgrad(capsys, command, "--checkpoint", "")
    assert code == 2
    assert err.endswith("argument --checkpoint: must be a run's folder or its model.pt, got ''\n")


@pytest.mark.parametrize("number", ["abc", "0", "-1", "1.5", str(2**63)])
@pytest.mark.parametrize("option", ["chain --layers", "derive --layers", "sensitivity --examples", "descent --steps"])
def test_what_must_be_above_0_is_said_to_be_so(option, number, capsys):
    code, _, err = manualgrad(capsys, *option.split(), number)
    assert code == 2
    assert f"invalid value {number!r}: expected a positive integer" in err


@pytest.mark.exhaustive
def test_digits_of_ones_own_are_explained_with_a_sentence_that_they_are(capsys, tmp_path):
    write_dataset(tmp_path, "MNIST")
    run = write_run(tmp_path / "run", dataset="mnist")
    code, out, err = manualgrad(capsys, "explain", *with_run(run))
    assert code == 0
    assert "What training image" in out
    assert err.startswith("manualgrad: --data-dir: the images in ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("option", ["sensitivity --examples", "chain --layers"])
def test_a_number_that_is_too_large_is_said_to_be(option, capsys):
    code, _, err = manualgrad(capsys, *option.split(), 2**63)
    assert code == 2
    assert err.endswith("expected a positive integer below 2^63\n")


def test_data_that_is_not_there_exits_with_2(run, capsys, tmp_path, monkeypatch):
    def gone(*_):
        raise data.DataError("It is gone.")

    monkeypatch.setattr(data, "_download", gone)
    code, _, err = manualgrad(capsys, "explain", "--checkpoint", run, "--data-dir", tmp_path / "empty")
    assert (code, err) == (2, "manualgrad: It is gone.\n")
