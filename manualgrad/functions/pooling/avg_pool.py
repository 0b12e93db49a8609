"""The average of each window of a line, a plane or a volume.

Forward. Along one side, window t begins at place t s − p and has length k, with s the stride, p the padding and k the kernel
size. Over several sides, a window is the product of one interval per side:

    y_t = Σ_(u in window t) x_u / N_t

N_t is the number of places in the window. `count_include_pad` decides whether the padding counts; places beyond the padding,
which `ceil_mode` can reach, never count. A `divisor`, if given, replaces N_t.

Backward. Let delta_t = ∂C/∂y_t. x_u occurs, with the factor 1/N_t, in each y_t whose window holds u:

    ∂C/∂x_u = Σ_(t: u in window t) delta_t / N_t,        u in window t ⟺ u + p − k < t s ≤ u + p

So let delta_t / N_t stand at place t s, with zeros between: the gradient of x_u is the sum over the window of k places that
ends at u + p. The backward is a sum over windows of stride 1, which is the forward operator with 1 as the divisor.

If the windows tile x, so that each x_u is in only one, delta / N is repeated over each window.

Forward mode. y is linear in x: dy is the average of dx.

Shapes: x and ∂C/∂x [..., U_1, ..., U_n], with n = 2 or 3; y and delta [..., T_1, ..., T_n].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from manualgrad import _fused
from manualgrad.function import Function
from manualgrad.functions._chunked import unrecorded
from manualgrad.functions.pooling._channels_last import channels_are_last, repeated, with_channels_last

__all__ = ["AvgPoolFunction"]

_AVG_POOL: dict[int, Any] = {2: torch._C._nn.avg_pool2d, 3: torch._C._nn.avg_pool3d}


class AvgPoolFunction(Function):
    """y; `AvgPoolFunction.apply(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor)`.

    kernel, stride and padding are lists of n integers; divisor is an integer or None.
    """

    constant_slope = True

    @staticmethod
    def forward(
        x: Tensor,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        ceil_mode: bool,
        count_include_pad: bool,
        divisor: int | None,
    ) -> Tensor:
        y: Tensor = _AVG_POOL[len(kernel)](x, kernel, stride, padding, ceil_mode, count_include_pad, divisor)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.kernel, ctx.stride, ctx.padding, *_ = inputs
        ctx.how = inputs[1:]
        n = len(ctx.kernel)
        ctx.U, ctx.T = x.shape[-n:], output.shape[-n:]
        ctx.save_for_backward(x)  # like PyTorch, for constant_slope

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        side_by_side = _side_by_side(ctx)
        delta = delta / (_N_of_whole(ctx) if side_by_side else _N(ctx, delta))
        if side_by_side:
            dC_dx = repeated(delta, ctx.kernel)
        elif _fused.is_fusing() and (found := _over_windows_fused(delta, ctx)) is not None:
            dC_dx = found
        else:
            dC_dx = _sums(_spread(delta, ctx), ctx.kernel)
        return dC_dx, None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return AvgPoolFunction.forward(dx, *ctx.how)


def _side_by_side(ctx: Any) -> bool:
    """Return whether the windows tile x, so that each place is in only one."""
    sides = zip(ctx.T, ctx.U, ctx.kernel, ctx.stride, ctx.padding, strict=True)
    return all(t * k == u and p == 0 and (t == 1 or s == k) for t, u, k, s, p in sides)


def _N_of_whole(ctx: Any) -> int:
    """Return the divisor for the windows if all lie within x."""
    *_, divisor = ctx.how
    return math.prod(ctx.kernel) if divisor is None else divisor


def _N(ctx: Any, like: Tensor) -> Any:
    """Return the divisor for each window, a number or [T_1, ..., T_n]."""
    kernel, stride, padding, _, count_include_pad, divisor = ctx.how
    if divisor is not None:
        return divisor
    N = torch.ones((), dtype=like.dtype, device=like.device)
    for windows, places, k, s, p in zip(ctx.T, ctx.U, kernel, stride, padding, strict=True):
        begin = torch.arange(windows, device=like.device) * s - p
        end = (begin + k).clamp(max=places + p)
        if not count_include_pad:
            begin, end = begin.clamp(min=0), end.clamp(max=places)
        N = N.unsqueeze(-1) * (end - begin)
    return N


def _over_windows_fused(delta: Tensor, ctx: Any) -> Tensor | None:
    """Sum delta over the windows of each place of x by a compiled kernel, for two sides."""
    (x,) = ctx.saved_tensors
    sides = *ctx.T, *ctx.U
    if len(sides) != 4 or min(sides) < 2 or not unrecorded(delta, x):
        return None
    numbers = tuple(ctx.kernel), tuple(ctx.stride), tuple(ctx.padding)
    if x.is_contiguous():
        images = delta.reshape(-1, *ctx.T), x.view(-1, *ctx.U)
        shapes = ("ABC", "ADE") if len(images[0]) > 1 else ("1BC", "1DE")
        found = _fused.run(_over_windows, shapes, images, numbers)
        return None if found is None else found[0].view(x.shape)
    if channels_are_last(x, 2) and x.dim() == 4 and min(x.shape[:2]) > 1:
        images = delta.permute(0, 2, 3, 1), x.permute(0, 2, 3, 1)
        found = _fused.run(_over_windows, ("ABCD", "AEFD"), images, numbers)
        return None if found is None else found[0].permute(0, 3, 1, 2)
    return None


def _over_windows(delta: Tensor, x: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> Tensor:
    """Sum over the windows t of each place u, of which the last is (u + p) // s."""
    for i, (k, s, p) in enumerate(zip(kernel, stride, padding, strict=True), 1):
        T, u = delta.shape[i], torch.arange(x.shape[i], device=x.device) + p
        along_i = (-1, *[1] * (x.dim() - 1 - i))
        terms = []
        for j in range(-(-k // s)):
            t = torch.div(u, s, rounding_mode="floor") - j
            holds_u = (t >= 0) & (t < T) & (u - t * s < k)
            terms.append(torch.where(holds_u.view(along_i), delta.index_select(i, t.clamp(0, T - 1)), 0))
        delta = sum(terms[1:], terms[0])
    return delta


def _spread(delta: Tensor, ctx: Any) -> Tensor:
    """Put delta_t at place t s of each side, and pad with zeros so that the first window of k places is the one of x_0."""
    n = len(ctx.T)
    if channels_are_last(delta, n):
        return with_channels_last(lambda delta: _spread_from(1, delta, ctx), delta)
    return _spread_from(delta.dim() - n, delta, ctx)


def _spread_from(first: int, delta: Tensor, ctx: Any) -> Tensor:
    """Do the same for sides that are the dimensions from `first` on."""
    for i, (t, u, k, s, p) in enumerate(zip(ctx.T, ctx.U, ctx.kernel, ctx.stride, ctx.padding, strict=True), first):
        if s > 1:
            spread = _padded(delta.unsqueeze(i + 1), i + 1, 0, s - 1)
            delta = spread.reshape(*delta.shape[:i], t * s, *delta.shape[i + 1 :])
        before = k - 1 - p
        delta = _padded(delta, i, before, u + k - 1 - before - t * s)
    return delta


def _padded(t: Tensor, dim: int, before: int, after: int) -> Tensor:
    return pad(t, [0, 0] * (t.dim() - 1 - dim) + [before, after]) if before or after else t


def _sums(x: Tensor, kernel: Sequence[int]) -> Tensor:
    """Sum over each window of k places."""
    return AvgPoolFunction.forward(x, kernel, [1] * len(kernel), [0] * len(kernel), False, True, 1)
