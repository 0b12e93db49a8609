"""Selections along a dimension: max and min, topk, sort, kthvalue, median and mode.

Forward. t is a place of y and u one of x along the dimension; the other dimensions are left out:

    y_t = x_index(t)

Backward. Let g_t = ∂C/∂y_t. No place is selected twice, so x_u occurs in at most one y:

    ∂C/∂x_u = g_t where u = index(t), and 0 where x_u is not selected        a scatter of g

If elements are equal, there is no derivative; the one that PyTorch's operator selects gets the gradient. Forward mode:
dy_t = dx_index(t), a gather.

Shapes: x [..., U, ...] to y and index [..., T, ...]. If one element is selected, T is 1 or the dimension is removed; for sort,
T is U.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import with_dims

__all__ = ["ExtremeAlongFunction", "KthvalueFunction", "MedianFunction", "ModeFunction", "SortFunction", "TopkFunction"]


class _PickedFunction(Function):
    """Base class; a subclass defines `forward(x, dim, ...)` with a non-negative dim, which returns y and index."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, ctx.dim, *others = inputs
        _, index = output
        ctx.mark_non_differentiable(index)
        ctx.set_materialize_grads(False)
        ctx.shape, ctx.keepdim, ctx.others = x.shape, index.dim() == x.dim(), len(others)
        ctx.save_for_backward(index)
        ctx.save_for_forward(index)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        dC_dx = None
        if g is not None:
            index, g = (with_dims(t, (ctx.dim,), ctx.keepdim) for t in (*ctx.saved_tensors, g))
            dC_dx = g.new_zeros(()).expand(ctx.shape).scatter(ctx.dim, index, g)  # the expanded zeros are copied
        return dC_dx, None, *[None] * ctx.others

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        dy = dx.gather(ctx.dim, with_dims(index, (ctx.dim,), ctx.keepdim))
        return dy if ctx.keepdim else dy.squeeze(ctx.dim), None


class ExtremeAlongFunction(_PickedFunction):
    """The maximum or the minimum; `ExtremeAlongFunction.apply(x, dim, keepdim, is_max)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, keepdim: bool, is_max: bool) -> tuple[Tensor, Tensor]:
        y, index = (torch.max if is_max else torch.min)(x, dim, keepdim)
        return y, index


class TopkFunction(_PickedFunction):
    """The k largest or smallest elements; `TopkFunction.apply(x, dim, k, largest, sorted)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, k: int, largest: bool, sorted: bool) -> tuple[Tensor, Tensor]:
        y, index = torch.topk(x, k, dim, largest, sorted)
        return y, index


class SortFunction(_PickedFunction):
    """All elements in ascending or descending order; `SortFunction.apply(x, dim, descending, stable)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, descending: bool, stable: bool) -> tuple[Tensor, Tensor]:
        y, index = torch.sort(x, dim=dim, descending=descending, stable=stable)
        return y, index


class KthvalueFunction(_PickedFunction):
    """The k-th smallest element; `KthvalueFunction.apply(x, dim, k, keepdim)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, k: int, keepdim: bool) -> tuple[Tensor, Tensor]:
        y, index = torch.kthvalue(x, k, dim, keepdim)
        return y, index


class MedianFunction(_PickedFunction):
    """The median, or the lower of two; `MedianFunction.apply(x, dim, keepdim, ignores_nan)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, keepdim: bool, ignores_nan: bool) -> tuple[Tensor, Tensor]:
        x = x.contiguous()  # PyTorch's operator reads the wrong memory of an expanded tensor
        y, index = (torch.nanmedian if ignores_nan else torch.median)(x, dim, keepdim)
        return y, index


class ModeFunction(_PickedFunction):
    """The most frequent element, or the smallest of several; `ModeFunction.apply(x, dim, keepdim)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, Tensor]:
        y, index = torch.mode(x, dim, keepdim)
        return y, index
