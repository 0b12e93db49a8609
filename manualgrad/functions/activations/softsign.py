"""Softsign, a = z / (1 + |z|), element by element.

Backward, for real z. By the quotient rule, with z d|z|/dz = |z|:

    da/dz = ((1 + |z|) − z d|z|/dz) / (1 + |z|)² = 1 / (1 + |z|)²

    delta = ∂C/∂z = ∂C/∂a / (1 + |z|)²

Complex z: |z| grows by the part of dz that points along z, d|z| = Re(ū dz) with u = z/|z| (and u = 0 for z = 0), so that

    da = (dz − a Re(ū dz)) / (1 + |z|)             delta = (∂C/∂a − u Re(ā ∂C/∂a)) / (1 + |z|)

The second holds because the backward of t → a Re(ū t) is t → u Re(ā t) (see linear.py). Since a and u both point along z, these
two functions are equal.

Forward mode: da as above; for real z, da = dz / (1 + |z|)².

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import elementwise
from manualgrad.functions._upcast import upcast_half

__all__ = ["SoftsignFunction"]


class SoftsignFunction(Function):
    """a = z / (1 + |z|); `SoftsignFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return z / (1 + z.abs())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, dC_da: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return elementwise(_times_da_dz, (dC_da, z))

    @staticmethod
    def jvp(ctx: Any, dz: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return _times_da_dz(dz, z, out=None)


def _times_da_dz(t: Tensor, z: Tensor, *, out: Tensor | None) -> Tensor:
    length = 1 + upcast_half(z).abs()
    if z.is_complex():
        return torch.div(t - z / length * (torch.sgn(z).conj() * t).real, length, out=out)
    return torch.div(upcast_half(t), length * length, out=out).to(z.dtype)
