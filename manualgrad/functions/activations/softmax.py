"""Softmax and its logarithm, along a dimension with indices i, j and k.

    y_i = p_i = e^(x_i) / Σ_k e^(x_k)              softmax
    y_i = l_i = log p_i = x_i − log Σ_k e^(x_k)    log_softmax

Backward. x_j occurs in x_i where i = j, and in the sum, whose logarithm has the derivative e^(x_j) / Σ_k e^(x_k) = p_j:

    ∂l_i/∂x_j = [i = j] − p_j                      [i = j] is 1 where i = j, and 0 elsewhere
    ∂p_i/∂x_j = p_i ([i = j] − p_j)                as p = e^l, and so dp = p dl

With g = ∂C/∂y, x_j reaches the cost through every y_i: sum over the paths.

    softmax:      ∂C/∂x_j = Σ_i p_i ([i = j] − p_j) g_i = p_j (g_j − Σ_i p_i g_i)
    log_softmax:  ∂C/∂x_j = Σ_i ([i = j] − p_j) g_i     = g_j − p_j Σ_i g_i

Forward mode:

    softmax:      dp_i = Σ_j p_i ([i = j] − p_j) dx_j = p_i (dx_i − Σ_j p_j dx_j)      the same, as the matrix is symmetric
    log_softmax:  dl_i = Σ_j ([i = j] − p_j) dx_j     = dx_i − Σ_j p_j dx_j

The derivatives need only the output, so only the output is saved.

Shapes: x, y, g and ∂C/∂x have the same shape, which is arbitrary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import along
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to
from manualgrad.functions._upcast import upcast_half

__all__ = ["LogSoftmaxFunction", "SoftmaxFunction"]


class SoftmaxFunction(Function):
    """Softmax p; `SoftmaxFunction.apply(x, dim, dtype)`, with the dtype of p, or None for the dtype of x."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, dim: int, dtype: torch.dtype | None) -> Tensor:
        return torch.softmax(x, dim, dtype=dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, Any], output: Tensor) -> None:
        x, ctx.dim, _ = inputs
        ctx.x = tensor_meta(x)
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        (p,) = ctx.saved_tensors
        return unbroadcast_to(along(_times_dp_dx, (g, p), ctx.dim), ctx.x), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        (p,) = ctx.saved_tensors
        return _times_dp_dx(dx.to(p.dtype), p, ctx.dim, out=None)


class LogSoftmaxFunction(Function):
    """Log-softmax l; `LogSoftmaxFunction.apply(x, dim, dtype)`, with the dtype of l, or None for the dtype of x."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, dim: int, dtype: torch.dtype | None) -> Tensor:
        return torch.log_softmax(x, dim, dtype=dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, Any], output: Tensor) -> None:
        x, ctx.dim, _ = inputs
        ctx.x = tensor_meta(x)
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        (l,) = ctx.saved_tensors
        return unbroadcast_to(along(_g_times_dl_dx, (g, l), ctx.dim), ctx.x), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        (l,) = ctx.saved_tensors
        dx, p = upcast_half(dx.to(l.dtype)), upcast_half(l).exp()
        return (dx - (p * dx).sum(ctx.dim, keepdim=True)).to(l.dtype)


def _times_dp_dx(t: Tensor, p: Tensor, dim: int, *, out: Tensor | None) -> Tensor:
    """Compute p (t − Σ p t)."""
    t, P = upcast_half(t), upcast_half(p)
    return torch.mul(P, t - (P * t).sum(dim, keepdim=True), out=out).to(p.dtype)


def _g_times_dl_dx(g: Tensor, l: Tensor, dim: int, *, out: Tensor | None) -> Tensor:
    """Compute g − p Σ g."""
    g, p = upcast_half(g), upcast_half(l).exp()
    return torch.sub(g, p * g.sum(dim, keepdim=True), out=out).to(l.dtype)
