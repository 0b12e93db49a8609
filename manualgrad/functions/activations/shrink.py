"""Activations that replace some numbers with a constant, or shrink them towards 0, element by element.

    hardshrink:  a = z where |z| > λ, else 0                        λ ≥ 0
    softshrink:  a = z − λ sign z where |z| > λ, else 0
    threshold:   a = z where z > t, else a number v

Backward. The pieces are straight lines of slope 1, and constants:

    da/dz = 1 where |z| > λ, else 0              threshold: 1 where z > t, else 0

At the ends of a piece the derivative does not exist; 0 is used there, as in PyTorch.

    delta = ∂C/∂z = ∂C/∂a where da/dz = 1, else 0

This is a selection, not a product: ∂C/∂a can be infinite where a does not change, and 0 · ∞ is nan (see relu.py). |z| > λ
exactly where hardshrink(z) is not 0, and z > t exactly where max(z − t, 0) is not 0.

Forward mode: da = dz where da/dz = 1, else 0.

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions._elementwise import Elementwise
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.activations._masks import where_not_0

__all__ = ["HardshrinkFunction", "SoftshrinkFunction", "ThresholdFunction"]


class HardshrinkFunction(Elementwise):
    """Hardshrink; `HardshrinkFunction.apply(z, λ)`."""

    @staticmethod
    def forward(z: Tensor, bound: float) -> Tensor:
        return torch.hardshrink(z, bound)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor, bound: float) -> Tensor:
        return where_not_0(upcast_half(torch.hardshrink(z, bound)), t)


class SoftshrinkFunction(Elementwise):
    """Softshrink; `SoftshrinkFunction.apply(z, λ)`."""

    @staticmethod
    def forward(z: Tensor, bound: float) -> Tensor:
        return F.softshrink(z, bound)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor, bound: float) -> Tensor:
        return where_not_0(upcast_half(torch.hardshrink(z, bound)), t)


class ThresholdFunction(Elementwise):
    """Threshold; `ThresholdFunction.apply(z, t, v)`."""

    @staticmethod
    def forward(z: Tensor, threshold: float, value: float) -> Tensor:
        return F.threshold(z, threshold, value)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor, threshold: float, value: float) -> Tensor:
        return where_not_0(torch.clamp(upcast_half(z) - threshold, min=0), t)
