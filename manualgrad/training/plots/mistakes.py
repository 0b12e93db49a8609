"""Figures of the images that a trained network misclassifies."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from manualgrad.training.data import CLASSES, Examples
from manualgrad.training.plots.style import SERIES, WIDTH, save, side

__all__ = ["confusion", "plot_confusion", "plot_worst", "worst"]

_ROWS = 6
_PURPLES = LinearSegmentedColormap.from_list("mistakes", ["white", SERIES[1]])


def confusion(examples: Examples, a: Tensor) -> Tensor:
    """Count the images of each true class (row) by predicted class (column), [10, 10]; a, [n, 10], are the outputs for them."""
    pairs = examples.labels * CLASSES + a.argmax(1)
    return pairs.bincount(minlength=CLASSES**2).view(CLASSES, CLASSES)


def worst(costs: Tensor) -> list[int]:
    """Return the 36 examples with the highest cost C₀, the worst first, given the costs [n] of all examples."""
    return costs.argsort(descending=True)[: _ROWS**2].tolist()


def plot_confusion(examples: Examples, a: Tensor, title: str, path: Path | None = None) -> Figure:
    """Plot the counts of `confusion` as a PNG file, with mistakes in purple."""
    counts = confusion(examples, a).cpu()
    mistakes = counts.clone().fill_diagonal_(0)
    figure = Figure(figsize=(8, 7.8), layout="constrained")
    axes = figure.subplots()
    axes.imshow(
        mistakes.numpy(),
        cmap=_PURPLES,
        vmax=max(1, 1.5 * mistakes.max().item()),
    )
    for (row, column), count in zip(torch.cartesian_prod(*[torch.arange(CLASSES)] * 2).tolist(), counts.flatten(), strict=True):
        right = row == column
        text = f"{count:,}" if count else "·"
        axes.text(column, row, text, ha="center", va="center", color=SERIES[-1] if right or not count else "black")
    axes.set(xlabel="predicted class", ylabel="true class", xticks=range(CLASSES), yticks=range(CLASSES))
    axes.set_title(f"{title}\nDarker means more mistakes. The diagonal counts correct predictions.", fontsize=11)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return save(figure, path)


def plot_worst(examples: Examples, a: Tensor, costs: Tensor, title: str, path: Path | None = None) -> Figure:
    """Plot the images of `worst` as a PNG file; a, [n, 10], are the outputs for all examples."""
    shown = worst(costs)
    width = side(examples.x.shape[1]) or 1
    height = examples.x.shape[1] // width
    figure = Figure(figsize=(WIDTH, 11.5))
    figure.suptitle(title, y=0.97)
    # One Axes for all images, because drawing 36 Axes takes a second.
    axes = figure.add_axes((0.03, 0.02, 0.94, 0.92))
    axes.set(xlim=(0, _ROWS * 1.2 * width), ylim=(_ROWS * 1.35 * height, 0))
    axes.axis("off")
    for place, k in enumerate(shown):
        row, column = divmod(place, _ROWS)
        x, y = (column + 0.1) * 1.2 * width, (row + 0.25) * 1.35 * height
        pixels = examples.x[k].view(height, width).cpu().numpy()
        axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=1, extent=(x, x + width, y + height, y))
        axes.add_patch(Rectangle((x, y), width, height, fill=False, color="grey", linewidth=0.5))
        label, taken_for = int(examples.labels[k]), int(a[k].argmax())
        what = f"{label}, predicted {taken_for}" if label != taken_for else f"{label}, correct"
        axes.text(x, y - 0.02 * height, f"{what}\ncost {costs[k]:.2f}", va="bottom")
    return save(figure, path)
