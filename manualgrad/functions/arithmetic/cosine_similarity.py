"""The cosine of the angle between two vectors, c = (a · b) / (A B), A = max(|a|, ε) and B = max(|b|, ε).

Backward. c = a · v / A, with v = b/B, and |a| grows along the unit vector â = a/|a|, by the part of da that lies along it:

    ∂c/∂a = v / A − (a · v) / A² ∂A/∂a = (v − c â) / A        likewise ∂c/∂b = (u − c b̂) / B, u = a/A

Where ε is not met, this is the part of v that is at right angles to a: turning a counts, and its length does not. As PyTorch
does, A is taken to grow with |a| where ε holds it, too, and â to be 0 where a is. With g = ∂C/∂c, ∂C/∂a = ∂c/∂a g. Forward
mode: dc = Σ (∂c/∂a da + ∂c/∂b db).

The backward computes c again, so that the output may be changed in place. A vector that does not need a gradient itself is
copied, as PyTorch does in computing u and v, and may be changed, too.

Shapes: a and b broadcast against each other to [..., n, ...], c and g are without the dimension; each gradient has its
input's shape.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.arithmetic.vector_norm import VectorNormFunction

__all__ = ["CosineSimilarityFunction"]


class CosineSimilarityFunction(Function):
    """c; `CosineSimilarityFunction.apply(a, b, dim, eps)`, with dim a number from 0, of the shape that both broadcast to."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(a: Tensor, b: Tensor, dim: int, eps: float) -> Tensor:
        return torch.cosine_similarity(a, b, dim, eps)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int, float], output: Tensor) -> None:
        a, b, ctx.dim, ctx.eps = inputs
        ctx.a, ctx.b, ctx.c = tensor_meta(a), tensor_meta(b), tensor_meta(output)
        ctx.save_for_backward(a, b)
        ctx.save_for_forward(a, b)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        a_needs_grad, b_needs_grad, *_ = ctx.needs_input_grad
        a, b, c = _wide_and_broadcast(ctx)
        g = g.unsqueeze(ctx.dim)
        dC_da = unbroadcast_to(_slope(a, b, c, ctx) * g, ctx.a) if a_needs_grad else None
        dC_db = unbroadcast_to(_slope(b, a, c, ctx) * g, ctx.b) if b_needs_grad else None
        return dC_da, dC_db, None, None

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None, *_: None) -> Tensor:
        a, b, c = _wide_and_broadcast(ctx)
        terms = [] if da is None else [_slope(a, b, c, ctx) * da]
        terms += [] if db is None else [_slope(b, a, c, ctx) * db]
        return sum(terms[1:], terms[0]).sum(ctx.dim).to(ctx.c.dtype)


def _wide_and_broadcast(ctx: Any) -> tuple[Tensor, ...]:
    a, b = torch.broadcast_tensors(*map(upcast_half, ctx.saved_tensors))
    return a, b, CosineSimilarityFunction.apply(a, b, ctx.dim, ctx.eps).unsqueeze(ctx.dim)


def _slope(a: Tensor, b: Tensor, c: Tensor, ctx: Any) -> Tensor:
    """∂c/∂a = (b/B − c â) / A."""
    length, B = (VectorNormFunction.apply(t, 2, (ctx.dim,), True) for t in (a, b))  # of 0, torch's has derivatives of nan
    direction = a / torch.where(length == 0, math.inf, length)
    return (b / B.clamp_min(ctx.eps) - c * direction) / length.clamp_min(ctx.eps)
