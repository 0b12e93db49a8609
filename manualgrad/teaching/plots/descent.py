"""Two ways down: their costs, and their paths over a map of the cost."""

from __future__ import annotations

from pathlib import Path as File

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manualgrad.teaching.descent import Path, Plane
from manualgrad.training.plots.style import save

__all__ = ["plot_descent"]

_COLORS = ["tab:orange", "tab:blue"]


def plot_descent(paths: dict[str, Path], plane: Plane, title: str, file: File | None = None) -> Figure:
    figure = Figure(figsize=(16, 8.5), layout="constrained")
    figure.suptitle(title, fontsize=14)
    grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.35])
    for row, (label, quantity) in enumerate((("examples seen", "examples"), ("seconds spent on steps", "seconds"))):
        axes = figure.add_subplot(grid[row, 0])
        for (name, path), color in zip(paths.items(), _COLORS, strict=True):
            axes.semilogx(getattr(path, quantity)[1:], path.costs[1:], color=color, label=name, marker=".", ms=3)
        axes.set(title=f"Cost against {label}", xlabel=label, ylabel="cost of all examples")
        axes.grid(alpha=0.3)
        axes.legend(title="each step on")
    _map(figure.add_subplot(grid[:, 1]), figure, list(paths), plane)
    return save(figure, file)


def _map(axes: Axes, figure: Figure, names: list[str], plane: Plane) -> None:
    grid = plane.across.numpy(), plane.up.numpy(), plane.costs.numpy()
    shown = axes.contourf(*grid, levels=25, cmap="Greys_r")
    axes.contour(*grid, levels=25, colors="white", linewidths=0.4)
    figure.colorbar(shown, ax=axes, label="cost", shrink=0.8)
    for name, places, color in zip(names, plane.paths, _COLORS, strict=True):
        axes.plot(*places.T.tolist(), color=color, lw=1.6, marker=".", ms=4, label=name)
        axes.plot(*places[-1].tolist(), "*", color=color, ms=17, mec="white")
    axes.plot(*plane.paths[0][0].tolist(), "o", color="white", mec="black", ms=10, label="the start")
    axes.set(
        title=f"Both paths over a map of the cost (the plane holds {plane.share:.0%} of their variance)",
        xlabel="first principal direction of the paths",
        ylabel="second principal direction",
    )
    axes.legend(loc="best", title="each step on")
