"""The maximum y = max x, or the minimum, over some dimensions; also the median of all elements.

y equals one or several elements. If only one x_i equals y, then ∂y/∂x_i = 1 for it, and 0 for the others. If m elements equal
y, there is no derivative, and each of them gets 1/m, as in PyTorch.

    ∂C/∂x_i = [x_i = y] g / m        m = Σ_i [x_i = y], g = ∂C/∂y

Forward mode: dy = Σ_i [x_i = y] dx_i / m.

The maximum along a single dimension, with its index, passes the gradient only to the element at the index (selection.py).

Shapes: x any; y and g without the reduced dimensions, or with 1 in their place; ∂C/∂x has the shape of x.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import plain
from manualgrad.functions._tensor_meta import with_dims
from manualgrad.functions._upcast import upcast_half

__all__ = ["ExtremeFunction", "OneOfAllFunction"]


class ExtremeFunction(Function):
    """The maximum or the minimum; `ExtremeFunction.apply(x, dims, keepdim, is_max)`, with non-negative dims."""

    @staticmethod
    def forward(x: Tensor, dims: tuple[int, ...], keepdim: bool, is_max: bool) -> Tensor:
        return (torch.amax if is_max else torch.amin)(x, dims, keepdim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], bool, bool], output: Tensor) -> None:
        x, ctx.dims, ctx.keepdim, _ = inputs
        ctx.save_for_backward(x, output)
        ctx.save_for_forward(x, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        x, y = ctx.saved_tensors
        is_y = x == with_dims(y, ctx.dims, ctx.keepdim)
        m = is_y.sum(ctx.dims, keepdim=True)
        return is_y.to(x.dtype) * (with_dims(g, ctx.dims, ctx.keepdim) / m), None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        x, y = ctx.saved_tensors
        is_y = x == with_dims(y, ctx.dims, ctx.keepdim)
        dy = (is_y * upcast_half(dx)).sum(ctx.dims, ctx.keepdim) / is_y.sum(ctx.dims, ctx.keepdim)
        return dy.to(x.dtype)


class OneOfAllFunction(Function):
    """The max, min, median or nanmedian of all elements, by name; `OneOfAllFunction.apply(x, name)`.

    Except for nanmedian, a nan in x makes y nan. The gradient then goes to the nans.
    """

    @staticmethod
    def forward(x: Tensor, name: str) -> Tensor:
        y: Tensor = getattr(torch, name)(x)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, str], output: Tensor) -> None:
        x, _ = inputs
        ctx.save_for_backward(x, output)
        ctx.save_for_forward(x, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        x, y = ctx.saved_tensors
        is_y = _is(x, y)
        return is_y.to(x.dtype) * (g / is_y.sum()), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        x, y = ctx.saved_tensors
        is_y = _is(x, y)
        return ((is_y * upcast_half(dx)).sum() / is_y.sum()).to(x.dtype)


def _is(x: Tensor, y: Tensor) -> Tensor:
    is_y = x == y
    return is_y if plain(y) and y == y else is_y | ((x != x) & (y != y))  # the second term is for nan
