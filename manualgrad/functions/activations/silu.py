"""SiLU, also called swish, a = z σ(z), and Mish, a = z tanh(softplus(z)), element by element: z through a gate.

SiLU, backward. By the product rule, with σ′ = σ (1 − σ) (see sigmoid.py):

    da/dz = σ + z σ (1 − σ) = a + σ (1 − a)                     linear interpolation from a to 1 with weight σ

Mish, backward. With the gate h = tanh u, u = softplus(z) = log(1 + eᶻ), and du/dz = eᶻ/(1 + eᶻ) = σ, dh/du = 1 − h²:

    da/dz = h + z (1 − h²) σ

    delta = ∂C/∂z = ∂C/∂a da/dz

Second derivatives, by the product rule again, with σ″ = σ′ (1 − 2σ) and, for the gate, h′ = (1 − h²) σ, so that
h″ = −2 h h′ σ + (1 − h²) σ (1 − σ) = h′ (1 − σ − 2 h σ):

    SiLU:  2σ′ + z σ″ = σ′ (2 + z (1 − 2σ))
    Mish:  2h′ + z h″ = h′ (2 + z (1 − σ − 2 h σ))

Forward mode: da = da/dz dz.

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary. (Ramachandran, Zoph and Le, 2017; Misra, 2019.)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions._elementwise import Elementwise

__all__ = ["MishFunction", "SiLUFunction"]


class SiLUFunction(Elementwise):
    """a = z σ(z); `SiLUFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return F.silu(z)

    @staticmethod
    def dy_dx(z: Tensor) -> Tensor:
        s = torch.sigmoid(z)
        return torch.lerp(z * s, s.new_ones(()), s)

    @staticmethod
    def d_dy_dx(z: Tensor) -> Tensor:
        s = torch.sigmoid(z)
        return s * (1 - s) * (2 + z * (1 - 2 * s))


class MishFunction(Elementwise):
    """a = z tanh(softplus(z)); `MishFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return F.mish(z)

    @staticmethod
    def dy_dx(z: Tensor) -> Tensor:
        h = torch.tanh(F.softplus(z))
        return torch.addcmul(h, z * torch.sigmoid(z), 1 - h * h)

    @staticmethod
    def d_dy_dx(z: Tensor) -> Tensor:
        h, s = torch.tanh(F.softplus(z)), torch.sigmoid(z)
        return (1 - h * h) * s * (2 + z * (1 - s - 2 * h * s))
