"""Three inputs in one operation: y = x + c a b, y = x + c a / b, y = a + w (b − a).

The rules for sums, products and quotients (add.py, mul.py, div.py) give, with g = ∂C/∂y:

    addcmul    ∂C/∂x = g          ∂C/∂a = c b g          ∂C/∂b = c a g
    addcdiv    ∂C/∂x = g          ∂C/∂a = c g / b        ∂C/∂b = −c a g / b²
    lerp       ∂C/∂a = (1 − w) g  ∂C/∂b = w g            ∂C/∂w = (b − a) g

Each gradient is summed over the broadcast dimensions. For complex numbers, the backward conjugates the factors (see linear.py).

Forward mode is the sum of the same derivatives times the tangents.

Shapes: all inputs broadcast to the shape of y; c is a number; each gradient has the shape of its input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import conj, tensor_meta, unbroadcast_to

__all__ = ["AddcdivFunction", "AddcmulFunction", "LerpFunction"]


class AddcmulFunction(Function):
    """x + c a b; `AddcmulFunction.apply(x, a, b, c)`."""

    autocast = {"cuda": "widest"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, a: Tensor, b: Tensor, c: Any) -> Tensor:
        return torch.addcmul(x, a, b, value=c)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Any], output: Tensor) -> None:
        x, a, b, ctx.c = inputs
        ctx.forms, ctx.y = (tensor_meta(x), tensor_meta(a), tensor_meta(b)), tensor_meta(output)
        _, a_needs_grad, b_needs_grad, _ = ctx.needs_input_grad
        ctx.save_for_backward(a if b_needs_grad else None, b if a_needs_grad else None)
        ctx.save_for_forward(a, b)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        a, b = ctx.saved_tensors
        x_needs_grad, a_needs_grad, b_needs_grad, _ = ctx.needs_input_grad
        dC_dx = unbroadcast_to(g, ctx.forms[0]) if x_needs_grad else None
        dC_da = unbroadcast_to(conj(ctx.c * b) * g, ctx.forms[1]) if a_needs_grad else None
        dC_db = unbroadcast_to(conj(ctx.c * a) * g, ctx.forms[2]) if b_needs_grad else None
        return dC_dx, dC_da, dC_db, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, da: Tensor | None, db: Tensor | None, _: None) -> Tensor:
        a, b = ctx.saved_tensors
        return _added(ctx, (None, dx), (ctx.c * b, da), (ctx.c * a, db))


class AddcdivFunction(Function):
    """x + c a / b; `AddcdivFunction.apply(x, a, b, c)`."""

    autocast = {"cuda": "widest"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, a: Tensor, b: Tensor, c: Any) -> Tensor:
        return torch.addcdiv(x, a, b, value=c)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Any], output: Tensor) -> None:
        x, a, b, ctx.c = inputs
        ctx.forms, ctx.y = (tensor_meta(x), tensor_meta(a), tensor_meta(b)), tensor_meta(output)
        _, a_needs_grad, b_needs_grad, _ = ctx.needs_input_grad
        ctx.save_for_backward(a if b_needs_grad else None, b if a_needs_grad or b_needs_grad else None)
        ctx.save_for_forward(a, b)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        a, b = ctx.saved_tensors
        x_needs_grad, a_needs_grad, b_needs_grad, _ = ctx.needs_input_grad
        dC_dx = unbroadcast_to(g, ctx.forms[0]) if x_needs_grad else None
        dC_da = unbroadcast_to(conj(_over(ctx.c, b)) * g, ctx.forms[1]) if a_needs_grad else None
        dC_db = unbroadcast_to(-conj(ctx.c * a / (b * b)) * g, ctx.forms[2]) if b_needs_grad else None
        return dC_dx, dC_da, dC_db, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, da: Tensor | None, db: Tensor | None, _: None) -> Tensor:
        a, b = ctx.saved_tensors
        return _added(ctx, (None, dx), (_over(ctx.c, b), da), (-ctx.c * a / (b * b), db))


def _over(c: Any, b: Tensor) -> Tensor:
    """Return c / b, rounded once; Python's `c / b` would compute 1/b times c."""
    return torch.scalar_tensor(c, dtype=b.dtype, device=b.device) / b


class LerpFunction(Function):
    """a + w (b − a); `LerpFunction.apply(a, b, w)`, where w is a Tensor or a number."""

    @staticmethod
    def forward(a: Tensor, b: Tensor, w: Any) -> Tensor:
        return torch.lerp(a, b, w)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Any], output: Tensor) -> None:
        a, b, w = inputs
        ctx.forms, ctx.y = (tensor_meta(a), tensor_meta(b), tensor_meta(w)), tensor_meta(output)
        ctx.number = None if isinstance(w, Tensor) else w
        w_needs_grad = ctx.needs_input_grad[2]
        tensor = w if isinstance(w, Tensor) else None
        ctx.save_for_backward(a if w_needs_grad else None, b if w_needs_grad else None, tensor)
        ctx.save_for_forward(a, b, tensor)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        a, b, w = ctx.saved_tensors
        w = ctx.number if w is None else w
        a_needs_grad, b_needs_grad, w_needs_grad = ctx.needs_input_grad
        dC_da = unbroadcast_to(conj(1 - w) * g, ctx.forms[0]) if a_needs_grad else None
        dC_db = unbroadcast_to(conj(w) * g, ctx.forms[1]) if b_needs_grad else None
        dC_dw = unbroadcast_to(conj(b - a) * g, ctx.forms[2]) if w_needs_grad else None
        return dC_da, dC_db, dC_dw

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None, dw: Tensor | None) -> Tensor:
        a, b, w = ctx.saved_tensors
        w = ctx.number if w is None else w
        return _added(ctx, (1 - w, da), (w, db), (b - a, dw))


def _added(ctx: Any, *pairs: tuple[Any, Tensor | None]) -> Tensor:
    """Return Σ factor · tangent over the tangents that are not None; a factor of None is 1."""
    terms = [t if factor is None else factor * t for factor, t in pairs if t is not None]
    return sum(terms[1:], terms[0]).to(ctx.y.dtype).expand(ctx.y.shape)
