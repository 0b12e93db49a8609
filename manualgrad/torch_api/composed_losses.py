"""Losses that PyTorch composes in C++, composed here of hand-differentiated functions, with PyTorch's signatures."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.activations.softplus import LogSigmoidFunction
from manualgrad.torch_api.arithmetic import add, div, exp, log, mul, neg, sqrt, square, sub, sum
from manualgrad.torch_api.autocast import autocast_is_on, cast
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.losses import reduced
from manualgrad.torch_api.piecewise import clamp_min, masked_fill, minimum, where
from manualgrad.torch_api.vector_norm import pairwise_distance

_NN: Any = torch._C._nn

_EPSILON = 1e-12  # added to squared norms


def _as_of_losses(*tensors: Tensor) -> tuple[Any, ...]:
    """Cast the tensors to float32 under autocast, as PyTorch does for losses."""
    return cast("float32", tensors)


def _in_float32(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a loss of several steps: compute half-precision inputs in float32, and round once at the end."""

    @functools.wraps(loss)
    def call(*args: Any, **kwargs: Any) -> Any:
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        halves = {t.dtype for t in tensors if t.dtype in (torch.float16, torch.bfloat16)}
        if not halves:
            return loss(*args, **kwargs)
        args = tuple(upcast_half(value) if isinstance(value, Tensor) else value for value in args)
        kwargs = {name: upcast_half(value) if isinstance(value, Tensor) else value for name, value in kwargs.items()}
        value = loss(*args, **kwargs)
        are_narrow = len(halves) == 1 and all(t.dtype in halves or not t.is_floating_point() for t in tensors)
        return value.to(*halves) if are_narrow and value is not NotImplemented and not autocast_is_on() else value

    return call


@_in_float32
@answers(torch.poisson_nll_loss)
def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Any:
    """Compute e^a − y a if a is the log of the expected count, else a − y log(a + eps); `full` adds Stirling's log y!."""
    a, y = _as_of_losses(input, target)
    loss = sub(exp(a), mul(y, a)) if log_input else sub(a, mul(y, log(add(a, eps))))
    if full:
        stirling = add(sub(mul(y, log(y)), y), mul(log(mul(y, 2 * math.pi)), 0.5))
        loss = add(loss, masked_fill(stirling, y <= 1, 0))
    return reduced(loss, reduction)


@_in_float32
@answers(torch.hinge_embedding_loss)
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1) -> Any:
    """Compute a where y = 1, and max(margin − a, 0) where y = −1, for distances a."""
    a, y = _as_of_losses(input, target)
    far = where(y != 1, clamp_min(sub(margin, a), 0), 0)
    return reduced(add(far, where(y != -1, a, 0)), reduction)


@_in_float32
@answers(torch.margin_ranking_loss)
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1) -> Any:
    """Compute max(margin − y (a − b), 0)."""
    if not input1.dim() == input2.dim() == target.dim():
        return NotImplemented
    a, b, y = _as_of_losses(input1, input2, target)
    return reduced(clamp_min(add(mul(neg(y), sub(a, b)), margin), 0), reduction)


@_in_float32
@answers(torch.triplet_margin_loss)
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Any:
    """Compute max(|anchor − positive| − |anchor − negative| + margin, 0), with |x| the p-norm."""
    if margin <= 0 or not anchor.dim() == positive.dim() == negative.dim() or not anchor.dim():
        return NotImplemented
    a, b, c = _as_of_losses(anchor, positive, negative)
    near, far = pairwise_distance(a, b, p, eps), pairwise_distance(a, c, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(b, c, p, eps))
    return reduced(clamp_min(add(sub(near, far), margin), 0), reduction)


@_in_float32
@answers(torch.cosine_embedding_loss)
def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1) -> Any:
    """Compute 1 − cos(a, b) where y = 1, and max(cos(a, b) − margin, 0) where y = −1."""
    dim = target.dim()
    if dim > 1 or not input1.dim() == input2.dim() == dim + 1:
        return NotImplemented
    a, b, y = _as_of_losses(input1, input2, target)
    squares = mul(add(sum(square(a), dim), _EPSILON), add(sum(square(b), dim), _EPSILON))
    cos = div(sum(mul(a, b), dim), sqrt(squares))
    loss = add(where(y == 1, sub(1, cos), 0), where(y == -1, clamp_min(sub(cos, margin), 0), 0))
    return reduced(loss, reduction)


@_in_float32
@answers(_NN.soft_margin_loss)
def soft_margin_loss(input: Tensor, target: Tensor, reduction: int = 1) -> Any:
    """Compute log(1 + e^(−y a)) = −log σ(y a)."""
    if input.shape != target.shape or not input.is_floating_point():
        return NotImplemented
    a, y = _as_of_losses(input, target if target.is_floating_point() else target.to(input.dtype))
    if a.dtype != y.dtype:
        return NotImplemented
    return reduced(neg(LogSigmoidFunction.apply(mul(y, a))), reduction)
