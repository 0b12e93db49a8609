"""One training step (forward and backward, no optimizer) of manualgrad's layers against torch.nn's, in eager mode.

python benchmarks/layers.py
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType

import torch
from measure import interleaved, median_ratio, show
from rich.progress import track
from rich.table import Table

import manualgrad.nn

# sizes, batch, activation, steps a round: the notes' network, Nielsen's, and two that are large enough to be arithmetic
CASES = [
    ([784, 16, 16, 10], 100, "Sigmoid", 20),
    ([784, 30, 10], 10, "Sigmoid", 20),
    ([784, 512, 512, 10], 256, "Sigmoid", 3),
    ([784, 512, 512, 10], 256, "ReLU", 3),
]
ROUNDS = 200


def step_of(nn: ModuleType, sizes: list[int], batch: int, activation: str) -> Callable[[], None]:
    torch.manual_seed(0)
    x, y = torch.rand(batch, sizes[0]), torch.rand(batch, sizes[-1])
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), getattr(nn, activation)())]
    model, cost = nn.Sequential(*layers), nn.MSELoss()
    parameters = list(model.parameters())

    def step() -> None:
        cost(model(x), y).backward()
        for parameter in parameters:
            parameter.grad = None

    return step


def main() -> None:
    table = Table("network", "batch", "activation", "torch.nn", "manualgrad.nn", "ratio", title="One step, median µs")
    for sizes, batch, activation, repeat in track(CASES, "measuring", transient=True):
        contestants = {nn.__name__: step_of(nn, sizes, batch, activation) for nn in (torch.nn, manualgrad.nn)}
        seconds = interleaved(contestants, ROUNDS, repeat)
        theirs, ours = seconds["torch.nn"], seconds["manualgrad.nn"]
        times = [f"{statistics.median(s) * 1e6:,.0f}" for s in (theirs, ours)]
        table.add_row("-".join(map(str, sizes)), str(batch), activation, *times, f"{median_ratio(ours, theirs):.2f}")
    show(table)


if __name__ == "__main__":
    main()
