"""The sigmoid activation, a = σ(z) = 1 / (1 + e⁻ᶻ), element by element.

Backward. With u = 1 + e⁻ᶻ, a = 1/u, so that

    da/dz = −1/u² · du/dz = e⁻ᶻ/u² = (u − 1)/u · 1/u = (1 − 1/u) · 1/u = (1 − a) a = a − a²

    delta = ∂C/∂z = ∂C/∂a · ∂a/∂z = ∂C/∂a (1 − a) a

The derivative needs only the output a, so only a is saved.

Forward mode: da = dz (1 − a) a. Complex numbers: the derivative enters the backward conjugated (see linear.py).

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import in_one_pass

__all__ = ["SigmoidFunction"]


class SigmoidFunction(Function):
    """a = σ(z); `SigmoidFunction.apply(z)`."""

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return torch.sigmoid(z)

    forward_in_place = staticmethod(torch.sigmoid_)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, dC_da: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return in_one_pass(_times_da_dz, (dC_da, a.conj()))

    @staticmethod
    def jvp(ctx: Any, dz: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return _times_da_dz(dz, a)


def _times_da_dz(t: Tensor, a: Tensor) -> Tensor:
    """Compute t (1 − a) a."""
    if a.dtype == torch.float16:
        return t * (1 - a) * a  # PyTorch's kernel rounds to float16 at each of these steps
    return t * torch.addcmul(a, a, a, value=-1)  # a − a·a in one pass over memory, by fused multiply-add: rounded once
