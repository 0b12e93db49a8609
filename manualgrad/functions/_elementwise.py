"""Functions of one tensor, element by element: y = f(x), of which f and f′ say all.

With g = ∂C/∂y,

    ∂C/∂x = ∂y/∂x · g = f′(x) g        dy = f′(x) dx

Complex numbers: f′ enters the backward conjugated (see linear/linear.py). Shapes: x, y and g are alike, any shape.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function

__all__ = ["Elementwise"]


class Elementwise(Function):
    """A subclass writes `forward(x)`, and one of these, of x, or of y where the output says it in fewer words:

    - `dy_dx`, the derivative;
    - `dx_dy`, that of the inverse function, 1/f′, where the derivative is a quotient: it is then divided by, and rounded once.

    What it is a function of is all that is saved.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        times_dy_dx: Callable[[Tensor, Tensor], Tensor]
        if hasattr(cls, "dy_dx"):
            derivative, times_dy_dx = cls.dy_dx, torch.mul
        else:
            derivative, times_dy_dx = cls.dx_dy, torch.div  # type: ignore[attr-defined]
        of_output = list(inspect.signature(derivative).parameters) == ["y"]

        def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
            x_or_y = output if of_output else inputs[0]
            ctx.save_for_backward(x_or_y)
            ctx.save_for_forward(x_or_y)

        def backward(ctx: Any, g: Tensor) -> Tensor:
            return times_dy_dx(g, derivative(*ctx.saved_tensors).conj())

        def jvp(ctx: Any, dx: Tensor) -> Tensor:
            return times_dy_dx(dx, derivative(*ctx.saved_tensors))

        for method in (setup_context, backward, jvp):
            setattr(cls, method.__name__, staticmethod(method))
        super().__init_subclass__(**kwargs)
