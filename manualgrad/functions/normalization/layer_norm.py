"""Layer normalization: each example is normalized to mean 0 and variance 1 over its last dimensions.

Forward. j runs over the M elements of one example:

    m = Σ_j x_j / M        r = 1 / √(Σ_j (x_j − m)² / M + ε)        x̂_j = (x_j − m) r        y_j = w_j x̂_j + b_j

Backward. In the derivation of _normalized.py, w and b have one element per place in an example, so h_j = w_j g_j, with
g_j = ∂C/∂y_j. With the means over the example, h̄ of h and c of (x − m) h,

    ∂C/∂x_j = r (h_j − h̄ − r (r c) (x_j − m))
    ∂C/∂w_j = Σ_examples r (x_j − m) g_j            ∂C/∂b_j = Σ_examples g_j

If m and r have gradients g_m and g_r, ∂C/∂x_j has one more term:

    g_m / M − r (r g_r / M) · r (x_j − m)

Forward mode:

    x̂dx = Σ x̂ dx / M        dm = Σ dx / M        dr = −r (r x̂dx)
    dx̂_j = r (dx_j − dm − x̂_j x̂dx)        dy = w dx̂ + x̂ dw + db

Shapes: x, y and their gradients [..., *shape]; w and b [*shape], or None; m and r [R, 1], with R the number of examples. In the
derivatives, x is a matrix [R, M] and w is [M].
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import by_rows
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.normalization._layout import column_sums, reuse_buffer, round_into, row_sums
from manualgrad.functions.normalization._normalized import scaled, shaped, tangents

__all__ = ["LayerNormFunction"]


class LayerNormFunction(Function):
    """y, m and r; `LayerNormFunction.apply(x, w, b, shape, eps)`."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(
        x: Tensor, w: Tensor | None, b: Tensor | None, shape: tuple[int, ...], eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        if x.is_cpu and upcast_half(x) is not x:  # the CPU kernel gives the statistics the dtype of w and b
            w = torch.ones(shape) if w is None else upcast_half(w)
            b = None if b is None else upcast_half(b)
        y, m, r = torch.native_layer_norm(x, shape, w, b, eps)
        return y, m.reshape(m.numel(), 1), r.reshape(r.numel(), 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        x, w, b, shape, _ = inputs
        _, m, r = output
        ctx.set_materialize_grads(False)
        ctx.R, ctx.M, ctx.shape = math.prod(x.shape[: x.dim() - len(shape)]), math.prod(shape), shape
        ctx.b_dtype = None if b is None else b.dtype
        ctx.save_for_backward(x, w, m, r)
        ctx.save_for_forward(x, w, m, r)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, g_m: Tensor | None, g_r: Tensor | None) -> tuple[Tensor | None, ...]:
        x, w, m, r = ctx.saved_tensors
        R, M = ctx.R, ctx.M
        X = x.reshape(R, M)
        G = torch.zeros_like(X) if g is None else g.reshape(R, M)
        W = r.new_ones(M) if w is None else upcast_half(w).reshape(M)
        dC_dx, of_w, of_b = by_rows(_gradients, (X, G, m, r), W)
        if g_m is not None:
            dC_dx = dC_dx + (g_m / M).to(x.dtype)
        if g_r is not None:
            dC_dx = dC_dx - (r * (r * g_r / M) * (r * (upcast_half(X) - m))).to(x.dtype)
        dC_dx = dC_dx.reshape(x.shape)
        dC_dw = of_w.sum(0).reshape(ctx.shape).to(w.dtype) if ctx.needs_input_grad[1] else None
        dC_db = of_b.sum(0).reshape(ctx.shape).to(ctx.b_dtype) if ctx.needs_input_grad[2] else None
        return dC_dx, dC_dw, dC_db, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, db: Tensor | None, *_: None) -> tuple[Tensor, Tensor, Tensor]:
        x, w, m, r = ctx.saved_tensors
        xhat, dxhat, dm, dr = tangents(x.reshape(ctx.R, ctx.M), shaped(dx, ctx.R, ctx.M), m, r, (1,))
        dy = scaled(xhat, dxhat, *(shaped(t, ctx.M) for t in (w, dw, db)))
        return dy.reshape(x.shape).to(x.dtype), dm, dr


def _gradients(x: Tensor, g: Tensor, m: Tensor, r: Tensor, w: Tensor, out: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return ∂C/∂x, and what these examples contribute to ∂C/∂w and ∂C/∂b, as rows."""
    x_, g = upcast_half(x), upcast_half(g)
    into = reuse_buffer(out, x_)
    from_m = torch.sub(x_, m, out=into)
    from_m_g = from_m * g
    dC_dw, dC_db = column_sums(r, from_m_g), g.sum(0, keepdim=True)
    minus_w_over_M = w / -x.shape[1]
    minus_hbar, minus_c = row_sums(g, minus_w_over_M), row_sums(from_m_g, minus_w_over_M)
    from_hbar = torch.addcmul(minus_hbar, g, w, out=None if out is None else from_m_g)
    dC_dx = torch.mul(torch.addcmul(from_hbar, from_m, r * (r * minus_c), out=into), r, out=into)
    return round_into(dC_dx, x.dtype, out), dC_dw, dC_db
