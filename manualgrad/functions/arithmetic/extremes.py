"""The largest number y = max x, or the smallest, over some dimensions.

Where one number alone is the largest, it passes its change on, and the others have none: ∂y/∂x_i = 1 for it, else 0. Where
m are the largest, there is no derivative; 1/m is taken for each of them, as PyTorch does.

    ∂C/∂x_i = [x_i = y] g / m        m = Σ_i [x_i = y], g = ∂C/∂y

Forward mode: dy = Σ_i [x_i = y] dx_i / m.

The largest along a single dimension, with its index, is one that is picked out (movement.py, torch.gather), and so are sorted
numbers and the k largest.

Shapes: x any; y and g without the dimensions, or with 1 in their place; ∂C/∂x that of x.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._form import with_dims

__all__ = ["ExtremeFunction"]


class ExtremeFunction(Function):
    """`ExtremeFunction.apply(x, dims, keepdim, is_max)`."""

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
        g = with_dims(g, ctx.dims, ctx.keepdim)
        return _share(x, with_dims(y, ctx.dims, ctx.keepdim), ctx.dims) * g, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        x, y = ctx.saved_tensors
        share = _share(x, with_dims(y, ctx.dims, ctx.keepdim), ctx.dims)
        return (share * dx).sum(ctx.dims, ctx.keepdim) if ctx.dims else share * dx


def _share(x: Tensor, y: Tensor, dims: tuple[int, ...]) -> Tensor:
    """[x = y] / m."""
    is_y = ((x == y) | (x.isnan() & y.isnan())).to(x.dtype)
    return is_y / is_y.sum(dims, keepdim=True) if dims else is_y
