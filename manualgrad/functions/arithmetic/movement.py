"""Operations that copy elements to new places: expand, pad, flip, roll, gather and indexing.

Each y_i is a constant, or x_k where k depends only on i. With g = ∂C/∂y, the gradient of x_k is the sum of g_i over all places
i that x_k is copied to: none, one or several.

    ∂C/∂x_k = Σ_{i: y_i = x_k} g_i        dy_i = dx_k

Shapes: y and g have the shape that the operation returns; ∂C/∂x has the shape of x.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to

__all__ = [
    "ExpandFunction",
    "FlipFunction",
    "GatherFunction",
    "IndexFunction",
    "IndexSelectFunction",
    "PadByIndexFunction",
    "PadFunction",
    "RollFunction",
]


class ExpandFunction(Function):
    """x repeated along dimensions of size 1 and new leading ones, as a view; `ExpandFunction.apply(x, shape)`."""

    @staticmethod
    def forward(x: Tensor, shape: tuple[int, ...]) -> Tensor:
        return x.expand(shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...]], output: Tensor) -> None:
        x, ctx.shape = inputs
        ctx.x = tensor_meta(x)
        ctx._is_pure_view = True  # so autograd allows in-place changes of x and y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return unbroadcast_to(g, ctx.x), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        return dx.expand(ctx.shape)


class PadFunction(Function):
    """x padded with a number; `PadFunction.apply(x, pad, value)`, with pad as in F.pad. Negative padding crops."""

    @staticmethod
    def forward(x: Tensor, pad: tuple[int, ...], value: Any) -> Tensor:
        return F.pad(x, pad, value=value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], Any], output: Tensor) -> None:
        _, ctx.pad, _ = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        return F.pad(g, tuple(-n for n in ctx.pad)), None, None  # crops the padding, and pads with 0 where x was cropped

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return F.pad(dx, ctx.pad)


class FlipFunction(Function):
    """x in reverse order along some dimensions; `FlipFunction.apply(x, dims)`. Flipping again undoes it."""

    @staticmethod
    def forward(x: Tensor, dims: tuple[int, ...]) -> Tensor:
        return torch.flip(x, dims)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...]], output: Tensor) -> None:
        _, ctx.dims = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return torch.flip(g, ctx.dims), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        return torch.flip(dx, ctx.dims)


class RollFunction(Function):
    """x rolled along some dimensions; `RollFunction.apply(x, shifts, dims)`. Rolling back undoes it."""

    @staticmethod
    def forward(x: Tensor, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Tensor:
        return torch.roll(x, shifts, dims)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], tuple[int, ...]], output: Tensor) -> None:
        _, ctx.shifts, ctx.dims = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        return torch.roll(g, tuple(-n for n in ctx.shifts), ctx.dims), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return torch.roll(dx, ctx.shifts, ctx.dims)


class GatherFunction(Function):
    """The elements of x at `index` along a dimension, like torch.gather; `GatherFunction.apply(x, dim, index)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, index: Tensor) -> Tensor:
        return torch.gather(x, dim, index)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, Tensor], output: Tensor) -> None:
        x, ctx.dim, index = inputs
        ctx.shape = x.shape
        ctx.save_for_backward(index)
        ctx.save_for_forward(index)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return g.new_zeros(ctx.shape).scatter_add(ctx.dim, index, g), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        (index,) = ctx.saved_tensors
        return torch.gather(dx, ctx.dim, index)


class IndexSelectFunction(Function):
    """The slices of x at `index` along a dimension, like torch.index_select; `IndexSelectFunction.apply(x, dim, index)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, index: Tensor) -> Tensor:
        return torch.index_select(x, dim, index)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, Tensor], output: Tensor) -> None:
        x, ctx.dim, index = inputs
        ctx.shape = x.shape
        ctx.save_for_backward(index)
        ctx.save_for_forward(index)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        index, *_ = ctx.saved_tensors
        return g.new_zeros(ctx.shape).index_add(ctx.dim, index, g), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        (index,) = ctx.saved_tensors
        return torch.index_select(dx, ctx.dim, index)


class PadByIndexFunction(IndexSelectFunction):
    """Padding of x with its own slices. The gradient's derivative with respect to x is 0, as in PyTorch, not None."""

    constant_slope = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, Tensor], output: Tensor) -> None:
        x, ctx.dim, index = inputs
        ctx.shape = x.shape
        ctx.save_for_backward(index, x)
        ctx.save_for_forward(index)


class IndexFunction(Function):
    """y = x[indices], where an index is a tensor, or None for a whole dimension; `IndexFunction.apply(x, *indices)`."""

    @staticmethod
    def forward(x: Tensor, *indices: Tensor | None) -> Tensor:
        return torch.ops.aten.index(x, indices)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, *indices = inputs
        ctx.shape = x.shape
        ctx.save_for_backward(*indices)
        ctx.save_for_forward(*indices)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        indices = ctx.saved_tensors
        return torch.ops.aten.index_put(g.new_zeros(ctx.shape), indices, g, True), *(None for _ in indices)

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return torch.ops.aten.index(dx, ctx.saved_tensors)
