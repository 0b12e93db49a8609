"""The chain of the one-neuron network, drawn: forward its values, backward its derivatives."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manualgrad.teaching.chain import Chain, Link
from manualgrad.training.plots.style import save

__all__ = ["plot_chain"]

_UP = str.maketrans("⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹", "()0123456789")


def plot_chain(c: Chain, title: str, path: Path | None = None) -> Figure:
    nodes = [*c.values.items(), ("C₀", c.cost)]
    figure = Figure(figsize=(2.15 * len(nodes), 6.4), layout="constrained")
    figure.suptitle(title, fontsize=14)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(-0.6, len(nodes) - 0.4), ylim=(-2.15, 1.3))
    place = {name: (float(i), 0.0) for i, (name, _) in enumerate(nodes)}
    for parameter in c.parameters:
        x, _ = place[parameter.links[0].of]
        place[parameter.name] = (x - 0.28 if parameter.name.startswith("w") else x + 0.28, -1.15)
    gradients = {parameter.name: parameter.product for parameter in c.parameters}
    for name, value in [*nodes, *((p.name, p.value) for p in c.parameters)]:
        _node(axes, place[name], name, value, gradients.get(name))
    _arrow(axes, place["a⁽⁰⁾"], place["z⁽¹⁾"])
    axes.text(place["C₀"][0], -0.42, f"$y$ = {c.y:g}", ha="center", va="center", fontsize=13)
    caption = (
        "Blue: a factor, what a nudge to the one does to the next. Red: the product of the factors on the way to the cost."
    )
    axes.text((len(nodes) - 1) / 2, -2.05, caption, ha="center", va="center", fontsize=12)
    seen: set[tuple[str, str]] = set()
    for parameter in c.parameters:
        for link in parameter.links:
            if (link.of, link.by) not in seen:
                seen.add((link.of, link.by))
                _arrow(axes, place[link.by], place[link.of])
                _factor(axes, place[link.by], place[link.of], link)
    longest = max(c.parameters, key=lambda p: (len(p.links), p.name.startswith("w")))
    factors = " \\cdot ".join(_ratio(link) for link in longest.links)
    numbers = " × ".join(f"{link.value:.3f}" for link in longest.links)
    axes.text(
        (len(nodes) - 1) / 2,
        1.0,
        f"${_partial('C₀', longest.name)} = {factors}$\n= {numbers} = {longest.product:+.3e}     "
        f"(finite difference {longest.difference:+.3e})",
        ha="center",
        va="center",
        fontsize=13,
        linespacing=2.2,
    )
    return save(figure, path)


def _node(axes: Axes, at: tuple[float, float], name: str, value: float, gradient: float | None) -> None:
    color = "#ffe9c7" if gradient is not None else "#ffd0d0" if name == "C₀" else "#e4edf8"
    axes.text(
        *at,
        f"${_math(name)}$\n{value:.3f}",
        ha="center",
        va="center",
        fontsize=13,
        bbox={"boxstyle": "round,pad=0.4", "facecolor": color, "edgecolor": "0.4"},
    )
    if gradient is not None:
        axes.text(at[0], at[1] - 0.5, f"${_partial('C₀', name)}$\n{gradient:+.2e}", ha="center", va="center", color="tab:red")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "-|>", "color": "0.3", "shrinkA": 22, "shrinkB": 24}
    axes.annotate("", xy=end, xytext=start, arrowprops=arrow)


def _factor(axes: Axes, start: tuple[float, float], end: tuple[float, float], link: Link) -> None:
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    along = start[1] == end[1]
    axes.text(
        middle[0] + (0 if along else 0.1 * (1 if start[0] > end[0] else -1)),
        middle[1] + (0.12 if along else 0),
        f"${_ratio(link)}$\n{link.value:.3f}" if along else f"{link.value:.3f}",
        ha="center" if along else "left" if start[0] > end[0] else "right",
        va="bottom" if along else "center",
        fontsize=11,
        color="tab:blue",
    )


def _ratio(link: Link) -> str:
    return _partial(link.of, link.by)


def _partial(of: str, by: str) -> str:
    return f"\\dfrac{{\\partial {_math(of)}}}{{\\partial {_math(by)}}}"


def _math(name: str) -> str:
    """a⁽²⁾ as a^{(2)}."""
    return "C_0" if name == "C₀" else re.sub("⁽.*⁾", lambda match: f"^{{{match[0].translate(_UP)}}}", name)
