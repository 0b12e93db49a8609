"""One training step of manualgrad's layers against torch.nn's, in eager mode: forward and backward, no optimizer.

    python benchmarks/layers.py

Beside them, the least that such layers can cost: see bare.py.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType

import bare
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
    model, cost = torch.nn.Sequential(*layers), nn.MSELoss()
    parameters = list(model.parameters())

    def step() -> None:
        cost(model(x), y).backward()
        for parameter in parameters:
            parameter.grad = None

    return step


def main() -> None:
    modules = (torch.nn, manualgrad.nn, bare)
    columns = ("network", "batch", "activation", "torch.nn", "manualgrad.nn", "ratio", "bare", "ratio")
    table = Table(*columns, title="One step, median µs, and its ratio to torch.nn's")
    for sizes, batch, activation, repeat in track(CASES, "measuring", transient=True):
        contestants = {nn.__name__: step_of(nn, sizes, batch, activation) for nn in modules}
        theirs, *others = interleaved(contestants, ROUNDS, repeat).values()
        row = ["-".join(map(str, sizes)), str(batch), activation, f"{statistics.median(theirs) * 1e6:,.0f}"]
        for seconds in others:
            row += [f"{statistics.median(seconds) * 1e6:,.0f}", f"{median_ratio(seconds, theirs):.2f}"]
        table.add_row(*row)
    show(table)


if __name__ == "__main__":
    main()
