"""The variance v, the standard deviation s and the log-sum-exp L over some dimensions with M elements.

    m = Σ x / M        v = Σ |x − m|² / (M − c)        s = √v        L = log Σ eˣ

Let g be the derivative of the cost with respect to v, s or L. The path through m adds nothing, because Σ (x − m) = 0:

    ∂C/∂x_i = ∂v/∂x_i · g = 2 (x_i − m) / (M − c) · g
    ∂C/∂x_i = ∂s/∂x_i · g = 1/(2 s) · ∂v/∂x_i · g = (x_i − m) / (s (M − c)) · g        0 where s is 0
    ∂C/∂x_i = ∂L/∂x_i · g = e^(x_i) / Σ eˣ · g = e^(x_i − L) g

Forward mode is the sum of the same derivatives times the tangents. For L, it is divided by Σ e^(x − L), which is 1 up to the
rounding of L.

Shapes: x [..., M, ...] to a result without the reduced dimensions, or with 1 in their place (`keepdim`).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import with_dims

__all__ = ["LogsumexpFunction", "StdFunction", "VarFunction"]


class VarFunction(Function):
    """v; `VarFunction.apply(x, dims, c, keepdim)`, with non-negative dims and the correction c."""

    @staticmethod
    def forward(x: Tensor, dims: tuple[int, ...], c: Any, keepdim: bool) -> Tensor:
        return torch.var(x, dims, correction=c, keepdim=keepdim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], Any, bool], output: Tensor) -> None:
        x, ctx.dims, ctx.c, ctx.keepdim = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        return _dv_dx(x, ctx) * with_dims(g, ctx.dims, ctx.keepdim), None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        (x,) = ctx.saved_tensors
        return _total(_dv_dx(x, ctx), dx, ctx)


class StdFunction(Function):
    """s; `StdFunction.apply(x, dims, c, keepdim)`, with non-negative dims and the correction c."""

    @staticmethod
    def forward(x: Tensor, dims: tuple[int, ...], c: Any, keepdim: bool) -> Tensor:
        return torch.std(x, dims, correction=c, keepdim=keepdim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], Any, bool], output: Tensor) -> None:
        x, ctx.dims, ctx.c, ctx.keepdim = inputs
        ctx.save_for_backward(x, output)
        ctx.save_for_forward(x, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, s = ctx.saved_tensors
        return _dv_dx(x, ctx) * with_dims(_divided(g, s), ctx.dims, ctx.keepdim), None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        x, s = ctx.saved_tensors
        return _divided(_total(_dv_dx(x, ctx), dx, ctx), s)


def _dv_dx(x: Tensor, ctx: Any) -> Tensor:
    M = math.prod([x.shape[d] for d in ctx.dims])
    return 2 / max(M - ctx.c, 0) * (x - x.mean(ctx.dims, keepdim=True)) if ctx.c < M else (x - x) * math.nan


def _divided(t: Tensor, s: Tensor) -> Tensor:
    """Return t / (2 s), and 0 where s is 0."""
    return torch.where(s == 0, 0, t / (2 * torch.where(s == 0, 1, s)))


def _total(derivative: Tensor, dx: Tensor, ctx: Any) -> Tensor:
    """Return Σ Re(derivative̅ dx) over the dimensions."""
    terms = derivative.conj() * dx
    return (terms.real if terms.is_complex() else terms).sum(ctx.dims, ctx.keepdim)


class LogsumexpFunction(Function):
    """L; `LogsumexpFunction.apply(x, dims, keepdim)`, with non-negative dims."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
        return torch.logsumexp(x, dims, keepdim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], bool], output: Tensor) -> None:
        x, ctx.dims, ctx.keepdim = inputs
        ctx.save_for_backward(x, output)
        ctx.save_for_forward(x, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        return _softmax(ctx).conj() * with_dims(g, ctx.dims, ctx.keepdim), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        P, (_, L) = _softmax(ctx), ctx.saved_tensors
        total = torch.where(L.abs() != math.inf, P.sum(ctx.dims, ctx.keepdim), 1)
        return (P * dx).sum(ctx.dims, ctx.keepdim) / total


def _softmax(ctx: Any) -> Tensor:
    """Return e^(x − L); where L is infinite, return 0 or 1 instead of nan."""
    x, L = ctx.saved_tensors
    L = with_dims(L, ctx.dims, ctx.keepdim)
    finite = L.abs() != math.inf
    return torch.where(finite, (x - torch.where(finite, L, 0)).exp(), (x == L).to(x.dtype) * (L.real > 0))
