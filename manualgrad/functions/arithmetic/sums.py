"""The sum y = Σ x and the mean y = Σ x / M over some dimensions with M elements.

Let g = ∂C/∂y. Each x_i occurs in one y, with the factor 1 or 1/M:

    ∂C/∂x_i = ∂y/∂x_i · g = g        for the sum
    ∂C/∂x_i = g / M                  for the mean

Forward mode: dy = Σ dx, or Σ dx / M.

Shapes: x [..., M, ...] to y without the reduced dimensions, or with 1 in their place (`keepdim`).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import with_dims

__all__ = ["MeanFunction", "SumFunction"]


class SumFunction(Function):
    """Σ x; `SumFunction.apply(x, dims, keepdim)`, with non-negative dims."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
        return torch.sum(x, dims, keepdim) if dims else x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], bool], output: Tensor) -> None:
        x, ctx.dims, ctx.keepdim = inputs
        ctx.shape = x.shape

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        return with_dims(g, ctx.dims, ctx.keepdim).expand(ctx.shape), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return torch.sum(dx, ctx.dims, ctx.keepdim) if ctx.dims else dx.clone()


class MeanFunction(Function):
    """Σ x / M; `MeanFunction.apply(x, dims, keepdim)`, with non-negative dims."""

    @staticmethod
    def forward(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
        return torch.mean(x, dims, keepdim) if dims else x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...], bool], output: Tensor) -> None:
        x, ctx.dims, ctx.keepdim = inputs
        ctx.shape = x.shape

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        M = math.prod([ctx.shape[d] for d in ctx.dims])
        return with_dims(g / M, ctx.dims, ctx.keepdim).expand(ctx.shape), None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return torch.mean(dx, ctx.dims, ctx.keepdim) if ctx.dims else dx.clone()
