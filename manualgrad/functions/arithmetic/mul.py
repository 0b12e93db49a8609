"""The product y = a b, element by element, of two tensors, or of a tensor and a number.

With g = ∂C/∂y:

    ∂C/∂a = ∂y/∂a · g = b g        ∂C/∂b = ∂y/∂b · g = a g

Each gradient is summed over the broadcast dimensions. For complex numbers, the backward conjugates the factors (see linear.py).

Forward mode, by the product rule: dy = b da + a db.

Shapes: a and b broadcast to the shape of y; each gradient has the shape of its input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import conj, numbers, operands, tensor_meta, unbroadcast_to, without_numbers

__all__ = ["MulFunction"]


class MulFunction(Function):
    """a b; `MulFunction.apply(a, b)`, where a or b may be a number."""

    @staticmethod
    def forward(a: Any, b: Any) -> Tensor:
        return torch.mul(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, Any], output: Tensor) -> None:
        a, b = inputs
        ctx.a, ctx.b, ctx.y = tensor_meta(a), tensor_meta(b), tensor_meta(output)
        ctx.numbers = numbers(inputs)
        a, b = without_numbers(inputs)
        a_needs_grad, b_needs_grad = ctx.needs_input_grad
        ctx.save_for_backward(a if b_needs_grad else None, b if a_needs_grad else None)
        ctx.save_for_forward(a, b)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = operands(ctx.saved_tensors, ctx.numbers)
        a_needs_grad, b_needs_grad = ctx.needs_input_grad
        dC_da = unbroadcast_to(conj(b) * g, ctx.a) if a_needs_grad else None
        dC_db = unbroadcast_to(conj(a) * g, ctx.b) if b_needs_grad else None
        return dC_da, dC_db

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None) -> Tensor:
        a, b = operands(ctx.saved_tensors, ctx.numbers)
        terms = [factor * tangent for factor, tangent in ((b, da), (a, db)) if tangent is not None]
        return sum(terms[1:], terms[0]).to(ctx.y.dtype)
