"""Binary cross entropy of the probability a against the target y, or of the logit (log-odds) x, with a = σ(x).

    ℓ = −y log a − (1 − y) log(1 − a)                          logarithms are clamped to at least −100, as in PyTorch
    ℓ = (1 − y) x + (1 + (p − 1) y) log(1 + e⁻ˣ)                for logits; p weights the terms with y

The second is the first with a = σ(x), since −log σ(x) = log(1 + e⁻ˣ) and −log(1 − σ(x)) = x + log(1 + e⁻ˣ); it never takes the
logarithm of 0.

Backward:

    ∂ℓ/∂a = −y/a + (1 − y)/(1 − a) = (a − y) / (a (1 − a))      ∂ℓ/∂y = log(1 − a) − log a

where a (1 − a) is clamped to at least `1e-12`, as in PyTorch. At a = y = 0 or 1 the quotient is then 0, and the sum 1 or −1.
The value is PyTorch's, but there the quotient has the slope of a − y over `1e-12`. So ∂ℓ/∂a is a separate Function, whose
derivatives are those of the sum, in which 0 is never divided by 0:

    ∂²ℓ/∂a² = y/a² + (1 − y)/(1 − a)²                        ∂²ℓ/(∂a ∂y) = −1/a − 1/(1 − a)

where `1e-12` is added to a and to 1 − a if they are less than that. At a = y = 0 or 1, ∂²ℓ/∂a² is 1.

For logits, since the derivative of log(1 + e⁻ˣ) is −σ(−x),

    ∂ℓ/∂x = 1 − y − (1 + (p − 1) y) σ(−x) = (1 − y) σ(x) − p y σ(−x)                 since 1 − σ(−x) = σ(x); no cancellation
    ∂ℓ/∂y = −x + (p − 1) log(1 + e⁻ˣ)       ∂ℓ/∂p = y log(1 + e⁻ˣ)

Forward mode is the sum of the same derivatives times the tangents.

Shapes: a or x, y, ℓ and the gradients have the same shape, which is arbitrary; p broadcasts to it, and its gradient is summed
over the broadcast copies.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import in_one_pass
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.losses._of_pairs import LossOfPairs

__all__ = ["BCELossFunction", "BCEWithLogitsLossFunction"]

_LEAST = 1e-12  # lower bound of a (1 − a), as in PyTorch


class BCELossFunction(LossOfPairs):
    """ℓ for probabilities; `BCELossFunction.apply(a, y)`."""

    @staticmethod
    def forward(a: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy(a, y, reduction="none")

    @staticmethod
    def dl_da(a: Tensor, y: Tensor) -> Tensor:
        return BCESlopeFunction.apply(a, y)

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor) -> Tensor:
        return torch.log1p(-a) - torch.log(a)


class BCESlopeFunction(LossOfPairs):
    """The derivative ∂ℓ/∂a; `BCESlopeFunction.apply(a, y)`."""

    @staticmethod
    def forward(a: Tensor, y: Tensor) -> Tensor:
        return (a - y) / torch.clamp(a * (1 - a), min=_LEAST)

    @staticmethod
    def dl_da(a: Tensor, y: Tensor) -> Tensor:
        return y / _not_0(a) ** 2 + (1 - y) / _not_0(1 - a) ** 2

    @staticmethod
    def dl_dy(a: Tensor, y: Tensor) -> Tensor:
        return -1 / _not_0(a) - 1 / _not_0(1 - a)


def _not_0(a: Tensor) -> Tensor:
    return a + torch.where(a < _LEAST, _LEAST, 0.0)


class BCEWithLogitsLossFunction(Function):
    """ℓ for logits; `BCEWithLogitsLossFunction.apply(x, y, p)`, with p a Tensor, or None for 1."""

    autocast = "float32"

    @staticmethod
    def forward(x: Tensor, y: Tensor, p: Tensor | None) -> Tensor:
        return F.binary_cross_entropy_with_logits(x, y, reduction="none", pos_weight=p)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        ctx.forms, ctx.l = tuple(tensor_meta(t) for t in inputs), tensor_meta(output)
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x_needs_grad, y_needs_grad, p_needs_grad = ctx.needs_input_grad
        tensors = (t for t in (g, *ctx.saved_tensors) if t is not None)
        dC_dx = unbroadcast_to(in_one_pass(_g_dl_dx, tuple(tensors)), ctx.forms[0]) if x_needs_grad else None
        x, y, p = _wide(ctx.saved_tensors)
        g = upcast_half(g)
        dC_dy = unbroadcast_to(_dl_dy(x, p) * g, ctx.forms[1]) if y_needs_grad else None
        dC_dp = unbroadcast_to(-y * F.logsigmoid(x) * g, ctx.forms[2]) if p_needs_grad else None
        return dC_dx, dC_dy, dC_dp

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dy: Tensor | None, dp: Tensor | None) -> Tensor:
        x, y, p = _wide(ctx.saved_tensors)
        terms = [] if dx is None else [_dl_dx(x, y, p) * dx]
        terms += [] if dy is None else [_dl_dy(x, p) * dy]
        terms += [] if dp is None else [-y * F.logsigmoid(x) * dp]
        return sum(terms[1:], terms[0]).to(ctx.l.dtype)


def _wide(tensors: Any) -> Any:
    return (None if t is None else upcast_half(t) for t in tensors)


def _g_dl_dx(g: Tensor, x: Tensor, y: Tensor, p: Tensor | None = None) -> Tensor:
    return _dl_dx(*_wide((x, y, p))) * upcast_half(g)


def _dl_dx(x: Any, y: Any, p: Tensor | None) -> Tensor:
    return torch.addcmul((1 - y) * torch.sigmoid(x), y if p is None else p * y, torch.sigmoid(-x), value=-1)


def _dl_dy(x: Any, p: Tensor | None) -> Tensor:
    return -x if p is None else -x - (p - 1) * F.logsigmoid(x)  # log(1 + e⁻ˣ) = −log σ(x)
