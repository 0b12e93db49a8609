"""Activations of straight lines and a parabola, element by element, which approximate smooth ones at a lower cost.

    hardtanh:     a = z, clamped between l and h                           ReLU6 clamps between 0 and 6
    hardsigmoid:  a = z/6 + 1/2, clamped between 0 and 1                   linear for z between −3 and 3
    hardswish:    a = z hardsigmoid(z)

Backward:

    hardtanh:     da/dz = 1 where l < z < h, else 0                        exactly where l < a < h
    hardsigmoid:  da/dz = 1/6 where −3 < z < 3, else 0
    hardswish:    da/dz = 0 where z ≤ −3, 1 where z ≥ 3, else z/3 + 1/2, the derivative of z²/6 + z/2

At the ends of a piece the derivative does not exist; the values above are PyTorch's.

    delta = ∂C/∂z = ∂C/∂a da/dz

The 0 is selected, not multiplied: ∂C/∂a can be infinite where a does not change, and 0 · ∞ is nan (see relu.py).

Forward mode: da = da/dz dz.

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary. (Howard et al., 2019.)
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions._elementwise import Elementwise
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.activations._masks import between

__all__ = ["HardsigmoidFunction", "HardswishFunction", "HardtanhFunction", "HardtanhInPlaceFunction"]


class HardtanhFunction(Elementwise):
    """a = z, clamped between l and h; `HardtanhFunction.apply(z, l, h)`."""

    @staticmethod
    def forward(z: Tensor, low: float, high: float) -> Tensor:
        return F.hardtanh(z, low, high)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor, low: float, high: float) -> Tensor:
        return between(low, high, upcast_half(z), t)


class HardtanhInPlaceFunction(Elementwise):
    """Hardtanh that saves a, so that z may be overwritten; z's dtype must represent l and h exactly."""

    forward = HardtanhFunction.forward
    forward_in_place = staticmethod(F.hardtanh_)

    @staticmethod
    def times_dy_dx(t: Tensor, y: Tensor, low: float, high: float) -> Tensor:
        return between(low, high, upcast_half(y), t)


class HardsigmoidFunction(Elementwise):
    """a = z/6 + 1/2, clamped between 0 and 1; `HardsigmoidFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return F.hardsigmoid(z)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor) -> Tensor:
        return between(-3, 3, upcast_half(z), t / 6)


class HardswishFunction(Elementwise):
    """a = z hardsigmoid(z); `HardswishFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return F.hardswish(z)

    @staticmethod
    def is_flat(z: Tensor) -> Tensor:
        return z <= -3

    @staticmethod
    def dy_dx(z: Tensor) -> Tensor:
        u = F.threshold(-F.threshold(z, -3, -1.5), -3, -1.5)  # −z, but 1.5 for z ≤ −3 and −1.5 for z ≥ 3
        return (1.5 - u) / 3
