"""Activations that leave some numbers out, or draw them towards 0, element by element.

    hardshrink:  a = z where |z| > λ, else 0                        λ ≥ 0
    softshrink:  a = z − λ sign z where |z| > λ, else 0
    threshold:   a = z where z > t, else a number v

Backward. Straight lines of slope 1, and constants:

    da/dz = 1 where |z| > λ, else 0              of threshold: 1 where z > t, else 0

At the ends of a piece there is no derivative; 0 is taken there, as PyTorch does.

    delta = ∂C/∂z = ∂C/∂a where da/dz = 1, else 0

a choice, not a product: ∂C/∂a can be infinite where a does not change, and 0 · ∞ is nan (see relu.py). |z| > λ just where
hardshrink(z) is not 0, and z > t just where max(z − t, 0) is not.

Forward mode: da = dz where da/dz = 1, else 0.

Shapes: z, a, delta and ∂C/∂a are alike, any shape.
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
    """`HardshrinkFunction.apply(z, λ)`."""

    @staticmethod
    def forward(z: Tensor, bound: float) -> Tensor:
        return torch.hardshrink(z, bound)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor, bound: float) -> Tensor:
        return where_not_0(upcast_half(torch.hardshrink(z, bound)), t)


class SoftshrinkFunction(Elementwise):
    """`SoftshrinkFunction.apply(z, λ)`."""

    @staticmethod
    def forward(z: Tensor, bound: float) -> Tensor:
        return F.softshrink(z, bound)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor, bound: float) -> Tensor:
        return where_not_0(upcast_half(torch.hardshrink(z, bound)), t)


class ThresholdFunction(Elementwise):
    """`ThresholdFunction.apply(z, t, v)`."""

    @staticmethod
    def forward(z: Tensor, threshold: float, value: float) -> Tensor:
        return F.threshold(z, threshold, value)

    @staticmethod
    def times_dy_dx(t: Tensor, z: Tensor, threshold: float, value: float) -> Tensor:
        return where_not_0(torch.clamp(upcast_half(z) - threshold, min=0), t)
