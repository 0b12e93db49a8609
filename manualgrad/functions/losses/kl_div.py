"""The Kullback-Leibler divergence of the wanted distribution y from that whose logarithm is a, term by term.

    ℓ = y (log y − a)                     0 where y = 0, the limit
    ℓ = eᵗ (t − a)                        of t = log y

Backward:

    ∂ℓ/∂a = −y        ∂ℓ/∂y = log y − a + 1                  by the product rule, y (log y)′ = 1
    ∂ℓ/∂a = −eᵗ       ∂ℓ/∂t = eᵗ (t − a + 1)                 likewise

Forward mode: dℓ = ∂ℓ/∂a da + ∂ℓ/∂y dy.

Shapes: a, y or t, ℓ and the gradients are alike, any shape. (Kullback and Leibler, 1951.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from manualgrad.functions.losses._of_pairs import LossOfPairs

__all__ = ["KLDivFunction", "LogKLDivFunction"]


class KLDivFunction(LossOfPairs):
    """ℓ of y; `KLDivFunction.apply(a, y)`."""

    @staticmethod
    def forward(a: Tensor, y: Tensor) -> Tensor:
        return torch.xlogy(y, y) - y * a

    @staticmethod
    def dl_da(a: Tensor, y: Tensor) -> Tensor:
        return -y

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor) -> Tensor:
        return torch.log(y) - a + 1


class LogKLDivFunction(LossOfPairs):
    """ℓ of t; `LogKLDivFunction.apply(a, t)`."""

    @staticmethod
    def forward(a: Tensor, t: Tensor) -> Tensor:
        return torch.exp(t) * (t - a)

    @staticmethod
    def dl_da(a: Tensor, t: Tensor) -> Tensor:
        return -torch.exp(t)

    @staticmethod
    def dl_dy(a: Tensor, t: Tensor) -> Tensor:
        return torch.exp(t) * (t - a + 1)
