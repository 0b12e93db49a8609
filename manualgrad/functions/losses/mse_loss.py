"""The quadratic cost of the activations a against the desired outputs y, with an optional weight w for each square.

Forward, with i running over all outputs of all examples:

    C_i = w_i (a_i − y_i)²                      reduction "none" returns these
    C   = Σ_i C_i / N                           the other reductions divide their sum by

    N = 1                    for "sum"
    N = the number of i      for "mean"; with weights, Σ_i w_i
    N = the first dimension  for "batchmean": the sum over the outputs, the average over the examples (1 for a 0-d input)

Backward, with g the derivative of the final cost with respect to C (C_i for "none", where N = 1):

    ∂C/∂a_i =  2 w_i (a_i − y_i) / N · g        the outer derivative of the square; the inner one is 1
    ∂C/∂y_i = −∂C/∂a_i                          here the inner one is −1
    ∂C/∂w_i = (a_i − y_i)² / N · g              w_i is a factor of C_i
    ∂C/∂w_i = ((a_i − y_i)² − C) / N · g        for "mean", where N = Σ w too: d(S/N) = dS/N − S/N · dN/N, and S/N = C

Forward mode is the sum of the same derivatives times the tangents, without g:

    dC = Σ_i [2 w_i (a_i − y_i) (da_i − dy_i) + (a_i − y_i)² dw_i] / N          − C Σ_i dw_i / N for "mean"

Broadcasting repeats an element of a smaller input, so its derivative is the sum over the copies.

Shapes: a, y and w broadcast against each other; each gradient has the shape of its input. "none" returns the broadcast shape,
the others return a 0-d tensor; g has the same shape.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.function.functorch import transforms_are_active
from manualgrad.functions._chunked import in_one_pass
from manualgrad.functions._tensor_meta import unbroadcast_to
from manualgrad.functions.losses._of_pairs import batched_alike

__all__ = ["MSELossFunction"]

# (a − y)² in one pass over memory, without rounding a − y in half precision; F.mse_loss would warn a second time.
_mse_loss: Any = torch._C._nn.mse_loss
_NONE, _MEAN = 0, 1


class MSELossFunction(Function):
    """The quadratic cost; `MSELossFunction.apply(a, y, reduction, w)`, with w a Tensor or None."""

    autocast = "float32"

    @staticmethod
    def forward(a: Tensor, y: Tensor, reduction: str, w: Tensor | None) -> Tensor:
        a, y = batched_alike(a, y) if transforms_are_active() else (a, y)
        if w is None and reduction == "mean":
            return _mse_loss(a, y, _MEAN)
        C = _mse_loss(a, y, _NONE)
        if w is not None:
            C = w * C
        if reduction == "none":
            return C
        return C.sum() if reduction == "sum" else C.sum() / _N(a, y, reduction, w)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, str, Tensor | None], output: Tensor) -> None:
        a, y, ctx.reduction, w = inputs
        ctx.save_for_backward(a, y, w, output if ctx.needs_input_grad[3] else None)
        ctx.save_for_forward(a, y, w, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None, Tensor | None]:
        a, y, w, C = ctx.saved_tensors
        a_needs_grad, y_needs_grad, _, w_needs_grad = ctx.needs_input_grad
        N = _N(a, y, ctx.reduction, w)
        dC_da = dC_dy = dC_dw = None
        if a_needs_grad or y_needs_grad:
            of_error = _wide(g) / (N / 2)  # N/2, since 2/N raises for N = 0
            delta = in_one_pass(_weighted_error, (a, y, of_error) if w is None else (a, y, of_error, w))
            dC_da = unbroadcast_to(delta, a) if a_needs_grad else None
            dC_dy = unbroadcast_to(-delta, y) if y_needs_grad else None
        if w_needs_grad:
            error = a - y
            dC_dw = unbroadcast_to(error * error / N * g, w)
            if ctx.reduction == "mean":
                dC_dw = dC_dw - C / N * g
        return dC_da, dC_dy, None, dC_dw

    @staticmethod
    def jvp(ctx: Any, da: Tensor | None, dy: Tensor | None, _: None, dw: Tensor | None) -> Tensor:
        a, y, w, C = ctx.saved_tensors
        da, dy = (torch.zeros_like(C) if tangent is None else tangent for tangent in (da, dy))  # integers have no tangents
        error = a - y
        dC = 2 * error * (da - dy)
        if w is not None:
            dC = w * dC
        if dw is not None:
            dC = dC + error * error * dw
        if ctx.reduction == "none":
            return dC
        dC = dC.sum()
        if dw is not None and ctx.reduction == "mean":
            dC = dC - C * dw.sum()
        return dC / _N(a, y, ctx.reduction, w)


def _N(a: Tensor, y: Tensor, reduction: str, w: Tensor | None) -> Any:
    """Return N, the divisor of the sum of squares."""
    if reduction == "mean":
        if w is not None:
            return w.sum()
        return a.numel() if a.shape == y.shape else torch.broadcast_shapes(a.shape, y.shape).numel()
    if reduction == "batchmean":
        return a.shape[0] if a.dim() else 1
    return 1


def _weighted_error(a: Tensor, y: Tensor, factor: Tensor, w: Tensor | None = None) -> Tensor:
    """Compute w (a − y) · factor."""
    error = a - y
    return (error if w is None else w * error) * factor


def _wide(g: Tensor) -> Tensor:
    """Cast a single half-precision number g to float32: float16 cannot represent 2/N for N above 30,000."""
    return g.float() if g.dtype in (torch.float16, torch.bfloat16) and g.dim() == 0 else g
