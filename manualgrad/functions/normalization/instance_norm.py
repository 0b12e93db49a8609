"""Instance normalization: each channel of each example is normalized to mean 0 and variance 1 over all places.

Forward. i runs over the M elements of one channel of one example:

    m = Σ_i x_i / M        r = 1 / √(Σ_i (x_i − m)² / M + ε)        x̂_i = (x_i − m) r        y_i = w x̂_i + b

Backward. In the derivation of _normalized.py, w and b are constant over each set, so h = w g. All examples share them, so their
gradients are summed over the examples. With g_i = ∂C/∂y_i,

    ∂C/∂x_i = r (w g_i + slope · (x_i − m) + constant) + g_m / M
    ∂C/∂w = Σ_examples r Σ (x − m) g        ∂C/∂b = Σ_examples Σ g

Forward mode:

    x̂dx = Σ x̂ dx / M        dm = Σ dx / M        dr = −r (r x̂dx)
    dx̂_i = r (dx_i − dm − x̂_i x̂dx)        dy = w dx̂ + x̂ dw + db

Shapes: x, y and their gradients [N, C, ...]; m and r [N, C]; w and b [C], or None.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.function.vmap import vmap_rule
from manualgrad.functions.normalization._layout import gradient, sums
from manualgrad.functions.normalization._normalized import scaled, shaped, slope_and_constant, tangents, weighted
from manualgrad.functions.normalization.batch_norm import BatchNormFunction

__all__ = ["InstanceNormFunction"]


class InstanceNormFunction(Function):
    """y, m and r; `InstanceNormFunction.apply(x, w, b, running_mean, running_var, momentum, eps)`.

    The running statistics, unless they are None, are updated in place with the average of those of the examples.
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
        # Treat the channels of all examples as the channels of one example.
        N, C, *places = x.shape
        w, b, mean, var = (None if t is None else t.repeat(N) for t in (w, b, running_mean, running_var))
        y, m, r = BatchNormFunction.forward(x.reshape(1, N * C, *places), w, b, mean, var, momentum, eps)
        for running, moved in ((running_mean, mean), (running_var, var)):
            if running is not None and moved is not None:
                running.copy_(moved.reshape(N, C).mean(0))
        return y.reshape(x.shape), m.reshape(N, C), r.reshape(N, C)

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
            sum_h, sum_h_from_m = weighted(w, sum_g), weighted(w, sum_g_from_m)
            M = math.prod(x.shape[2:])
            slope, constant = slope_and_constant(sum_h, sum_h_from_m, r, g_r, M)
            dC_dx = gradient(x, g, w, m, r, slope, constant, None if g_m is None else g_m / M)
        dC_dw = (r * sum_g_from_m).sum(0).to(w.dtype) if w_needs_grad else None
        dC_db = sum_g.sum(0).to(ctx.b_dtype) if b_needs_grad else None
        return dC_dx, dC_dw, dC_db, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, db: Tensor | None, *_: None) -> tuple[Tensor, Tensor, Tensor]:
        x, w, m, r = ctx.saved_tensors
        N, C, L = x.shape[0], x.shape[1], math.prod(x.shape[2:])
        xhat, dxhat, dm, dr = tangents(x.reshape(N, C, L), shaped(dx, N, C, L), m.unsqueeze(2), r.unsqueeze(2), (2,))
        dy = scaled(xhat, dxhat, *(shaped(t, C, 1) for t in (w, dw, db)))
        return dy.reshape(x.shape).to(x.dtype), dm.squeeze(2), dr.squeeze(2)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
        """Apply the base class's rule. An override skips the trial run of the forward, which changes the running statistics."""
        return _vmap(info, in_dims, *inputs)


_vmap = vmap_rule(InstanceNormFunction, Function)
