"""The windows of a line or an image laid side by side (unfold), and their sum (fold).

    unfold    y[window, place in it] = x[the window's start + the place]
    fold      x[u] = Σ y[window, place], over all windows and places that are at u

Each element of y is one element of x, which may be in several windows. With g = ∂C/∂y,

    ∂C/∂x_u = Σ g[window, place] over those at u        that is fold(g)

fold is a sum, so each y gets the gradient of its x: with g = ∂C/∂x, ∂C/∂y = unfold(g). Each is the transpose of the other.

Forward mode. Both are linear: dy = unfold(dx), dx = fold(dy).

Shapes: x [N, C, H, W], or without N; y [N, C k_H k_W, number of windows]. Along one dimension, the windows are a view: x
[..., n, ...] and y [..., number of windows, ..., size].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function

__all__ = ["FoldFunction", "UnfoldFunction", "WindowsFunction"]

_unfold: Any = torch._C._nn.im2col
_fold: Any = torch._C._nn.col2im


class UnfoldFunction(Function):
    """The windows of x; `UnfoldFunction.apply(x, kernel, dilation, padding, stride)`, with sizes as lists of two numbers."""

    @staticmethod
    def forward(x: Tensor, *windows: Sequence[int]) -> Tensor:
        return _unfold(x, *windows)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, *ctx.windows = inputs
        ctx.size = x.shape[-2:]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return _fold(g, ctx.size, *ctx.windows), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return _unfold(dx, *ctx.windows)


class FoldFunction(Function):
    """The sum of the windows y; `FoldFunction.apply(y, size, kernel, dilation, padding, stride)`, with sizes as lists."""

    @staticmethod
    def forward(y: Tensor, size: Sequence[int], *windows: Sequence[int]) -> Tensor:
        return _fold(y, size, *windows)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.size, *ctx.windows = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return _unfold(g, *ctx.windows), None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dy: Tensor, *_: None) -> Tensor:
        return _fold(dy, ctx.size, *ctx.windows)


class WindowsFunction(Function):
    """The windows along a dimension, as a view, like Tensor.unfold; `WindowsFunction.apply(x, dim, size, step)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, size: int, step: int) -> Tensor:
        return x.unfold(dim, size, step)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, int, int], output: Tensor) -> None:
        x, ctx.dim, ctx.size, ctx.step = inputs
        ctx.shape = x.shape
        ctx._is_pure_view = True  # so autograd allows in-place changes of x and y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        starts = torch.arange(g.shape[ctx.dim], device=g.device) * ctx.step
        u = (starts[:, None] + torch.arange(ctx.size, device=g.device)).reshape(-1)
        side_by_side = g.movedim(-1, ctx.dim + 1).flatten(ctx.dim, ctx.dim + 1)
        return g.new_zeros(ctx.shape).index_add(ctx.dim, u, side_by_side), None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return dx.unfold(ctx.dim, ctx.size, ctx.step)
