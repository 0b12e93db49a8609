"""The product y = Π_i x_i along a dimension, and the running sum y_i = x_0 + ... + x_i.

Product, backward. The factor x_i has the derivative Π_{j≠i} x_j, the product of those before it and of those after it: no
quotient y/x_i, which a zero would spoil. With g = ∂C/∂y,

    ∂C/∂x_i = (Π_{j<i} x_j) (Π_{j>i} x_j) g

Running sum, backward. x_i is in y_i and in all that come after it:

    ∂C/∂x_i = g_i + g_(i+1) + ...                 the running sum from the other end

Forward mode: dy = Σ_i (Π_{j≠i} x_j) dx_i, and dy_i = dx_0 + ... + dx_i. Complex numbers: the product of the others enters the
backward conjugated (see linear.py).

Shapes: of the product, y and g are x without the dimension, or with 1 in its place; of the running sum, alike; the gradient
always that of x.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._form import with_dims

__all__ = ["CumsumFunction", "ProdFunction"]


class ProdFunction(Function):
    """Π x; `ProdFunction.apply(x, dim, keepdim)`."""

    autocast = "float32"

    @staticmethod
    def forward(x: Tensor, dim: int, keepdim: bool) -> Tensor:
        return torch.prod(x, dim, keepdim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, bool], output: Tensor) -> None:
        x, ctx.dim, ctx.keepdim = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return _others(x, ctx.dim).conj() * with_dims(g, (ctx.dim,), ctx.keepdim), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        (x,) = ctx.saved_tensors
        return (_others(x, ctx.dim) * dx).sum(ctx.dim, ctx.keepdim)


class CumsumFunction(Function):
    """The running sum; `CumsumFunction.apply(x, dim)`."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, dim: int) -> Tensor:
        return torch.cumsum(x, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        _, ctx.dim = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return torch.cumsum(g.flip(ctx.dim), ctx.dim).flip(ctx.dim), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        return torch.cumsum(dx, ctx.dim)


def _others(x: Tensor, dim: int) -> Tensor:
    """For each factor the product of all the others."""
    n = x.shape[dim]
    if n <= 1:
        return torch.ones_like(x)
    one = torch.ones_like(x.narrow(dim, 0, 1))
    before = torch.cat([one, x.narrow(dim, 0, n - 1)], dim).cumprod(dim)
    after = torch.cat([x.narrow(dim, 1, n - 1), one], dim).flip(dim).cumprod(dim).flip(dim)
    return before * after
