"""The cosine of the angle between two vectors, c = (a · b) / (A B), with A = max(|a|, ε) and B = max(|b|, ε).

Backward. c = a · v / A, with v = b/B. |a| grows by the component of da along the unit vector â = a/|a|:

    ∂c/∂a = v / A − (a · v) / A² ∂A/∂a = (v − c â) / A        likewise ∂c/∂b = (u − c b̂) / B, u = a/A

If |a| > ε, this is the component of v perpendicular to a, divided by A: only the direction of a, not its length, changes c.
If |a| < ε, A is constant, but the same formula is used, with â = 0 where a = 0, as in PyTorch. With g = ∂C/∂c, ∂C/∂a = ∂c/∂a g.
Forward mode: dc = Σ (∂c/∂a da + ∂c/∂b db).

The backward recomputes c, so the output may be changed in place. A vector that does not require grad may be changed too,
because the call copies it, as PyTorch does when it computes u and v.

Shapes: a and b broadcast to [..., n, ...]; c and g lack the reduced dimension; each gradient has the shape of its input.
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
    """c; `CosineSimilarityFunction.apply(a, b, dim, eps)`, with a non-negative dim of the broadcast shape."""

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
    """Return ∂c/∂a = (b/B − c â) / A."""
    length, B = (VectorNormFunction.apply(t, 2, (ctx.dim,), True) for t in (a, b))  # torch's has nan derivatives at 0
    direction = a / torch.where(length == 0, math.inf, length)
    return (b / B.clamp_min(ctx.eps) - c * direction) / length.clamp_min(ctx.eps)
