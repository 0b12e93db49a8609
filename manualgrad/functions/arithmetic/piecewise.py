"""Piecewise functions: |x|, clamp, maximum and minimum, where and masked_fill.

On each piece, y is x, −x, a, b or a constant, so the derivative is 1, −1 or 0. At the boundaries, it is PyTorch's choice, which
each class states. With g = ∂C/∂y, the gradient of an input is g where y is that input, and 0 elsewhere, summed over the
broadcast dimensions.

Shapes: all inputs broadcast to the shape of y; each gradient has the shape of its input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to

__all__ = [
    "AbsFunction",
    "ClampByFunction",
    "ClampFunction",
    "MaskedFillFunction",
    "MaximumFunction",
    "MinimumFunction",
    "WhereFunction",
]


class AbsFunction(Function):
    """y = |x|; `AbsFunction.apply(x)`.

    From y² = x x̄, y dy = Re(x̄ dx). So dy = Re(s̄ dx) with s = x/y, the sign of x (0 at 0), and ∂C/∂x = s g.
    """

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.abs(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return x.sgn() * g

    @staticmethod
    def jvp(ctx: Any, dx: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        dy = x.sgn().conj() * dx
        return dy.real if dy.is_complex() else dy


class ClampFunction(Function):
    """x clamped to two numbers, one of which may be None; `ClampFunction.apply(x, least, most)`.

    At a bound, the derivative is 0.
    """

    @staticmethod
    def forward(x: Tensor, least: Any, most: Any) -> Tensor:
        return torch.clamp(x, least, most)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Any, Any], output: Tensor) -> None:
        x, ctx.least, ctx.most = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        return torch.where(_is_between(ctx), g, 0), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return torch.where(_is_between(ctx), dx, 0)


def _is_between(ctx: Any) -> Tensor:
    (x,) = ctx.saved_tensors
    if ctx.most is None:
        return x > ctx.least
    return x < ctx.most if ctx.least is None else (x > ctx.least) & (x < ctx.most)


class ClampByFunction(Function):
    """x clamped to two tensors; `ClampByFunction.apply(x, least, most)`.

    Where x equals one of two different bounds, x and that bound each get half of the gradient. Where least > most, y is most.
    """

    @staticmethod
    def forward(x: Tensor, least: Tensor, most: Tensor) -> Tensor:
        return torch.clamp(x, least, most)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.forms, ctx.y = tuple(map(tensor_meta, inputs)), tensor_meta(output)
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        shares = zip(ctx.needs_input_grad, _shares(*ctx.saved_tensors), ctx.forms, strict=True)
        return tuple(unbroadcast_to(_share_of(g, *share), to) if needs_grad else None for needs_grad, share, to in shares)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        shares = zip(tangents, _shares(*ctx.saved_tensors), strict=True)
        terms = [_share_of(t, *share) for t, share in shares if t is not None]
        return sum(terms[1:], terms[0]).to(ctx.y.dtype).expand(ctx.y.shape)


def _shares(x: Tensor, least: Tensor, most: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """Return for each of the three inputs the mask where y equals it, and the mask where y equals another one too."""
    apart, crossed = least < most, least > most
    ordered = least <= most  # where one is nan, all three masks are False
    return (
        (~((x < least) | (x > most)), apart & ((x == least) | (x == most))),
        (ordered & (x < least) | apart & (x == least), apart & (x == least)),
        (ordered & (x > most) | apart & (x == most) | crossed, apart & (x == most)),
    )


def _share_of(t: Tensor, is_it: Tensor, is_both: Tensor) -> Tensor:
    return torch.where(is_both, t / 2, torch.where(is_it, t, 0))


class WhereFunction(Function):
    """a where the condition is true, b elsewhere; `WhereFunction.apply(condition, a, b)`, where a or b may be a number."""

    @staticmethod
    def forward(condition: Tensor, a: Any, b: Any) -> Tensor:
        return torch.where(condition, a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Any, Any], output: Tensor) -> None:
        condition, a, b = inputs
        ctx.a, ctx.b, ctx.y = tensor_meta(a), tensor_meta(b), tensor_meta(output)
        ctx.save_for_backward(condition)
        ctx.save_for_forward(condition)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        (condition,) = ctx.saved_tensors
        _, a_needs_grad, b_needs_grad = ctx.needs_input_grad
        dC_da = unbroadcast_to(torch.where(condition, g, 0), ctx.a) if a_needs_grad else None
        dC_db = unbroadcast_to(torch.where(condition, 0, g), ctx.b) if b_needs_grad else None
        return None, dC_da, dC_db

    @staticmethod
    def jvp(ctx: Any, _: None, da: Tensor | None, db: Tensor | None) -> Tensor:
        (condition,) = ctx.saved_tensors
        dy = torch.where(condition, 0 if da is None else da, 0 if db is None else db)
        return dy.to(ctx.y.dtype).expand(ctx.y.shape)


class MaskedFillFunction(Function):
    """v where the mask is true, x elsewhere; `MaskedFillFunction.apply(x, mask, v)`, where v is a 0-d Tensor or a number."""

    @staticmethod
    def forward(x: Tensor, mask: Tensor, v: Any) -> Tensor:
        return torch.masked_fill(x, mask, v)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Any], output: Tensor) -> None:
        x, mask, v = inputs
        ctx.x, ctx.v, ctx.y = tensor_meta(x), tensor_meta(v), tensor_meta(output)
        ctx.save_for_backward(mask)
        ctx.save_for_forward(mask)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        (mask,) = ctx.saved_tensors
        x_needs_grad, _, v_needs_grad = ctx.needs_input_grad
        dC_dx = unbroadcast_to(g.masked_fill(mask, 0), ctx.x) if x_needs_grad else None
        dC_dv = unbroadcast_to(g.masked_fill(~mask, 0), ctx.v) if v_needs_grad else None
        return dC_dx, None, dC_dv

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, _: None, dv: Tensor | None) -> Tensor:
        (mask,) = ctx.saved_tensors
        dy = torch.where(mask, 0 if dv is None else dv, 0 if dx is None else dx)
        return dy.to(ctx.y.dtype).expand(ctx.y.shape)


class MaximumFunction(Function):
    """The elementwise maximum of a and b; `MaximumFunction.apply(a, b)`. Where they are equal, each gets half of the gradient.

    Where one is nan, each gets the whole gradient, as in PyTorch.
    """

    @staticmethod
    def forward(a: Tensor, b: Tensor) -> Tensor:
        return torch.maximum(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        _keep_both(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        return _shared(ctx, g, a > b, a < b, a == b)

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None) -> Tensor:
        a, b = ctx.saved_tensors
        return _chosen(ctx, da, db, a > b, a == b)


class MinimumFunction(Function):
    """The elementwise minimum of a and b; `MinimumFunction.apply(a, b)`. Ties and nans are treated as in MaximumFunction."""

    @staticmethod
    def forward(a: Tensor, b: Tensor) -> Tensor:
        return torch.minimum(a, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        _keep_both(ctx, inputs, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        return _shared(ctx, g, a < b, a > b, a == b)

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, db: Tensor | None) -> Tensor:
        a, b = ctx.saved_tensors
        return _chosen(ctx, da, db, a < b, a == b)


def _keep_both(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    a, b = inputs
    ctx.a, ctx.b, ctx.y = tensor_meta(a), tensor_meta(b), tensor_meta(output)
    ctx.save_for_backward(a, b)
    ctx.save_for_forward(a, b)


def _shared(ctx: Any, g: Tensor, is_a: Tensor, is_b: Tensor, is_both: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of a and b: g where y is that input, half of g where y is both."""
    a_needs_grad, b_needs_grad = ctx.needs_input_grad
    half = torch.where(is_both, g / 2, g)
    dC_da = unbroadcast_to(torch.where(is_b, 0, half), ctx.a) if a_needs_grad else None
    dC_db = unbroadcast_to(torch.where(is_a, 0, half), ctx.b) if b_needs_grad else None
    return dC_da, dC_db


def _chosen(ctx: Any, da: Tensor | None, db: Tensor | None, is_a: Tensor, is_both: Tensor) -> Tensor:
    """Return da where y is a, db where y is b, and their mean where y is both."""
    da, db = (torch.zeros((), dtype=ctx.y.dtype, device=is_a.device) if t is None else t for t in (da, db))
    return torch.where(is_both, (da + db) / 2, torch.where(is_a, da, db)).to(ctx.y.dtype)
