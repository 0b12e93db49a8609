"""Normalization by the statistics of a batch, or by given ones."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.normalization.batch_norm import BatchNormEvaluationFunction, BatchNormFunction

_HALF = (torch.float16, torch.bfloat16)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """torch.nn.functional's."""
    if (training and math.prod(input.shape[:1] + input.shape[2:]) == 1) or eps < 0 or (training and eps == 0):
        return NotImplemented
    return torch_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, False)


def torch_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """torch's own, with its order of arguments."""
    if input.dim() < 2 or not _belong_together(input, weight, bias, running_mean, running_var):
        return NotImplemented
    if input.numel() == 0:  # has no statistics; what it is normalized by does not matter
        zeros = input.new_zeros(input.shape[1])
        return BatchNormEvaluationFunction.apply(input, weight, bias, zeros, zeros + 1, eps)
    if training:
        return BatchNormFunction.apply(input, weight, bias, running_mean, running_var, momentum, eps)[0]
    if running_mean is None:
        return NotImplemented
    return BatchNormEvaluationFunction.apply(input, weight, bias, running_mean, running_var, eps)


def _belong_together(x: Tensor, w: Tensor | None, b: Tensor | None, mean: Tensor | None, var: Tensor | None) -> bool:
    """Whether torch takes them: of one size, and of one dtype, float32 beside half precision too; statistics are constants."""
    if (mean is None) != (var is None) or any(t is not None and t.requires_grad for t in (mean, var)):
        return False
    given = [t for t in (w, b, mean, var) if t is not None]
    dtypes = {t.dtype for t in given}
    return (
        len(dtypes) <= 1
        and dtypes <= ({x.dtype, torch.float32} if x.dtype in _HALF else {x.dtype})
        and all(t.shape == x.shape[1:2] for t in given)
    )
