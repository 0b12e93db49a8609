"""Plots of the weights to which the cost is most sensitive."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from manualgrad.teaching.sensitivity import EPSILON, Nudge
from manualgrad.training.plots.style import SERIES, WIDTH, heading, image, save

__all__ = ["plot_sensitivity"]

_SHOWN = 16  # neurons of the first layer
_TIMES = (1, 2, 4, 8, 16, 32, 64, 128)


def plot_sensitivity(gradients: list[Tensor], nudges: list[Nudge], title: str, path: Path | None = None) -> Figure:
    """Plot the distribution of sensitivities, predicted against measured changes, and the first layer's derivatives.

    Args:
        gradients: ∂C/∂W of each layer, [out, in].
        nudges: the first nudges the weight to which the cost is most sensitive.
    """
    figure = Figure(figsize=(WIDTH, 8.6), layout="constrained")
    heading(figure, title)
    rows: Any = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    left, right = rows[0].subplots(1, 2)
    _how_many(left, torch.cat([gradient.flatten() for gradient in gradients]), nudges[0])
    _predicted(right, nudges)
    _first_layer(rows[1], gradients[0])
    return save(figure, path)


def _how_many(axes: Axes, gradient: Tensor, first: Nudge) -> None:
    """Draw one bar per range of factors: the number of weights to which the cost is that many times less sensitive."""
    times = abs(first.derivative) / gradient[gradient != 0].abs()
    names = [f"{low} to {high} times" for low, high in pairwise(_TIMES)] + [f"more than {_TIMES[-1]} times"]
    edges = torch.tensor(_TIMES[1:], dtype=times.dtype)
    counts = dict(zip(names, torch.bucketize(times, edges, right=True).bincount(minlength=len(names)).tolist(), strict=True))
    counts["not at all: $\\partial C/\\partial w$ is 0"] = int((gradient == 0).sum())
    bars = axes.barh(list(counts), list(counts.values()), color=SERIES[1])
    axes.bar_label(bars, [f"{count:,}" for count in counts.values()], padding=3)
    axes.invert_yaxis()
    axes.set_xlim(right=1.35 * max(counts.values()))
    axes.set(title=f"How many times less sensitive is the cost\nto each weight than to {first.weight}?", xlabel="weights")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")


def _predicted(axes: Axes, nudges: list[Nudge]) -> None:
    ends = [min(n.predicted for n in nudges), max(n.predicted for n in nudges)]
    axes.plot(ends, ends, color=SERIES[-1], lw=1, label="as predicted")
    axes.plot(
        [n.predicted for n in nudges],
        [n.measured for n in nudges],
        "o",
        color=SERIES[0],
        mec="black",
        mew=0.5,
        label="measured",
    )
    axes.set(
        title=f"Each weight of the table nudged by ε = {EPSILON}:\nhow much does the cost change?",
        xlabel="predicted change, $\\varepsilon\\,\\partial C/\\partial w$",
        ylabel="measured change",
    )
    axes.ticklabel_format(style="sci", scilimits=(0, 0), axis="both", useMathText=True)
    axes.grid(alpha=0.3)
    axes.legend()


def _first_layer(figure: Any, gradient: Tensor) -> None:
    neurons = len(gradient)
    strongest = gradient.abs().sum(1).argsort(descending=True)[:_SHOWN].sort().values.tolist()
    which = (
        f"the {_SHOWN} of {neurons:,} neurons whose weights have the largest derivatives in total"
        if neurons > _SHOWN
        else "one picture per neuron"
    )
    figure.suptitle(f"First layer: how sensitive the cost is to the weight of each pixel\n({which})", fontsize=12)
    columns = -(-len(strongest) // 2)
    grid = figure.subplots(2, columns, squeeze=False)
    for axes in grid.flat[len(strongest) :]:
        axes.set_axis_off()
    largest = gradient.abs().max().item() or 1
    for axes, neuron in zip(grid.flat, strongest, strict=False):
        drawn = image(axes, gradient[neuron].abs(), cmap="magma", vmin=0, vmax=largest)
        axes.set_title(f"neuron {neuron}", fontsize=10)
    figure.colorbar(drawn, ax=grid, label="$|\\partial C/\\partial W_{jk}|$", shrink=0.8)
