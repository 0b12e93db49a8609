"""The figure of a network's predictions for image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.training.images import Picture
from manualgrad.training.plots.style import SERIES, WIDTH, image, save

__all__ = ["plot_predictions"]


def plot_predictions(
    names: Sequence[str],
    pictures: Sequence[Picture],
    a: Tensor,
    verdicts: Sequence[str],
    title: str,
    path: Path | None = None,
) -> Figure:
    """Plot each image, the network's input, and a bar chart of the activations [n, 10] of the outputs with the verdict."""
    figure = Figure(figsize=(WIDTH, 0.9 + 2.4 * len(pictures)), layout="constrained")
    figure.suptitle(f"{title}\nBars: the activations of the outputs, the largest in green.", parse_math=False)
    grid = figure.subplots(len(pictures), 3, squeeze=False, width_ratios=[1, 1, 2])
    for (original, seen, bars), name, picture, activations, verdict in zip(grid, names, pictures, a, verdicts, strict=True):
        original.imshow(picture.original.numpy(), cmap="gray", vmin=0, vmax=1)
        original.set(xticks=[], yticks=[])
        original.set_title(name if len(name) <= 24 else f"{name[:23]}…", parse_math=False)
        image(seen, picture.x, cmap="gray", vmin=0, vmax=1)
        seen.set_title("what the network sees")
        j, best = range(len(activations)), int(activations.argmax())
        drawn = bars.bar(j, activations.numpy(), color=SERIES[-1])
        drawn[best].set_color(SERIES[0])
        bars.bar_label(drawn, [f"{value:.2f}" for value in activations.tolist()])
        bars.set(title=verdict if verdict.startswith("unsure") else f"is a {verdict}", xlabel="output j", xticks=j)
        bars.set(ylabel="activation $a_j$", ylim=(0, 1.15), yticks=[0, 0.5, 1])
        bars.tick_params(length=0)
        bars.grid(axis="y", alpha=0.3)
        bars.set_axisbelow(True)
    return save(figure, path)
