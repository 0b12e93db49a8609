"""The concatenation of tensors along a dimension.

Each element of each tensor becomes one element of y and gets its gradient: with g = ∂C/∂y,

    ∂C/∂x⁽ⁱ⁾ = the part of g at the places of x⁽ⁱ⁾

Forward mode concatenates the tangents.

Shapes: x⁽ⁱ⁾ [..., n_i, ...] to y [..., Σ n_i, ...]. PyTorch accepts a tensor [0] beside tensors of any shape and ignores it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to

__all__ = ["CatFunction"]


class CatFunction(Function):
    """x⁽¹⁾, x⁽²⁾, ... concatenated along dim; `CatFunction.apply(dim, *tensors)`."""

    autocast = {"cpu": "widest"}  # noqa: RUF012

    @staticmethod
    def forward(dim: int, *tensors: Tensor) -> Tensor:
        return torch.cat(tensors, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.dim, *tensors = inputs
        ctx.forms, ctx.dtype = [tensor_meta(x) for x in tensors], output.dtype

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        gradients: list[Tensor | None] = []
        start = 0
        for x, x_needs_grad in zip(ctx.forms, ctx.needs_input_grad[1:], strict=True):
            n = x.shape[ctx.dim] if len(x.shape) == g.dim() else 0
            part = g.narrow(ctx.dim, start, n)
            gradients.append(unbroadcast_to(part if n else part.reshape(x.shape), x) if x_needs_grad else None)
            start += n
        return None, *gradients

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor | None) -> Tensor:
        like = next(t for t in tangents if t is not None)
        whole = [like.new_zeros(x.shape) if t is None else t for t, x in zip(tangents, ctx.forms, strict=True)]
        return torch.cat(whole, ctx.dim).to(ctx.dtype)
