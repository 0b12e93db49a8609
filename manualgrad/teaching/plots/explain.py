"""What one training example wants, as a picture: from the outputs back to the first layer's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from manualgrad.teaching.explain import STEP, Explanation
from manualgrad.training.plots.style import DOWN, UP, colors, image, red_and_blue, save

__all__ = ["plot_explanation"]

_LEGEND = (
    "Red: a nudge up. Blue: a nudge down. "
    "A nudge to $q$ is $-\\partial C_0/\\partial q$, $C_0$ being the cost of this image alone."
)
_NEURON = "neuron $k$ of the layer before"
_SHOWN = 16  # first-layer neurons at most; with more, those with the strongest wishes


def plot_explanation(e: Explanation, title: str, path: Path | None = None) -> Figure:
    backwards = range(len(e.trace.layers) - 1, 0, -1)
    heights = [4.2, 4.8, *(4.2 for _ in backwards), 5.6]
    figure = Figure(figsize=(17, sum(heights)), layout="constrained")
    figure.suptitle(f"{title}\n{_LEGEND}", fontsize=15)
    rows: Any = iter(figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0.02, squeeze=False).flat)
    left, right = next(rows).subfigures(1, 2, width_ratios=[1, 2.6])
    _example(left, e)
    _outputs(right, e)
    _avenues(next(rows), e)
    for l in backwards:
        _layer_before(next(rows), e, l)
    left, right = next(rows).subfigures(1, 2, width_ratios=[2, 1])
    _first_weights(left, e)
    _steps(right, e)
    return save(figure, path)


def _heading(figure: SubFigure, text: str) -> None:
    figure.suptitle(text, fontsize=13, fontweight="bold", x=0.01, ha="left")


def _example(figure: SubFigure, e: Explanation) -> None:
    _heading(figure, "1  The example")
    axes = figure.subplots()
    image(axes, e.x, cmap="gray_r")
    axes.set_xlabel(f"cost $C_0 = \\sum_j (a_j - y_j)^2$ = {e.trace.cost.item():.3f}", fontsize=12)


def _outputs(figure: SubFigure, e: Explanation) -> None:
    _heading(figure, "2  What it wants of each output: a nudge in proportion to the distance from the target")
    left, right = figure.subplots(1, 2)
    digits = range(len(e.y))
    left.bar(digits, e.outputs.a.tolist(), color="0.6", label="activation $a_j$")
    left.hlines(e.y.tolist(), [d - 0.4 for d in digits], [d + 0.4 for d in digits], color="black", label="target $y_j$")
    for digit, a, y in zip(digits, e.outputs.a.tolist(), e.y.tolist(), strict=True):
        if abs(y - a) > 0.02:
            arrow = {"arrowstyle": "-|>", "color": UP if y > a else DOWN, "lw": 2}
            left.annotate("", xy=(digit, y), xytext=(digit, a), arrowprops=arrow)
    left.set(xlabel="output (digit)", ylabel="activation", ylim=(-0.05, 1.08))
    left.legend(loc="upper right" if e.y.argmax() < 6 else "upper left")
    _bars(right, e.output_wishes, "nudge wished, $-\\partial C_0/\\partial a_j = 2\\,(y_j - a_j)$", "output (digit)")
    for axes in (left, right):
        axes.set_xticks(list(digits))


def _avenues(figure: SubFigure, e: Explanation) -> None:
    j = e.neuron
    _heading(figure, f"3  Output {j} by itself has three avenues: its bias, its weights, and the activations before it")
    ((bias, weights, before), (unused, a, W)) = figure.subplots(2, 3, width_ratios=[0.35, 1, 1])
    unused.remove()
    bias.bar([0], [e.bias_wish], color=colors(torch.tensor([e.bias_wish])), width=0.5)
    bias.set(title="its bias", xlim=(-1, 1), ylabel=f"$-\\partial C_0/\\partial b_{{{j}}}$", xticks=[])
    bias.axhline(0, color="black", lw=0.8)
    _bars(weights, e.weight_wishes, f"$-\\partial C_0/\\partial W_{{{j}k}}$")
    weights.set_title("nudges of its weights: in proportion to ...")
    _bars(a, e.outputs.a_prev, "$a_k$", _NEURON, "0.6")
    a.set_title("... the activations they come from")
    _bars(before, e.wishes_before(-1)[j], f"$-\\delta_{{{j}}} W_{{{j}k}}$")
    before.set_title("nudges of the activations before: in proportion to ...")
    _bars(W, _W(e)[j], f"$W_{{{j}k}}$", _NEURON, "0.6")
    W.set_title("... its weights")


def _layer_before(figure: SubFigure, e: Explanation, l: int) -> None:
    wishes, last = e.wishes_before(l), l == len(e.trace.layers) - 1
    name = "output" if last else f"neuron of layer {l + 1}"
    number, then = ("4  ", "here the next layer back begins") if last else ("    ", "and so on, backwards")
    _heading(figure, f"{number}What every {name} wishes of the activations of layer {l}, added up: {then}")
    table, total = figure.subplots(1, 2, width_ratios=[1.35, 1])
    shown = table.imshow(wishes.numpy(), aspect="auto", interpolation="nearest", **red_and_blue(wishes))
    table.set(xlabel=_NEURON, ylabel=f"{name}, $j$", title="a row each")
    figure.colorbar(shown, ax=table, label="$-\\delta_j W_{jk}$")
    _bars(total, wishes.sum(0), "$-\\partial C_0/\\partial a_k$", _NEURON)
    total.set_title("their sum")
    for axes, count in ((table.yaxis, wishes.shape[0]), (table.xaxis, wishes.shape[1])):
        if count <= 32:
            axes.set_ticks(range(count))


def _first_weights(figure: SubFigure, e: Explanation) -> None:
    wishes, delta = e.first_weight_wishes(), e.trace.layers[0].delta
    shown = delta.abs().argsort(descending=True)[:_SHOWN].sort().values.tolist()
    some = "" if len(shown) == len(delta) else f" (the {_SHOWN} of {len(delta)} neurons that wish most)"
    _heading(figure, f"5  Back at the first layer: the nudges of its weights, a picture for each neuron{some}")
    columns = min(8, len(shown))
    grid = figure.subplots(-(-len(shown) // columns), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, neuron in zip(grid.flat, shown, strict=False):
        axes.set_axis_on()
        drawn = image(axes, wishes[neuron], **red_and_blue(wishes[shown]))
        axes.set_title(f"neuron {neuron}", fontsize=10)
    figure.colorbar(drawn, ax=grid, location="bottom", shrink=0.6, aspect=40, label="nudge wished of the pixel's weight")


def _steps(figure: SubFigure, e: Explanation) -> None:
    _heading(figure, f"6  What {STEP} times these nudges do to the cost")
    axes = figure.subplots()
    rows = range(len(e.steps))
    axes.barh(
        [r - 0.2 for r in rows], [s.predicted for s in e.steps], 0.4, color="0.75", label="predicted, $\\nabla C\\cdot$step"
    )
    axes.barh([r + 0.2 for r in rows], [s.measured for s in e.steps], 0.4, color="tab:green", label="measured")
    axes.axvline(0, color="black", lw=0.8)
    axes.invert_yaxis()
    axes.set_yticks(list(rows), [s.along.replace(", as", ",\nas").replace("biases of", "biases\nof") for s in e.steps])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set(xlabel="change of this example's cost")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _bars(axes: Axes, values: Tensor, ylabel: str, xlabel: str = "", color: str | None = None) -> None:
    axes.bar(range(len(values)), values.tolist(), color=color or colors(values))
    axes.axhline(0, color="black", lw=0.8)
    axes.set(ylabel=ylabel, xlabel=xlabel)
    if len(values) <= 32:
        axes.set_xticks(range(len(values)))


def _W(e: Explanation) -> Tensor:
    assert e.outputs.W is not None
    return e.outputs.W.detach()
