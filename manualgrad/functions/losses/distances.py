"""Losses of the distance d = a − y, element by element, which grow more slowly than its square.

    L1:         ℓ = |d|
    smooth L1:  ℓ = d²/(2 β) where |d| < β, else |d| − β/2
    Huber:      ℓ = d²/2 where |d| ≤ δ, else δ (|d| − δ/2)               δ times smooth L1 with β = δ

Backward. |d| has the slope sign d, with 0 at 0, as in PyTorch. The others are a parabola and two straight lines that meet with
the same slope: their derivatives are clamped.

    L1:         ∂ℓ/∂a = sign d
    smooth L1:  ∂ℓ/∂a = d/β, clamped between −1 and 1    Huber:  ∂ℓ/∂a = d, clamped between −δ and δ

and ∂ℓ/∂y = −∂ℓ/∂a, since d = a − y. Forward mode: dℓ = ∂ℓ/∂a (da − dy).

L1 also returns d and saves it, as PyTorch does, so that a and y may change in place before the backward. The gradient of d is
passed on to a, and its negative to y.

Shapes: a, y, ℓ and the gradients have the same shape, which is arbitrary. (Girshick, 2015; Huber, 1964.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.function.functorch import transforms_are_active
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to
from manualgrad.functions.losses._of_pairs import LossOfPairs, batched_alike

__all__ = ["HuberLossFunction", "L1LossFunction", "SmoothL1LossFunction"]

_NN: Any = torch._C._nn
_NONE = 0  # PyTorch's code for the reduction


class L1LossFunction(Function):
    """L1 loss, and d; `L1LossFunction.apply(a, y)`."""

    autocast = "float32"

    @staticmethod
    def forward(a: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        a, y = batched_alike(a, y) if transforms_are_active() else (a, y)
        d = torch.sub(a, y)
        return torch.abs(d), d

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        a, y = inputs
        _, d = output
        ctx.a, ctx.y = tensor_meta(a), tensor_meta(y)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(d)
        ctx.save_for_forward(d)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, g_d: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        (d,) = ctx.saved_tensors
        a_needs_grad, y_needs_grad = ctx.needs_input_grad
        if g is None and g_d is None:
            return None, None
        terms = [] if g is None else [torch.sign(d) * g]
        terms += [] if g_d is None else [g_d]
        dC_dd = sum(terms[1:], terms[0])
        return unbroadcast_to(dC_dd, ctx.a) if a_needs_grad else None, unbroadcast_to(-dC_dd, ctx.y) if y_needs_grad else None

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, dy: Tensor | None) -> tuple[Tensor, Tensor]:
        (d,) = ctx.saved_tensors
        da, dy = (torch.zeros_like(d) if t is None else t for t in (da, dy))
        return torch.sign(d) * (da - dy), da - dy


class SmoothL1LossFunction(LossOfPairs):
    """Smooth L1 loss; `SmoothL1LossFunction.apply(a, y, β)`, with β above 0."""

    @staticmethod
    def forward(a: Tensor, y: Tensor, beta: float) -> Tensor:
        a, y = batched_alike(a, y) if transforms_are_active() else (a, y)
        return _NN.smooth_l1_loss(a, y, _NONE, beta)

    @staticmethod
    def dl_da(a: Tensor, y: Tensor, beta: float) -> Tensor:
        return torch.clamp((a - y) / beta, -1, 1)

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor, beta: float) -> Tensor:
        return torch.clamp((y - a) / beta, -1, 1)


class HuberLossFunction(LossOfPairs):
    """Huber loss; `HuberLossFunction.apply(a, y, δ)`."""

    @staticmethod
    def forward(a: Tensor, y: Tensor, delta: float) -> Tensor:
        a, y = batched_alike(a, y) if transforms_are_active() else (a, y)
        return _NN.huber_loss(a, y, _NONE, delta)

    @staticmethod
    def dl_da(a: Tensor, y: Tensor, delta: float) -> Tensor:
        return torch.clamp(a - y, -delta, delta)

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor, delta: float) -> Tensor:
        return torch.clamp(y - a, -delta, delta)
