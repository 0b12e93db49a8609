"""The figure of the nudges that one image wants for the first six kernels of LeNet-5."""

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

STEP = 0.01  # the factor of the wish that is added to each weight

_HEIGHT = 7.6  # inches; the layout is in inches from the upper left
_LEFT, _TEXT = 0.2, 1.75  # left edge and width of the text column
_FIRST, _SIDE, _APART = 2.0, 1.04, 1.12  # the squares: left edge of the first, side, distance
_ROWS = (3.1, 4.65, 6.2)  # the tops of the kernels, the maps and the wishes
_BAR = 8.78  # left edge of the colour bars
_IMAGE = 1.65  # side of the image


@dataclass(frozen=True)
class Wishes:
    """The nudges that one image wants for the kernels of C1.

    Attributes:
        kernels: [6, 5, 5], their weights w.
        maps: [6, 28, 28], their activations, from -1 to 1: tanh of the kernel's convolution with the image plus its bias.
        wishes: [6, 5, 5], -∂C₀/∂w.
        cost: C₀, the cost of this image alone.
        then: C₀ after each weight of the six kernels has moved by `STEP` times its wish.
    """

    kernels: Tensor
    maps: Tensor
    wishes: Tensor
    cost: float
    then: float


def strongest(examples: Examples, a: Tensor, cost: str = "quadratic") -> int:
    """Return the example whose outputs have the strongest wishes, Σ_j |∂C₀/∂z_j|; a, [n, 10], are the outputs for them."""
    error = a - examples.y
    return int((2 * error * a * (1 - a) if cost == "quadratic" else error).abs().sum(1).argmax())


def wishes(model: torch.nn.Module, x: Tensor, y: Tensor, cost: str = "quadratic") -> Wishes:
    """Compute the wishes in float64 on the CPU, with the hand-written derivatives even if the layers are torch.nn's.

    Args:
        model: LeNet-5, which is not changed.
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
    """Plot the six kernels, their maps and their wishes for the image of `those` ("test images") with the strongest wishes.

    Args:
        model: LeNet-5; a, [n, 10], are the activations of its outputs for the n images.
        title: the network and the data set.
        cost: the cost that it was trained for, "quadratic" or "cross-entropy".
    """
    k = strongest(examples, a, cost)
    label, taken_for = int(examples.labels[k]), int(a[k].argmax())
    seen = "and predicted correctly" if label == taken_for else f"predicted as {_a(taken_for)}"
    found = wishes(model, examples.x[k], examples.y[k], cost)

    figure = Figure(figsize=(WIDTH, _HEIGHT))
    whole = figure.add_axes((0, 0, 1, 1))
    whole.set(xlim=(0, WIDTH), ylim=(_HEIGHT, 0))
    whole.set_axis_off()
    whole.text(WIDTH / 2, 0.15, f"{title}: what one image wants of the first six kernels", fontsize=13, ha="center", va="top")
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
            "28×28 activations:\nthe kernel's output\nat each place of\nthe image.",
            found.maps,
            {"cmap": "gray", "vmin": -1, "vmax": 1},
            "activation a",
        ),
        (
            "the wish",
            "for each weight:\nthe nudge that this\nimage wants.\n" + UP_AND_DOWN.replace(". ", ".\n"),
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
    """Write the explanation beside the image."""
    change = "falls" if found.then < found.cost else "goes"
    paragraphs = (
        f"{what} Its outputs have the strongest wishes. "
        f"Its cost is C₀ = {costs.formula(cost)}, over the ten outputs: {found.cost:.4f}.",
        "A kernel slides over the image. At each place its 25 weights multiply the 25 pixels under it, and the sum, plus a "
        "bias, goes through tanh: the map is bright where the image looks like the kernel.",
        "Each weight of a kernel is used at all 784 places, and its wish, −∂C₀/∂w, is the sum of the wishes at each place. "
        f"If all 150 weights move by {STEP} times their wish, the cost of this image {change} to {found.then:.4f}.",
    )
    lines = [line for paragraph in paragraphs for line in [*textwrap.wrap(paragraph, 98), ""]]
    axes.text(_FIRST + 0.08, 0.62, "\n".join(lines), va="top", linespacing=1.3)
