"""Root mean square normalization: each example is divided by the root of the mean of its squares.

Forward. j runs over the M elements of one example:

    r = 1 / √(Σ_j x_j² / M + ε)        x̂_j = x_j r        y_j = w_j x̂_j

Backward. Let g_j = ∂C/∂y_j, and h_j = ∂C/∂x̂_j = w_j g_j. r is an output too, with the gradient g_r, which only second
derivatives use. x_j affects the cost through its own x̂_j, and through r, which occurs in every x̂ of its example:

    ∂r/∂x_j = −r³ x_j / M
    ∂C/∂r = g_r + Σ_j x_j h_j
    ∂C/∂x_j = r h_j + ∂r/∂x_j · ∂C/∂r = r (h_j − r (r c) x_j),        c = (Σ x h + g_r) / M
    ∂C/∂w_j = Σ_examples x̂_j g_j = Σ_examples r x_j g_j

Forward mode:

    x̂dx = Σ x̂ dx / M        dr = −r³ Σ x dx / M = −r (r x̂dx)        dx̂_j = r dx_j + x_j dr = r (dx_j − x̂_j x̂dx)
    dy = w dx̂ + x̂ dw

The code does not compute r³, which underflows in float32 for large numbers (see _normalized.py).

Complex numbers are squared too, so r is complex, and the backward conjugates every factor (see linear/linear.py).

If only w needs a gradient, PyTorch saves x̂ and lets x and w change in place before the backward. To allow that here, w is not
saved and the call copies x.

Shapes: x, y and their gradients [..., *shape]; w [*shape], or None; r [R, 1], with R the number of examples. In the
derivatives, x is a matrix [R, M] and w is [M].
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import by_rows
from manualgrad.functions._tensor_meta import tensor_meta
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.normalization._layout import column_sums, reuse_buffer, round_into, row_sums
from manualgrad.functions.normalization._normalized import scaled, shaped

__all__ = ["RMSNormFunction"]


class RMSNormFunction(Function):
    """y and r; `RMSNormFunction.apply(x, w, shape, eps)`."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, w: Tensor | None, shape: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
        R, M = math.prod(x.shape[: x.dim() - len(shape)]), math.prod(shape)
        y, r = by_rows(_normalized, (x.reshape(R, M),), shaped(w, M), eps)
        return y.reshape(x.shape), r

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, w, shape, _ = inputs
        _, r = output
        ctx.set_materialize_grads(False)
        ctx.R, ctx.M = math.prod(x.shape[: x.dim() - len(shape)]), math.prod(shape)
        ctx.w = tensor_meta(w)
        ctx.save_for_backward(x, w if ctx.needs_input_grad[0] else None, r)
        ctx.save_for_forward(x, w, r)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, g_r: Tensor | None) -> tuple[Tensor | None, ...]:
        x, w, r = ctx.saved_tensors
        X = x.reshape(ctx.R, ctx.M)
        G = torch.zeros_like(X) if g is None else g.reshape(ctx.R, ctx.M)
        dC_dx, of_w = by_rows(_gradients, (X, G, r), shaped(w, ctx.M))
        if g_r is not None:
            r = r.conj()
            dC_dx = dC_dx - (r * (r * g_r / ctx.M) * (r * upcast_half(X).conj())).to(x.dtype)
        dC_dw = of_w.sum(0).reshape(ctx.w.shape).to(ctx.w.dtype) if ctx.needs_input_grad[1] else None
        return dC_dx.reshape(x.shape), dC_dw, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, *_: None) -> tuple[Tensor, Tensor]:
        x, w, r = ctx.saved_tensors
        X = upcast_half(x).reshape(ctx.R, ctx.M)
        dX = torch.zeros_like(X) if dx is None else upcast_half(dx).reshape(ctx.R, ctx.M)
        xhat = r * X
        xhat_dx = (xhat * dX).mean(1, keepdim=True)
        dy = scaled(xhat, r * (dX - xhat * xhat_dx), shaped(w, ctx.M), shaped(dw, ctx.M), None)
        return dy.reshape(x.shape).to(x.dtype), -r * (r * xhat_dx)


def _normalized(x: Tensor, w: Tensor | None, eps: float, out: Tensor | None) -> tuple[Tensor, Tensor]:
    X = upcast_half(x)
    r = torch.rsqrt((X * X).mean(1, keepdim=True) + eps)
    y = torch.mul(X, r, out=reuse_buffer(out, X))
    y = y if w is None else torch.mul(y, w.to(X.dtype), out=reuse_buffer(out, X))
    return round_into(y, x.dtype, out), r


def _gradients(x: Tensor, g: Tensor, r: Tensor, w: Tensor | None, out: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return ∂C/∂x, and what these examples contribute to ∂C/∂w, as a row."""
    X, g, r = upcast_half(x).conj(), upcast_half(g), r.conj()
    into = reuse_buffer(out, X)
    xg = X * g
    w = X.new_ones(X.shape[1]) if w is None else w.to(X.dtype).conj()
    c = row_sums(xg, w / X.shape[1])
    dC_dx = torch.mul(torch.addcmul(g * w, X, -r * (r * c), out=into), r, out=into)
    return round_into(dC_dx, x.dtype, out), column_sums(r, xg)
