"""`manualgrad descent`: mini-batches against all examples at every step."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput

__all__ = ["add"]

_BATCH_SIZE, _LR, _PLACES, _GRID = 20, 3.0, 250, 36


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "descent",
        help="the stumbling and the careful walker: mini-batches against all examples at every step",
        description="Mini-batch descent against full-batch descent from the same start: cost by examples seen and by time, and "
        "both paths over a map of the cost.",
    )
    parser.add_argument("--steps", type=network.positive, default=300, metavar="N", help="of each descent (300)")
    parser.add_argument(
        "--examples", type=network.positive, default=10_000, metavar="N", help="the first N training examples (10000)"
    )
    network.add_options(parser, "descent.png", epochs=0)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from rich.progress import Progress

    from manualgrad.commands.terminal import console, save, table
    from manualgrad.teaching.descent import descend, plane
    from manualgrad.teaching.plots.descent import plot_descent

    screen = console()
    looked_at = network.load(options, screen)
    n, training = options.examples, looked_at.training
    if not _BATCH_SIZE < n <= len(training):
        raise BadInput(f"--examples: must be from {_BATCH_SIZE + 1} to {len(training)}, and is {n}")
    model, x, y = looked_at.model, training.x[:n], training.y[:n]
    sizes = {f"{_BATCH_SIZE} random examples": _BATCH_SIZE, f"all {n:,} examples": n}
    paths = {}
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        for name, batch_size in sizes.items():
            bar = progress.add_task(name, total=options.steps)
            paths[name] = descend(
                model,
                x,
                y,
                steps=options.steps,
                batch_size=batch_size,
                lr=_LR,
                record=max(1, options.steps // _PLACES),
                after_step=partial(progress.advance, bar),
            )
        bar = progress.add_task("map of the cost", total=_GRID)
        few = slice(0, 2000)
        mapped = plane(model, list(paths.values()), x[few], y[few], _GRID, partial(progress.advance, bar))
    title = f"Two ways down from {looked_at.name}, {options.steps} steps each"
    screen.print(title, style="bold", markup=False)
    shown = table("", "<each step on", "cost at first", "at last", "examples seen", "seconds")
    for name, path in paths.items():
        costs = f"{path.costs[0]:.4f}", f"{path.costs[-1]:.4f}"
        shown.add_row(name, *costs, f"{path.examples[-1]:,}", f"{path.seconds[-1]:.2f}")
    screen.print(shown)
    quick, careful = paths.values()
    there = next(i for i, cost in enumerate(careful.costs) if cost <= quick.costs[-1] or i == len(careful.costs) - 1)
    times = careful.examples[there] / quick.examples[-1]
    screen.print(f"For the cost that mini-batches end with, all examples a step take {times:,.0f} times as many examples.")
    save(options.out, lambda path: plot_descent(paths, mapped, title, path))
    screen.print(f"The picture: {options.out}", soft_wrap=True, markup=False)
    return 0
