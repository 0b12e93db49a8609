"""Losses of classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import _reduction

from manualgrad.functions.losses.cross_entropy import ClassCrossEntropyFunction, CrossEntropyFunction
from manualgrad.functions.losses.nll_loss import NLLLossFunction

_REDUCTIONS = ("none", "mean", "sum")


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    of_classes = _is_of_classes(input, target, weight)
    of_distributions = target.shape == input.shape and target.is_floating_point() and ignore_index < 0
    if not of_classes and not (of_distributions and _has_classes(input, weight)):
        return NotImplemented
    if not isinstance(label_smoothing, int | float) or not 0 <= label_smoothing <= 1 or reduction not in _REDUCTIONS:
        return NotImplemented
    reduction = _of_legacy(size_average, reduce, reduction)
    x, y = _batch_of_one(input, target) if input.dim() == 1 else (input, target)
    if of_classes:
        C, _ = ClassCrossEntropyFunction.apply(x, y, weight, label_smoothing, ignore_index, reduction)
    else:
        C, _ = CrossEntropyFunction.apply(x, y, weight, label_smoothing, reduction)
    return C.squeeze(0) if input.dim() == 1 and reduction == "none" else C


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    if not _is_of_classes(input, target, weight) or reduction not in _REDUCTIONS:
        return NotImplemented
    reduction = _of_legacy(size_average, reduce, reduction)
    l, y = _batch_of_one(input, target) if input.dim() == 1 else (input, target)
    C = NLLLossFunction.apply(l, y, weight, ignore_index, reduction)
    return C.squeeze(0) if input.dim() == 1 and reduction == "none" else C


def _is_of_classes(input: Tensor, target: Tensor, weight: Tensor | None) -> bool:
    if target.dtype != torch.int64 or not _has_classes(input, weight):
        return False
    if weight is not None and (weight.requires_grad or (weight.dtype != input.dtype and not _autocast_is_on())):
        return False  # torch's errors
    return target.shape == (input.shape[:1] + input.shape[2:] if input.dim() > 1 else ())


def _has_classes(input: Tensor, weight: Tensor | None) -> bool:
    if not input.is_floating_point() or not input.dim():
        return False
    K = input.shape[min(input.dim() - 1, 1)]
    return K > 0 and (weight is None or (weight.shape == (K,) and weight.is_floating_point()))


_autocast_is_on = torch._C._is_any_autocast_enabled


def _of_legacy(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    if size_average is None and reduce is None:
        return reduction
    return _reduction.legacy_get_string(size_average, reduce)


def _batch_of_one(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.unsqueeze(0) for t in tensors)
