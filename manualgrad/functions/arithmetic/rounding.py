"""Step functions (floor, ceil, trunc, round, sign) and the remainders of a division.

Between its steps, a function such as y = ⌊x⌋ is constant, so its derivative is 0:

    ∂C/∂x = ∂y/∂x · g = 0        dy = 0

At a step there is no derivative; 0 is used there too, as in PyTorch. So no gradient flows through these functions. For a
straight-through gradient, write x + (⌊x⌋ − x).detach().

In a remainder, the rounded part is constant too:

    y = x − trunc(x)           dy = dx                       frac
    y = a − ⌊a/b⌋ b            dy = da − ⌊a/b⌋ db            remainder, with the sign of b
    y = a − trunc(a/b) b       dy = da − trunc(a/b) db       fmod, with the sign of a

With g = ∂C/∂y, ∂C/∂a = g and ∂C/∂b = −⌊a/b⌋ g, each summed over the broadcast dimensions.

Shapes: y and g have the shape of x; a and b broadcast to the shape of y; each gradient has the shape of its input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import numbers, operands, tensor_meta, unbroadcast_to, without_numbers

__all__ = [
    "CeilFunction",
    "FloorFunction",
    "FmodFunction",
    "FracFunction",
    "RemainderFunction",
    "RoundFunction",
    "RoundedDivFunction",
    "SignFunction",
    "TruncFunction",
]


class _Steps(Function):
    """A function of x, and optionally of numbers, whose derivative is 0."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.n_numbers = len(inputs) - 1

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        dC_dx = torch.zeros_like(g)
        return (dC_dx, *[None] * ctx.n_numbers) if ctx.n_numbers else dC_dx

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return torch.zeros_like(dx)


class FloorFunction(_Steps):
    """⌊x⌋, the greatest integer ≤ x; `FloorFunction.apply(x)`. Its derivative is 0."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.floor(x)


class CeilFunction(_Steps):
    """⌈x⌉, the least integer ≥ x; `CeilFunction.apply(x)`. Its derivative is 0."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.ceil(x)


class TruncFunction(_Steps):
    """x without its fractional part; `TruncFunction.apply(x)`. Its derivative is 0."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.trunc(x)


class RoundFunction(_Steps):
    """x rounded to some decimal places; `RoundFunction.apply(x, decimals)`. Its derivative is 0."""

    @staticmethod
    def forward(x: Tensor, decimals: int) -> Tensor:
        return torch.round(x, decimals=decimals)


class SignFunction(_Steps):
    """1 where x > 0, −1 where x < 0, 0 at 0; `SignFunction.apply(x)`. Its derivative is 0."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.sign(x)


class RoundedDivFunction(Function):
    """a / b, rounded down ("floor") or towards 0 ("trunc"); `RoundedDivFunction.apply(a, b, mode)`. Its derivatives are 0."""

    @staticmethod
    def forward(a: Any, b: Any, mode: str) -> Tensor:
        return torch.div(a, b, rounding_mode=mode)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, Any, str], output: Tensor) -> None:
        ctx.a, ctx.b, ctx.y = *map(tensor_meta, inputs[:2]), tensor_meta(output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        a_needs_grad, b_needs_grad, _ = ctx.needs_input_grad
        zeros = torch.zeros_like(g)
        return (
            unbroadcast_to(zeros, ctx.a) if a_needs_grad else None,
            unbroadcast_to(zeros, ctx.b) if b_needs_grad else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None, _: None) -> Tensor:
        dx = db if da is None else da
        assert dx is not None
        return torch.zeros_like(dx, dtype=ctx.y.dtype).expand(ctx.y.shape)


class FracFunction(Function):
    """y = x − trunc(x); `FracFunction.apply(x)`. Its derivative is 1."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.frac(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g

    @staticmethod
    def jvp(ctx: Any, dx: Tensor) -> Tensor:
        return dx.clone()


class RemainderFunction(Function):
    """y = a − ⌊a/b⌋ b; `RemainderFunction.apply(a, b)`, where a or b may be a number."""

    @staticmethod
    def forward(a: Any, b: Any) -> Tensor:
        return torch.remainder(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, Any], output: Tensor) -> None:
        _keep(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        return _to_both(ctx, g, "floor")

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None) -> Tensor:
        return _of_both(ctx, da, db, "floor")


class FmodFunction(Function):
    """y = a − trunc(a/b) b; `FmodFunction.apply(a, b)`, where b may be a number."""

    @staticmethod
    def forward(a: Tensor, b: Any) -> Tensor:
        return torch.fmod(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Any], output: Tensor) -> None:
        _keep(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        return _to_both(ctx, g, "trunc")

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None) -> Tensor:
        return _of_both(ctx, da, db, "trunc")


def _keep(ctx: Any, inputs: tuple[Any, Any], output: Tensor) -> None:
    a, b = inputs
    ctx.a, ctx.b, ctx.y = tensor_meta(a), tensor_meta(b), tensor_meta(output)
    ctx.numbers = numbers(inputs)
    _, b_needs_grad = ctx.needs_input_grad
    ctx.save_for_backward(*without_numbers(inputs if b_needs_grad else (None, None)))
    ctx.save_for_forward(*without_numbers(inputs))


def _quotient(ctx: Any, mode: str) -> Tensor:
    a, b = operands(ctx.saved_tensors, ctx.numbers)
    return torch.div(a, b, rounding_mode=mode)


def _to_both(ctx: Any, g: Tensor, mode: str) -> tuple[Tensor | None, Tensor | None]:
    """Return ∂C/∂a and ∂C/∂b."""
    a_needs_grad, b_needs_grad = ctx.needs_input_grad
    dC_da = unbroadcast_to(g, ctx.a) if a_needs_grad else None
    dC_db = unbroadcast_to(-_quotient(ctx, mode) * g, ctx.b) if b_needs_grad else None
    return dC_da, dC_db


def _of_both(ctx: Any, da: Tensor | None, db: Tensor | None, mode: str) -> Tensor:
    """Return dy."""
    if db is None:
        assert da is not None
        return da.to(ctx.y.dtype, copy=True).expand(ctx.y.shape)
    dy = -_quotient(ctx, mode) * db
    return (dy if da is None else da + dy).to(ctx.y.dtype)
