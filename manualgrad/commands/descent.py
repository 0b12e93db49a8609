"""`manualgrad descent`: mini-batch descent compared with full-batch descent."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress

    from manualgrad.teaching.descent import Path

__all__ = ["add"]

_BATCH_SIZE, _PLACES, _GRID = 20, 100, 25


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "descent",
        help="compare mini-batch descent with full-batch descent",
        description="Compare mini-batch descent with full-batch descent from the same start: the cost by examples seen and by "
        "time, and both paths on a map of the cost.",
    )
    parser.add_argument("--steps", type=network.positive, default=300, metavar="N", help="steps of each descent (default: 300)")
    parser.add_argument(
        "--examples",
        type=network.positive,
        default=10_000,
        metavar="N",
        help="use the first N training examples (default: 10000)",
    )
    parser.add_argument(
        "--lr", type=network.rate, metavar="X", help="learning rate of both (default: the best of several for mini-batches)"
    )
    network.add_options(parser, "descent.png", epochs=0)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from rich.progress import Progress

    from manualgrad.commands.terminal import console, save, table
    from manualgrad.teaching.descent import RATES, descend, plane
    from manualgrad.teaching.plots.descent import plot_descent

    screen = console()
    looked_at = network.load(options, screen, partial(_check, options))
    network.check_cost(looked_at)
    n, steps, training = options.examples, options.steps, looked_at.training
    model, x, y = looked_at.model, training.x[:n], training.y[:n]
    walk = partial(descend, model, x, y, steps=steps, seed=options.seed, cost=looked_at.cost)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        lr = options.lr or _lowest(walk, steps, progress)
        paths = {}
        for name, size in {f"{_BATCH_SIZE} random examples": _BATCH_SIZE, f"all {n:,} examples": n}.items():
            after_step = partial(progress.advance, progress.add_task(name, total=steps))
            paths[name] = walk(lr=lr, batch_size=size, record=max(1, steps // _PLACES), after_step=after_step)
        bar = progress.add_task("map of the cost", total=_GRID)
        mapped = plane(model, list(paths.values()), x, y, _GRID, partial(progress.advance, bar), looked_at.cost)
    if not mapped.costs.isfinite().all():
        raise BadInput(f"--lr: at {lr:g} descent diverges; use a lower rate")
    title, what = f"Two ways down from {looked_at.name}", f"{steps} steps each, at learning rate {lr:g}"
    screen.print(title, style="bold", markup=False)
    why = f": of {', '.join(f'{tried:g}' for tried in RATES)}, the one at which mini-batches end lowest (--lr overrides it)"
    screen.print(f"{what}{'' if options.lr else why}.")
    shown = table("", "<each step on", "cost at first", "at last", "examples seen", "seconds")
    for name, path in paths.items():
        costs = f"{path.costs[0]:.4f}", f"{path.costs[-1]:.4f}"
        shown.add_row(name, *costs, f"{path.examples[-1]:,}", f"{path.seconds[-1]:.2f}")
    screen.print(shown)
    screen.print(_outcome(*paths.values()))
    screen.print(_stumbles(*paths.values()))
    save(options.out, lambda path: plot_descent(paths, mapped, f"{title}\n{what}", path))
    screen.print(f"The picture: {options.out}", soft_wrap=True, markup=False)
    return 0


def _check(options: argparse.Namespace, looked_at: network.Network) -> None:
    if not _BATCH_SIZE < options.examples <= len(looked_at.training):
        wanted = f"from {_BATCH_SIZE + 1} to {len(looked_at.training)}"
        raise BadInput(f"--examples must be {wanted}, got {options.examples}")


def _lowest(walk: Callable[..., Path], steps: int, progress: Progress) -> float:
    """Return the learning rate at which mini-batch descent ends lowest, by running the whole descent at each rate.

    Choosing the rate by a single step would not work: for a nearly trained network it would be far too high, because the full
    gradient is small compared to the noise of a mini-batch.
    """
    from manualgrad.teaching.descent import RATES, lowest

    tried = progress.track(RATES, description="learning rates")
    return lowest({lr: walk(lr=lr, batch_size=_BATCH_SIZE, record=steps).costs[-1] for lr in tried})


def _stumbles(quick: Path, careful: Path) -> str:
    """Return a sentence on how often the cost rises on each path."""
    places = len(quick.costs) - 1
    return (
        f"Measured at {places} points on the way, the cost has risen {quick.rises} times with mini-batches, "
        f"and {careful.rises} times with all examples."
    )


def _outcome(quick: Path, careful: Path) -> str:
    """Return a sentence that compares the results of both."""
    quick_fell, careful_fell = (path.costs[-1] < path.costs[0] for path in (quick, careful))
    if not quick_fell and not careful_fell:
        return "Neither ends lower than it began."
    if not quick_fell:
        return "Mini-batches end no lower than they began; full-batch descent does."
    if not careful_fell:
        return "Full-batch descent ends no lower than it began; mini-batches do."
    there = next((i for i, cost in enumerate(careful.costs) if cost <= quick.costs[-1]), None)
    seen, needed = quick.examples[-1], careful.examples[-1 if there is None else there]
    times = f": {needed / seen:,.0f} times as many" if needed >= 2 * seen else ""
    first = f"Mini-batches end at {quick.costs[-1]:.4f} after {seen:,} examples."
    if there is None:
        return f"{first} Full-batch descent has not reached this cost after {needed:,} examples{times}."
    return f"{first} Full-batch descent reaches this cost after {needed:,} examples{times}."
