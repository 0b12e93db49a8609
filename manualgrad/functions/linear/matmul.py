"""The matrix product Z = A B of matrices, or of batches of matrices that broadcast against each other.

    Z_ij = Σ_k A_ik B_kj

With delta = ∂C/∂Z, as in linear.py, each quantity reaches the cost through the Z_ij in which it occurs:

    ∂C/∂A_ik = Σ_j ∂Z_ij/∂A_ik · delta_ij = Σ_j B_kj delta_ij        ∂C/∂A = delta Bᵀ
    ∂C/∂B_kj = Σ_i ∂Z_ij/∂B_kj · delta_ij = Σ_i A_ik delta_ij        ∂C/∂B = Aᵀ delta

Each gradient is summed over the broadcast copies of its input. Complex numbers: A and B enter the backward conjugated.

Forward mode, by the product rule: dZ = dA B + A dB.

Shapes: A [..., n, m]; B [..., m, p]; Z and delta [..., n, p].
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from manualgrad import product
from manualgrad.function import Function
from manualgrad.functions._tensor_meta import as_rows, tensor_meta, unbroadcast_to

__all__ = ["MatmulFunction"]


class MatmulFunction(Function):
    """Z = A B; `MatmulFunction.apply(A, B)`."""

    autocast = "lower"

    @staticmethod
    def forward(A: Tensor, B: Tensor) -> Tensor:
        return product.matmul(A, B)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        A, B = inputs
        ctx.A, ctx.B = tensor_meta(A), tensor_meta(B)
        A_needs_grad, B_needs_grad = ctx.needs_input_grad
        ctx.save_for_backward(A if B_needs_grad else None, B if A_needs_grad else None)
        ctx.save_for_forward(A, B)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, Tensor | None]:
        A, B = ctx.saved_tensors
        A_needs_grad, B_needs_grad = ctx.needs_input_grad
        dC_dA = dC_dB = None
        if A_needs_grad and _is_one_matrix(ctx.A):
            dC_dA = product.mm(_columns(delta), _columns(B).mH).view(ctx.A.shape)
        elif A_needs_grad:
            dC_dA = unbroadcast_to(product.matmul(delta, B.mH), ctx.A)
        if B_needs_grad and _is_one_matrix(ctx.B):
            dC_dB = product.mm(as_rows(A).mH, as_rows(delta)).view(ctx.B.shape)
        elif B_needs_grad:
            dC_dB = unbroadcast_to(product.matmul(A.mH, delta), ctx.B)
        return dC_dA, dC_dB

    @staticmethod
    def jvp(ctx: Any, dA: Tensor | None, dB: Tensor | None) -> Tensor:
        A, B = ctx.saved_tensors
        if dA is None:
            return A @ dB
        return dA @ B if dB is None else dA @ B + A @ dB


# The gradient of one matrix that multiplies a whole batch is a sum over the batch, which a single product computes.


def _is_one_matrix(of: Any) -> bool:
    return math.prod(of.shape[:-2]) == 1


def _columns(t: Tensor) -> Tensor:
    """Reshape [..., n, m] to a matrix [n, -1], with the columns of the batch side by side."""
    return t if t.dim() == 2 else t.movedim(-2, 0).reshape(t.shape[-2], math.prod(t.shape[:-2]) * t.shape[-1])
