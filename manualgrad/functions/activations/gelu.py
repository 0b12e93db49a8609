"""GELU, a = z Φ(z), element by element: z times the probability Φ(z) that a standard normal variable is below z.

    Φ(z) = (1 + erf u) / 2,   u = z/√2             erf u = 2/√π ∫₀ᵘ e^(−t²) dt

Backward. By the product rule, and by the fundamental theorem of calculus:

    dΦ/dz = 1/2 · 2/√π e^(−u²) · 1/√2
    da/dz = Φ + z dΦ/dz = 1/2 + 1/2 (erf u + 2/√π u e^(−u²))

approximate="tanh" replaces erf with a tanh, which gives the sigmoid, since (1 + tanh v)/2 = σ(2v):

    a = z σ(u),   u = 2 √(2/π) (z + 0.044715 z³)
    da/dz = σ(u) + z σ(u) (1 − σ(u)) du/dz,   du/dz = 2 √(2/π) (1 + 3 · 0.044715 z²)

    delta = ∂C/∂z = ∂C/∂a da/dz

Second derivatives. The density φ = dΦ/dz = e^(−z²/2)/√(2π) has dφ/dz = −z φ, and σ′ = σ (1 − σ), σ″ = σ′ (1 − 2σ):

    2φ + z dφ/dz = (2 − z²) φ
    tanh:  2σ′ du/dz + z (σ″ (du/dz)² + σ′ d²u/dz²),   d²u/dz² = 2 √(2/π) · 6 · 0.044715 z

Forward mode: da = da/dz dz.

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary. (Hendrycks and Gimpel, 2016.)
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions._elementwise import Elementwise

__all__ = ["GELUFunction"]

_SCALE, _CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715


class GELUFunction(Elementwise):
    """a = z Φ(z); `GELUFunction.apply(z, approximate)`, with approximate "none" or "tanh"."""

    @staticmethod
    def forward(z: Tensor, approximate: str) -> Tensor:
        return F.gelu(z, approximate=approximate)

    @staticmethod
    def dy_dx(z: Tensor, approximate: str) -> Tensor:
        if approximate == "tanh":
            z_squared = z * z
            s = torch.sigmoid(z * (_SCALE + _SCALE * _CUBIC * z_squared))
            return torch.addcmul(s, z * s * (1 - s), _SCALE + 3 * _SCALE * _CUBIC * z_squared)
        u = z * math.sqrt(0.5)
        bell = torch.exp(-(u * u))
        return torch.addcmul(torch.erf(u), u, bell, value=2 / math.sqrt(math.pi)) * 0.5 + 0.5

    @staticmethod
    def d_dy_dx(z: Tensor, approximate: str) -> Tensor:
        z_squared = z * z
        if approximate == "tanh":
            s = torch.sigmoid(z * (_SCALE + _SCALE * _CUBIC * z_squared))
            du_dz = _SCALE + 3 * _SCALE * _CUBIC * z_squared
            return s * (1 - s) * (2 * du_dz + z * (1 - 2 * s) * du_dz * du_dz + 6 * _SCALE * _CUBIC * z_squared)
        return torch.exp(z_squared * -0.5) * (2 - z_squared) / math.sqrt(2 * math.pi)
