"""Test train.py's default learning rate with many networks, mini-batch sizes, costs and optimizers; takes 20 minutes.

python benchmarks/settings.py [EPOCHS]

Prints the MNIST test accuracy after a few epochs (default: 3), in parentheses if train.py warns. Exits with code 1 if a run is
no better than guessing and has no warning, or if the accuracies of the two engines differ.
"""

from __future__ import annotations

import importlib.util
import itertools
import multiprocessing
import sys
from typing import Any

import torch
from measure import HERE, table
from rich.console import Console
from rich.progress import track

from manualgrad.training.data import load
from manualgrad.training.options import config, options
from manualgrad.training.processes import ALONE
from manualgrad.training.trouble import Watch

NETWORKS = ((), (16,), (16, 16), (100,), (100, 100), (16, 16, 16, 16), (500, 300))
BATCH_SIZES = (10, 100, 300, 1000)
HOW = {
    "sgd": (),
    "the same by backprop": ("--engine", "backprop"),
    "momentum": ("--optimizer", "momentum"),
    "adamw": ("--optimizer", "adamw"),
}
CROSS_ENTROPY = ("--cost", "cross-entropy")
OTHERS = {  # tried only with the networks and mini-batch sizes of TRIED
    "cross entropy": CROSS_ENTROPY,
    "cross entropy by backprop": (*CROSS_ENTROPY, "--engine", "backprop"),
    "cross entropy, momentum": (*CROSS_ENTROPY, "--optimizer", "momentum"),
    "cross entropy, adam": (*CROSS_ENTROPY, "--optimizer", "adam"),
}
TRIED = (
    ("sigmoid", (), 100, "cross entropy"),
    ("sigmoid", (16, 16), 100, "cross entropy"),
    ("sigmoid", (500, 300), 100, "cross entropy, momentum"),
    ("tanh", (100, 100), 100, "sgd"),
    ("tanh", (100,), 10, "cross entropy"),
    ("tanh", (16, 16, 16, 16), 100, "cross entropy"),
    ("tanh", (100, 100), 300, "cross entropy, momentum"),
    ("tanh", (16, 16), 1000, "cross entropy, adam"),
    ("relu", (100, 100), 100, "cross entropy"),
    ("relu", (16, 16), 10, "cross entropy, momentum"),
    ("relu", (100,), 100, "cross entropy, adam"),
    ("relu", (500, 300), 1000, "cross entropy, adam"),
)
BY_BACKPROP = {"sgd": "the same by backprop", "cross entropy": "cross entropy by backprop"}
GUESS = 0.12  # MNIST's most frequent digit is a 1, in 11.35% of the test images
ALIKE = 0.01  # allowed difference between the engines' accuracies: differences in the last bits grow with each step

Setting = tuple[str, tuple[int, ...], int, str]


def accuracy(setting: Setting, epochs: int) -> tuple[float, str]:
    """Return the test accuracy after these epochs, and train.py's warning about the run."""
    activation, hidden, batch_size, how = setting
    line = ["--activation", activation, "--batch-size", batch_size, "--epochs", epochs, "--threads", 1, *(HOW | OTHERS)[how]]
    chosen, _ = options([*map(str, line), "--hidden", *map(str, hidden)], "", ALONE)
    training_set, test_set = DATA
    training = TRAIN.make_training(chosen, [784, *hidden, 10], chosen.layers, training_set, test_set, ALONE)
    *_, last = training.run()
    return last.accuracy, Watch(test_set.labels, config(chosen)).trouble(training.results)


def prepare() -> None:
    """Prepare a worker process: use one thread, and load the images and train.py."""
    global DATA, TRAIN
    torch.set_num_threads(1)
    DATA = load()
    spec = importlib.util.spec_from_file_location("train", HERE.parent / "train.py")
    assert spec is not None
    assert spec.loader is not None
    TRAIN = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(TRAIN)


def measure(work: tuple[Setting, int]) -> tuple[Setting, float, str]:
    return work[0], *accuracy(*work)


def main() -> int:
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    everywhere = [
        (activation, hidden, batch_size, how)
        for activation, hidden, batch_size, how in itertools.product(("sigmoid", "relu"), NETWORKS, BATCH_SIZES, HOW)
        if hidden or activation == "sigmoid"  # without hidden layers there is nothing to activate
    ]
    tried = [*TRIED, *((*setting[:3], BY_BACKPROP[setting[3]]) for setting in TRIED if setting[3] in BY_BACKPROP)]
    settings = everywhere + tried
    found: dict[Setting, tuple[float, str]] = {}
    with multiprocessing.get_context("spawn").Pool(2, prepare) as pool:
        work = pool.imap_unordered(measure, [(setting, epochs) for setting in settings])
        for setting, right, trouble in track(work, "training", len(settings), console=Console(stderr=True), transient=True):
            found[setting] = right, trouble
    rows = table(f"Test accuracy after {epochs} epochs, in parentheses with a warning", "", "batch", *HOW)
    for activation, hidden, batch_size in dict.fromkeys(setting[:3] for setting in everywhere):
        cells = (cell(found[activation, hidden, batch_size, how]) for how in HOW)
        rows.add_row(name(activation, hidden), str(batch_size), *cells)
    others = table("The same for other costs, activations and optimizers", "", "batch", "settings", "accuracy")
    for activation, hidden, batch_size, how in tried:
        others.add_row(name(activation, hidden), str(batch_size), how, cell(found[activation, hidden, batch_size, how]))
    console = Console(width=200, soft_wrap=True)
    console.print(rows)
    console.print(others)
    silent = [setting for setting, (right, trouble) in found.items() if right < GUESS and not trouble]
    apart = {setting: engines(found, setting) for setting in settings if setting[3] in BY_BACKPROP}
    print(f"\nNo better than guessing, without a warning: {len(silent)} of {len(settings)}{''.join(f'; {s}' for s in silent)}")
    print(f"The engines' accuracies differ by at most {max(apart.values()):.2%}: {max(apart, key=apart.__getitem__)}")
    return int(bool(silent) or max(apart.values()) > ALIKE)


def name(activation: str, hidden: tuple[int, ...]) -> str:
    return f"{'-'.join(map(str, hidden))} {activation}" if hidden else "no hidden layer"


def cell(found: tuple[float, str]) -> str:
    right, trouble = found
    return f"({right:.1%})" if trouble else f"{right:.1%}"


def engines(found: dict[Setting, tuple[float, str]], setting: Any) -> float:
    other = (*setting[:3], BY_BACKPROP[setting[3]])
    return abs(found[setting][0] - found[other][0])


if __name__ == "__main__":
    sys.exit(main())
