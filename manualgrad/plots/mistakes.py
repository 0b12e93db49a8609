"""Pictures of what a trained network gets wrong."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.data import CLASSES, Examples
from manualgrad.plots.style import image

__all__ = ["plot_confusion", "plot_worst"]

_ROWS = 6


def plot_confusion(examples: Examples, a: Tensor, path: Path, title: str) -> None:
    """How many images of each class are taken for each.

    Args:
        a: [n, 10], the network's outputs for the examples.
    """
    pairs = examples.labels * CLASSES + a.argmax(1)
    counts = pairs.bincount(minlength=CLASSES**2).view(CLASSES, CLASSES).cpu()
    mistakes = counts.clone().fill_diagonal_(0)
    figure = Figure(figsize=(7, 6.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(mistakes.numpy(), cmap="Reds", vmax=max(1, 1.5 * mistakes.max().item()))
    for (row, column), count in zip(torch.cartesian_prod(*[torch.arange(CLASSES)] * 2).tolist(), counts.flatten(), strict=True):
        right = row == column
        text = f"{count:,}" if count else "·"
        axes.text(column, row, text, ha="center", va="center", color="grey" if right or not count else "black", fontsize=9)
    axes.set(title=title, xlabel="is taken for", ylabel="image of a", xticks=range(CLASSES), yticks=range(CLASSES))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.savefig(path, dpi=120, format="png")


def plot_worst(examples: Examples, a: Tensor, path: Path, title: str) -> None:
    """The 36 images whose cost C₀ is highest, the worst first.

    Args:
        a: [n, 10], the network's outputs for the examples.
    """
    costs = (a - examples.y).square().sum(1)
    worst = costs.argsort(descending=True)[: _ROWS**2].tolist()
    figure = Figure(figsize=(9, 10), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(_ROWS, _ROWS).flatten()
    for axes in grid[len(worst) :]:
        axes.axis("off")
    for axes, k in zip(grid, worst, strict=False):
        image(axes, examples.x[k].cpu(), cmap="gray_r", vmin=0, vmax=1)
        label, taken_for = int(examples.labels[k]), int(a[k].argmax())
        what = f"{label}, taken for {taken_for}" if label != taken_for else f"{label}, hardly seen"
        axes.set_title(f"{what}\n$C_0$ = {costs[k]:.2f}", fontsize=9)
    figure.savefig(path, dpi=120, format="png")
