"""The gated linear unit, y = a σ(b), element by element, where a and b are the halves of a tensor along a dimension.

Backward, with g = ∂C/∂y and σ′ = σ (1 − σ) (see sigmoid.py):

    ∂C/∂a = σ(b) g        ∂C/∂b = a σ(b) (1 − σ(b)) g

Forward mode: dy = σ(b) da + a σ(b) (1 − σ(b)) db.

Shapes: x [..., 2 n, ...], the two halves concatenated; y and g [..., n, ...]; the gradient has the shape of x. (Dauphin et al.,
2016.)
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad import _fused
from manualgrad.function import Function
from manualgrad.functions._chunked import fused
from manualgrad.functions._upcast import upcast_half

__all__ = ["GLUFunction"]


class GLUFunction(Function):
    """y = a σ(b); `GLUFunction.apply(x, dim)`."""

    @staticmethod
    def forward(x: Tensor, dim: int) -> Tensor:
        return F.glu(x, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        x, ctx.dim = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        if _fused.is_fusing() and (found := _gradient_fused(x, g, ctx.dim % x.dim())) is not None:
            return found, None
        return _gradient(x, g, ctx.dim), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        (x,) = ctx.saved_tensors
        (dy_da, dy_db), (da, db) = _derivatives(x, ctx.dim), dx.chunk(2, ctx.dim)
        return (dy_da * da + dy_db * db).to(x.dtype)


def _gradient(x: Tensor, g: Tensor, dim: int) -> Tensor:
    dy_da, dy_db = _derivatives(x, dim)
    g = upcast_half(g)
    return torch.cat([dy_da * g, dy_db * g], dim).to(x.dtype)


def _gradient_fused(x: Tensor, g: Tensor, dim: int) -> Tensor | None:
    """Compute the gradient by a compiled kernel, on x as [before, 2, a or b]."""
    if not x.numel():
        return None
    before = math.prod(x.shape[:dim])
    found = fused(_gradient, (x.reshape(before, 2, -1), g.reshape(before, 1, -1)), (1,), "A2B")
    return None if found is None else found[0].view(x.shape)


def _derivatives(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return σ(b) and a σ(b) (1 − σ(b))."""
    a, b = upcast_half(x).chunk(2, dim)
    s = torch.sigmoid(b)
    return s, a * s * (1 - s)
