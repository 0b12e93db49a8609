"""The p-norm over some dimensions, y = (Σ_i |x_i|^p)^(1/p).

Backward. With S = Σ |x_i|^p, y = S^(1/p), and d|x_i| = sign x_i dx_i:

    ∂y/∂x_i = 1/p S^(1/p − 1) · p |x_i|^(p−1) sign x_i = (|x_i| / y)^(p−1) sign x_i

    p = 1:      sign x_i
    p = 2:      x_i / y
    p = ±∞:     sign x_i for the largest or smallest |x_i|, which is y; 1/m of that if m elements have it
    p = 0:      0: the count of nonzero elements does not change

Where y = 0, or x_i = 0 and p < 2, there is no derivative; 0 is used there, as in PyTorch. (For p = ±∞ see amax.py.)
For complex numbers, sign x = x/|x|, and y, a real number, changes by Re(conj(∂y/∂x) dx) (see linear.py).

In each case ∂y/∂x_i = u_i / d, with one divisor for all elements: d = y for p = 2, m for p = ±∞, else 1, or ∞ where the
derivative must be 0. With g = ∂C/∂y,

    ∂C/∂x_i = u_i / d · g        dy = Σ_i Re(conj(u_i) dx_i) / d

The order matters: for large numbers, g / d may underflow in float32.

Shapes: x any; y, d and g without the reduced dimensions, or with 1 in their place; u and ∂C/∂x have the shape of x.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import with_dims
from manualgrad.functions._upcast import upcast_half

__all__ = ["VectorNormFunction"]


class VectorNormFunction(Function):
    """y; `VectorNormFunction.apply(x, p, dims, keepdim)`, with non-negative dims."""

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
        u, d = _derivative(upcast_half(x), upcast_half(with_dims(y, ctx.dims, ctx.keepdim)), ctx.p, ctx.dims)
        u = u / d if isinstance(d, Tensor) else u
        return (u * with_dims(g, ctx.dims, ctx.keepdim)).to(x.dtype), None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        x, y = ctx.saved_tensors
        u, d = _derivative(upcast_half(x), upcast_half(with_dims(y, ctx.dims, ctx.keepdim)), ctx.p, ctx.dims)
        products = u.conj() * dx
        products = products.real if products.is_complex() else products
        return (products.sum(ctx.dims, keepdim=True) / d).reshape(y.shape).to(y.dtype)


def _derivative(x: Tensor, y: Tensor, p: float, dims: tuple[int, ...]) -> tuple[Tensor, Any]:
    """Return u and d."""
    if p == 0:
        return torch.zeros_like(x), 1
    if p == 1:
        return torch.sgn(x), 1
    if p == 2:
        return x, torch.where(y == 0, math.inf, y)
    if math.isinf(p):
        size = x.abs()
        is_y = (size == y) | (size != size)  # the second term is for nan, which makes y nan
        return torch.sgn(x) * is_y, is_y.sum(dims, keepdim=True)
    y_or_1 = torch.where(y == 0, 1, y)
    if p >= 3:
        ratio = x / y_or_1
        return ratio * (ratio.abs() if p == 3 else ratio.abs() ** (p - 2)), 1
    size = x.abs()
    ratio = torch.where(size == 0, 1, size) / y_or_1  # 0 to a negative power is infinite; its sign is 0
    return torch.sgn(x) * ratio ** (p - 1), torch.where(y == 0, math.inf, 1)
