"""The rectified linear activation, a = ReLU(z) = max(z, 0), element by element.

Backward. ReLU is two straight lines that meet at 0:

    da/dz = 1 where z > 0, and 0 where z < 0

At z = 0 the derivative does not exist; 0 is used there, as in PyTorch (docs/stable/notes/autograd.html, "Gradients for
non-differentiable functions"). Since z > 0 exactly where a is not 0, only the output a is saved, and

    delta = ∂C/∂z = ∂C/∂a where a ≠ 0, and 0 elsewhere

This is a selection, not a product with 0 or 1: ∂C/∂a can be infinite where a = 0 (√a, for example), and 0 · ∞ is nan.
nan is not 0: where a is nan, ∂C/∂a is passed on, as in PyTorch.

Forward mode: da = dz where a ≠ 0, and 0 elsewhere.

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions.activations._masks import where_not_0

__all__ = ["ReLUFunction"]


class ReLUFunction(Function):
    """a = max(z, 0); `ReLUFunction.apply(z)`."""

    constant_slope = True

    @staticmethod
    def forward(z: Tensor) -> Tensor:
        return torch.relu(z)

    forward_in_place = staticmethod(torch.relu_)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, dC_da: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return where_not_0(a, dC_da)

    @staticmethod
    def jvp(ctx: Any, dz: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return where_not_0(a, dz)
