"""The parametric ReLU: a = z where z > 0, else w z, with a slope w that is learned, one for all channels or one for each.

Backward, with delta = ∂C/∂z and g = ∂C/∂a:

    ∂C/∂z = g where z > 0, else w g          ∂C/∂w = Σ z g over all places where z ≤ 0

Forward mode: da = dz where z > 0, else w dz + z dw.

Shapes: z, a, g and ∂C/∂z are alike, any shape; w broadcasts against them, and ∂C/∂w is summed over its
copies. (He et al., 2015.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._form import fitted, form
from manualgrad.functions._precision import wide

__all__ = ["PReLUFunction"]


class PReLUFunction(Function):
    """a; `PReLUFunction.apply(z, w)`, w of as many dimensions as z."""

    autocast = {"cuda": "lower"}  # noqa: RUF012

    @staticmethod
    def forward(z: Tensor, w: Tensor) -> Tensor:
        return torch._prelu_kernel(z, w)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        z, w = inputs
        ctx.z, ctx.w = form(z), form(w)
        ctx.save_for_backward(z, w)
        ctx.save_for_forward(z, w)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        z, w = (wide(t) for t in ctx.saved_tensors)
        z_needs_grad, w_needs_grad = ctx.needs_input_grad
        g = wide(g)
        dC_dz = fitted(torch.where(z > 0, g, w * g), ctx.z) if z_needs_grad else None
        dC_dw = fitted(torch.where(z > 0, 0, z * g), ctx.w) if w_needs_grad else None
        return dC_dz, dC_dw

    @staticmethod
    def jvp(ctx: Any, dz: Tensor | None, dw: Tensor | None) -> Tensor:
        z, w = (wide(t) for t in ctx.saved_tensors)
        terms = [] if dz is None else [torch.where(z > 0, dz, w * dz)]
        terms += [] if dw is None else [torch.where(z > 0, 0, z * dw)]
        return sum(terms[1:], terms[0]).to(ctx.z.dtype)
