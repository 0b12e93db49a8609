"""The picture of what one image wants of the six first kernels of LeNet-5."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.training import costs
from manualgrad.training.data import Examples
from manualgrad.training.lenet5 import KERNELS, make_lenet5
from manualgrad.training.plots.style import UP_AND_DOWN, WIDTH, image, save, signed

__all__ = ["Wishes", "plot_kernels", "strongest", "wishes"]

STEP = 0.01  # times the wish, added to each weight

_HEIGHT = 7.6  # inches; the picture is laid out in inches, from its upper left
_LEFT, _TEXT = 0.2, 1.75  # of the column of texts: its place and its width
_FIRST, _SIDE, _APART = 2.0, 1.04, 1.12  # of the squares: the first one's place, their side, and from one to the next
_ROWS = (3.1, 4.65, 6.2)  # the tops of the kernels, the maps and the wishes
_BAR = 8.78  # the place of the bars that tell the colours' values
_IMAGE = 1.65  # its side


@dataclass(frozen=True)
class Wishes:
    """What one image wants of the kernels of C1.

    Attributes:
        kernels: [6, 5, 5], their weights w.
        maps: [6, 28, 28], their activations, from -1 to 1: tanh of a kernel's sum over what lies under it, plus its bias.
        wishes: [6, 5, 5], -∂C₀/∂w.
        cost: C₀, of this image alone.
        then: C₀ where each weight of the six has moved by `STEP` times its wish.
    """

    kernels: Tensor
    maps: Tensor
    wishes: Tensor
    cost: float
    then: float


def strongest(examples: Examples, a: Tensor, cost: str = "quadratic") -> int:
    """The example whose outputs have the strongest wishes, Σ_j |∂C₀/∂z_j|; a, [n, 10], are the outputs for all of them."""
    error = a - examples.y
    return int((2 * error * a * (1 - a) if cost == "quadratic" else error).abs().sum(1).argmax())


def wishes(model: torch.nn.Module, x: Tensor, y: Tensor, cost: str = "quadratic") -> Wishes:
    """By the hand-written derivatives, whosever layers the model's are, in float64 on the CPU.

    Args:
        model: LeNet-5, which stays as it is.
        x: [784], the image; y: [10], the desired outputs.
        cost: "quadratic" or "cross-entropy".
    """
    network = make_lenet5(cost=cost)
    network.load_state_dict(model.state_dict())
    network.double()
    x, y = x.cpu().double()[None], y.cpu().double()[None]
    cost_of = costs.as_module(cost)
    K = network.get_parameter(KERNELS)
    C = cost_of(network(x), y)
    (dC_dK,) = torch.autograd.grad(C, K)
    kernels = K.detach().clone()
    with torch.no_grad():
        maps = network[:3](x)[0]
        K.sub_(STEP * dC_dK)
        then = cost_of(network(x), y)
    return Wishes(kernels[:, 0], maps, -dC_dK[:, 0], C.item(), then.item())


def plot_kernels(
    model: torch.nn.Module,
    examples: Examples,
    a: Tensor,
    title: str,
    those: str,
    path: Path | None = None,
    cost: str = "quadratic",
) -> Figure:
    """Of the six kernels, each with its map, what that image of `those` ("test images") wants whose wishes are strongest.

    Args:
        model: LeNet-5; a, [n, 10], are the activations of its outputs for the n images.
        title: what it is, and on which images.
        cost: "quadratic" or "cross-entropy", what it was trained for.
    """
    k = strongest(examples, a, cost)
    label, taken_for = int(examples.labels[k]), int(a[k].argmax())
    seen = "and taken for one" if label == taken_for else f"taken for {_a(taken_for)}"
    found = wishes(model, examples.x[k], examples.y[k], cost)

    figure = Figure(figsize=(WIDTH, _HEIGHT))
    whole = figure.add_axes((0, 0, 1, 1))
    whole.set(xlim=(0, WIDTH), ylim=(_HEIGHT, 0))
    whole.set_axis_off()
    whole.text(WIDTH / 2, 0.15, f"{title}: what one image wants of the six first kernels", fontsize=13, ha="center", va="top")
    pixels = _square(figure, _LEFT, 0.65, _IMAGE)
    image(pixels, examples.x[k].cpu(), cmap="gray", vmin=0, vmax=1)
    _tell(whole, found, cost, f"Image {k:,} of the {len(examples):,} {those}, counted from 0, is {_a(label)}, {seen}.")

    rows: tuple[tuple[str, str, Tensor, dict[str, Any], str], ...] = (
        (
            "the kernel",
            "25 weights.\nBlue: above 0.\nOrange: below 0.",
            found.kernels,
            signed(found.kernels),
            "weight w",
        ),
        (
            "its map",
            "28×28 activations:\nthe kernel's answer\nto each place of\nthe image.",
            found.maps,
            {"cmap": "gray", "vmin": -1, "vmax": 1},
            "activation a",
        ),
        (
            "the wish",
            "for each weight:\nhow to move it for\nthis image's sake.\n" + UP_AND_DOWN.replace(". ", ".\n"),
            found.wishes,
            signed(found.wishes),
            "nudge −∂C₀/∂w",
        ),
    )
    for top, (name, text, values, colours, unit) in zip(_ROWS, rows, strict=True):
        whole.text(_LEFT, top, name, fontweight="bold", fontsize=11, va="top")
        whole.text(_LEFT, top + 0.22, text, va="top", linespacing=1.25)
        for i, one in enumerate(values):
            shown = image(_square(figure, _FIRST + i * _APART, top, _SIDE), one, **colours)
        bar = figure.add_axes((_BAR / WIDTH, 1 - (top + _SIDE) / _HEIGHT, 0.13 / WIDTH, _SIDE / _HEIGHT))
        figure.colorbar(shown, cax=bar)
        bar.set_title(unit, fontsize=10, loc="left")
    for i in range(len(found.kernels)):
        whole.text(_FIRST + i * _APART + _SIDE / 2, _ROWS[0] - 0.1, f"kernel {i}", ha="center", va="bottom")
    return save(figure, path)


def _a(digit: int) -> str:
    return f"{'an' if digit == 8 else 'a'} {digit}"


def _square(figure: Figure, left: float, top: float, side: float) -> Axes:
    return figure.add_axes((left / WIDTH, 1 - (top + side) / _HEIGHT, side / WIDTH, side / _HEIGHT))


def _tell(axes: Axes, found: Wishes, cost: str, what: str) -> None:
    """Beside the image, in sentences."""
    change = "falls" if found.then < found.cost else "goes"
    paragraphs = (
        f"{what} No other has outputs with stronger wishes. "
        f"Its cost is C₀ = {costs.formula(cost)}, over the ten outputs: {found.cost:.4f}.",
        "A kernel slides over the image. At each place its 25 weights multiply the 25 pixels under it, and the sum, plus a "
        "bias, goes through tanh: the map is bright where the image looks like the kernel.",
        "Each weight of a kernel is used at all 784 places, and its wish, −∂C₀/∂w, is the sum of what it would do at each. "
        f"Where all 150 weights move by {STEP} times their wish, the cost of this image {change} to {found.then:.4f}.",
    )
    lines = [line for paragraph in paragraphs for line in [*textwrap.wrap(paragraph, 98), ""]]
    axes.text(_FIRST + 0.08, 0.62, "\n".join(lines), va="top", linespacing=1.3)
