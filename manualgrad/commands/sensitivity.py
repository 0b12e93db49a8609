"""`manualgrad sensitivity`: which weights the cost is most sensitive to."""

from __future__ import annotations

import argparse
from typing import Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput

__all__ = ["add"]

_RANKS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 30, 100, 300, 1000, 3000, 10_000]


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "sensitivity",
        help="which weights the cost is most sensitive to",
        description="Which weights the cost is most sensitive to, over many training examples; each is nudged, to see.",
    )
    parser.add_argument(
        "--examples", type=network.positive, default=1000, metavar="N", help="the first N training examples (1000)"
    )
    network.add_options(parser, "sensitivity.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.commands.terminal import console, number, save, table
    from manualgrad.teaching.plots.sensitivity import plot_sensitivity
    from manualgrad.teaching.sensitivity import EPSILON, rank

    screen = console()
    looked_at = network.load(options, screen)
    training = looked_at.training
    if options.examples > len(training):
        raise BadInput(f"--examples: there are {len(training)} training examples, and not {options.examples}")
    x, y = training.x[: options.examples].double(), training.y[: options.examples].double()
    gradients, nudges = rank(looked_at.model.double(), x, y, _RANKS)
    title = f"{looked_at.name}: the cost of the first {options.examples:,} training examples"
    screen.print(title, style="bold", markup=False)
    first = nudges[0]
    other = next((n for n in nudges if n.rank >= 3000), nudges[-1])
    times = abs(first.derivative / other.derivative) if other.derivative else float("inf")
    screen.print(f"C is {times:.0f} times more sensitive to {first.weight} than to {other.weight}.\n", markup=False)
    shown = table(
        f"The weights by rank, and a nudge of each by ε = {EPSILON}",
        *("rank", "<weight", "∂C/∂w", "times less", "C changes by ε ∂C/∂w", "measured"),
    )
    for n in nudges:
        less = abs(first.derivative / n.derivative) if n.derivative else float("inf")
        shown.add_row(
            f"{n.rank:,}", str(n.weight), number(n.derivative), f"{less:.3g}", number(n.predicted), number(n.measured)
        )
    shown.caption = "W3\\[2,5] joins neuron 5 of layer 2 to neuron 2 of layer 3; layer 0 is the image."
    screen.print(shown)
    save(options.out, lambda path: plot_sensitivity(gradients, nudges, title, path))
    screen.print(f"The picture: {options.out}", soft_wrap=True, markup=False)
    return 0
