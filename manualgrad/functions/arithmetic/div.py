"""The quotient y = a / b, element by element, of two tensors, or of a tensor and a number.

With g = ∂C/∂y:

    ∂C/∂a = ∂y/∂a · g = g / b
    ∂C/∂b = ∂y/∂b · g = −a/b² · g = −(y/b) g

each summed over the copies that broadcasting made. Complex numbers: the factors enter the backward conjugated (see linear.py).

Forward mode: dy = (da − y db) / b.

Shapes: a and b broadcast against each other to y; each gradient has its input's shape.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._form import conj, fitted, form

__all__ = ["DivFunction"]


class DivFunction(Function):
    """a / b; `DivFunction.apply(a, b)`, one of them a Tensor, the other a Tensor or a number."""

    @staticmethod
    def forward(a: Any, b: Any) -> Tensor:
        return torch.div(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, Any], output: Tensor) -> None:
        a, b = inputs
        ctx.a, ctx.b, ctx.y = form(a), form(b), form(output)
        ctx.number = None if isinstance(b, Tensor) else b
        tensor = b if isinstance(b, Tensor) else None
        ctx.save_for_backward(tensor, output if ctx.needs_input_grad[1] else None)
        ctx.save_for_forward(tensor, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        b, y = ctx.saved_tensors
        b = ctx.number if b is None else b
        a_needs_grad, b_needs_grad = ctx.needs_input_grad
        dC_da = fitted(g / conj(b), ctx.a) if a_needs_grad else None
        dC_db = fitted(-conj(y / b) * g, ctx.b) if b_needs_grad else None
        return dC_da, dC_db

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None) -> Tensor:
        b, y = ctx.saved_tensors
        b = ctx.number if b is None else b
        numerator = da if db is None else -y * db if da is None else da - y * db
        assert numerator is not None
        return (numerator / b).to(ctx.y.dtype).expand(ctx.y.shape)
