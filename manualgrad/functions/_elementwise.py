"""Functions of one tensor, element by element: y = f(x), of which f and f′ say all.

With g = ∂C/∂y,

    ∂C/∂x = ∂y/∂x · g = f′(x) g        dy = f′(x) dx

Complex numbers: f′ enters the backward conjugated (see linear/linear.py). Shapes: x, y and g are alike, any shape.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import elementwise
from manualgrad.functions._upcast import upcast_half

__all__ = ["Elementwise"]


class Elementwise(Function):
    """A subclass writes `forward(x)`, and one of these, of x, or of y where the output says it in fewer words:

    - `dy_dx`, the derivative;
    - `dx_dy`, that of the inverse function, 1/f′, where the derivative is a quotient: it is then divided by, and rounded once;
    - `times_dy_dx(t, x)`, t f′(x) of real numbers, where it chooses between t and 0. x comes in its own dtype, in which PyTorch
      compares it with a bound; t is in float32 where x has half precision. If f′ is not constant between the kinks, set
      `constant_slope = False`.

    What it is a function of is all that is saved. Numbers that f depends on follow x, in `forward` and in the derivative.

    Class attributes:
        is_flat: says of x where f is constant: the gradient is 0 there, whatever comes back, where a product makes nan of ∞. (A
            dy_dx of 0 alone does not say so: next to the place it may be another, and there is a second derivative.)
    """

    is_flat: ClassVar[Any] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        way = next(name for name in ("dy_dx", "dx_dy", "times_dy_dx") if hasattr(cls, name))
        derivative: Callable[..., Tensor] = getattr(cls, way)
        if "constant_slope" not in vars(cls):
            cls.constant_slope = way == "times_dy_dx"
        of_output = list(inspect.signature(derivative).parameters)[way == "times_dy_dx"] == "y"
        by: Callable[..., Tensor] = torch.div if way == "dx_dy" else torch.mul

        def product(t: Tensor, x_or_y: Tensor, *numbers: Any, out: Tensor | None) -> Tensor:
            """t f′, of half precision in float32, and rounded once."""
            if way == "times_dy_dx":
                dC_dx = derivative(upcast_half(t), x_or_y, *numbers)
                return dC_dx.to(x_or_y.dtype) if out is None else out.copy_(dC_dx)
            factor = derivative(upcast_half(x_or_y), *numbers).conj()
            dC_dx = by(upcast_half(t), factor, out=out)
            if cls.is_flat is not None:
                dC_dx = _with_0(dC_dx, cls.is_flat, x_or_y, out=out)
            return dC_dx if dC_dx.dtype == x_or_y.dtype else dC_dx.to(x_or_y.dtype)

        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            x, *ctx.numbers = inputs
            x_or_y = output if of_output else x
            ctx.save_for_backward(x_or_y)
            ctx.save_for_forward(x_or_y)

        def backward(ctx: Any, g: Tensor) -> Any:
            (x_or_y,) = ctx.saved_tensors
            dC_dx = elementwise(product, (g, x_or_y), *ctx.numbers)
            return (dC_dx, *[None] * len(ctx.numbers)) if ctx.numbers else dC_dx

        def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
            (x_or_y,) = ctx.saved_tensors
            return product(dx.conj(), x_or_y, *ctx.numbers, out=None).conj()

        for method in (setup_context, backward, jvp):
            setattr(cls, method.__name__, staticmethod(method))
        super().__init_subclass__(**kwargs)


def _with_0(product: Tensor, is_flat: Callable[[Tensor], Tensor], x: Tensor, *, out: Tensor | None) -> Tensor:
    """The product, but 0 where f is flat, which it is already where no nan has come up."""
    if out is None:
        return torch.where(is_flat(x), 0, product)
    return out.masked_fill_(is_flat(x), 0) if math.isnan(out.sum()) else out
