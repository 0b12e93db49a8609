"""The sigmoid activation, a = σ(z) = 1 / (1 + e⁻ᶻ), element by element.

Backward. With u = 1 + e⁻ᶻ, a = 1/u, so that

    da/dz = −1/u² · du/dz = e⁻ᶻ/u² = (u − 1)/u² = 1/u − 1/u² = a − a²       (that is, a (1 − a))

    delta = ∂C/∂z = ∂a/∂z · ∂C/∂a = (a − a²) ∂C/∂a

The derivative needs only the output a, which is therefore all that is saved.

Forward mode: da = (a − a²) dz. Complex numbers: the derivative enters the backward conjugated (see linear.py).

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
        da_dz = torch.addcmul(a, a, a, value=-1)  # a − a·a in one pass over memory
        return da_dz.conj() * dC_da

    @staticmethod
    def jvp(ctx: Any, dz: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        da_dz = torch.addcmul(a, a, a, value=-1)
        return da_dz * dz
