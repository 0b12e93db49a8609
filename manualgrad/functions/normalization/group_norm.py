"""Group normalization: each group of channels of each example is normalized to mean 0 and variance 1.

Forward. i runs over the M elements of one group of one example:

    m = Σ_i x_i / M        r = 1 / √(Σ_i (x_i − m)² / M + ε)        x̂_i = (x_i − m) r        y_i = w x̂_i + b

Backward. In the derivation of _normalized.py, the sets are the groups, and w and b have one element per channel. So a sum over
a group is a sum over its channels of Σ_c, the sum over the places of channel c. With g_i = ∂C/∂y_i,

    Σ h = Σ_{c in the group} w_c Σ_c g        Σ (x − m) h = Σ_{c in the group} w_c Σ_c (x − m) g
    ∂C/∂x_i = r (w g_i + slope · (x_i − m) + constant) + g_m / M
    ∂C/∂w_c = Σ_examples r Σ_c (x − m) g        ∂C/∂b_c = Σ_examples Σ_c g

Forward mode:

    x̂dx = Σ x̂ dx / M        dm = Σ dx / M        dr = −r (r x̂dx)
    dx̂_i = r (dx_i − dm − x̂_i x̂dx)        dy = w dx̂ + x̂ dw + db

Shapes: x, y and their gradients [N, C, ...]; m and r [N, G]; w and b [C], or None. A group has K = C / G channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.normalization._layout import gradient, sums
from manualgrad.functions.normalization._normalized import scaled, shaped, slope_and_constant, tangents, weighted

__all__ = ["GroupNormFunction"]


class GroupNormFunction(Function):
    """y, m and r; `GroupNormFunction.apply(x, w, b, G, eps)`."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, w: Tensor | None, b: Tensor | None, G: int, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        N, C = x.shape[:2]
        X = upcast_half(x) if x.is_cpu else upcast_half(x).contiguous()  # the CPU kernel supports channels last
        w, b = (None if t is None else upcast_half(t) for t in (w, b))
        y, m, r = torch.native_group_norm(X, w, b, N, C, math.prod(x.shape[2:]), G, eps)
        return y.to(x.dtype), m, r

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        x, w, b, ctx.G, _ = inputs
        _, m, r = output
        ctx.set_materialize_grads(False)
        ctx.b_dtype = None if b is None else b.dtype
        ctx.save_for_backward(x, w, m, r)
        ctx.save_for_forward(x, w, m, r)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, g_m: Tensor | None, g_r: Tensor | None) -> tuple[Tensor | None, ...]:
        x, w, m, r = ctx.saved_tensors
        g = torch.zeros_like(x) if g is None else g
        of_m = _to_channels(m, x)
        sum_g, sum_g_from_m = sums(x, g, of_m)
        sum_h, sum_h_from_m = (_over_groups(weighted(w, t), m) for t in (sum_g, sum_g_from_m))
        M = math.prod(x.shape[1:]) // ctx.G
        slope, constant = slope_and_constant(sum_h, sum_h_from_m, r, g_r, M)
        r, slope, constant = (_to_channels(t, x) for t in (r, slope, constant))
        of_g_m = None if g_m is None else _to_channels(g_m / M, x)
        dC_dx = gradient(x, g, w, of_m, r, slope, constant, of_g_m) if ctx.needs_input_grad[0] else None
        dC_dw = (r * sum_g_from_m).sum(0).to(w.dtype) if ctx.needs_input_grad[1] else None
        dC_db = sum_g.sum(0).to(ctx.b_dtype) if ctx.needs_input_grad[2] else None
        return dC_dx, dC_dw, dC_db, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, db: Tensor | None, *_: None) -> tuple[Tensor, Tensor, Tensor]:
        x, w, m, r = ctx.saved_tensors
        N, G, K, L = x.shape[0], ctx.G, x.shape[1] // ctx.G, math.prod(x.shape[2:])
        X, dX = x.reshape(N, G, K, L), shaped(dx, N, G, K, L)
        xhat, dxhat, dm, dr = tangents(X, dX, m.reshape(N, G, 1, 1), r.reshape(N, G, 1, 1), (2, 3))
        dy = scaled(xhat, dxhat, *(shaped(t, G, K, 1) for t in (w, dw, db)))
        return dy.reshape(x.shape).to(x.dtype), dm.reshape(m.shape), dr.reshape(r.shape)


def _to_channels(t: Tensor, x: Tensor) -> Tensor:
    """Expand t [N, G] from groups to channels: [N, C]."""
    N, C = x.shape[:2]
    G = t.shape[1]
    return t.unsqueeze(2).expand(N, G, C // G).reshape(N, C)


def _over_groups(t: Tensor, m: Tensor) -> Tensor:
    """Sum t [N, C] over the channels of each group: [N, G], like m."""
    N, G = m.shape
    return t.reshape(N, G, t.shape[1] // G).sum(2)
