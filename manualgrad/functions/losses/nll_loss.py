"""The negative log-likelihood of a class, where l are the log-probabilities of K classes.

Forward, for examples n with classes y_n, and weights w_k of the classes:

    C_n = −w_(y_n) l_(n,y_n)                       0 where the class is ignored; reduction "none" returns these
    C   = Σ_n C_n / N                              N = 1 for "sum"; for "mean" Σ_n w_(y_n) over those that are not ignored

Backward, with g_n the derivative of the final cost with respect to C_n, which is g/N for a sum or a mean. Only the l of an
example's own class occurs in C_n:

    ∂C/∂l_nk = −w_(y_n) g_n where k = y_n, and 0 elsewhere

Forward mode: C is linear in l, so dC is the same function of dl.

Shapes: l [N, K, ...]; y and C_n [N, ...]; w [K]. n runs over N and the dimensions after K.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import tensor_meta
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.losses._classes import classes, nll_loss, total

__all__ = ["NLLLossFunction"]


class NLLLossFunction(Function):
    """The loss C; `NLLLossFunction.apply(l, y, w, ignored, reduction)`, with w a Tensor or None."""

    autocast = "float32"
    constant_slope = True

    @staticmethod
    def forward(l: Tensor, y: Tensor, w: Tensor | None, ignored: int, reduction: str) -> Tensor:
        return nll_loss(l, y, w, ignored, reduction)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None, int, str], output: Tensor) -> None:
        l, y, w, ctx.ignored, ctx.reduction = inputs
        ctx.l = tensor_meta(l)
        ctx.save_for_backward(y, w, l)  # l is saved for constant_slope, as in PyTorch
        ctx.save_for_forward(y, w)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None, None]:
        y, w, _ = ctx.saved_tensors
        g_n = upcast_half(g.unsqueeze(1) if ctx.reduction == "none" else g)
        y, is_ignored, w_y = classes(y, w, ctx.ignored)
        if ctx.reduction == "mean":
            g_n = g_n / total(is_ignored, w_y)
        dC_dl_y = torch.where(is_ignored, 0, -g_n if w_y is None else -w_y * g_n).to(ctx.l.dtype)
        return dC_dl_y.new_zeros(ctx.l.shape).scatter(1, y, dC_dl_y), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dl: Tensor, *_: None) -> Tensor:
        y, w = ctx.saved_tensors
        return nll_loss(dl, y, w, ctx.ignored, ctx.reduction)
