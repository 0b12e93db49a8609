"""Plots of two descents: their costs, and their paths on a map of the cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path as File

from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from manualgrad.teaching.descent import Path, Plane
from manualgrad.training.plots.style import SERIES, WIDTH, heading, save

__all__ = ["plot_descent"]

_LEVELS = 25


def plot_descent(paths: dict[str, Path], plane: Plane, title: str, file: File | None = None) -> Figure:
    """Plot the cost against examples seen and against time, and both paths on the map below.

    Args:
        paths: the examples of a step, such as "20 random examples" -> path; the quick path first, then the careful one.
    """
    figure = Figure(figsize=(WIDTH, 10), layout="constrained")
    heading(figure, title)
    grid = figure.add_gridspec(2, 2, height_ratios=[1, 1.7])
    left = figure.add_subplot(grid[0, 0])
    right = figure.add_subplot(grid[0, 1], sharey=left)
    _costs(left, paths, [path.examples for path in paths.values()])
    left.set(title="Cost by examples seen", xlabel="examples seen", ylabel="cost of all examples")
    _costs(right, paths, [path.seconds for path in paths.values()])
    right.set(title="Cost by time", xlabel="seconds spent on steps")
    right.tick_params(labelleft=False)
    _map(figure.add_subplot(grid[1, :]), figure, paths, plane)
    lines, _ = left.get_legend_handles_labels()
    stumbles = [f"{name}: the cost rises {path.rises} of {len(path.costs) - 1} times" for name, path in paths.items()]
    figure.legend(lines, stumbles, title="each step on", loc="outside lower center", ncols=2)
    return save(figure, file)


def _costs(axes: Axes, paths: dict[str, Path], spent: Sequence[Sequence[float]]) -> None:
    """Plot the costs on a log axis that includes 0; each line stays level until the next step has been taken."""
    for (name, path), x, color in zip(paths.items(), spent, SERIES, strict=False):
        axes.step(x, path.costs, where="post", color=color, lw=1.8, label=name)
        axes.plot(x[-1], path.costs[-1], "*", color=color, ms=13, mec="black", mew=0.6)
    axes.plot(0, path.costs[0], "o", color="white", mec="black", ms=8, clip_on=False, zorder=3)
    first, last = min(x[1] for x in spent), max(x[-1] for x in spent)
    powers = range(math.ceil(math.log10(first)), math.floor(math.log10(last)) + 1)
    axes.set_xscale("symlog", linthresh=first, linscale=0.4)
    axes.set_xticks([0, *(10.0**power for power in powers[:: 2 if len(powers) > 4 else 1])])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axes.minorticks_off()
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)


def _map(axes: Axes, figure: Figure, paths: dict[str, Path], plane: Plane) -> None:
    low = max(plane.costs.min().item(), 1e-12)
    ratio = max(plane.costs.max().item() / low, 1.001)  # levels must differ even if the cost is constant
    levels = [0.9999 * low * (1.0002 * ratio) ** (i / (_LEVELS - 1)) for i in range(_LEVELS)]
    grid = plane.across.numpy(), plane.up.numpy(), plane.costs.numpy()
    shown = axes.contourf(*grid, levels=levels, norm=LogNorm(), cmap="Greys_r")
    axes.contour(*grid, levels=levels, colors="white", linewidths=0.4)
    figure.colorbar(shown, ax=axes, label="cost of all examples", ticks=levels[::4], format="%.4f", shrink=0.9)
    for places, color in zip(plane.paths, SERIES, strict=False):
        axes.plot(*places.T.tolist(), color=color, lw=2, marker=".", ms=3)
        axes.plot(*places[-1].tolist(), "*", color=color, ms=17, mec="black", mew=0.8)
    axes.plot(0, 0, "o", color="white", mec="black", ms=10)
    quick, careful = paths.values()
    (across, up), right = plane.paths[0][-1].tolist(), plane.paths[1][-1, 0].item()
    lower = -13 if right > 0.3 * (plane.across[-1] - plane.across[0]) else -36  # clears the label of a start close by
    _label(axes, f"start: cost {quick.costs[0]:.4f}", 0, 0, -13)
    _label(axes, f"end: cost {quick.costs[-1]:.4f}", across, up, 13)
    _label(axes, f"end: cost {careful.costs[-1]:.4f}", right, 0, lower)
    axes.set(
        title="Both paths over a map of the cost, on the plane through the start and both ends.\n"
        "In between, the paths leave it: they are drawn at the nearest place on it,\nwhich hides most of the stumbling",
        xlabel="from the start towards the end of the path on all examples",
        ylabel="at right angles to that, towards the other end",
    )


def _label(axes: Axes, text: str, across: float, up: float, points: int) -> None:
    """Label a place, this many points above it, or below it if negative."""
    axes.annotate(
        text,
        (across, up),
        xytext=(0, points),
        textcoords="offset points",
        ha="center",
        va="bottom" if points > 0 else "top",
        bbox={"boxstyle": "round,pad=0.25", "fc": "white", "ec": "0.6"},
    )
