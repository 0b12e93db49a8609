"""The product y = a b, element by element, of two tensors, or of a tensor and a number.

With g = ∂C/∂y:

    ∂C/∂a = ∂y/∂a · g = b g        ∂C/∂b = ∂y/∂b · g = a g

each summed over the copies that broadcasting made. Complex numbers: the factors enter the backward conjugated (see linear.py).

Forward mode, by the product rule: dy = b da + a db.

Shapes: a and b broadcast against each other to y; each gradient has its input's shape.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._form import conj, fitted, form

__all__ = ["MulFunction"]


class MulFunction(Function):
    """a b; `MulFunction.apply(a, b)`, one of them a Tensor, the other a Tensor or a number."""

    @staticmethod
    def forward(a: Any, b: Any) -> Tensor:
        return torch.mul(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, Any], output: Tensor) -> None:
        a, b = inputs
        ctx.a, ctx.b, ctx.y = form(a), form(b), form(output)
        ctx.numbers = tuple(None if isinstance(t, Tensor) else t for t in inputs)
        tensors = tuple(t if isinstance(t, Tensor) else None for t in inputs)
        a_needs_grad, b_needs_grad = ctx.needs_input_grad
        ctx.save_for_backward(tensors[0] if b_needs_grad else None, tensors[1] if a_needs_grad else None)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = _factors(ctx)
        a_needs_grad, b_needs_grad = ctx.needs_input_grad
        dC_da = fitted(conj(b) * g, ctx.a) if a_needs_grad else None
        dC_db = fitted(conj(a) * g, ctx.b) if b_needs_grad else None
        return dC_da, dC_db

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None) -> Tensor:
        a, b = _factors(ctx)
        terms = [factor * tangent for factor, tangent in ((b, da), (a, db)) if tangent is not None]
        return sum(terms[1:], terms[0]).to(ctx.y.dtype)


def _factors(ctx: Any) -> tuple[Any, ...]:
    """a and b, those that are numbers too."""
    return tuple(t if n is None else n for t, n in zip(ctx.saved_tensors, ctx.numbers, strict=True))
