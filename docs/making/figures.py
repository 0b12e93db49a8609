"""The pictures of the catalogue: small examples, computed with the Functions themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import matplotlib.patches
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.functions.attention import AttentionFunction
from manualgrad.functions.convolution.convolution import ConvolutionFunction
from manualgrad.functions.normalization.batch_norm import BatchNormFunction
from manualgrad.training.plots.style import SERIES, signed

__all__ = ["draw"]


def draw(folder: Path) -> None:
    """Write each picture to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "manualgrad"  # for reproducible files
    for name, picture in PICTURES.items():
        picture().savefig(folder / f"{name}.svg", metadata={"Date": None})


def _grid(axes: Axes, numbers: Tensor, title: str, frame: tuple[int, int, int, int] | None = None) -> None:
    """Draw numbers as tiles, blue if positive and orange if negative."""
    most = float(numbers.abs().max()) or 1.0
    axes.imshow(numbers, **signed(torch.tensor(1.6 * most)))
    for (row, column), number in _each(numbers):
        axes.text(column, row, f"{number:.3g}".replace("-", "−"), ha="center", va="center", fontsize=9)
    if frame is not None:
        row, column, height, width = frame
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(matplotlib.patches.Rectangle(corner, width, height, fill=False, lw=2.5, color=SERIES[1]))
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])


def _each(numbers: Tensor) -> list[tuple[tuple[int, int], float]]:
    return [((r, c), float(numbers[r, c])) for r in range(numbers.shape[0]) for c in range(numbers.shape[1])]


def _rounded(t: Tensor) -> Tensor:
    return t.detach().round(decimals=2)


def convolution() -> Figure:
    """Draw a convolution of one channel: the forward and both gradients, with one place framed in each."""
    x = torch.tensor([[1.0, 0, 2, 1], [0, 1, 1, 0], [2, 1, 0, 1], [1, 0, 1, 2]]).requires_grad_()
    K = torch.tensor([[1.0, 0], [-1, 2]]).requires_grad_()
    y = ConvolutionFunction.apply(x[None, None], K[None, None], None, (1, 1), (0, 0), (1, 1), 1)[0, 0]
    delta = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, 2]])
    y.backward(delta)
    figure = Figure(figsize=(8.6, 5.4), layout="constrained")
    above, below = figure.subplots(2, 3)
    _grid(above[0], x.detach(), "x, with the kernel at p = (1, 1)", (1, 1, 2, 2))
    _grid(above[1], K.detach(), "K")
    _grid(above[2], y.detach(), "y = x ∗ K", (1, 1, 1, 1))
    _grid(below[0], delta, "delta = ∂C/∂y (an example)", (1, 1, 1, 1))
    _grid(below[1], x.grad, "∂C/∂x: K at each place,\ntimes delta, added up", (1, 1, 2, 2))
    _grid(below[2], K.grad, "∂C/∂K: x under the kernel,\ntimes delta, added up")
    return figure


def batch_norm() -> Figure:
    """Draw the gradient of batch norm, whose mean and slope along x are 0."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(60, 1, generator=generator).requires_grad_()
    g = 0.5 + 0.6 * x.detach() + 0.5 * torch.randn(60, 1, generator=generator)
    y, m, r = BatchNormFunction.apply(x, None, None, None, None, 0.1, 0.0)
    y.backward(g)
    at, m, r = x.detach(), m.detach(), r.detach()
    slope, constant = -(r**3) * ((at - m) * g).mean(), -r * g.mean()
    line = slope * (at - m) + constant
    figure = Figure(figsize=(8.6, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.scatter(at, r * g, s=14, color=SERIES[0], label="r g: the scaled gradient")
    left.plot(at, -line, color=SERIES[1], lw=2, label="−slope (x − m) − constant: subtracted")
    right.scatter(at, x.grad, s=14, color=SERIES[-1], label="∂C/∂x: the remainder")
    right.plot(at, torch.zeros_like(at), color=SERIES[1], lw=2, label="its mean and its slope are 0")
    for axes in (left, right):
        axes.set_xlabel("x")
        axes.legend(fontsize=9, loc="upper left")
        axes.set_ylim(top=float((r * g).max()) * 1.7)
    return figure


def attention() -> Figure:
    """Draw the gradients of P and S: the latter subtracts from each row its mean weighted by P."""
    generator = torch.Generator().manual_seed(3)
    Q, K, V, G = (torch.randn(3, n, generator=generator) for n in (2, 2, 2, 2))
    M = torch.zeros(3, 3).requires_grad_()
    AttentionFunction.apply(Q, K, V, M, False, 2**-0.5).backward(G)
    P = torch.softmax(Q @ K.T / 2**0.5, -1)
    dC_dP = G @ V.T
    D = (P * dC_dP).sum(-1, keepdim=True)
    torch.testing.assert_close(M.grad, P * (dC_dP - D))
    figure = Figure(figsize=(8.6, 2.9), layout="constrained")
    parts = figure.subplots(1, 4, width_ratios=[3, 3, 1, 3])
    titles = ("P: one row per query", "∂C/∂P = G Vᵀ", "D", "∂C/∂S = P (∂C/∂P − D)")
    for axes, numbers, title in zip(parts, (P, dC_dP, D, M.grad), titles, strict=True):
        _grid(axes, _rounded(numbers), title)
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {"convolution": convolution, "batch_norm": batch_norm, "attention": attention}
