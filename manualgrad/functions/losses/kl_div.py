"""The Kullback-Leibler divergence of the target distribution y from the one whose logarithm is a, term by term.

    ℓ = y (log y − a)                     0 where y = 0, the limit
    ℓ = eᵗ (t − a)                        with t = log y

Backward:

    ∂ℓ/∂a = −y        ∂ℓ/∂y = log y − a + 1                  by the product rule, y (log y)′ = 1
    ∂ℓ/∂a = −eᵗ       ∂ℓ/∂t = eᵗ (t − a + 1)                 likewise

Forward mode: dℓ = ∂ℓ/∂a da + ∂ℓ/∂y dy.

The second also returns e = eᵗ and d = t − a, and saves them, as PyTorch does, so that a and t may change in place before the
backward. With g_e and g_d their gradients,

    ∂C/∂a = −e g − g_d        ∂C/∂t = e ((d + 1) g + g_e) + g_d

Shapes: a, y or t, ℓ and the gradients have the same shape, which is arbitrary. (Kullback and Leibler, 1951.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to
from manualgrad.functions.losses._of_pairs import LossOfPairs

__all__ = ["KLDivFunction", "LogKLDivFunction"]


class KLDivFunction(LossOfPairs):
    """ℓ for the target y; `KLDivFunction.apply(a, y)`."""

    @staticmethod
    def forward(a: Tensor, y: Tensor) -> Tensor:
        return torch.xlogy(y, y) - y * a

    @staticmethod
    def dl_da(_: Tensor, y: Tensor) -> Tensor:
        return -y

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor) -> Tensor:
        return torch.log(y) - a + 1


class LogKLDivFunction(Function):
    """ℓ for the target t = log y, and e and d; `LogKLDivFunction.apply(a, t)`."""

    autocast = "float32"

    @staticmethod
    def forward(a: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        e, d = torch.exp(t), t - a
        return e * d, e, d

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
        ctx.a, ctx.t = map(tensor_meta, inputs)
        _, e, d = output
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(e, d)
        ctx.save_for_forward(e, d)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, g_e: Tensor | None, g_d: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        e, d = ctx.saved_tensors
        a_needs_grad, t_needs_grad = ctx.needs_input_grad
        g, g_e, g_d = (torch.zeros_like(d) if t is None else t for t in (g, g_e, g_d))
        dC_da = unbroadcast_to(-e * g - g_d, ctx.a) if a_needs_grad else None
        dC_dt = unbroadcast_to(e * ((d + 1) * g + g_e) + g_d, ctx.t) if t_needs_grad else None
        return dC_da, dC_dt

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, dt: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        e, d = ctx.saved_tensors
        da, dt = (torch.zeros_like(d) if t is None else t for t in (da, dt))
        return e * ((d + 1) * dt - da), e * dt, dt - da
