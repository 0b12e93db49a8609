"""The p-norm of the numbers along some dimensions, y = (Σ_i |x_i|^p)^(1/p).

Backward. With S = Σ |x_i|^p, y = S^(1/p), and d|x_i| = sign x_i dx_i:

    ∂y/∂x_i = 1/p S^(1/p − 1) · p |x_i|^(p−1) sign x_i = (|x_i| / y)^(p−1) sign x_i

    p = 1:      sign x_i
    p = 2:      x_i / y
    p = ±∞:     the largest or smallest |x_i| is y: sign x_i for it; where m have it, 1/m of that for each (see extremes.py)
    p = 0:      0: the count of those that are not 0 does not move

Where y = 0 there is no derivative; 0 is taken there, as PyTorch does. Complex numbers: sign x = x/|x|, and y, a real number,
moves by Re(conj(∂y/∂x) dx) (see linear.py).

    ∂C/∂x_i = ∂y/∂x_i g, g = ∂C/∂y        dy = Σ_i Re(conj(∂y/∂x_i) dx_i)

Shapes: x any; y and g without the dimensions, or with 1 in their place; ∂C/∂x that of x.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._form import with_dims
from manualgrad.functions._precision import wide

__all__ = ["VectorNormFunction"]


class VectorNormFunction(Function):
    """y; `VectorNormFunction.apply(x, p, dims, keepdim)`."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, p: float, dims: tuple[int, ...], keepdim: bool) -> Tensor:
        return torch.linalg.vector_norm(x, p, dims, keepdim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, tuple[int, ...], bool], output: Tensor) -> None:
        x, ctx.p, ctx.dims, ctx.keepdim = inputs
        ctx.save_for_backward(x, output)
        ctx.save_for_forward(x, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        x, y = ctx.saved_tensors
        dy_dx = _derivative(wide(x), wide(with_dims(y, ctx.dims, ctx.keepdim)), ctx.p, ctx.dims)
        return (dy_dx * with_dims(g, ctx.dims, ctx.keepdim)).to(x.dtype), None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        x, y = ctx.saved_tensors
        dy_dx = _derivative(wide(x), wide(with_dims(y, ctx.dims, ctx.keepdim)), ctx.p, ctx.dims)
        products = dy_dx.conj() * dx
        products = products.real if products.is_complex() else products
        return (products.sum(ctx.dims, ctx.keepdim) if ctx.dims else products).to(y.dtype)


def _derivative(x: Tensor, y: Tensor, p: float, dims: tuple[int, ...]) -> Tensor:
    if p == 0:
        return torch.zeros_like(x)
    if p == 1:
        return torch.sgn(x)
    if p == 2:
        return (x / y).masked_fill(y == 0, 0)
    size = x.abs()
    if math.isinf(p):
        is_y = (size == y).to(y.dtype)
        return torch.sgn(x) * (is_y / is_y.sum(dims, keepdim=True) if dims else is_y)
    ratio = (size / y).masked_fill(size == 0, 1)  # whose power and sign below are of no account there
    return (torch.sgn(x) * ratio ** (p - 1)).masked_fill(y == 0, 0)
