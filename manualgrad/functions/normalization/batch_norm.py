"""Batch normalization: the numbers of a channel, of all examples and places, are brought to mean 0 and variance 1.

Forward, i running over the M numbers of one channel:

    m = Σ_i x_i / M        r = 1 / √(Σ_i (x_i − m)² / M + ε)        x̂_i = (x_i − m) r        y_i = w x̂_i + b

Backward. Let g_i = ∂C/∂y_i, and h_i = ∂C/∂x̂_i = w g_i. m and r are outputs too, and g_m and g_r what comes back to them from
outside: nothing in a network, and second derivatives. x_i reaches the cost by its own x̂_i, and by m and r, which are in every x̂
of its channel:

    ∂m/∂x_i = 1/M          ∂r/∂x_i = −r³ (x_i − m) / M          (as Σ (x − m) = 0, r does not change with m)
    ∂x̂_i/∂m = −r           ∂x̂_i/∂r = x_i − m

    ∂C/∂m = g_m − r Σ h                 ∂C/∂r = g_r + Σ (x − m) h
    ∂C/∂x_i = r h_i + (∂C/∂m − r³ (x_i − m) ∂C/∂r) / M
            = w r g_i − w r Σ g / M + g_m / M                       what is constant over the channel,
              − (w r³ Σ (x − m) g + r³ g_r) / M · (x_i − m)         and a slope times x − m

    ∂C/∂w = Σ x̂ g = r Σ (x − m) g        ∂C/∂b = Σ g

With m and r given, as in evaluation, ∂C/∂x_i = r h_i is left.

Forward mode:

    dm = Σ dx / M        dr = −r³ Σ (x − m) dx / M        dx̂_i = r (dx_i − dm) + (x_i − m) dr        dy = w dx̂ + x̂ dw + db

Shapes: x, y and their gradients [N, C, ...]; m, r, w, b and theirs [C]; w and b may be None.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad._vmapped import vmap_rule
from manualgrad.function import Function
from manualgrad.functions._in_parts import rows, to_rows
from manualgrad.functions._precision import wide

__all__ = ["BatchNormEvaluationFunction", "BatchNormFunction"]

_HALF = (torch.float16, torch.bfloat16)


class BatchNormFunction(Function):
    """y, m and r; `BatchNormFunction.apply(x, w, b, running_mean, running_var, momentum, eps)`.

    The running statistics, which may be None, are moved towards those of the batch, in place.
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
        # What is given in float32 is computed in float32.
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
        sum_g, sum_g_from_m = _sums(x, g, m)
        dC_dx = None
        if x_needs_grad:
            M = math.prod(x.shape) // x.shape[1]
            wr = r if w is None else wide(w) * r
            constant, slope = sum_g * wr / -M, sum_g_from_m * wr * (r * r) / -M
            constant = constant if g_m is None else constant + g_m / M
            slope = slope if g_r is None else slope - r**3 * g_r / M
            dC_dx = _by_rows(rows, _dC_dx, x, g, wr, slope, constant - slope * m)
        dC_dw = (r * sum_g_from_m).to(w.dtype) if w_needs_grad else None
        dC_db = sum_g.to(ctx.b_dtype) if b_needs_grad else None
        return dC_dx, dC_dw, dC_db, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, db: Tensor | None, *_: None) -> tuple[Tensor, Tensor, Tensor]:
        x, w, m, r = ctx.saved_tensors
        M = math.prod(x.shape) // x.shape[1]
        from_m = wide(x) - _of_channels(m, x)
        dx = torch.zeros_like(from_m) if dx is None else wide(dx)
        dm, dr = _sum(dx) / M, r**3 * _sum(from_m * dx) / -M
        dxhat = _of_channels(r, x) * (dx - _of_channels(dm, x)) + from_m * _of_channels(dr, x)
        dy = _scaled(dxhat, from_m, w, r, dw, db)
        return dy.to(x.dtype), dm, dr

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
        """The base class's own rule. It is named here because the forward must not be run to try whether it is random."""
        return _vmap(info, in_dims, *inputs)


_vmap = vmap_rule(BatchNormFunction, Function)


class BatchNormEvaluationFunction(Function):
    """y with given statistics; `BatchNormEvaluationFunction.apply(x, w, b, m, v, eps)`, v the variance, r = 1/√(v + ε)."""

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
        r = torch.rsqrt(wide(v) + ctx.eps)
        dC_dx = (wide(g) * _of_channels(_times(w, r), x)).to(x.dtype) if x_needs_grad else None
        dC_dw = dC_db = None
        if w_needs_grad or b_needs_grad:
            sum_g, sum_g_from_m = _sums(x, g, m)
            dC_dw = (r * sum_g_from_m).to(w.dtype) if w_needs_grad else None
            dC_db = sum_g.to(ctx.b_dtype) if b_needs_grad else None
        return dC_dx, dC_dw, dC_db, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dw: Tensor | None, db: Tensor | None, *_: None) -> Tensor:
        x, w, m, v = ctx.saved_tensors
        r = torch.rsqrt(wide(v) + ctx.eps)
        from_m = wide(x) - _of_channels(m, x)
        dxhat = torch.zeros_like(from_m) if dx is None else _of_channels(r, x) * wide(dx)
        return _scaled(dxhat, from_m, w, r, dw, db).to(x.dtype)


def _sums(x: Tensor, g: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    """Σ g and Σ (x − m) g, of each channel."""
    sum_g, sum_g_from_m = _by_rows(to_rows, _sums_of_some, x, g, m)
    return sum_g.sum(0), sum_g_from_m.sum(0)


def _sums_of_some(x: Tensor, g: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    g = wide(g)
    return _sum(g)[None], _sum(g * (wide(x) - m))[None]


def _dC_dx(x: Tensor, g: Tensor, wr: Tensor, slope: Tensor, constant: Tensor, out: Tensor | None) -> Tensor:
    return torch.addcmul(wide(x) * slope + constant, wide(g), wr, out=out).to(x.dtype)


def _scaled(dxhat: Tensor, from_m: Tensor, w: Tensor | None, r: Tensor, dw: Tensor | None, db: Tensor | None) -> Tensor:
    """dy = w dx̂ + x̂ dw + db."""
    dy = dxhat if w is None else dxhat * _of_channels(w, dxhat)
    dy = dy if dw is None else dy + from_m * _of_channels(r * dw, dxhat)
    return dy if db is None else dy + _of_channels(db, dxhat)


def _of_channels(t: Tensor, x: Tensor) -> Tensor:
    """t [C] as [C, 1, ...], which broadcasts against x [N, C, ...]."""
    return wide(t).reshape(-1, *[1] * (x.dim() - 2))


def _by_rows(rows: Any, formula: Any, x: Tensor, g: Tensor, *of_channels: Tensor) -> Any:
    """rows(formula, (x, g), *of_channels), what is of channels as it broadcasts against x.

    Where the channels are last in memory, the places are examples, as they are to each channel: [N, C, ...] is [N ..., C].
    """
    if x.dim() == 2 or x.shape[1] == 1 or x.stride(1) != 1:
        return rows(formula, (x, g), *(_of_channels(t, x) for t in of_channels))
    last = x.movedim(1, -1)
    found = rows(formula, tuple(t.movedim(1, -1).reshape(-1, x.shape[1]) for t in (x, g)), *map(wide, of_channels))
    return found.reshape(last.shape).movedim(-1, 1) if isinstance(found, Tensor) else found


def _sum(t: Tensor) -> Tensor:
    """Over each channel of t [N, C, ...]."""
    return t.sum([0, *range(2, t.dim())])


def _times(w: Tensor | None, t: Tensor) -> Tensor:
    return t if w is None else wide(w) * t
