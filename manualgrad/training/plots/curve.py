"""Pictures of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from manualgrad.training.loop import EpochResult
from manualgrad.training.plots.style import save

__all__ = ["plot_curve"]

_COST, _ACCURACY = "tab:red", "tab:blue"


def plot_curve(results: Sequence[EpochResult], title: str, those: str, path: Path | None = None) -> Figure:
    """Cost and accuracy on `those` ("test images") by epoch, side by side, as a PNG file."""
    epochs = [result.epoch for result in results]
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _line(left, epochs, [result.cost for result in results], _COST)
    left.set(title="Cost of a training example", ylabel="average of $C_0 = \\sum_j (a_j - y_j)^2$")
    left.set_ylim(bottom=0)
    _line(right, epochs, [result.accuracy for result in results], _ACCURACY)
    right.set(title=f"{those.capitalize()} right: {results[-1].accuracy:.2%} at the end", ylabel="accuracy")
    right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    return save(figure, path)


def _line(axes: Axes, epochs: Sequence[int], values: Sequence[float], color: str) -> None:
    axes.plot(epochs, values, color=color, marker="o" if len(epochs) < 40 else None, markersize=3)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
