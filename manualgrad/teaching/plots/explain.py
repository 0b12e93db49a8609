"""Picture of what one training example wants, from the outputs back to the first layer's weights."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from manualgrad.teaching.explain import STEP, Explanation
from manualgrad.teaching.number import number
from manualgrad.teaching.plots.network import HEIGHT, plot_network
from manualgrad.training.plots.style import DOWN, SERIES, UP, UP_AND_DOWN, WIDTH, colors, image, save, signed

__all__ = ["Panel", "panels", "plot_explanation"]

_LEGEND = (
    "The nudge to $q$ is $-\\partial C_0/\\partial q$, where $C_0$ is the cost of this image alone; "
    f"$\\delta = \\partial C_0/\\partial z$. {UP_AND_DOWN}"
)
_GREY = "0.6"
_BETWEEN = 0.25  # inches between the panels
_ROW = 0.2  # inches per row of a heat map
_SMALL_IMAGES = 8  # per row


@dataclass(frozen=True)
class Panel:
    """A panel of the picture: its height in inches, its heading, and the function that draws it."""

    height: float
    heading: str
    draw: Callable[[SubFigure, Explanation], None]

    def plot(self, e: Explanation) -> Figure:
        """Draw the panel alone, without its heading."""
        figure = Figure(figsize=(WIDTH, self.height), layout="constrained")
        self.draw(figure.subfigures(1, 1, squeeze=False)[0, 0], e)
        return figure


def plot_explanation(e: Explanation, title: str, path: Path | None = None) -> Figure:
    """Draw the numbered panels, from the whole network to the effect of steps along the wishes."""
    title = textwrap.fill(title, 90)
    parts = panels(e)
    heights = [0.5 + 0.2 * title.count("\n"), *(panel.height for panel in parts)]
    figure = Figure(figsize=(WIDTH, sum(heights) + _BETWEEN * len(parts)))
    figure.set_layout_engine("constrained", hspace=0, h_pad=0.06)
    hspace = _BETWEEN * len(heights) / sum(heights)
    top, *rows = figure.subfigures(len(heights), 1, height_ratios=heights, hspace=hspace, squeeze=False)[:, 0]
    top.text(0.5, 0.9, title, fontsize=12, ha="center", va="top", parse_math=False)
    top.text(0.5, 0, _LEGEND, ha="center", va="bottom")
    for i, (row, panel) in enumerate(zip(rows, parts, strict=True), 1):
        row.suptitle(f"{i}  {panel.heading}", fontsize=12, fontweight="bold", x=0.01, ha="left")
        panel.draw(row, e)
    return save(figure, path)


def panels(e: Explanation) -> list[Panel]:
    """Return the panels in order.

    They show the network, its outputs, the avenues of the chosen output, the sums for each hidden layer (the last one first),
    the weights of the first layer, and the effect of steps.
    """
    backwards = range(len(e.trace.layers) - 1, 0, -1)
    first = "Back at the first layer: the nudges to its weights, one picture per neuron" + _some(e, 0, ",\n")
    return [
        Panel(HEIGHT, "The network, shown the image: activations go forward, wishes come back", plot_network),
        Panel(3.4, "What it wants from each output: a nudge in proportion to the distance from the target", _outputs),
        Panel(4.6, f"Output {e.neuron} alone has three avenues: its bias, its weights, the previous activations", _avenues),
        *(
            Panel(
                2.8 + _ROW * len(e.shown(l)),
                f"What every {_name(e, l)} wants from the activations of layer {l}, and the sum",
                functools.partial(_wishes_before, l=l),
            )
            for l in backwards
        ),
        Panel(1.5 + 1.4 * _rows_of_images(e), first, _first_weights),
        Panel(1.4 + 0.4 * len(e.steps), f"The effect of {STEP} times these nudges on the cost", _steps),
    ]


def _outputs(figure: SubFigure, e: Explanation) -> None:
    left, right = figure.subplots(1, 2)
    digits = range(len(e.y))
    left.bar(digits, e.outputs.a.tolist(), color=_GREY, label="activation $a_j$")
    left.hlines(e.y.tolist(), [d - 0.4 for d in digits], [d + 0.4 for d in digits], color="black", label="target $y_j$")
    for digit, a, y in zip(digits, e.outputs.a.tolist(), e.y.tolist(), strict=True):
        if abs(y - a) > 0.02:
            arrow = {"arrowstyle": "-|>", "color": UP if y > a else DOWN, "lw": 2}
            left.annotate("", xy=(digit, y), xytext=(digit, a), arrowprops=arrow)
    left.set(xlabel="output $j$", ylabel="activation", ylim=(-0.05, 1.08), xticks=digits)
    left.legend(loc="upper right" if e.y.argmax() < len(e.y) / 2 else "upper left")
    _bars(right, e.output_wishes, digits, colors(e.output_wishes))
    softmax = e.outputs.activation == "softmax"
    wish = "\\partial z_j = y_j - a_j" if softmax else "\\partial a_j = 2\\,(y_j - a_j)"
    right.set(xlabel="output $j$", ylabel=f"nudge, $-\\partial C_0/{wish}$")


def _avenues(figure: SubFigure, e: Explanation) -> None:
    """Draw the wishes above, and the quantities that they are proportional to below."""
    j, W = e.neuron, e.outputs.W
    assert W is not None
    ((bias, weights, before), (empty, a, w)) = figure.subplots(2, 3, width_ratios=[0.36, 1, 1])
    empty.set_axis_off()
    bias.bar([0], [e.bias_wish], color=_up_or_down(e.bias_wish), width=0.5)
    bias.axhline(0, color="black", lw=0.8)
    bias.set(xlim=(-1, 1), ylabel=f"$-\\partial C_0/\\partial b_{{{j}}}$", xticks=[])
    bias.set_title("its bias", fontsize=10)
    draw = functools.partial(_neurons_before if len(e.trace.layers) > 1 else _pixels, e)
    draw(weights, e.weight_wishes, f"$-\\partial C_0/\\partial W_{{{j}k}}$", _up_or_down)
    weights.set_title("its weights: in proportion to ...", fontsize=10)
    draw(a, e.outputs.a_prev, "$a_k$", _grey)
    a.set_title("... the activations they come from", fontsize=10)
    draw(before, e.wishes_before(-1)[j], f"$-\\delta_{{{j}}} W_{{{j}k}}$", _up_or_down)
    before.set_title("the previous activations: in proportion to ...", fontsize=10)
    draw(w, W[j].detach(), f"$W_{{{j}k}}$", _up_or_down)
    w.set_title("... its weights", fontsize=10)
    if len(e.trace.layers) > 1:
        for axes in (a, w):
            axes.set_xlabel(f"neuron of layer {len(e.trace.layers) - 1}, $k$" + _some(e, -2, ",\n"))


def _neurons_before(e: Explanation, axes: Axes, values: Tensor, symbol: str, color: Callable[[float], str]) -> None:
    ks = e.shown(-2)
    _bars(axes, values[ks], ks, [color(value) for value in values[ks].tolist()])
    axes.tick_params(axis="x", rotation=90 if ks[-1] > 99 else 0)
    axes.set_ylabel(symbol)


def _pixels(e: Explanation, axes: Axes, values: Tensor, symbol: str, color: Callable[[float], str]) -> None:
    """Draw the values as an image, in shades of the bars' colours."""
    drawn = image(axes, values, **({"cmap": "gray"} if color is _grey else signed(values)))
    axes.figure.colorbar(drawn, ax=axes, label=symbol)


def _wishes_before(figure: SubFigure, e: Explanation, l: int) -> None:
    """Draw a row for each neuron of layer l + 1, or for each output, and the sum below."""
    js, ks, wishes = e.shown(l), e.shown(l - 1), e.wishes_before(l)
    shown, total = wishes[js][:, ks], wishes.sum(0)[ks]
    (table, bar), (below, empty) = figure.subplots(2, 2, width_ratios=[1, 0.02], height_ratios=[_ROW * len(js), 1.2])
    empty.set_axis_off()
    drawn = table.imshow(shown.numpy(), aspect="auto", interpolation="nearest", **signed(shown))
    table.set(ylabel=f"{_name(e, l)}, $j$" + _some(e, l, ",\n"), xticks=range(len(ks)), xticklabels=[])
    table.set_yticks(range(len(js)), [str(j) for j in js])
    figure.colorbar(drawn, cax=bar, label="$-\\delta_j W_{jk}$")
    _bars(below, total, ks, colors(total))
    rows = "rows" if len(js) == len(wishes) else f"{len(wishes)} rows"
    below.set_title(f"the sum of all {rows}: the nudges for layer {l}", fontsize=10)
    below.set(ylabel="$-\\partial C_0/\\partial a_k$", xlabel=f"neuron of layer {l}, $k$" + _some(e, l - 1))


def _first_weights(figure: SubFigure, e: Explanation) -> None:
    js, rows, wishes = e.shown(0), _rows_of_images(e), e.first_weight_wishes()
    grid = figure.subplots(rows, -(-len(js) // rows), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, j in zip(grid.flat, js, strict=False):
        axes.set_axis_on()
        drawn = image(axes, wishes[j], **signed(wishes[js]))
        axes.set_title(f"neuron {j}", fontsize=10)
    label = "nudge to the weight of pixel $k$, $-\\partial C_0/\\partial W_{jk} = -\\delta_j\\,x_k$"
    figure.colorbar(drawn, ax=grid, location="bottom", shrink=0.6, aspect=40, label=label)


def _rows_of_images(e: Explanation) -> int:
    return -(-len(e.shown(0)) // _SMALL_IMAGES)


def _steps(figure: SubFigure, e: Explanation) -> None:
    axes, table = figure.subplots(1, 2, width_ratios=[1, 0.42], sharey=True)
    rows = range(len(e.steps))
    predicted, measured = [s.predicted for s in e.steps], [s.measured for s in e.steps]
    axes.barh([r - 0.2 for r in rows], predicted, 0.4, color="0.75", label="predicted, $\\nabla C_0\\cdot$step")
    axes.barh([r + 0.2 for r in rows], measured, 0.4, color=SERIES[0], label="measured")
    axes.axvline(0, color="black", lw=0.8)
    axes.set_ylim(len(e.steps) - 0.4, -0.6)
    axes.set_yticks(list(rows), [step.along.replace(", as", ",\nas") for step in e.steps])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set(xlabel="change of this example's cost", ylabel="a step along the wishes for")
    table.set_axis_off()
    for x, heading, values in ((0.46, "predicted", predicted), (0.96, "measured", measured)):
        for y, text in ((-0.85, heading), *enumerate(map(number, values))):
            table.text(x, y, text, ha="right", va="center")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _bars(axes: Axes, values: Tensor, ks: Sequence[int], color: list[str]) -> None:
    axes.bar(range(len(ks)), values.tolist(), color=color)
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xlim(-0.5, len(ks) - 0.5)
    axes.set_xticks(range(len(ks)), [str(k) for k in ks])


def _up_or_down(value: float) -> str:
    return UP if value > 0 else DOWN


def _grey(_: float) -> str:
    return _GREY


def _name(e: Explanation, l: int) -> str:
    return "output" if l == len(e.trace.layers) - 1 else f"neuron of layer {l + 1}"


def _some(e: Explanation, l: int, before: str = ", ") -> str:
    """Say which neurons of a layer are shown, unless all of them are."""
    shown, n = len(e.shown(l)), len(e.trace.layers[l].a)
    return "" if shown == n else f"{before}the {shown} of {n} with the strongest wishes, $|\\delta|$"
