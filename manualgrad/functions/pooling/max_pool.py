"""The largest element of each window of a line, a plane or a volume.

Forward. t is a place of the output y and u one of the input x, both in one channel of one example:

    y_t = max over the u of window t of x_u = x_index(t)

Backward. Let delta_t = ∂C/∂y_t. y_t is one element of x and does not depend on the others:

    ∂y_t/∂x_u = 1 where u = index(t), and 0 elsewhere

Windows may overlap, so an element can be the largest of several, and the paths are summed:

    ∂C/∂x_u = Σ_t ∂y_t/∂x_u delta_t = Σ_(t: index(t) = u) delta_t       a scatter-add

If two elements are equally large, there is no derivative; the first one gets the gradient, as in PyTorch.

Forward mode: dy_t = dx_index(t), a gather.

Shapes: x and ∂C/∂x [..., U_1, ..., U_n], with n = 2 or 3; y, delta and index [..., T_1, ..., T_n]; index(t) counts the
places row by row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.pooling._channels_last import channels_are_last, with_channels_last

__all__ = ["MaxPoolFunction"]

_MAX_POOL: dict[int, Any] = {2: torch._C._nn.max_pool2d_with_indices, 3: torch._C._nn.max_pool3d_with_indices}


class MaxPoolFunction(Function):
    """y and index; `MaxPoolFunction.apply(x, kernel, stride, padding, dilation, ceil_mode)`, with sizes as lists."""

    constant_slope = True

    @staticmethod
    def forward(
        x: Tensor,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        ceil_mode: bool,
    ) -> tuple[Tensor, Tensor]:
        y, index = _MAX_POOL[len(kernel)](x, kernel, stride, padding, dilation, ceil_mode)
        return y, index

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, kernel, stride, _, dilation, _ = inputs
        _, index = output
        ctx.mark_non_differentiable(index)
        ctx.set_materialize_grads(False)
        ctx.sides = x.shape[-len(kernel) :]
        ctx.overlap = any((k - 1) * d >= s for k, s, d in zip(kernel, stride, dilation, strict=True))
        ctx.save_for_backward(index, x)  # saves x like PyTorch, for constant_slope
        ctx.save_for_forward(index)

    @staticmethod
    def backward(ctx: Any, delta: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        index, _ = ctx.saved_tensors
        if delta is None:
            return (None,) * 6
        n = len(ctx.sides)
        if channels_are_last(index, n):
            dC_dx = with_channels_last(lambda delta, index: _scattered(delta, index, 1, ctx), delta, index)
        else:
            dC_dx = _scattered(delta, index, index.dim() - n, ctx)
        return dC_dx, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        first = index.dim() - len(ctx.sides)
        return _flat(dx, first, ctx).gather(first, _flat(index, first, ctx)).reshape(index.shape), None


def _scattered(delta: Tensor, index: Tensor, first: int, ctx: Any) -> Tensor:
    """Return Σ_(t: index(t) = u) delta_t for each place u, for sides that are the dimensions from `first` on."""
    index_t, delta_t = _flat(index, first, ctx), _flat(delta, first, ctx)
    if ctx.overlap:
        delta_t = upcast_half(delta_t)  # torch's scatter_add upcasts by itself only on the CPU
    before, after = delta.shape[:first], delta.shape[first + len(ctx.sides) :]
    zeros = delta_t.new_zeros(*before, math.prod(ctx.sides), *after)
    return zeros.scatter_add_(first, index_t, delta_t).reshape(*before, *ctx.sides, *after).to(delta.dtype)


def _flat(t: Tensor, first: int, ctx: Any) -> Tensor:
    """Flatten the sides of t, its dimensions from `first` on, into one."""
    # Tensor.flatten fails under is_grads_batched=True.
    last = first + len(ctx.sides)
    return t.reshape(*t.shape[:first], math.prod(t.shape[first:last]), *t.shape[last:])
