"""Functions of one tensor, element by element: y = f(x), defined by f and f′.

With g = ∂C/∂y,

    ∂C/∂x = ∂y/∂x · g = f′(x) g        dy = f′(x) dx

Complex numbers: f′ enters the backward conjugated (see linear/linear.py). Shapes: x, y and g have the same
shape, which is arbitrary.
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
from manualgrad.functions._slope import is_recorded, slope_function
from manualgrad.functions._upcast import upcast_half

__all__ = ["Elementwise"]


class Elementwise(Function):
    """Base class of elementwise functions. A subclass defines `forward(x)` and one of these, of x or, if that is simpler, of y:

    - `dy_dx`, the derivative;
    - `dx_dy`, the derivative of the inverse function, 1/f′, if f′ is a quotient: the backward divides by it and rounds once;
    - `times_dy_dx(t, x)`, t f′(x) for real numbers, if it selects t or 0. x has its own dtype, in which PyTorch compares it
      with a bound; t is in float32 if x has half precision. If f′ is not constant between the kinks, set
      `constant_slope = False`.

    A subclass with a short f″ also defines `d_dy_dx`, the derivative of `dy_dx` with respect to its argument: a recorded
    backward is then one Function, see _slope.py.

    Only the argument of this derivative is saved. Numbers that f depends on follow x, in `forward` and in the derivative.

    Class attributes:
        is_flat: a function of x, True where f is constant: the gradient is 0 there, even if the incoming gradient is ∞, for
            which a product would be nan. (A dy_dx of 0 is not enough: it may not be 0 nearby, and then has a derivative.)
        slope: the Function of a recorded backward, made from `dy_dx` and `d_dy_dx`.
    """

    is_flat: ClassVar[Any] = None
    slope: ClassVar[type[Function] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        way = next(name for name in ("dy_dx", "dx_dy", "times_dy_dx") if hasattr(cls, name))
        derivative: Callable[..., Tensor] = getattr(cls, way)
        if "constant_slope" not in vars(cls):
            cls.constant_slope = way == "times_dy_dx"
        of_output = list(inspect.signature(derivative).parameters)[way == "times_dy_dx"] == "y"
        by: Callable[..., Tensor] = torch.div if way == "dx_dy" else torch.mul

        def product(t: Tensor, x_or_y: Tensor, *numbers: Any, out: Tensor | None) -> Tensor:
            """Compute t f′; half precision is computed in float32 and rounded once."""
            if way == "times_dy_dx":
                dC_dx = derivative(upcast_half(t), x_or_y, *numbers)
                return dC_dx.to(x_or_y.dtype) if out is None else out.copy_(dC_dx)
            factor = derivative(upcast_half(x_or_y), *numbers).conj()
            dC_dx = by(upcast_half(t), factor, out=out)
            if cls.is_flat is not None:
                dC_dx = _with_0(dC_dx, cls.is_flat, x_or_y, out=out)
            return dC_dx if dC_dx.dtype == x_or_y.dtype else dC_dx.to(x_or_y.dtype)

        product.__module__, product.__qualname__ = cls.__module__, f"{cls.__qualname__}.product"  # its kernel's name

        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            x, *ctx.numbers = inputs
            x_or_y = output if of_output else x
            ctx.save_for_backward(x_or_y)
            ctx.save_for_forward(x_or_y)

        if hasattr(cls, "d_dy_dx"):
            cls.slope = slope_function(cls.__name__.replace("Function", "SlopeFunction"), product, cls.d_dy_dx)

        def backward(ctx: Any, g: Tensor) -> Any:
            (x_or_y,) = ctx.saved_tensors
            if cls.slope is not None and is_recorded():
                dC_dx = cls.slope.apply(g, x_or_y, *ctx.numbers)
            else:
                dC_dx = elementwise(product, (g, x_or_y), *ctx.numbers)
            return (dC_dx, *[None] * len(ctx.numbers)) if ctx.numbers else dC_dx

        def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
            (x_or_y,) = ctx.saved_tensors
            return product(dx.conj(), x_or_y, *ctx.numbers, out=None).conj()

        for method in (setup_context, backward, jvp):
            setattr(cls, method.__name__, staticmethod(method))
        super().__init_subclass__(**kwargs)


def _with_0(product: Tensor, is_flat: Callable[[Tensor], Tensor], x: Tensor, *, out: Tensor | None) -> Tensor:
    """Set the product to 0 where f is flat; it is 0 there already unless it is nan."""
    if out is None:
        return torch.where(is_flat(x), 0, product)
    return out.masked_fill_(is_flat(x), 0) if math.isnan(out.sum()) else out
