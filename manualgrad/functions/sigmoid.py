"""The sigmoid activation, a = σ(z) = 1 / (1 + e⁻ᶻ), element by element.

Backward. With u = 1 + e⁻ᶻ, a = 1/u, so that

    da/dz = −1/u² · du/dz = e⁻ᶻ/u² = (u − 1)/u · 1/u = (1 − 1/u) · 1/u = (1 − a) a

    delta = ∂C/∂z = ∂C/∂a · ∂a/∂z = ∂C/∂a (1 − a) a

The derivative needs only the output a, which is therefore all that is saved. It is not written a − a², which would save a
pass over memory: where a is near 1 the difference of the two is mostly rounding error, and 1 − a is exact.

Forward mode: da = dz (1 − a) a. Complex numbers: the derivative enters the backward conjugated (see linear.py).

Shapes: z, a, delta and ∂C/∂a are alike, any shape.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function

__all__ = ["SigmoidFunction"]


class SigmoidFunction(Function):
    """a = σ(z); `SigmoidFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return torch.sigmoid(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, dC_da: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        a = a.conj()
        return (dC_da * (1 - a)).mul_(a)  # in place: a second array of this size would cost more than the product

    @staticmethod
    def jvp(ctx: Any, dz: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return dz * (1 - a) * a
