"""Losses of the distance d = a − y, element by element: less steep than its square where it is large.

    L1:         ℓ = |d|
    smooth L1:  ℓ = d²/(2 β) where |d| < β, else |d| − β/2
    Huber:      ℓ = d²/2 where |d| ≤ δ, else δ (|d| − δ/2)               δ times smooth L1 with β = δ

Backward. |d| has the slope sign d, for which 0 is taken at 0, as PyTorch does. The others are a parabola and two straight lines
that meet with the same slope: d between two bounds.

    L1:         ∂ℓ/∂a = sign d
    smooth L1:  ∂ℓ/∂a = d/β between −1 and 1            Huber:  ∂ℓ/∂a = d between −δ and δ

and ∂ℓ/∂y = −∂ℓ/∂a, as d is of a − y. Forward mode: dℓ = ∂ℓ/∂a (da − dy).

Shapes: a, y, ℓ and the gradients are alike, any shape. (Girshick, 2015; Huber, 1964.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions.losses._of_pairs import LossOfPairs, batched_alike

__all__ = ["HuberLossFunction", "L1LossFunction", "SmoothL1LossFunction"]


class L1LossFunction(LossOfPairs):
    """L1; `L1LossFunction.apply(a, y)`."""

    @staticmethod
    def forward(a: Tensor, y: Tensor) -> Tensor:
        return F.l1_loss(*batched_alike(a, y), reduction="none")

    @staticmethod
    def dl_da(a: Tensor, y: Tensor) -> Tensor:
        return torch.sign(a - y)

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor) -> Tensor:
        return torch.sign(y - a)


class SmoothL1LossFunction(LossOfPairs):
    """Smooth L1; `SmoothL1LossFunction.apply(a, y, β)`, with β above 0."""

    @staticmethod
    def forward(a: Tensor, y: Tensor, beta: float) -> Tensor:
        return F.smooth_l1_loss(*batched_alike(a, y), reduction="none", beta=beta)

    @staticmethod
    def dl_da(a: Tensor, y: Tensor, beta: float) -> Tensor:
        return torch.clamp((a - y) / beta, -1, 1)

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor, beta: float) -> Tensor:
        return torch.clamp((y - a) / beta, -1, 1)


class HuberLossFunction(LossOfPairs):
    """Huber's; `HuberLossFunction.apply(a, y, δ)`."""

    @staticmethod
    def forward(a: Tensor, y: Tensor, delta: float) -> Tensor:
        return F.huber_loss(*batched_alike(a, y), reduction="none", delta=delta)

    @staticmethod
    def dl_da(a: Tensor, y: Tensor, delta: float) -> Tensor:
        return torch.clamp(a - y, -delta, delta)

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor, delta: float) -> Tensor:
        return torch.clamp(y - a, -delta, delta)
