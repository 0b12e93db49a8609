"""The slope of an elementwise function, times a tensor: s = t f′(u), where u is the x or the y that f′ is a formula of.

This is the backward of an elementwise function. Where it is recorded, for a second derivative, it is a Function itself, with

    ∂C/∂t = f′(u) g        ∂C/∂u = t f″(u) g        ds = f′(u) dt + t f″(u) du

instead of a node for each operator of f′. f″ is the derivative of f′ with respect to u.

Complex numbers: s = t conj f′(u), which is real-differentiable in u by du → t conj(f″(u) du). Hence ∂C/∂t = f′(u) g and
∂C/∂u = t conj(f″(u) g). Shapes: all have the same shape, which is arbitrary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.function.functorch import transforms_are_active
from manualgrad.functions._chunked import elementwise
from manualgrad.functions._upcast import upcast_half

__all__ = ["is_recorded", "slope_function"]

_dynamo_is_tracing = torch.compiler.is_dynamo_compiling


def is_recorded() -> bool:
    """Return whether autograd records what a backward computes; under torch.func and torch.compile, operators are faster."""
    return torch.is_grad_enabled() and not _dynamo_is_tracing() and not transforms_are_active()


def slope_function(name: str, slope: Callable[..., Tensor], curvature: Callable[..., Tensor]) -> type[Function]:
    """Return the Function s = t f′(u); `apply(t, u, *numbers)`.

    Args:
        slope: computes t conj f′(u), as slope(t, u, *numbers, out=None).
        curvature: f″, as curvature(u, *numbers).
    """

    def times_curvature(t: Tensor, g: Tensor, u: Tensor, *numbers: Any, out: Tensor | None) -> Tensor:
        second = curvature(upcast_half(u), *numbers)
        return torch.mul(upcast_half(t), (upcast_half(g) * second).conj(), out=out)

    def forward(t: Tensor, u: Tensor, *numbers: Any) -> Tensor:
        return elementwise(slope, (t, u), *numbers)

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        t, u, *ctx.numbers = inputs
        ctx.save_for_backward(t, u)
        ctx.save_for_forward(t, u)

    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        t, u = ctx.saved_tensors
        t_needs_grad, u_needs_grad, *_ = ctx.needs_input_grad
        dC_dt = dC_du = None
        if t_needs_grad:
            times_slope = of_slope.apply if is_recorded() else forward
            dC_dt = times_slope(g.conj(), u, *ctx.numbers).conj().to(t.dtype)
        if u_needs_grad:
            dC_du = elementwise(times_curvature, (t, g, u), *ctx.numbers).to(u.dtype)
        return dC_dt, dC_du, *[None] * len(ctx.numbers)

    def jvp(ctx: Any, dt: Tensor | None, du: Tensor | None, *_: None) -> Tensor:
        t, u = ctx.saved_tensors
        ds = [slope(dt, u, *ctx.numbers, out=None)] if dt is not None else []
        ds += [times_curvature(t, du, u, *ctx.numbers, out=None).to(u.dtype)] if du is not None else []
        return ds[0] if len(ds) == 1 else ds[0] + ds[1]

    methods = {method.__name__: staticmethod(method) for method in (forward, setup_context, backward, jvp)}
    metaclass: Any = type(Function)
    of_slope: type[Function] = metaclass(
        name, (Function,), {**methods, "__module__": slope.__module__, "__doc__": "s = t f′(u)."}
    )
    times_curvature.__module__, times_curvature.__qualname__ = slope.__module__, f"{name}.times_curvature"  # its kernel's name
    return of_slope
