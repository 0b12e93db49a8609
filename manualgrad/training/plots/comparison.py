"""The figure that compares two trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from manualgrad.training.loop import EpochResult
from manualgrad.training.plots.style import SERIES, WIDTH, save

__all__ = ["plot_comparison"]


def plot_comparison(ours: Sequence[EpochResult], theirs: Sequence[EpochResult], title: str, path: Path | None = None) -> Figure:
    """Plot cost, test accuracy and time by epoch, for manualgrad's layers and for torch.nn's, as a PNG file."""
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    figure.suptitle(title)
    panels = {
        "cost": "average cost of a training image",
        "accuracy": "test accuracy",
        "seconds": "seconds per epoch",
    }
    for axes, (name, heading) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for results, label, color, style in ((ours, "manualgrad", SERIES[0], "o-"), (theirs, "torch.nn", SERIES[1], "s--")):
            epochs = [result.epoch for result in results]
            values = [getattr(result, name) for result in results]
            axes.plot(epochs, values, style, color=color, label=label, markersize=4 if len(epochs) < 40 else 0)
        axes.set(xlabel="epoch", ylabel=heading, xlim=(0.5, len(ours) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        if name != "accuracy":
            axes.margins(y=0.1)
            axes.set_ylim(bottom=0)
        else:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return save(figure, path)
