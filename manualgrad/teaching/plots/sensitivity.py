"""Which weights the cost is most sensitive to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.teaching.sensitivity import EPSILON, Nudge
from manualgrad.training.plots.style import image, save

__all__ = ["plot_sensitivity"]

_SHOWN = 16


def plot_sensitivity(gradients: list[Tensor], nudges: list[Nudge], title: str, path: Path | None = None) -> Figure:
    """The weights of each layer by rank, predicted and measured changes, and the first layer's derivatives as pictures."""
    figure = Figure(figsize=(15, 9.5), layout="constrained")
    figure.suptitle(title, fontsize=14)
    rows: Any = figure.subfigures(2, 1, height_ratios=[1, 1.05])
    left, right = rows[0].subplots(1, 2)
    for l, gradient in enumerate(gradients, 1):
        ranked = gradient.abs().flatten().sort(descending=True).values
        ranked = ranked[ranked > 0]
        left.loglog(range(1, len(ranked) + 1), ranked.tolist(), label=f"layer {l} ({gradient.numel():,} weights)")
    left.set(title="The weights of each layer, by their sensitivity", xlabel="rank", ylabel="$|\\partial C/\\partial w|$")
    left.grid(alpha=0.3)
    left.legend()
    ends = [min(n.predicted for n in nudges), max(n.predicted for n in nudges)]
    right.plot(ends, ends, color="0.6", lw=1, label="as predicted")
    right.plot(
        [n.predicted for n in nudges], [n.measured for n in nudges], "o", color="tab:green", label="a weight of the table"
    )
    right.set(
        title=f"Each weight of the table nudged by ε = {EPSILON}: what it does to the cost",
        xlabel="predicted change, $\\varepsilon\\,\\partial C/\\partial w$",
        ylabel="measured change",
    )
    right.ticklabel_format(style="sci", scilimits=(0, 0), axis="both")
    right.grid(alpha=0.3)
    right.legend()
    _first_layer(rows[1], gradients[0])
    return save(figure, path)


def _first_layer(figure: Any, gradient: Tensor) -> None:
    strongest = gradient.abs().sum(1).argsort(descending=True)[:_SHOWN].sort().values.tolist()
    figure.suptitle("First layer: the sensitivity to the weight of each pixel, a picture for each neuron", fontsize=12)
    columns = min(8, len(strongest))
    grid = figure.subplots(-(-len(strongest) // columns), columns, squeeze=False)
    for axes in grid.flat[len(strongest) :]:
        axes.set_axis_off()
    largest = gradient.abs().max().item() or 1
    for axes, neuron in zip(grid.flat, strongest, strict=False):
        drawn = image(axes, gradient[neuron].abs(), cmap="magma", vmin=0, vmax=largest)
        axes.set_title(f"neuron {neuron}", fontsize=10)
    figure.colorbar(drawn, ax=grid, label="$|\\partial C/\\partial W_{jk}|$", shrink=0.8)
