"""What is said of a training that does not train, and that nothing is said of one that does."""

import math

import pytest
import torch

from manualgrad.training.loop import EpochResult
from manualgrad.training.trouble import Watch

SETTINGS = {
    "network": "mlp",
    "hidden": [16, 16],
    "activation": "sigmoid",
    "cost": "quadratic",
    "batch_size": 100,
    "optimizer": "sgd",
}
SETTINGS |= {"engine": "autograd", "lr": 5.0}


def watch(**settings):
    return Watch(torch.arange(10).repeat(10), SETTINGS | settings)


def results(*pairs):
    return [EpochResult(epoch, cost, accuracy, 1.0, 5.0) for epoch, (cost, accuracy) in enumerate(pairs, 1)]


WELL = {
    "it learns": [(0.3, 0.9), (0.1, 0.93), (0.09, 0.94)],
    "it has learned all that it can": [(0.1, 0.95)] * 9,
    "it is slow at first": [(0.91, 0.2), (0.88, 0.22), (0.86, 0.25), (0.84, 0.3)],
    "no epoch": [],
    "it stumbles": [(0.3, 0.9), (0.35, 0.7), (0.3, 0.9), (0.2, 0.91)],
}


@pytest.mark.parametrize("pairs", WELL.values(), ids=WELL)
def test_nothing_is_said_of_a_training_that_trains(pairs):
    assert watch().trouble(results(*pairs)) == ""


BADLY = {
    "not a number": ([(0.3, 0.9), (math.nan, 0.1)], "after epoch 2 the cost is no longer finite: try "),
    "infinite": ([(math.inf, 0.1)], "after epoch 1 the cost is no longer finite: try "),
    "a guess": ([(0.9, 0.1135)], "after epoch 1 the accuracy is 11.3%, no better than guessing: try "),
    "fallen": ([(0.3, 0.9), (1.5, 0.1)], "the accuracy has dropped from 90.0% and is 10.0%, no better than guessing: try "),
    "no progress": ([(1.4, 0.28)] * 4, "after epoch 4 the cost is 1.400 and has hardly decreased in 3 epochs: try "),
}


@pytest.mark.parametrize(("pairs", "said"), BADLY.values(), ids=BADLY)
def test_a_training_that_fails_is_told_apart(pairs, said):
    assert said in watch().trouble(results(*pairs))


def test_three_epochs_without_progress_need_one_before_them():
    assert watch().trouble(results(*[(1.4, 0.28)] * 3)) == ""


def test_the_guess_is_that_of_the_test_labels():
    two_classes = Watch(torch.tensor([0, 0, 0, 1]), SETTINGS)
    assert (two_classes.accuracy, two_classes.cost) == (0.75, pytest.approx(0.375))
    by_entropy = Watch(torch.tensor([0, 0, 0, 1]), SETTINGS | {"cost": "cross-entropy"})
    assert by_entropy.cost == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))


def test_a_cross_entropy_that_falls_slowly_is_told_from_one_that_does_not():
    assert watch(cost="cross-entropy").trouble(results(*[(1.0, 0.7)] * 4)) == ""  # ten classes guessed cost log 10 = 2.3
    assert "has hardly decreased" in watch(cost="cross-entropy").trouble(results(*[(2.2, 0.28)] * 4))


@pytest.mark.parametrize(
    ("examples", "batch_size", "epochs", "said"),
    [
        (
            60_000,
            100_000,
            1,
            "because 1 step is too few to learn from: try --batch-size 100, which takes 600 steps an epoch, or --epochs 200",
        ),
        (
            60_000,
            10_000,
            3,
            "because 18 steps are too few to learn from: try --batch-size 100, which takes 600 steps an epoch, or --epochs 34",
        ),
        (
            300,
            100,
            2,
            "because 6 steps are too few to learn from: try --batch-size 1, which takes 300 steps an epoch, or --epochs 67",
        ),
        (100, 1, 1, "because 100 steps are too few to learn from: try --epochs 2"),
        (60_000, 300, 1, "no better than guessing: try --lr 1, or --optimizer adamw"),
    ],
)
def test_too_few_steps_are_named_and_not_the_learning_rate(examples, batch_size, epochs, said):
    few = Watch(torch.arange(10).repeat(10), SETTINGS | {"batch_size": batch_size, "lr": min(5, 0.05 * batch_size)}, examples)
    assert few.trouble(results(*[(0.9, 0.1)] * epochs)).endswith(said)


def test_a_rate_that_is_far_too_high_is_named_however_few_the_steps():
    high = Watch(torch.arange(10).repeat(10), SETTINGS | {"lr": 300.0}, 500)
    assert ": try --lr 5, the default here" in high.trouble(results((0.9, 0.1)))


def test_steps_that_end_in_no_number_are_not_too_few():
    assert ": try --lr" in Watch(torch.arange(10).repeat(10), SETTINGS, 100).trouble(results((math.nan, 0.1)))


@pytest.mark.parametrize(
    ("settings", "remedies"),
    [
        ({"lr": 5.0}, "--lr 1, or --optimizer adamw"),
        ({"lr": 300.0}, "--lr 5, the default here, or --optimizer adamw"),
        ({"lr": 1e-4, "optimizer": "adamw"}, "--lr 0.003, the default here"),
        ({"lr": 1e-4, "optimizer": "adam"}, "--lr 0.003, the default here"),
        ({"engine": "backprop"}, "--lr 1"),
        ({"hidden": [9] * 5}, "--lr 1, or --optimizer adamw, or --activation relu"),
    ],
)
def test_what_to_try_depends_on_what_was_asked_for(settings, remedies):
    assert watch(**settings).trouble(results((0.9, 0.1))).endswith(f": try {remedies}")
