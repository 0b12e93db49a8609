"""A matrix product added to a tensor, Z = β M + α A B, with numbers α and β.

With delta = ∂C/∂Z, as in matmul.py:

    ∂C/∂M = β delta        ∂C/∂A = α delta Bᵀ        ∂C/∂B = α Aᵀ delta

∂C/∂M is summed over the broadcast copies of M. Complex numbers: A, B, α and β enter the backward conjugated.

Forward mode, by the product rule: dZ = β dM + α (dA B + A dB).

Shapes: A [n, m], B [m, p] and Z [n, p]; or each with the same batch dimension in front; or A [n, m], B [m], Z [n].
M broadcasts to Z.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad import product
from manualgrad.function import Function
from manualgrad.functions._tensor_meta import conj, tensor_meta, unbroadcast_to

__all__ = ["AddmmFunction"]

_FUSED: dict[tuple[int, int], Any] = {
    (2, 2): torch.addmm,
    (3, 3): torch.baddbmm,
    (2, 1): torch.addmv,
}  # each rounds half precision once


class AddmmFunction(Function):
    """Z = β M + α A B; `AddmmFunction.apply(M, A, B, beta, alpha)`."""

    autocast = "lower"

    @staticmethod
    def forward(M: Tensor, A: Tensor, B: Tensor, beta: Any, alpha: Any) -> Tensor:
        return _FUSED[A.dim(), B.dim()](M, A, B, beta=beta, alpha=alpha)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Any, Any], output: Tensor) -> None:
        M, A, B, ctx.beta, ctx.alpha = inputs
        ctx.M, ctx.shape = tensor_meta(M), output.shape
        _, A_needs_grad, B_needs_grad, *_ = ctx.needs_input_grad
        ctx.save_for_backward(A if B_needs_grad else None, B if A_needs_grad else None)
        ctx.save_for_forward(A, B)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        A, B = ctx.saved_tensors
        M_needs_grad, A_needs_grad, B_needs_grad, *_ = ctx.needs_input_grad
        dC_dM = dC_dA = dC_dB = None
        if M_needs_grad:
            dC_dM = unbroadcast_to(_times(conj(ctx.beta), delta), ctx.M)
        if A_needs_grad:
            dC_dA = _times(conj(ctx.alpha), delta[:, None] * B.conj() if B.dim() == 1 else product.matmul(delta, B.mH))
        if B_needs_grad:
            dC_dB = _times(conj(ctx.alpha), product.matmul(A.mH, delta))
        return dC_dM, dC_dA, dC_dB, None, None

    @staticmethod
    def jvp(ctx: Any, dM: Tensor | None, dA: Tensor | None, dB: Tensor | None, *_: None) -> Tensor:
        A, B = ctx.saved_tensors
        terms = [] if dM is None else [_times(ctx.beta, dM).expand(ctx.shape)]
        terms += [] if dA is None else [_times(ctx.alpha, dA @ B)]
        terms += [] if dB is None else [_times(ctx.alpha, A @ dB)]
        return sum(terms[1:], terms[0])


def _times(number: Any, t: Tensor) -> Tensor:
    """Compute number · t, without a pass over t if the number is 1, the usual case."""
    return t if number == 1 else number * t
