"""The power y = aᵇ, element by element; a or b may be a number.

With g = ∂C/∂y and y = e^(b log a):

    ∂C/∂a = ∂y/∂a · g = b aᵇ⁻¹ g              0 where b is 0, as y = 1 whatever a is
    ∂C/∂b = ∂y/∂b · g = aᵇ log a · g = y log a · g   0 where a is 0 and b ≥ 0, as y does not change with b there

Each gradient is summed over the broadcast dimensions. For complex numbers, the backward conjugates the factors (see linear.py).

Forward mode: dy = b aᵇ⁻¹ da + y log a db.

Shapes: a and b broadcast to the shape of y; each gradient has the shape of its input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import conj, numbers, operands, tensor_meta, unbroadcast_to, without_numbers

__all__ = ["PowFunction"]


class PowFunction(Function):
    """aᵇ; `PowFunction.apply(a, b)`, where a or b may be a number."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(a: Any, b: Any) -> Tensor:
        return torch.pow(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, Any], output: Tensor) -> None:
        a, b = inputs
        ctx.a, ctx.b, ctx.y = tensor_meta(a), tensor_meta(b), tensor_meta(output)
        ctx.numbers = numbers(inputs)
        ctx.set_materialize_grads(False)  # a tangent of zeros would give 0 log a, which is nan where a < 0
        tensors = without_numbers(inputs)
        ctx.save_for_backward(*tensors, output if ctx.needs_input_grad[1] else None)
        ctx.save_for_forward(*tensors, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        if g is None:
            return None, None
        *tensors, y = ctx.saved_tensors
        a, b = operands(tensors, ctx.numbers)
        a_needs_grad, b_needs_grad = ctx.needs_input_grad
        dC_da = unbroadcast_to(_times_dy_da(g, a, b, conj), ctx.a) if a_needs_grad else None
        dC_db = unbroadcast_to(_times_dy_db(g, a, b, y, conj), ctx.b) if b_needs_grad else None
        return dC_da, dC_db

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None) -> Tensor:
        *tensors, y = ctx.saved_tensors
        a, b = operands(tensors, ctx.numbers)
        terms = [] if da is None else [_times_dy_da(da, a, b)]
        terms += [] if db is None else [_times_dy_db(db, a, b, y)]
        return sum(terms[1:], terms[0]).to(ctx.y.dtype)


def _times_dy_da(t: Tensor, a: Tensor, b: Any, factor: Callable[[Tensor], Tensor] = lambda factor: factor) -> Tensor:
    """Return t b aᵇ⁻¹, with `factor` applied to b aᵇ⁻¹; 0 where b is 0, whatever t and a are."""
    if not isinstance(b, Tensor):
        return torch.zeros_like(t) if b == 0 else t * factor(b * a.pow(b - 1))
    ratio = t / a
    flat = (b == 0) & (ratio - ratio != 0)  # finite ones stay: their product is 0, and has a derivative by b
    t, a = torch.where(flat, 0, t), torch.where(flat, 1, a)
    return t * factor(b * PowFunction.apply(a, b - 1))


def _times_dy_db(t: Tensor, a: Any, b: Tensor, y: Tensor, factor: Callable[[Tensor], Tensor] = lambda factor: factor) -> Tensor:
    """Return t y log a, with `factor` applied to y log a; 0 where a is 0 and b ≥ 0."""
    a = a if isinstance(a, Tensor) else torch.scalar_tensor(a, dtype=y.dtype, device=y.device)
    flat = (a == 0) & (b.real >= 0)
    return torch.where(flat, 0, t * factor(y * torch.where(flat, 1, a).log()))
