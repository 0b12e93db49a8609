"""Batch normalization: each channel is normalized to mean 0 and variance 1 over all examples and places.

Forward. i runs over the M elements of one channel:

    m = Σ_i x_i / M        r = 1 / √(Σ_i (x_i − m)² / M + ε)        x̂_i = (x_i − m) r        y_i = w x̂_i + b

Backward. In the derivation of _normalized.py, the sets are the channels, and w is constant over each, so h = w g. With
g_i = ∂C/∂y_i,

    ∂C/∂x_i = r (w g_i + slope · (x_i − m) + constant) + g_m / M
    ∂C/∂w = r Σ (x − m) g        ∂C/∂b = Σ g

In evaluation, m and r are given, so only ∂C/∂x_i = w r g_i remains.

Forward mode:

    x̂dx = Σ x̂ dx / M        dm = Σ dx / M        dr = −r (r x̂dx)
    dx̂_i = r (dx_i − dm − x̂_i x̂dx)        dy = w dx̂ + x̂ dw + db

Shapes: x, y and their gradients [N, C, ...]; m, r, w, b and theirs [C]; w and b may be None.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.function.vmap import vmap_rule
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.normalization._layout import gradient, sums, times
from manualgrad.functions.normalization._normalized import scaled, shaped, slope_and_constant, tangents, weighted

__all__ = ["BatchNormEvaluationFunction", "BatchNormFunction"]

_HALF = (torch.float16, torch.bfloat16)


class BatchNormFunction(Function):
    """y, m and r; `BatchNormFunction.apply(x, w, b, running_mean, running_var, momentum, eps)`.

    The running statistics, unless they are None, are updated in place with those of the batch.
    """

    @staticmethod
    def forward(
        x: Tensor,
        w: Tensor | None,
        b: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        if x.dtype not in _HALF:
            return torch.native_batch_norm(x, w, b, running_mean, running_var, True, momentum, eps)
        # With float32 arguments, torch computes the statistics in float32.
        w = torch.ones(x.shape[1], device=x.device) if w is None else w.float()
        b = None if b is None else b.float()
        mean, var = (None if t is None else t.float() for t in (running_mean, running_var))
        y, m, r = torch.native_batch_norm(x, w, b, mean, var, True, momentum, eps)
        for running, moved in ((running_mean, mean), (running_var, var)):
            if running is not None and moved is not None and running is not moved:
                running.copy_(moved)
        return y, m, r

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        x, w, b, *_ = inputs
        _, m, r = output
        ctx.set_materialize_grads(False)
        ctx.b_dtype = None if b is None else b.dtype
        ctx.save_for_backward(x, w, m, r)
        ctx.save_for_forward(x, w, m, r)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, g_m: Tensor | None, g_r: Tensor | None) -> tuple[Tensor | None, ...]:
        x, w, m, r = ctx.saved_tensors
        x_needs_grad, w_needs_grad, b_needs_grad, *_ = ctx.needs_input_grad
        g = torch.zeros_like(x) if g is None else g
        sum_g, sum_g_from_m = sums(x, g, m)
        dC_dx = None
        if x_needs_grad:
            slope, constant = slope_and_constant(weighted(w, sum_g), weighted(w, sum_g_from_m), r, g_r, _M(x))
            dC_dx = gradient(x, g, w, m, r, slope, constant, None if g_m is None else g_m / _M(x))
        dC_dw = (r * sum_g_from_m).to(w.dtype) if w_needs_grad else None
        dC_db = sum_g.to(ctx.b_dtype) if b_needs_grad else None
        return dC_dx, dC_dw, dC_db, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, db: Tensor | None, *_: None) -> tuple[Tensor, Tensor, Tensor]:
        x, w, m, r = ctx.saved_tensors
        N, C, L = x.shape[0], x.shape[1], math.prod(x.shape[2:])
        xhat, dxhat, dm, dr = tangents(x.reshape(N, C, L), shaped(dx, N, C, L), m.unsqueeze(1), r.unsqueeze(1), (0, 2))
        dy = scaled(xhat, dxhat, *(shaped(t, C, 1) for t in (w, dw, db)))
        return dy.reshape(x.shape).to(x.dtype), dm.reshape(C), dr.reshape(C)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
        """Apply the base class's rule. An override skips the trial run of the forward, which changes the running statistics."""
        return _vmap(info, in_dims, *inputs)


_vmap = vmap_rule(BatchNormFunction, Function)


class BatchNormEvaluationFunction(Function):
    """y with given mean m and variance v, r = 1/√(v + ε); `BatchNormEvaluationFunction.apply(x, w, b, m, v, eps)`."""

    @staticmethod
    def forward(x: Tensor, w: Tensor | None, b: Tensor | None, m: Tensor, v: Tensor, eps: float) -> Tensor:
        return torch.batch_norm(x, w, b, m, v, False, 0.0, eps, torch.backends.cudnn.enabled)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, w, b, m, v, ctx.eps = inputs
        ctx.b_dtype = None if b is None else b.dtype
        ctx.save_for_backward(x, w, m, v)
        ctx.save_for_forward(x, w, m, v)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, w, m, v = ctx.saved_tensors
        x_needs_grad, w_needs_grad, b_needs_grad, *_ = ctx.needs_input_grad
        r = torch.rsqrt(upcast_half(v) + ctx.eps)
        dC_dx = times(g, weighted(w, r)) if x_needs_grad else None
        dC_dw = dC_db = None
        if w_needs_grad or b_needs_grad:
            sum_g, sum_g_from_m = sums(x, g, m)
            dC_dw = (r * sum_g_from_m).to(w.dtype) if w_needs_grad else None
            dC_db = sum_g.to(ctx.b_dtype) if b_needs_grad else None
        return dC_dx, dC_dw, dC_db, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, db: Tensor | None, *_: None) -> Tensor:
        x, w, m, v = ctx.saved_tensors
        N, C, L = x.shape[0], x.shape[1], math.prod(x.shape[2:])
        r = torch.rsqrt(upcast_half(v) + ctx.eps).unsqueeze(1)
        xhat = r * (upcast_half(x.reshape(N, C, L)) - upcast_half(m).unsqueeze(1))
        dxhat = torch.zeros_like(xhat) if dx is None else r * upcast_half(dx.reshape(N, C, L))
        dy = scaled(xhat, dxhat, *(shaped(t, C, 1) for t in (w, dw, db)))
        return dy.reshape(x.shape).to(x.dtype)


def _M(x: Tensor) -> int:
    """Return the number of elements of a channel."""
    return x.shape[0] * math.prod(x.shape[2:])
