"""The weighted input of a layer, z = a_prev Wᵀ + b.

Forward, for neuron j of the layer, with k running over the neurons of the previous layer:

    z_j = Σ_k W_jk a_prev_k + b_j

Backward. Let delta_j = ∂C/∂z_j. Each quantity reaches the cost through the z_j in which it occurs:

    ∂C/∂a_prev_k = Σ_j ∂z_j/∂a_prev_k · ∂C/∂z_j = Σ_j W_jk delta_j       a_prev_k occurs in every z_j: sum over the paths
    ∂C/∂W_jk     = ∂z_j/∂W_jk · ∂C/∂z_j         = a_prev_k delta_j        W_jk occurs in z_j alone
    ∂C/∂b_j      = ∂z_j/∂b_j · ∂C/∂z_j          = delta_j                 b_j occurs in z_j alone

Over a batch, W and b occur in the z of every example, so their derivatives are summed over the examples n. In matrices:

    ∂C/∂a_prev = delta W        ∂C/∂W = deltaᵀ a_prev        ∂C/∂b = Σ_n delta_n

Forward mode. z is linear in (a_prev, b) and in (W, b), so by the product rule

    dz = da_prev Wᵀ + a_prev dWᵀ + db

Complex numbers: PyTorch's gradient of a real C is the conjugate one, so the factors W and a_prev enter the backward
conjugated (docs/stable/notes/autograd.html, "Autograd for Complex Numbers"). Forward mode has no conjugates.

Shapes: a_prev and ∂C/∂a_prev [..., in]; W and ∂C/∂W [out, in]; b and ∂C/∂b [out] or None; z and delta [..., out].
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import linear

from manualgrad import product
from manualgrad.function import Function
from manualgrad.functions._tensor_meta import as_rows

__all__ = ["LinearFunction"]


class LinearFunction(Function):
    """z = a_prev Wᵀ + b; `LinearFunction.apply(a_prev, W, b)` with b a Tensor or None."""

    autocast = "lower"

    @staticmethod
    def forward(a_prev: Tensor, W: Tensor, b: Tensor | None) -> Tensor:
        return product.linear(a_prev, W, b)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        a_prev, W, _ = inputs
        a_prev_needs_grad, W_needs_grad, _ = ctx.needs_input_grad
        ctx.save_for_backward(a_prev if W_needs_grad else None, W if a_prev_needs_grad else None)
        ctx.save_for_forward(a_prev, W)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        a_prev, W = ctx.saved_tensors
        a_prev_needs_grad, W_needs_grad, b_needs_grad = ctx.needs_input_grad
        dC_da_prev = product.matmul(delta, W.conj()) if a_prev_needs_grad else None
        delta = as_rows(delta)
        dC_dW = product.mm(delta.t(), as_rows(a_prev).conj()) if W_needs_grad else None
        dC_db = delta.sum(0) if b_needs_grad else None
        return dC_da_prev, dC_dW, dC_db

    @staticmethod
    def jvp(ctx: Any, da_prev: Tensor, dW: Tensor, db: Tensor | None) -> Tensor:
        a_prev, W = ctx.saved_tensors
        return linear(da_prev, W, db) + linear(a_prev, dW)
