"""The parametric ReLU: a = z where z > 0, else w z, with a learned slope w, one for all channels or one for each.

Backward, with delta = ∂C/∂z and g = ∂C/∂a:

    ∂C/∂z = g where z > 0, else w g          ∂C/∂w = Σ z g over all places where z ≤ 0

Forward mode: da = dz where z > 0, else w dz + z dw.

torch.where is slow on the CPU. Instead, with m = [z > 0], computed as max(sign z, 0), the slope is w + m (1 − w), which
torch.lerp computes exactly; and z where z ≤ 0, else 0, is min(z, 0).

Shapes: z, a, g and ∂C/∂z have the same shape, which is arbitrary; w broadcasts to it, and ∂C/∂w is summed over the broadcast
copies. (He et al., 2015.)
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad import _fused
from manualgrad.function import Function
from manualgrad.functions._chunked import fused, plain, rows, to_rows
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to
from manualgrad.functions._upcast import upcast_half

__all__ = ["PReLUFunction"]


class PReLUFunction(Function):
    """The output a; `PReLUFunction.apply(z, w)`, where w has as many dimensions as z."""

    autocast = "lower"
    constant_slope = True

    @staticmethod
    def forward(z: Tensor, w: Tensor) -> Tensor:
        return torch._prelu_kernel(z, w)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        z, w = inputs
        ctx.z, ctx.w = tensor_meta(z), tensor_meta(w)
        ctx.save_for_backward(z, w)
        ctx.save_for_forward(z, w)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        z, w = ctx.saved_tensors
        z_needs_grad, w_needs_grad = ctx.needs_input_grad
        if _fused.is_fusing() and z_needs_grad and w_needs_grad and (found := _gradients_fused(g, z, w)) is not None:
            return found
        g, z, w = upcast_half(g), upcast_half(z), upcast_half(w)
        dC_dz = unbroadcast_to(_g_times_da_dz(g, z, w), ctx.z) if z_needs_grad else None
        dC_dw = unbroadcast_to(_g_times_da_dw(g, z, w), ctx.w) if w_needs_grad else None
        return dC_dz, dC_dw

    @staticmethod
    def jvp(ctx: Any, dz: Tensor | None, dw: Tensor | None) -> Tensor:
        z, w = (upcast_half(t) for t in ctx.saved_tensors)
        terms = [] if dz is None else [torch.where(z > 0, dz, w * dz)]
        terms += [] if dw is None else [torch.where(z > 0, 0, z * dw)]
        return sum(terms[1:], terms[0]).to(ctx.z.dtype)


def _gradients_fused(g: Tensor, z: Tensor, w: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return ∂C/∂z and ∂C/∂w by a compiled kernel, if w is a single number or has one number per channel."""
    C = w.numel()
    if not z.is_contiguous() or (C > 1 and w.shape[1] != C):
        return None
    as_channels = (1, 1, z.numel()) if C == 1 else (z.shape[0], C, math.prod(z.shape[2:]))
    found = fused(_gradients, (z.reshape(as_channels), g.reshape(as_channels), w.reshape(1, C, 1)))
    return None if found is None else (found[0].view(z.shape), found[1].view(w.shape))


def _gradients(z: Tensor, g: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    Z, G, W = upcast_half(z), upcast_half(g), upcast_half(w)
    dC_dz, dC_dw = torch.where(Z > 0, G, W * G), torch.where(Z > 0, 0, Z * G).sum((0, 2))
    return dC_dz.to(z.dtype), dC_dw.to(w.dtype)


def _g_times_da_dz(g: Tensor, z: Tensor, w: Tensor) -> Tensor:
    """Return g where z > 0, else w g."""
    if not plain(w) or not w.isfinite().all():  # lerp gives nan for an infinite w, even where z > 0
        return torch.where(z > 0, g, w * g)
    return rows(_g_times_slope, (g, z), w) if w.shape[:1] == (1,) else _g_times_slope(g, z, w, out=None)


def _g_times_slope(g: Tensor, z: Tensor, w: Tensor, *, out: Tensor | None) -> Tensor:
    m = torch.clamp(torch.sign(z), min=0)
    return torch.mul(g, torch.lerp(w, w.new_ones(()), m), out=out)


def _g_times_da_dw(g: Tensor, z: Tensor, w: Tensor) -> Tensor:
    """Return z g where z ≤ 0, else 0; it may already be summed over some copies of w."""
    if plain(g) and w.shape[:1] == (1,):
        (dC_dw,) = to_rows(_sums, (z, g), w.shape[1:])
        if not dC_dw.isnan().any():  # no 0 · ∞ occurred
            return dC_dw
    return torch.where(z > 0, 0, z * g)


def _sums(z: Tensor, g: Tensor, shape: torch.Size) -> tuple[Tensor]:
    """Sum min(z, 0) g of each example to this shape."""
    return ((torch.clamp(z, max=0) * g).sum_to_size(z.shape[0], *shape),)
