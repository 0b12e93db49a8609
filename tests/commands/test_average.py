"""`manualgrad average`."""

import re

import pytest
import torch
from datasets import write_dataset
from screens import manualgrad, with_run, write_run

from manualgrad.network.algorithm import sgd_step
from manualgrad.training.data import load
from manualgrad.training.runs import load_network


def average(capsys, run, *options):
    code, out, err = manualgrad(capsys, "average", *with_run(run), *options)
    assert (code, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines())
    return " ".join(out.split())


@pytest.fixture
def trained(tmp_path):
    """A run of a network so large that the learning rates of small ones ruin it, which is right about every image."""
    write_dataset(tmp_path, train=300, test=50)
    run = write_run(tmp_path / "run", [784, 400, 10], "relu")
    model, _ = load_network(run)
    examples, _ = load("fashion-mnist", tmp_path)
    for _ in range(200):
        sgd_step(model, examples.x, examples.y, 0.05)
    torch.save(model.state_dict(), run / "model.pt")
    return run


def shares(printed):
    """[before, all digits, one alone]: the percentages that are right, and that are called the digit."""
    return [(float(right), float(called)) for right, called in re.findall(r"│ +([\d.]+)% │ +([\d.]+)% │", printed)]


@pytest.mark.exhaustive
def test_a_network_that_hears_all_digits_is_not_ruined_and_one_that_hears_a_single_one_is(trained, capsys):
    printed = average(capsys, trained, "--only-digit", 2)
    (before, _), (all_digits, _), (alone, called) = shares(printed)
    assert before > 90
    assert all_digits >= before - 2
    assert alone < 30
    assert called > 80
    assert re.search(r"Learning rate \S+: the highest of 3, 1, 0.3, 0.1, 0.03, 0.01 at which training on all", printed)
    assert "worse" not in printed


def test_an_untrained_network_learns_all_digits_where_it_hears_them(run, capsys):
    (before, _), (all_digits, _), (_, called) = shares(average(capsys, run, "--only-digit", 2))
    assert all_digits > before
    assert called > 80


@pytest.mark.exhaustive
def test_a_learning_rate_of_ones_own_that_ruins_the_network_is_said_to_do_so(trained, capsys):
    printed = average(capsys, trained, "--only-digit", 2, "--lr", 50)
    (before, _), (all_digits, _), _ = shares(printed)
    assert all_digits < before - 2
    assert "Learning rate 50. " in printed
    assert "At this learning rate, training on all digits makes it worse, too." in printed


def test_a_learning_rate_without_training_is_refused(run, capsys):
    code, _, err = manualgrad(capsys, "average", *with_run(run), "--lr", 1)
    assert code == 2
    assert err == "manualgrad: --lr requires --only-digit; without it, nothing is trained\n"


def test_the_weight_is_one_of_which_half_of_the_examples_want_much_unless_it_is_named(trained, capsys):
    """Of the one whose mean nudge is longest, a few examples want much, and the others nothing."""
    chosen = average(capsys, trained)
    longest = float(
        re.search(r"Half of them want a nudge of (\S+) or more, up or down: more than for any other weight", chosen)[1]
    )
    mean = float(re.search(r"The average size of a nudge is (\S+),", chosen)[1])
    assert longest > 0.02 * mean
    named = average(capsys, trained, "--weight", "W1[4,300]")
    assert "of W1[4,300] in 784-400-10 of run" in named
    assert "Half of them" not in named
