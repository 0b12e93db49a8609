"""The elementary functions: each class gives f and f′ as formulas and as code.

Some give the derivative of f′ with respect to its argument, x or y, as well: `d_dy_dx`, see _slope.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from manualgrad.functions._elementwise import Elementwise

__all__ = [
    "CosFunction",
    "ErfFunction",
    "ExpFunction",
    "Expm1Function",
    "Log1pFunction",
    "LogFunction",
    "ReciprocalFunction",
    "RsqrtFunction",
    "SinFunction",
    "SqrtFunction",
    "SquareFunction",
]


class ExpFunction(Elementwise):
    """y = eˣ, y′ = y."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.exp(x)

    @staticmethod
    def dy_dx(y: Tensor) -> Tensor:
        return y

    @staticmethod
    def d_dy_dx(y: Tensor) -> Tensor:
        return y.new_ones(())


class Expm1Function(Elementwise):
    """y = eˣ − 1, y′ = eˣ = y + 1."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.expm1(x)

    @staticmethod
    def dy_dx(y: Tensor) -> Tensor:
        return y + 1

    @staticmethod
    def d_dy_dx(y: Tensor) -> Tensor:
        return y.new_ones(())


class LogFunction(Elementwise):
    """y = log x. From x = eʸ, dx/dy = eʸ = x."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.log(x)

    @staticmethod
    def dx_dy(x: Tensor) -> Tensor:
        return x


class Log1pFunction(Elementwise):
    """y = log (1 + x). From x = eʸ − 1, dx/dy = eʸ = 1 + x."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.log1p(x)

    @staticmethod
    def dx_dy(x: Tensor) -> Tensor:
        return 1 + x


class SqrtFunction(Elementwise):
    """y = √x. From x = y², dx/dy = 2 y."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.sqrt(x)

    @staticmethod
    def dx_dy(y: Tensor) -> Tensor:
        return 2 * y


class RsqrtFunction(Elementwise):
    """y = x^(−1/2), y′ = −1/2 x^(−3/2) = −y³/2."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.rsqrt(x)

    @staticmethod
    def dy_dx(y: Tensor) -> Tensor:
        return -0.5 * y.pow(3)

    @staticmethod
    def d_dy_dx(y: Tensor) -> Tensor:
        return -1.5 * y * y


class ReciprocalFunction(Elementwise):
    """y = 1/x, y′ = −1/x² = −y²."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.reciprocal(x)

    @staticmethod
    def dy_dx(y: Tensor) -> Tensor:
        return -y * y

    @staticmethod
    def d_dy_dx(y: Tensor) -> Tensor:
        return -2 * y


class SquareFunction(Elementwise):
    """y = x², y′ = 2 x."""

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.square(x)

    @staticmethod
    def dy_dx(x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def d_dy_dx(x: Tensor) -> Tensor:
        return x.new_full((), 2)


class SinFunction(Elementwise):
    """y = sin x, y′ = cos x."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.sin(x)

    @staticmethod
    def dy_dx(x: Tensor) -> Tensor:
        return torch.cos(x)

    @staticmethod
    def d_dy_dx(x: Tensor) -> Tensor:
        return -torch.sin(x)


class CosFunction(Elementwise):
    """y = cos x, y′ = −sin x."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.cos(x)

    @staticmethod
    def dy_dx(x: Tensor) -> Tensor:
        return -torch.sin(x)

    @staticmethod
    def d_dy_dx(x: Tensor) -> Tensor:
        return -torch.cos(x)


class ErfFunction(Elementwise):
    """y = 2/√π ∫₀ˣ e^(−t²) dt. By the fundamental theorem of calculus, y′ = 2/√π e^(−x²)."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.erf(x)

    @staticmethod
    def dy_dx(x: Tensor) -> Tensor:
        return 2 / math.sqrt(math.pi) * torch.exp(-x * x)

    @staticmethod
    def d_dy_dx(x: Tensor) -> Tensor:
        return -4 / math.sqrt(math.pi) * x * torch.exp(-x * x)
