"""Softplus, a = log(1 + e^(β z)) / β, and the logarithm of the sigmoid, a = log σ(z) = −log(1 + e⁻ᶻ), element by element.

Backward. The outer derivative is 1/(1 + e^...), the inner one e^... times its factor, and eᵘ/(1 + eᵘ) = σ(u):

    softplus:     da/dz = 1/β · e^(β z) / (1 + e^(β z)) · β = σ(β z)
    log-sigmoid:  da/dz = e⁻ᶻ / (1 + e⁻ᶻ) = σ(−z)

Where β z is above a threshold, softplus returns a = z, as in PyTorch, and da/dz = 1.

    delta = ∂C/∂z = ∂C/∂a da/dz

Second derivative of log-sigmoid: d/dz σ(−z) = −σ(−z) (1 − σ(−z)) = −σ(−z) σ(z).

Forward mode: da = da/dz dz.

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions._elementwise import Elementwise
from manualgrad.functions._upcast import upcast_half

__all__ = ["LogSigmoidFunction", "SoftplusFunction"]


class SoftplusFunction(Elementwise):
    """a = log(1 + e^(β z)) / β; `SoftplusFunction.apply(z, β, threshold)`."""

    autocast = {"cuda": "float32"}  # noqa: RUF012
    constant_slope = False

    @staticmethod
    def forward(z: Tensor, beta: float, threshold: float) -> Tensor:
        return F.softplus(z, beta, threshold)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor, beta: float, threshold: float) -> Tensor:
        u = beta * upcast_half(z)
        return torch.where(u > threshold, t, t * torch.sigmoid(u))


class LogSigmoidFunction(Elementwise):
    """a = log σ(z); `LogSigmoidFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return F.logsigmoid(z)

    @staticmethod
    def dy_dx(z: Tensor) -> Tensor:
        return torch.sigmoid(-z)

    @staticmethod
    def d_dy_dx(z: Tensor) -> Tensor:
        return -torch.sigmoid(z) * torch.sigmoid(-z)
