"""The picture of what a network takes images for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.training.images import Picture
from manualgrad.training.plots.style import image, save

__all__ = ["plot_predictions"]


def plot_predictions(
    names: Sequence[str], pictures: Sequence[Picture], a: Tensor, title: str, path: Path | None = None
) -> Figure:
    """Each image, what the network is given of it, and the activations [n, 10] of its outputs."""
    figure = Figure(figsize=(9, 0.6 + 2.2 * len(pictures)), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(len(pictures), 3, squeeze=False, width_ratios=[1, 1, 2])
    for (original, seen, bars), name, picture, activations in zip(grid, names, pictures, a, strict=True):
        original.imshow(picture.original.numpy(), cmap="gray", vmin=0, vmax=1)
        original.set(title=name if len(name) <= 24 else f"{name[:23]}…", xticks=[], yticks=[])
        image(seen, picture.x, cmap="gray", vmin=0, vmax=1)
        seen.set_title("what the network sees")
        best = int(activations.argmax())
        bars.bar(range(len(activations)), activations.numpy(), color=["tab:red" if j == best else "grey" for j in range(10)])
        bars.set(title=f"is a {best}", ylim=(0, 1), ylabel="activation $a_j$", xticks=range(len(activations)))
        bars.tick_params(length=0)
        bars.grid(axis="y", alpha=0.3)
    return save(figure, path)
