"""Losses."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn import _reduction

from manualgrad.function.in_place import kept
from manualgrad.functions.losses.binary_cross_entropy import BCELossFunction, BCEWithLogitsLossFunction
from manualgrad.functions.losses.cross_entropy import ClassCrossEntropyFunction, CrossEntropyFunction
from manualgrad.functions.losses.distances import HuberLossFunction, L1LossFunction, SmoothL1LossFunction
from manualgrad.functions.losses.kl_div import KLDivFunction, LogKLDivFunction
from manualgrad.functions.losses.nll_loss import NLLLossFunction
from manualgrad.torch_api.arithmetic import div, mean, mul, sub, sum
from manualgrad.torch_api.autocast import autocast_is_on, autocast_is_on_for
from manualgrad.torch_api.movement import abs, broadcast_tensors

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
        C, _ = ClassCrossEntropyFunction.apply(kept(x), y.contiguous(), weight, label_smoothing, ignore_index, reduction)
    else:
        y = kept(y) if label_smoothing else y  # torch saves the smoothed one
        C, _ = CrossEntropyFunction.apply(kept(x), y, weight, label_smoothing, reduction)
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
    C = NLLLossFunction.apply(l, y.contiguous(), weight, ignore_index, reduction)
    return C.squeeze(0) if input.dim() == 1 and reduction == "none" else C


def _is_of_classes(input: Tensor, target: Tensor, weight: Tensor | None) -> bool:
    if target.dtype != torch.int64 or not _has_classes(input, weight):
        return False
    if weight is not None and (weight.requires_grad or (weight.dtype != input.dtype and not autocast_is_on())):
        return False  # torch's errors
    return target.shape == (input.shape[:1] + input.shape[2:] if input.dim() > 1 else ())


def _has_classes(input: Tensor, weight: Tensor | None) -> bool:
    if not input.is_floating_point() or not input.dim():
        return False
    K = input.shape[min(input.dim() - 1, 1)]
    return K > 0 and (weight is None or (weight.shape == (K,) and weight.is_floating_point()))


def _of_legacy(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    if size_average is None and reduce is None:
        return reduction
    return _reduction.legacy_get_string(size_average, reduce)


def _batch_of_one(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.unsqueeze(0) for t in tensors)


# Losses of pairs, with the signatures of torch's operators, where the reduction is a number; by_hand sees through
# torch.nn.functional's functions, which call them.


def reduced(loss: Any, reduction: int) -> Any:
    if loss is NotImplemented or reduction == 0:
        return loss
    return (mean if reduction == 1 else sum)(loss)


def _are_pairs(*tensors: Any) -> bool:
    return all(isinstance(t, Tensor) and t.shape == tensors[0].shape and t.is_floating_point() for t in tensors)


def _are_constant(*weights: Tensor | None) -> bool:
    """torch refuses to differentiate by them."""
    return not any(weight is not None and weight.requires_grad for weight in weights)


def l1_loss(input: Tensor, target: Tensor, reduction: int = 1, *, out: Any = None) -> Any:
    if out is not None:
        return NotImplemented
    of_each = L1LossFunction.apply(input, target)[0] if _are_pairs(input, target) else abs(sub(input, target))
    return reduced(of_each, reduction)


def functional_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Any:
    """torch.nn.functional's, which hands itself over to a mode without its weight (seen in 2.14.1)."""
    if reduction not in _REDUCTIONS or (weight is not None and weight.shape != input.shape):
        return NotImplemented
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}): "
            "the two are broadcast, which is seldom what is meant; give both the same size.",
            stacklevel=3,  # who called the guard
        )
        input, target = broadcast_tensors(input, target)
    number = _REDUCTIONS.index(_of_legacy(size_average, reduce, reduction))
    if weight is None:
        return l1_loss(input, target, number)
    weighted = mul(l1_loss(input, target, 0), weight)
    return div(sum(weighted), sum(weight)) if _REDUCTIONS[number] == "mean" else reduced(weighted, number)


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: int = 1, beta: float = 1.0, *, out: Any = None) -> Any:
    if out is not None or beta <= 0 or not _are_pairs(input, target):
        return NotImplemented
    return reduced(SmoothL1LossFunction.apply(input, target, beta), reduction)


def huber_loss(input: Tensor, target: Tensor, reduction: int = 1, delta: float = 1.0, *, out: Any = None) -> Any:
    if out is not None or delta <= 0 or not _are_pairs(input, target):
        return NotImplemented
    return reduced(HuberLossFunction.apply(input, target, delta), reduction)


def kl_div(input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False) -> Any:
    a, y = broadcast_tensors(input, target)
    return reduced(LogKLDivFunction.apply(a, y)[0] if log_target else KLDivFunction.apply(a, y), reduction)


def functional_kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """torch.nn.functional's: its warning is one that Dynamo cannot trace."""
    if reduction not in (*_REDUCTIONS, "batchmean"):
        return NotImplemented
    legacy = size_average is not None or reduce is not None
    reduction = _of_legacy(size_average, reduce, reduction)
    if reduction == "mean" and not legacy and not torch.compiler.is_dynamo_compiling():
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size; 'batchmean' divides by the "
            "batch size alone, as the Kullback-Leibler divergence is defined.",
            stacklevel=3,  # who called the guard
        )
    as_number = {"none": 0, "mean": 1, "sum": 2, "batchmean": 2}[reduction]
    loss = kl_div(input, target, as_number, log_target=log_target)
    return div(loss, input.shape[0]) if reduction == "batchmean" and input.dim() else loss


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: int = 1, *, out: Any = None
) -> Any:
    if out is not None or not _are_pairs(input, target) or not _are_constant(weight):
        return NotImplemented
    if input.is_cuda and autocast_is_on_for(input):
        return NotImplemented  # torch refuses it there
    return reduced(_weighted(BCELossFunction.apply(input, target), weight), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 1
) -> Any:
    if not _are_pairs(input, target) or not _are_constant(weight, pos_weight):
        return NotImplemented
    return reduced(_weighted(BCEWithLogitsLossFunction.apply(input, target, pos_weight), weight), reduction)


def _weighted(loss: Tensor, weight: Tensor | None) -> Any:
    if weight is None:
        return loss
    if torch.broadcast_shapes(loss.shape, weight.shape) != loss.shape:
        return NotImplemented
    return mul(loss, weight.to(loss.dtype))
