"""The hyperbolic tangent, a = tanh z = (eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ), element by element.

Backward. Numerator and denominator are each other's derivatives, so by the quotient rule

    da/dz = ((eᶻ + e⁻ᶻ)² − (eᶻ − e⁻ᶻ)²) / (eᶻ + e⁻ᶻ)² = 1 − a²

    delta = ∂C/∂z = ∂C/∂a (1 − a²)

The derivative needs only the output a, so only a is saved. Its own derivative with respect to a is −2a.

Forward mode: da = (1 − a²) dz. Complex numbers: the derivative enters the backward conjugated (see linear.py).

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from manualgrad.functions._elementwise import Elementwise

__all__ = ["TanhFunction"]


class TanhFunction(Elementwise):
    """a = tanh z; `TanhFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return torch.tanh(z)

    forward_in_place = staticmethod(torch.tanh_)

    @staticmethod
    def dy_dx(y: Tensor) -> Tensor:
        return torch.addcmul(y.new_ones(()), y, y, value=-1)  # 1 − y² in one pass over memory

    @staticmethod
    def d_dy_dx(y: Tensor) -> Tensor:
        return -2 * y
