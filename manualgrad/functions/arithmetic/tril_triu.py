"""The lower or upper triangle of each matrix, and 0 elsewhere.

    y_ij = x_ij inside the triangle, 0 outside        ∂C/∂x_ij = g_ij inside, 0 outside

With g = ∂C/∂y, ∂C/∂x is the same triangle of g. Forward mode: dy is the same triangle of dx.

Shapes: x, y and g [..., n, m].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function

__all__ = ["TrilFunction", "TriuFunction"]


class TrilFunction(Function):
    """The lower triangle, up to and including a diagonal; `TrilFunction.apply(x, diagonal)`."""

    @staticmethod
    def forward(x: Tensor, diagonal: int) -> Tensor:
        return torch.tril(x, diagonal)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        _, ctx.diagonal = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return torch.tril(g, ctx.diagonal), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        return torch.tril(dx, ctx.diagonal)


class TriuFunction(Function):
    """The upper triangle, from a diagonal on; `TriuFunction.apply(x, diagonal)`."""

    @staticmethod
    def forward(x: Tensor, diagonal: int) -> Tensor:
        return torch.triu(x, diagonal)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        _, ctx.diagonal = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return torch.triu(g, ctx.diagonal), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        return torch.triu(dx, ctx.diagonal)
