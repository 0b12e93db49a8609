"""The gated linear unit, y = a σ(b), element by element, where a and b are the halves of a tensor along a dimension.

Backward, with g = ∂C/∂y and σ′ = σ (1 − σ) (see sigmoid.py):

    ∂C/∂a = σ(b) g        ∂C/∂b = a σ(b) (1 − σ(b)) g

Forward mode: dy = σ(b) da + a σ(b) (1 − σ(b)) db.

Shapes: x [..., 2 n, ...], the two halves concatenated; y and g [..., n, ...]; the gradient has the shape of x. (Dauphin et al.,
2016.)
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function import Function
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
        dy_da, dy_db = _derivatives(x, ctx.dim)
        g = upcast_half(g)
        return torch.cat([dy_da * g, dy_db * g], ctx.dim).to(x.dtype), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        (x,) = ctx.saved_tensors
        (dy_da, dy_db), (da, db) = _derivatives(x, ctx.dim), dx.chunk(2, ctx.dim)
        return (dy_da * da + dy_db * db).to(x.dtype)


def _derivatives(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return σ(b) and a σ(b) (1 − σ(b))."""
    a, b = upcast_half(x).chunk(2, dim)
    s = torch.sigmoid(b)
    return s, a * s * (1 - s)
