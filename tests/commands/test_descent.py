"""`manualgrad descent`."""

import json
import re

import pytest
import torch
from datasets import write_dataset
from screens import manualgrad, with_run, write_run

from manualgrad.commands.descent import _outcome
from manualgrad.network.algorithm import sgd_step
from manualgrad.teaching.descent import Path
from manualgrad.training.data import load
from manualgrad.training.loop import make_network
from manualgrad.training.runs import load_network


def train(run):
    """Some steps on all the images that lie beside the run."""
    model, config = load_network(run)
    examples, _ = load(config["dataset"], run.parent)
    for _ in range(150):
        sgd_step(model, examples.x, examples.y, 0.1)
    torch.save(model.state_dict(), run / "model.pt")


def descent(capsys, run, *options, steps=60, examples=300):
    code, out, err = manualgrad(capsys, "descent", *with_run(run), "--steps", steps, "--examples", examples, *options)
    assert (code, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines())
    return " ".join(out.split())


def costs(printed):
    """[quick, careful], each at first and at last."""
    found = re.findall(r"examples │ +(\S+) │ +(\S+) │", printed)
    return [tuple(map(float, pair)) for pair in found]


NETWORKS = {
    "no hidden layer": ([784, 10], "sigmoid"),
    "small": ([784, 12, 11, 10], "sigmoid"),
    "large": ([784, 400, 300, 10], "sigmoid"),
    "relu": ([784, 400, 10], "relu"),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("trained", [False, True], ids=["untrained", "trained"])
@pytest.mark.parametrize(("sizes", "activation"), NETWORKS.values(), ids=NETWORKS)
def test_both_walkers_end_lower_than_they_began(sizes, activation, trained, capsys, tmp_path):
    write_dataset(tmp_path, train=300, test=50)
    run = write_run(tmp_path / "run", sizes, activation)
    if trained:
        train(run)
    printed = descent(capsys, run)
    for first, last in costs(printed):
        assert last < first
    quick, careful = map(int, re.search(r"has risen (\d+) times with .*, and (\d+) times with all examples", printed).groups())
    assert careful <= quick <= 61


def test_the_learning_rate_is_printed_and_where_it_comes_from(run, capsys):
    printed = descent(capsys, run, steps=10)
    found = re.search(r"10 steps each, at learning rate (\S+): of 3, 1, 0.3, 0.1, 0.03, 0.01, the one at which", printed)
    assert float(found[1]) in (3, 1, 0.3, 0.1, 0.03, 0.01)
    given = descent(capsys, run, "--lr", 0.25, steps=10)
    assert "10 steps each, at learning rate 0.25. " in given
    assert "at which mini-batches" not in given


def test_a_learning_rate_of_ones_own_is_taken(run, capsys):
    lower, higher = (costs(descent(capsys, run, "--lr", lr, steps=1))[1][1] for lr in (1e-6, 0.5))
    start = costs(descent(capsys, run, "--lr", 1, steps=1))[1][0]
    assert lower == start > higher


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast"])
@pytest.mark.parametrize("command", [["descent"], ["average", "--only-digit", 2]], ids=["descent", "average"])
def test_a_learning_rate_that_is_none_is_refused_in_a_sentence(command, text, run, capsys):
    code, _, err = manualgrad(capsys, *command, *with_run(run), f"--lr={text}")
    assert code == 2
    assert err.endswith(f"error: argument --lr: must be a positive finite number, got '{text}'\n")


def test_descent_that_leads_beyond_all_numbers_is_refused(run, capsys):
    code, _, err = manualgrad(capsys, "descent", *with_run(run), "--steps", 5, "--examples", 50, "--lr", "3e38")
    assert (code, err) == (2, "manualgrad: --lr: at 3e+38 descent diverges; use a lower rate\n")


@pytest.mark.parametrize("command", [["descent", "--examples", 50], ["average"], ["sensitivity", "--examples", 50]])
def test_a_network_whose_training_ran_away_is_refused(command, tmp_path, capsys):
    write_dataset(tmp_path, train=300, test=50)
    run = write_run(tmp_path / "run")
    sizes = json.loads((run / "config.json").read_text())["sizes"]
    state = {name: torch.full_like(tensor, torch.nan) for name, tensor in make_network(sizes).state_dict().items()}
    torch.save(state, run / "model.pt")
    code, _, err = manualgrad(capsys, *command, *with_run(run))
    assert code == 2
    assert err == "manualgrad: the cost of 784-12-11-10 of run is nan, so it has no derivatives to show\n"


def path(batch_size, *costs):
    """A step of which every place is."""
    n = len(costs)
    return Path(batch_size, [i * batch_size for i in range(n)], [float(i) for i in range(n)], list(costs), torch.zeros(n, 1))


QUICK, CLIMBING = path(20, 2.4, 0.9, 0.5), path(20, 0.4, 0.9, 0.5)
OUTCOMES = {
    "reached": (
        QUICK,
        path(1000, 2.4, 0.9, 0.6, 0.5, 0.3),
        "Mini-batches end at 0.5000 after 40 examples. "
        "Full-batch descent reaches this cost after 3,000 examples: 75 times as many.",
    ),
    "reached with few": (
        QUICK,
        path(30, 2.4, 0.4),
        "Mini-batches end at 0.5000 after 40 examples. Full-batch descent reaches this cost after 30 examples.",
    ),
    "not reached": (
        QUICK,
        path(1000, 2.4, 0.9, 0.6),
        "Mini-batches end at 0.5000 after 40 examples. "
        "Full-batch descent has not reached this cost after 2,000 examples: 50 times as many.",
    ),
    "neither": (CLIMBING, path(1000, 0.4, 0.4), "Neither ends lower than it began."),
    "full descent alone": (
        CLIMBING,
        path(1000, 0.4, 0.3),
        "Mini-batches end no lower than they began; full-batch descent does.",
    ),
    "mini-batches alone": (
        QUICK,
        path(1000, 2.4, 2.5),
        "Full-batch descent ends no lower than it began; mini-batches do.",
    ),
    "no number": (path(20, 0.4, torch.nan), path(1000, 0.4, torch.nan), "Neither ends lower than it began."),
}


@pytest.mark.parametrize(("quick", "careful", "sentence"), OUTCOMES.values(), ids=OUTCOMES)
def test_the_outcome_is_told_as_it_was(quick, careful, sentence):
    assert _outcome(quick, careful) == sentence
