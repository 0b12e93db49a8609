"""Picture of the network for one example: its activations forward, and the wishes that flow back."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.patches import Ellipse, FancyArrow
from torch import Tensor

from manualgrad.network.algorithm import LayerTrace
from manualgrad.teaching.explain import Explanation
from manualgrad.teaching.number import number
from manualgrad.training.plots.style import DOWN, UP, UP_AND_DOWN, WIDTH, side

__all__ = ["HEIGHT", "plot_network"]

HEIGHT = 7.8  # inches; all coordinates are in inches, from the lower left
_TOP, _BOTTOM = 6.55, 1.45  # of the columns of neurons
_IMAGE = (0.15, 2.2)  # left and right edge
_FIRST, _OUTPUTS = 3.25, 8.25  # x of the first and of the last column
_COLUMNS = 6  # at most; a deeper network shows its last layers
_NEURON, _ARROW = 0.27, 0.3  # height of a neuron, of the longest arrow
_GAP = 0.22  # to the right of a neuron, for its arrow
_LINKS, _LINKS_OF_A_NEURON = 60, 2  # the strongest between two columns; from the pixels to each neuron
_PALE = 0.5


@dataclass(frozen=True)
class _Column:
    """The drawn neurons of a layer: their indices and their positions."""

    layer: LayerTrace
    neurons: list[int]
    x: float
    ys: list[float]

    @property
    def width(self) -> float:
        """Return the width of a neuron, which must fit its index."""
        return max(_NEURON, 0.08 * len(str(self.neurons[-1])) + 0.08)


def plot_network(figure: SubFigure, e: Explanation) -> None:
    """Draw pixels, hidden neurons and outputs in columns: brightness is activation, lines are weights, arrows are wishes."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect="equal")
    axes.set_axis_off()
    columns = _columns(e)
    _draw_image(axes, e)
    hidden = len(e.trace.layers) - len(columns)
    if hidden:
        axes.text(2.6, (_TOP + _BOTTOM) / 2, f"{hidden} more\nlayer{'s' * (hidden > 1)}\n...", ha="center", va="center")
    else:
        _draw_links_of_pixels(axes, e, columns[0])
    for before, after in itertools.pairwise(columns):
        _draw_links(axes, before, after, e.neuron if after.layer is e.outputs else None)
    for l, column in enumerate(columns, len(e.trace.layers) - len(columns) + 1):
        _draw_neurons(axes, column, e.neuron if column.layer is e.outputs else None)
        _draw_wishes(axes, column, e.output_wishes if column.layer is e.outputs else -column.layer.dC_da)
        _draw_heading(axes, column, "outputs" if column.layer is e.outputs else f"layer {l}")
    if any(len(column.neurons) < len(column.layer.a) for column in columns):
        axes.text(_IMAGE[1], _TOP + 0.1, "the neurons with the\nstrongest wishes, $|\\delta|$:", ha="right", va="bottom")
    _draw_targets(axes, e, columns[-1])
    _draw_directions(axes)
    _draw_key(axes, e)


def _columns(e: Explanation) -> list[_Column]:
    first = max(0, len(e.trace.layers) - _COLUMNS)
    ls = range(first, len(e.trace.layers))
    xs = torch.linspace(_FIRST, _OUTPUTS, len(ls)).tolist() if len(ls) > 1 else [_OUTPUTS]
    return [_column(e, l, x) for l, x in zip(ls, xs, strict=True)]


def _column(e: Explanation, l: int, x: float) -> _Column:
    neurons = e.shown(l)
    apart = min(0.5, (_TOP - _BOTTOM) / len(neurons))
    middle, half = (_TOP + _BOTTOM) / 2, (len(neurons) - 1) / 2
    return _Column(e.trace.layers[l], neurons, x, [middle + (half - i) * apart for i in range(len(neurons))])


def _draw_image(axes: Axes, e: Explanation) -> None:
    left, right, top, bottom = _image_extent(e.x)
    pixels = e.x.reshape(-1, side(e.x.numel()) or e.x.numel()).numpy()
    axes.imshow(pixels, cmap="gray", extent=(left, right, bottom, top), aspect="equal", zorder=1)
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.text((left + right) / 2, top + 0.15, f"the image, {e.x.numel()} pixels", ha="center", va="bottom")
    is_softmax = e.outputs.activation == "softmax"
    formula = "-\\Sigma_j\\,y_j \\log a_j" if is_softmax else "\\Sigma_j\\,(a_j - y_j)^2"
    cost = f"cost $C_0 = {formula}$\n= {e.trace.cost.item():.4f}"
    axes.text((left + right) / 2, bottom - 0.15, cost, ha="center", va="top", linespacing=1.4)


def _image_extent(x: Tensor) -> tuple[float, float, float, float]:
    (left, right), middle = _IMAGE, (_TOP + _BOTTOM) / 2
    half = (right - left) / 2 / (1 if side(x.numel()) else 8)
    return left, right, middle + half, middle - half


def _draw_links_of_pixels(axes: Axes, e: Explanation, column: _Column) -> None:
    """Draw links from the right edge of the image, at the height of the pixel, so that they do not hide the image."""
    _, right, top, bottom = _image_extent(e.x)
    W = _weights(column.layer)[column.neurons]
    largest = W.abs().max().item() or 1.0
    width = side(e.x.numel()) or e.x.numel()
    for y, of_neuron in zip(column.ys, W, strict=True):
        for pixel in of_neuron.abs().topk(min(_LINKS_OF_A_NEURON, e.x.numel())).indices.tolist():
            start = (right + 0.05, top - (top - bottom) * (pixel // width + 0.5) * width / e.x.numel())
            _draw_link(axes, start, (column.x - column.width / 2, y), of_neuron[pixel].item() / largest, _PALE)


def _draw_links(axes: Axes, before: _Column, after: _Column, looked_at: int | None) -> None:
    """Draw the strongest weights in pale colours, and all weights of the chosen neuron in full colours."""
    W = _weights(after.layer)[after.neurons][:, before.neurons]
    weakest = W.abs().flatten().topk(min(_LINKS, W.numel())).values[-1]
    largest = W.abs().max().item() or 1.0
    for j, neuron in enumerate(after.neurons):
        for k in range(len(before.neurons)):
            if neuron == looked_at or W[j, k].abs() >= weakest:
                start, end = (before.x + before.width / 2 + _GAP, before.ys[k]), (after.x - after.width / 2, after.ys[j])
                _draw_link(axes, start, end, W[j, k].item() / largest, 1 if neuron == looked_at else _PALE)


def _draw_link(axes: Axes, start: tuple[float, float], end: tuple[float, float], size: float, alpha: float) -> None:
    axes.plot(*zip(start, end, strict=True), color=UP if size > 0 else DOWN, lw=2.5 * abs(size), alpha=alpha, zorder=2 + alpha)


def _draw_neurons(axes: Axes, column: _Column, looked_at: int | None) -> None:
    brightest = max(1.0, column.layer.a.max().item())
    for neuron, y in zip(column.neurons, column.ys, strict=True):
        brightness = max(column.layer.a[neuron].item(), 0.0) / brightest
        color, width = ("black", 2.5) if neuron == looked_at else ("0.4", 1)
        place = (column.x, y)
        axes.add_patch(
            Ellipse(place, column.width, _NEURON, facecolor=str(brightness), edgecolor=color, linewidth=width, zorder=4)
        )
        color = "black" if brightness > 0.5 else "white"
        axes.text(*place, str(neuron), color=color, fontsize=9, ha="center", va="center_baseline", zorder=5)


def _draw_wishes(axes: Axes, column: _Column, of_layer: Tensor) -> None:
    wishes = of_layer[column.neurons]
    largest = wishes.abs().max().item()
    for wish, y in zip(wishes.tolist(), column.ys, strict=True):
        if wish:
            axes.add_patch(_arrow(column.x + column.width / 2 + _GAP / 2, y, wish / largest))
    longest = wishes[wishes.abs().argmax()].item()
    color = UP if longest > 0 else DOWN if longest < 0 else "0.4"
    axes.text(column.x, _BOTTOM - 0.08, number(longest), ha="center", va="top", color=color)


def _arrow(x: float, y: float, size: float) -> FancyArrow:
    """Return an arrow centred at (x, y), pointing up if size is positive; a size of 1 is the longest."""
    length = _ARROW * size
    thickness = abs(size) ** 0.5  # a thickness proportional to the length would hide small arrows
    return FancyArrow(
        *(x, y - length / 2, 0, length),
        width=0.08 * thickness,
        head_width=0.18 * thickness,
        head_length=min(abs(length), 0.14 * thickness),
        length_includes_head=True,
        color=UP if size > 0 else DOWN,
        linewidth=0,
        zorder=5,
    )


def _draw_heading(axes: Axes, column: _Column, name: str) -> None:
    n = len(column.layer.a)
    count = f"{n} neurons" if len(column.neurons) == n else f"{len(column.neurons)} of {n}"
    axes.text(column.x, _TOP + 0.1, f"{name}\n{count}", ha="center", va="bottom")


def _draw_targets(axes: Axes, e: Explanation, column: _Column) -> None:
    x = column.x + 0.72
    axes.text(x, _TOP + 0.1, "$a_j$", ha="center", va="bottom")
    axes.text(x + 0.62, _TOP + 0.1, "target $y_j$", ha="center", va="bottom")
    for neuron, y in zip(column.neurons, column.ys, strict=True):
        weight = "bold" if neuron == e.neuron else "normal"
        axes.text(x, y, f"{e.outputs.a[neuron]:.4f}", ha="center", va="center", weight=weight)
        axes.text(x + 0.62, y, f"{e.y[neuron]:.0f}", ha="center", va="center", weight=weight)


def _draw_directions(axes: Axes) -> None:
    for y, start, end, text in (
        (_TOP + 0.75, 0.15, WIDTH - 0.15, "forward: the activations, from layer to layer"),
        (_BOTTOM - 0.52, WIDTH - 0.15, 0.15, "backward: the wishes of each layer for the previous one"),
    ):
        style = {"arrowstyle": "-|>,head_width=0.3,head_length=0.6", "color": "0.6", "lw": 2}
        axes.annotate("", (end, y), (start, y), arrowprops=style)
        axes.text(WIDTH / 2, y, text, ha="center", va="center", bbox={"facecolor": "white", "edgecolor": "none"})
    axes.text(_IMAGE[1], _BOTTOM - 0.08, "the longest arrow:", ha="right", va="top")


def _draw_key(axes: Axes, e: Explanation) -> None:
    y, x = 0.62, 0.2
    for i in range(4):
        axes.add_patch(Ellipse((x + 0.17 * i, y), 0.15, 0.15, facecolor=str(i / 3), edgecolor="0.4"))
    axes.text(x + 0.68, y, "activation: black 0 or less, white 1 (the column's largest, if above 1)", va="center")
    for x, color, text in ((5.75, UP, "weight above 0"), (7.6, DOWN, "below 0 (the strongest)")):
        axes.plot([x, x + 0.35], [y, y], color=color, lw=2.5)
        axes.text(x + 0.43, y, text, va="center")
    y = 0.25
    for x, size in ((0.2, 1), (0.42, -1)):
        axes.add_patch(_arrow(x, y, size))
    of_outputs = " (outputs: $z$)" if e.outputs.activation == "softmax" else ""
    wish = f"the nudge wanted for an activation, $-\\partial C_0/\\partial a${of_outputs}; lengths compare within a column."
    axes.text(0.6, y, f"{wish} {UP_AND_DOWN} Ring: output {e.neuron}.", va="center")


def _weights(layer: LayerTrace) -> Tensor:
    assert layer.W is not None
    return layer.W.detach()
