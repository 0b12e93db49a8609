"""`manualgrad sensitivity`: the weights to which the cost is most sensitive."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput

__all__ = ["add"]

_RANKS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 30, 100, 300, 1000, 3000, 10_000]


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "sensitivity",
        help="rank the weights by the cost's sensitivity to them",
        description="Rank the weights by the cost's sensitivity to them, averaged over many training examples, and nudge some "
        "of them to measure the change of the cost.",
    )
    parser.add_argument(
        "--examples", type=network.positive, default=1000, metavar="N", help="use the first N training examples (default: 1000)"
    )
    network.add_options(parser, "sensitivity.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.commands.terminal import console, number, save, table
    from manualgrad.teaching.plots.sensitivity import plot_sensitivity
    from manualgrad.teaching.sensitivity import EPSILON, rank

    screen = console()
    looked_at = network.load(options, screen, partial(_check, options))
    network.check_cost(looked_at)
    training = looked_at.training
    x, y = training.x[: options.examples].double(), training.y[: options.examples].double()
    gradients, nudges = rank(looked_at.model.double(), x, y, _RANKS, looked_at.cost)
    title = f"The cost of the first {options.examples:,} training examples"
    screen.print(f"{looked_at.name}: {title.lower()}", style="bold", markup=False)
    first = nudges[0]
    other = next((n for n in reversed(nudges) if n.rank <= 3000 and n.derivative), None)
    if other is None:
        screen.print("C does not depend on any weight: every derivative is 0.\n")
    else:
        times = f"{abs(first.derivative / other.derivative):,.0f}"
        screen.print(f"C is {times} times more sensitive to {first.weight} than to {other.weight}.\n", markup=False)
    shown = table(
        f"The weights by rank, each nudged by ε = {EPSILON}",
        *("rank", "<weight", "∂C/∂w", "times less", "predicted ε ∂C/∂w", "measured"),
    )
    for n in nudges:
        less = f"{abs(first.derivative / n.derivative):.3g}" if n.derivative else "∞"
        shown.add_row(f"{n.rank:,}", str(n.weight), number(n.derivative), less, number(n.predicted), number(n.measured))
    shown.caption = "W3\\[2,5] connects neuron 5 of layer 2 to neuron 2 of layer 3; layer 0 is the image."
    screen.print(shown)
    save(options.out, lambda path: plot_sensitivity(gradients, nudges, f"{title}\n{looked_at.name}", path))
    screen.print(f"The picture: {options.out}", soft_wrap=True, markup=False)
    return 0


def _check(options: argparse.Namespace, looked_at: network.Network) -> None:
    if options.examples > len(looked_at.training):
        raise BadInput(f"--examples must be at most {len(looked_at.training)}, all training examples, got {options.examples}")
