"""Picture of the network with one neuron per layer: its values forward, and its derivatives back from the cost."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manualgrad.teaching.chain import Chain, Link, Parameter
from manualgrad.teaching.number import number
from manualgrad.training.plots.style import SERIES, WIDTH, save

__all__ = ["plot_chain"]

_Place = tuple[float, float]

# All sizes are in inches. A row has two layers and four lines, whose heights are measured from the bottom of the row.
_ROW = 4.45
_PARAMETERS, _FORWARD, _BACKWARD, _PRODUCTS = 3.75, 2.55, 1.4, 0.3
_HEADER, _COLUMNS = 1.25, 6
_LINE, _FACTORS = 0.85, 7  # inches per line of the formula, factors per line

_FACTOR, _DERIVATIVE = SERIES[1], SERIES[0]
_UP = str.maketrans("⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹", "()0123456789")


def plot_chain(c: Chain, title: str, path: Path | None = None) -> Figure:
    """Draw the chain in rows of two layers, and the longest product below."""
    names = [*c.values, "C₀"]
    rows = -(-(len(names) - 2) // 4)
    formula = _LINE * -(-len(c.longest.links) // _FACTORS) + 0.7
    height = _HEADER + _ROW * rows + formula
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()
    axes.text(WIDTH / 2, height - 0.3, title, fontsize=13, ha="center", va="center")
    _draw_key(axes, height - 0.75)
    for row in range(rows):
        last = row == rows - 1
        _draw_row(axes, c, names[4 * row : 4 * row + (6 if last else 5)], height - _HEADER - _ROW * (row + 1), last)
    _draw_formula(axes, c.longest, formula)
    return save(figure, path)


def _draw_row(axes: Axes, c: Chain, names: list[str], bottom: float, last: bool) -> None:
    """Draw quantities from left to right; a row starts with the last quantity of the row above."""
    apart = WIDTH / min(_COLUMNS, len(c.values) + 1)
    values, links = c.values | {"C₀": c.cost}, {(link.of, link.by): link for p in c.parameters for link in p.links}
    parameters = {p.links[0].by: p for p in c.parameters}
    for i, name in enumerate(names):
        x = (i + 0.5) * apart
        forward, backward = (x, bottom + _FORWARD), (x, bottom + _BACKWARD)
        _box(axes, forward, f"${_math(name)}$\n{number(values[name])}", "0.93", "0.4")
        if name in c.derivatives:
            _derivative(axes, backward, name, c.derivatives[name])
        if i:
            _arrow(axes, (x - apart, forward[1]), forward, "0.4")
            link = links.get((name, names[i - 1]))
            if link is not None:
                _draw_factor(axes, link, (x - apart / 2, forward[1]))
                if names[i - 1] in c.derivatives:
                    _arrow(axes, backward, (x - apart, backward[1]), _DERIVATIVE)
                    _times(axes, link, x - apart / 2, backward[1] + 0.27, "center", "bottom")
        if name.startswith("z"):
            for letter, side in (("w", -1), ("b", 1)):
                _draw_parameter(axes, parameters[letter + name[1:]], x, bottom, side)
    if last:
        formula = f"$({_math(names[-2])} - y)^2,$" if c.kind == "quadratic" else "cross entropy,"
        axes.text(x, bottom + _FORWARD + 0.35, f"{formula}\n$y = {c.y:g}$", ha="center", va="bottom")
    else:
        _draw_continuation(axes, (len(names) + 0.5) * apart, apart, bottom)


def _draw_parameter(axes: Axes, p: Parameter, x: float, bottom: float, side: int) -> None:
    """Draw a weight left of its z, or a bias right of it: its value above, its derivative below."""
    link, beside = p.links[0], x + side * 0.46
    align = "right" if side < 0 else "left"
    _box(axes, (beside, bottom + _PARAMETERS), f"${_math(p.name)}$\n{number(p.value)}", "white", "0.4")
    _arrow(axes, (beside, bottom + _PARAMETERS), (x + side * 0.15, bottom + _FORWARD), "0.4")
    axes.text(
        x + side * 0.48,
        bottom + _PARAMETERS - 0.47,
        f"${_ratio(link)}$  {number(link.value)}",
        ha=align,
        va="center",
        color=_FACTOR,
    )
    _arrow(axes, (x + side * 0.15, bottom + _BACKWARD), (x + side * 0.5, bottom + _PRODUCTS), _DERIVATIVE)
    _derivative(axes, (x + side * 0.54, bottom + _PRODUCTS), p.name, p.product)
    _times(axes, link, x + side * 0.42, bottom + (_BACKWARD + _PRODUCTS) / 2, align, "center")


def _draw_factor(axes: Axes, link: Link, middle: _Place) -> None:
    x, y = middle
    axes.text(x, y + 0.08, f"${_ratio(link)}$", ha="center", va="bottom", color=_FACTOR)
    axes.text(x, y - 0.08, number(link.value), ha="center", va="top", color=_FACTOR)


def _times(axes: Axes, link: Link, x: float, y: float, ha: str, va: str) -> None:
    axes.text(x, y, f"× {number(link.value)}", ha=ha, va=va, color=_FACTOR)


def _draw_continuation(axes: Axes, x: float, apart: float, bottom: float) -> None:
    axes.text(x, bottom + _FORWARD, "to the\nrow below", ha="center", va="center", color="0.4")
    axes.text(x, bottom + _BACKWARD, "from the\nrow below", ha="center", va="center", color="0.4")
    _arrow(axes, (x - apart, bottom + _FORWARD), (x, bottom + _FORWARD), "0.4")
    _arrow(axes, (x, bottom + _BACKWARD), (x - apart, bottom + _BACKWARD), _DERIVATIVE)


def _draw_key(axes: Axes, top: float) -> None:
    delta = "$\\partial C_0/\\partial z$ is called $\\delta$."
    for i, (color, text) in enumerate(
        (
            ("0.4", "Forward: each quantity determines the next."),
            (_FACTOR, "Factor: how much a nudge to one quantity changes the next."),
            (_DERIVATIVE, f"Backward, from the cost: each derivative is the one before it times a factor. {delta}"),
        )
    ):
        axes.text(0.3, top - 0.22 * i, "■", color=color, ha="left", va="center")
        axes.text(0.5, top - 0.22 * i, text, ha="left", va="center")


def _draw_formula(axes: Axes, longest: Parameter, top: float) -> None:
    apart = (WIDTH - 1.5) / _FACTORS
    axes.text(0.3, top - 0.5, f"${_partial('C₀', longest.name)} =$", fontsize=13, ha="left", va="center")
    for i, link in enumerate(longest.links):
        x, y = 1.3 + apart * (i % _FACTORS + 0.5), top - 0.5 - _LINE * (i // _FACTORS)
        axes.text(x, y, f"${_ratio(link)}$", fontsize=13, ha="center", va="center")
        axes.text(x, y - 0.38, number(link.value), ha="center", va="center", color=_FACTOR)
        if i:
            axes.text(x - apart / 2, y, "·", ha="center", va="center")
            axes.text(x - apart / 2, y - 0.38, "×", ha="center", va="center")
    result = f"= {number(longest.product)},   by a finite difference {number(longest.difference)}"
    axes.text(0.3, 0.22, result, ha="left", va="center")


def _derivative(axes: Axes, at: _Place, name: str, value: float) -> None:
    _box(axes, at, f"$\\partial C_0/\\partial {_math(name)}$\n{number(value)}", "#e4f4ee", _DERIVATIVE)


def _box(axes: Axes, at: _Place, text: str, face: str, edge: str) -> None:
    box = {"boxstyle": "round,pad=0.35", "facecolor": face, "edgecolor": edge}
    axes.text(*at, text, ha="center", va="center", bbox=box, zorder=3)


def _arrow(axes: Axes, start: _Place, end: _Place, color: str) -> None:
    """Draw an arrow between two boxes, given their centres."""
    horizontal = start[1] == end[1]
    shrink = 36 if horizontal else 20  # points
    style = {"arrowstyle": "-|>", "color": color, "lw": 2, "shrinkA": shrink, "shrinkB": shrink}
    axes.annotate("", xy=end, xytext=start, arrowprops=style, zorder=2)


def _ratio(link: Link) -> str:
    return _partial(link.of, link.by)


def _partial(of: str, by: str) -> str:
    return f"\\dfrac{{\\partial {_math(of)}}}{{\\partial {_math(by)}}}"


def _math(name: str) -> str:
    """Write a⁽²⁾ as a^{(2)}."""
    return "C_0" if name == "C₀" else re.sub("⁽.*⁾", lambda match: f"^{{{match[0].translate(_UP)}}}", name)
