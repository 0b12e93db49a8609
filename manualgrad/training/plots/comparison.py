"""The picture of two trainings side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from manualgrad.training.loop import EpochResult
from manualgrad.training.plots.style import save

__all__ = ["plot_comparison"]


def plot_comparison(ours: Sequence[EpochResult], theirs: Sequence[EpochResult], title: str, path: Path | None = None) -> Figure:
    """Cost, test accuracy and time by epoch, of manualgrad's layers and of torch.nn's, as a PNG file."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    figure.suptitle(title)
    panels = {"cost": "Cost of a training example", "accuracy": "Test images classified right", "seconds": "Seconds an epoch"}
    for axes, (name, heading) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for results, label, style in ((ours, "manualgrad", "-"), (theirs, "torch.nn", "--")):
            epochs = [result.epoch for result in results]
            values = [getattr(result, name) for result in results]
            axes.plot(epochs, values, style, label=label, marker="o" if len(epochs) < 40 else None, markersize=3)
        axes.set(title=heading, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if name != "accuracy":
            axes.set_ylim(bottom=0)
        else:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    axes.legend()
    return save(figure, path)
