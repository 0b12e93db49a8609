"""The learning curves of a training run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from manualgrad.training.loop import EpochResult
from manualgrad.training.plots.style import SERIES, WIDTH, save

__all__ = ["plot_curve"]

_TRAINING, _TEST = SERIES[:2]


def plot_curve(results: Sequence[EpochResult], title: str, those: str, path: Path | None = None) -> Figure:
    """Plot cost and accuracy by epoch, for training images and for `those` ("test images"), as a PNG file."""
    epochs = [result.epoch for result in results]
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    cost, test_cost = [result.cost for result in results], [result.test_cost for result in results]
    _line(left, epochs, cost, f"training images, during the epoch: {cost[-1]:.4f}", _TRAINING, "o")
    _line(left, epochs, test_cost, f"{those}, after the epoch: {test_cost[-1]:.4f}", _TEST, "s")
    left.set(title="Cost", ylabel="average of $C_0 = \\sum_j (a_j - y_j)^2$")
    training, test = [result.training_accuracy for result in results], [result.accuracy for result in results]
    _line(right, epochs, training, f"training images, after the epoch: {training[-1]:.2%}", _TRAINING, "o")
    _line(right, epochs, test, f"{those}, after the epoch: {test[-1]:.2%}", _TEST, "s")
    right.set(title="Accuracy", ylabel="fraction of images classified correctly")
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in (left, right):
        axes.set(xlabel="epoch", xlim=(0.5, len(epochs) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.margins(y=0.1)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(title="at the end", loc="upper center", bbox_to_anchor=(0.5, -0.15))  # below, where no line runs
    left.set_ylim(bottom=0)
    return save(figure, path)


def _line(axes: Axes, epochs: Sequence[int], values: Sequence[float], label: str, color: str, marker: str) -> None:
    """Plot a line, unless all values are nan because an older version did not record them."""
    if not all(math.isnan(value) for value in values):
        axes.plot(epochs, values, color=color, label=label, marker=marker if len(epochs) < 40 else None, markersize=4)
