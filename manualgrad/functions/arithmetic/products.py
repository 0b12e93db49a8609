"""The product y = Π_i x_i along a dimension, cumulative products y_i = x_0 ··· x_i and cumulative sums y_i = x_0 + ... + x_i.

Product, backward. The derivative with respect to x_i is Π_{j≠i} x_j, the product of the factors before it and of those after
it. The quotient y/x_i would fail at a zero. With g = ∂C/∂y,

    ∂C/∂x_i = (Π_{j<i} x_j) (Π_{j>i} x_j) g            or (y/x_i) g, if it is known that no zero occurs

Cumulative product, backward. x_k is a factor of y_k and of every later y_i, where it multiplies x_0 ··· x_{k−1} and
x_{k+1} ··· x_i:

    ∂C/∂x_k = Σ_{i≥k} Π_{j≤i, j≠k} x_j g_i = (Π_{j<k} x_j) s_k

    s_k = g_k + x_{k+1} g_{k+1} + x_{k+1} x_{k+2} g_{k+2} + ...

The terms of s_k after g_k are x_{k+1} s_{k+1}, so s_k = g_k + x_{k+1} s_{k+1} is a recurrence from the last to the first. If it
is known that no zero occurs, ∂C/∂x_k = (Σ_{i≥k} y_i g_i) / x_k. Forward mode is a recurrence from the first to the last:
from y_i = x_i y_{i−1},

    dy_i = (Π_{j<i} x_j) dx_i + x_i dy_{i−1}

Cumulative sum, backward. x_i is a term of y_i and of every later y:

    ∂C/∂x_i = g_i + g_(i+1) + ...                 the cumulative sum from the other end

Forward mode: dy = Σ_i (Π_{j≠i} x_j) dx_i for the product, and dy_i = dx_0 + ... + dx_i for the cumulative sum. For complex
numbers, the backward conjugates the products of the other factors (see linear.py).

Shapes: for the product, y and g lack the reduced dimension, or have 1 in its place; for the cumulative ones, they have the
shape of x. ∂C/∂x has the shape of x.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import plain, unrecorded
from manualgrad.functions._tensor_meta import with_dims
from manualgrad.functions._upcast import upcast_half

__all__ = ["CumprodFunction", "CumsumFunction", "ProdFunction"]


class ProdFunction(Function):
    """Π x; `ProdFunction.apply(x, dim, keepdim)`, with a non-negative dim."""

    autocast = "float32"

    @staticmethod
    def forward(x: Tensor, dim: int, keepdim: bool) -> Tensor:
        return torch.prod(x, dim, keepdim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, bool], output: Tensor) -> None:
        x, ctx.dim, ctx.keepdim = inputs
        ctx.save_for_backward(x, output)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        x, y = ctx.saved_tensors
        y, g = (upcast_half(with_dims(t, (ctx.dim,), ctx.keepdim)) for t in (y, g))
        others = y / upcast_half(x) if _may_be_divided(y) else _others(upcast_half(x), ctx.dim)
        return (others.conj() * g).to(x.dtype), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        (x,) = ctx.saved_tensors
        return (_others(upcast_half(x), ctx.dim) * dx).sum(ctx.dim, ctx.keepdim).to(x.dtype)


class CumprodFunction(Function):
    """The cumulative product; `CumprodFunction.apply(x, dim)`, with a non-negative dim."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, dim: int) -> Tensor:
        return torch.cumprod(x, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        x, ctx.dim = inputs
        ctx.save_for_backward(x, output)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        x, y = ctx.saved_tensors
        factor, y, g = upcast_half(x).conj(), upcast_half(y).conj(), upcast_half(g)
        if _may_be_divided(y):
            return (_cumsum_from_the_end(y * g, ctx.dim) / factor).to(x.dtype), None
        s = _recurrence(_after(factor, ctx.dim).flip(ctx.dim), g.flip(ctx.dim), ctx.dim).flip(ctx.dim)
        return (_running_product(_before(factor, ctx.dim), ctx.dim) * s).to(x.dtype), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        (x,) = ctx.saved_tensors
        others = _running_product(_before(upcast_half(x), ctx.dim), ctx.dim)
        return _recurrence(upcast_half(x), others * dx, ctx.dim).to(x.dtype)


class CumsumFunction(Function):
    """The cumulative sum; `CumsumFunction.apply(x, dim)`."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, dim: int) -> Tensor:
        return torch.cumsum(x, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        _, ctx.dim = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return _cumsum_from_the_end(g, ctx.dim), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        return torch.cumsum(dx, ctx.dim)


def _cumsum_from_the_end(t: Tensor, dim: int) -> Tensor:
    return t.flip(dim).cumsum(dim).flip(dim)


def _may_be_divided(y: Tensor) -> bool:
    """Return whether the products y are known to have no zero factor, and no overflow or lost digits near 0."""
    if not plain(y) or not y.numel():
        return False
    limits, size = torch.finfo(y.dtype), y.abs()
    return bool(limits.tiny <= size.min() and size.max() <= limits.max)


def _others(x: Tensor, dim: int) -> Tensor:
    """Return the product of all other factors, for each factor."""
    after = _running_product(_after(x, dim).flip(dim), dim).flip(dim)
    return _running_product(_before(x, dim), dim) * after


def _running_product(x: Tensor, dim: int) -> Tensor:
    """Return x_0 ··· x_i for all i; by multiplications, in log₂ n steps, if it may be differentiated.

    The second forward-mode derivative of torch.cumprod is wrong where a factor is 0 (pytorch issue 196701).
    """
    if unrecorded(x) or torch.compiler.is_dynamo_compiling():
        return x.cumprod(dim)
    n, distance = x.shape[dim], 1
    while distance < n:
        longer = x.narrow(dim, distance, n - distance) * x.narrow(dim, 0, n - distance)
        x = torch.cat([x.narrow(dim, 0, distance), longer], dim)
        distance *= 2
    return x


def _before(x: Tensor, dim: int) -> Tensor:
    """Replace each element with the one before it, and the first with 1."""
    n = x.shape[dim]
    return torch.cat([torch.ones_like(x.narrow(dim, 0, min(n, 1))), x.narrow(dim, 0, max(n - 1, 0))], dim)


def _after(x: Tensor, dim: int) -> Tensor:
    """Replace each element with the one after it, and the last with 1."""
    n = x.shape[dim]
    return torch.cat([x.narrow(dim, min(n, 1), max(n - 1, 0)), torch.ones_like(x.narrow(dim, 0, min(n, 1)))], dim)


def _recurrence(a: Tensor, b: Tensor, dim: int) -> Tensor:
    """Return s_i = b_i + a_i s_{i−1}, with s_{−1} = 0, for all i in log₂ n steps.

    Two steps combine into one of the same form: s_i = (b_i + a_i b_{i−1}) + a_i a_{i−1} s_{i−2}. So the distance doubles.
    """
    n, distance = a.shape[dim], 1
    while distance < n:
        a_then, b_then = a.narrow(dim, distance, n - distance), b.narrow(dim, distance, n - distance)
        a_first, b_first = a.narrow(dim, 0, n - distance), b.narrow(dim, 0, n - distance)
        b = torch.cat([b.narrow(dim, 0, distance), b_then + a_then * b_first], dim)
        a = torch.cat([a.narrow(dim, 0, distance), a_then * a_first], dim)
        distance *= 2
    return b
