"""Operations that move numbers and leave each as it is: repeated, padded, turned round, picked out.

y_i = x_k for one k that depends on i alone, or a constant. With g = ∂C/∂y, the derivative of x_k is the sum of the g_i of all
places that it went to: none, one, or several.

    ∂C/∂x_k = Σ_{i: y_i = x_k} g_i        dy_i = dx_k

Shapes: those of the operation; ∂C/∂x has x's.
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
    """x repeated along dimensions of 1 and new ones in front, as a view; `ExpandFunction.apply(x, shape)`."""

    @staticmethod
    def forward(x: Tensor, shape: tuple[int, ...]) -> Tensor:
        return x.expand(shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...]], output: Tensor) -> None:
        x, ctx.shape = inputs
        ctx.x = tensor_meta(x)
        ctx._is_pure_view = True  # autograd lets x and y change in place afterwards

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return unbroadcast_to(g, ctx.x), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        return dx.expand(ctx.shape)


class PadFunction(Function):
    """x with a number put around it; `PadFunction.apply(x, pad, value)`, pad as for F.pad. What is negative cuts off."""

    @staticmethod
    def forward(x: Tensor, pad: tuple[int, ...], value: Any) -> Tensor:
        return F.pad(x, pad, value=value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], Any], output: Tensor) -> None:
        _, ctx.pad, _ = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        return F.pad(g, tuple(-n for n in ctx.pad)), None, None  # the padding is cut off, and what was cut off gets 0

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return F.pad(dx, ctx.pad)


class FlipFunction(Function):
    """x in the opposite order along some dimensions; `FlipFunction.apply(x, dims)`. To turn it round again undoes it."""

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
    """x moved round along dimensions; `RollFunction.apply(x, shifts, dims)`. To move it back undoes it."""

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
    """y = x at these places along a dimension, as torch.gather; `GatherFunction.apply(x, dim, index)`."""

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
    """y = the slices of x of these numbers; `IndexSelectFunction.apply(x, dim, index)`."""

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
    """The same, around x its own slices; a gradient's derivative by x is then 0, as PyTorch has it, and not missing."""

    constant_slope = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, Tensor], output: Tensor) -> None:
        x, ctx.dim, index = inputs
        ctx.shape = x.shape
        ctx.save_for_backward(index, x)
        ctx.save_for_forward(index)


class IndexFunction(Function):
    """y = x[indices], the indices being tensors, or None for a whole dimension; `IndexFunction.apply(x, *indices)`."""

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
