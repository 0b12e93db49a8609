"""The sum y = a + c b of two tensors, or of a tensor and a number, with a number c; c = −1 makes it the difference.

With g = ∂C/∂y:

    ∂C/∂a = ∂y/∂a · g = g        ∂C/∂b = ∂y/∂b · g = c g

Broadcasting repeats the elements of a smaller input, so its gradient is summed over the broadcast dimensions. For complex
numbers, the backward conjugates c (see linear.py).

Forward mode: dy = da + c db.

Shapes: a and b broadcast to the shape of y; each gradient has the shape of its input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import conj, tensor_meta, unbroadcast_to

__all__ = ["AddFunction", "NegFunction"]


class AddFunction(Function):
    """a + c b; `AddFunction.apply(a, b, c)`, where a or b may be a number, and c is one."""

    @staticmethod
    def forward(a: Any, b: Any, c: Any) -> Tensor:
        return torch.add(a, b, alpha=c)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, Any, Any], output: Tensor) -> None:
        a, b, ctx.c = inputs
        ctx.a, ctx.b, ctx.y = tensor_meta(a), tensor_meta(b), tensor_meta(output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        a_needs_grad, b_needs_grad, _ = ctx.needs_input_grad
        dC_da = unbroadcast_to(g, ctx.a) if a_needs_grad else None
        dC_db = unbroadcast_to(_times(conj(ctx.c), g), ctx.b) if b_needs_grad else None
        return dC_da, dC_db, None

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None, _: None) -> Tensor:
        if da is None or db is None:
            dy = _times(ctx.c, db) if da is None else da
            return dy.to(ctx.y.dtype).expand(ctx.y.shape)
        return torch.add(da, db, alpha=ctx.c)


class NegFunction(Function):
    """y = −a, ∂C/∂a = −g; `NegFunction.apply(a)`."""

    @staticmethod
    def forward(a: Tensor) -> Tensor:
        return torch.neg(a)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return -g

    @staticmethod
    def jvp(ctx: Any, da: Tensor) -> Tensor:
        return -da


def _times(c: Any, t: Any) -> Tensor:
    return t if c == 1 else c * t
