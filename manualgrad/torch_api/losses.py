"""Losses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import _reduction

from manualgrad.function.in_place import kept
from manualgrad.functions.arithmetic.sums import MeanFunction, SumFunction
from manualgrad.functions.losses.binary_cross_entropy import BCELossFunction, BCEWithLogitsLossFunction
from manualgrad.functions.losses.cross_entropy import ClassCrossEntropyFunction, CrossEntropyFunction
from manualgrad.functions.losses.distances import HuberLossFunction, L1LossFunction, SmoothL1LossFunction
from manualgrad.functions.losses.kl_div import KLDivFunction, LogKLDivFunction
from manualgrad.functions.losses.mse_loss import MSELossFunction
from manualgrad.functions.losses.nll_loss import NLLLossFunction
from manualgrad.torch_api.arithmetic import div, mul, sub, sum
from manualgrad.torch_api.autocast import autocast_is_on, autocast_is_on_for
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.errors import mse_loss_problem
from manualgrad.torch_api.guard import functional
from manualgrad.torch_api.movement import broadcast_tensors
from manualgrad.torch_api.piecewise import abs

_NN: Any = torch._C._nn
_REDUCTIONS = ("none", "mean", "sum")


def _of_legacy(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    if size_average is None and reduce is None:
        return reduction
    return _reduction.legacy_get_string(size_average, reduce)


# Classification losses.

_OF_CLASSES = """{summary}

Shapes:
    input [n, classes], [n, classes, d1, ...] or [classes]; target [n], [n, d1, ...] or [] of integers{probabilities};
    output 0-d, or for the reduction "none" [n], [n, d1, ...] or [].

Raises:
    ValueError: when the batch sizes differ: `nn.functional.{name}(torch.rand(3, 4), torch.tensor([1, 2]))`.
    IndexError: when a target is not the index of a class: `nn.functional.{name}(torch.rand(1, 4), torch.tensor([4]))`.
    ValueError: when the reduction is invalid: `nn.functional.{name}(torch.rand(3), torch.rand(3), reduction='median')`.

Example:
    >>> p = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    >>> nn.functional.{name}(torch.log(p), torch.tensor([0, 2]))
    tensor(0.4581)
"""


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
    if not isinstance(label_smoothing, (int, float)) or not 0 <= label_smoothing <= 1 or reduction not in _REDUCTIONS:
        return NotImplemented
    reduction = _of_legacy(size_average, reduce, reduction)
    x, y = _batch_of_one(input, target) if input.dim() == 1 else (input, target)
    if of_classes:
        C, _ = ClassCrossEntropyFunction.apply(kept(x), y.contiguous(), weight, label_smoothing, ignore_index, reduction)
    else:
        y = kept(y) if label_smoothing else y  # PyTorch saves the smoothed target
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


cross_entropy.__doc__ = _OF_CLASSES.format(
    name="cross_entropy",
    summary="Compute −log softmax(z)_y for a class y, or −Σ_k y_k log softmax(z)_k for probabilities y.",
    probabilities=", or probabilities of the input's shape",
)
nll_loss.__doc__ = _OF_CLASSES.format(
    name="nll_loss",
    summary="Compute −input_y, where y is the class and the input holds log-probabilities.",
    probabilities="",
)
functional(F.cross_entropy, page="losses.cross_entropy")(cross_entropy)
functional(F.nll_loss, page="losses.nll_loss")(nll_loss)


def _is_of_classes(input: Tensor, target: Tensor, weight: Tensor | None) -> bool:
    if target.dtype != torch.int64 or not _has_classes(input, weight):
        return False
    if weight is not None and (weight.requires_grad or (weight.dtype != input.dtype and not autocast_is_on())):
        return False  # PyTorch raises
    return target.shape == (input.shape[:1] + input.shape[2:] if input.dim() > 1 else ())


def _has_classes(input: Tensor, weight: Tensor | None) -> bool:
    if not input.is_floating_point() or not input.dim():
        return False
    K = input.shape[min(input.dim() - 1, 1)]
    return K > 0 and (weight is None or (weight.shape == (K,) and weight.is_floating_point()))


def _batch_of_one(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.unsqueeze(0) for t in tensors)


# Elementwise losses: each as PyTorch's operator, whose reduction is a number, and as a function of nn.functional that calls it.

_PAIRS = """{summary}

Shapes:
    input of any shape; target of the same shape; output 0-d, or the input's shape for the reduction "none".

Raises:
    {error}: when the shapes do not match: `nn.functional.{name}(torch.rand(3), torch.rand(2))`.
    ValueError: when the reduction is invalid: `nn.functional.{name}(torch.rand(3), torch.rand(3), reduction='median')`.{more}

Example:
    >>> nn.functional.{name}({example})
    tensor({result})
"""
_DISTANCES = "torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1.0, 1.0, 2.0])"


def _of_pairs(
    torchs: Any, page: str, summary: str, example: str, result: str, error: str = "RuntimeError", more: str = ""
) -> Callable[..., Any]:
    """Decorate an elementwise loss as `functional` does, with a docstring built from these texts."""

    def enter(call: Any) -> Any:
        texts = {"name": torchs.__name__, "summary": summary, "example": example, "result": result, "error": error}
        call.__doc__ = _PAIRS.format(**texts, more=more and f"\n    {more}")
        return functional(torchs, page=page)(call)

    return enter


def reduced(loss: Any, reduction: int) -> Any:
    if loss is NotImplemented or reduction == 0:
        return loss
    return (MeanFunction if reduction == 1 else SumFunction).apply(loss, tuple(range(loss.dim())), False)


def _are_pairs(a: Any, y: Any) -> bool:
    return a.shape == y.shape and a.is_floating_point() and y.is_floating_point()


def _loss(Function: Any, a: Tensor, y: Tensor, reduction: int, number: float) -> Any:
    """Compute the reduced loss; a and y must have the same shape, and `number` must be positive."""
    if number <= 0 or a.shape != y.shape or not a.is_floating_point() or not y.is_floating_point():
        return NotImplemented
    loss = Function.apply(a, y, number)
    return loss if reduction == 0 else reduced(loss, reduction)


def _are_constant(*weights: Tensor | None) -> bool:
    """Return whether no weight requires grad: PyTorch raises for one that does."""
    return not any(weight is not None and weight.requires_grad for weight in weights)


def _torchs_mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Call PyTorch's mse_loss, and compute the reduction "batchmean", which PyTorch lacks, from "sum"."""
    if reduction != "batchmean" or size_average is not None or reduce is not None:
        return F.mse_loss(input, target, size_average, reduce, reduction, weight)  # type: ignore[call-arg]
    C = F.mse_loss(input, target, reduction="sum", weight=weight)  # type: ignore[call-arg]
    return C / torch.atleast_1d(input).shape[0]  # a trace records the batch size as an operation


@functional(F.mse_loss, otherwise=_torchs_mse_loss, explain=mse_loss_problem, page="losses.mse_loss")
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Any:
    """Compute the quadratic cost, the squares of (input − target).

    Args:
        size_average, reduce: deprecated, as in PyTorch.
        reduction: "none", "mean" or "sum", as in PyTorch, or "batchmean", the cost that `train.py` minimizes: the sum over
            the outputs, averaged over the examples. It divides by `input.shape[0]` (1 for a 0-d input), also with a `weight`.
        weight: factor of each square; "mean" then divides by the sum of `weight`.

    Shapes:
        input of any shape; weight of the same shape; target of the same shape, else it is broadcast with a warning;
        output 0-d, or the broadcast shape for "none".

    Raises:
        ValueError: when the reduction is invalid: `nn.functional.mse_loss(torch.rand(3), torch.rand(3), reduction="median")`.
        ValueError: when weight does not have input's shape:
            `nn.functional.mse_loss(torch.rand(3), torch.rand(3), weight=torch.rand(2))`.
        RuntimeError: when shapes or devices do not match: `nn.functional.mse_loss(torch.rand(3), torch.rand(2))`.
        NotImplementedError: when an argument is complex: `nn.functional.mse_loss(torch.tensor([1j]), torch.tensor([1j]))`.
        AttributeError: when an argument is not a Tensor: `nn.functional.mse_loss([1.0], torch.rand(1))`.

    Example:
        >>> a, y = torch.tensor([[1.0, 2.0], [6.0, 2.0]]), torch.tensor([[1.0, 1.0], [2.0, 1.0]])
        >>> nn.functional.mse_loss(a, y, reduction="batchmean")  # (0 + 1 + 16 + 1) / 2 examples
        tensor(9.)
    """
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}): "
            "they are broadcast, which is rarely intended; give both the same size.",
            stacklevel=3,  # the caller of the guard
        )
    reduction = _of_legacy(size_average, reduce, reduction)
    if reduction not in (*_REDUCTIONS, "batchmean"):
        raise ValueError(f"mse_loss: expected reduction to be 'none', 'mean', 'sum' or 'batchmean', got {reduction!r}")
    if weight is not None and weight.shape != input.shape:
        raise ValueError(f"mse_loss: expected weight to have input's shape {list(input.shape)}, got {list(weight.shape)}")
    if weight is not None and weight.is_complex():
        raise NotImplementedError(f"mse_loss: expected weight to be real, got {weight.dtype}")
    return MSELossFunction.apply(input, target, reduction, weight)


@answers(_NN.l1_loss)
def _l1_loss(input: Tensor, target: Tensor, reduction: int = 1) -> Any:
    of_each = L1LossFunction.apply(input, target)[0] if _are_pairs(input, target) else abs(sub(input, target))
    return reduced(of_each, reduction)


@_of_pairs(F.l1_loss, "losses.distances", "Compute |input − target|.", _DISTANCES, "1.6667")
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Any:
    if reduction not in _REDUCTIONS or target.shape != input.shape or (weight is not None and weight.shape != input.shape):
        return NotImplemented
    number = _REDUCTIONS.index(_of_legacy(size_average, reduce, reduction))
    if weight is None:
        return _l1_loss(input, target, number)
    weighted = mul(_l1_loss(input, target, 0), weight)
    return div(sum(weighted), sum(weight)) if _REDUCTIONS[number] == "mean" else reduced(weighted, number)


@answers(_NN.smooth_l1_loss)
def _smooth_l1_loss(input: Tensor, target: Tensor, reduction: int = 1, beta: float = 1.0) -> Any:
    return _loss(SmoothL1LossFunction, input, target, reduction, beta)


@_of_pairs(
    F.smooth_l1_loss,
    "losses.distances",
    "Compute d²/2β where |d| < β, else |d| − β/2, with d = input − target.",
    _DISTANCES,
    "1.3333",
    more="RuntimeError: when β is negative: `nn.functional.smooth_l1_loss(torch.rand(3), torch.rand(3), beta=-1.0)`.",
)
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    reduction = _of_legacy(size_average, reduce, reduction)
    return _loss(SmoothL1LossFunction, input, target, _REDUCTIONS.index(reduction), beta)


@answers(_NN.huber_loss)
def _huber_loss(input: Tensor, target: Tensor, reduction: int = 1, delta: float = 1.0) -> Any:
    return _loss(HuberLossFunction, input, target, reduction, delta)


@_of_pairs(
    F.huber_loss,
    "losses.distances",
    "Compute d²/2 where |d| < δ, else δ (|d| − δ/2), with d = input − target.",
    _DISTANCES,
    "1.3333",
    more="RuntimeError: when δ is not positive: `nn.functional.huber_loss(torch.rand(3), torch.rand(3), delta=0.0)`.",
)
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None) -> Any:
    if weight is not None or reduction not in _REDUCTIONS:
        return NotImplemented
    return _loss(HuberLossFunction, input, target, _REDUCTIONS.index(reduction), delta)


@answers(torch.kl_div)
def _kl_div(input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False) -> Any:
    a, y = broadcast_tensors(input, target)
    return reduced(LogKLDivFunction.apply(a, y)[0] if log_target else KLDivFunction.apply(a, y), reduction)


@_of_pairs(
    F.kl_div,
    "losses.kl_div",
    "Compute y (log y − input), where y are the target's probabilities and the input holds log-probabilities.",
    "torch.log(torch.tensor([[0.5, 0.5]])), torch.tensor([[0.25, 0.75]]), reduction='batchmean'",
    "0.1308",
)
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    if reduction not in (*_REDUCTIONS, "batchmean"):
        return NotImplemented
    legacy = size_average is not None or reduce is not None
    reduction = _of_legacy(size_average, reduce, reduction)
    if reduction == "mean" and not legacy and not torch.compiler.is_dynamo_compiling():  # Dynamo cannot trace the warning
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size; 'batchmean' divides by the "
            "batch size alone, as the Kullback-Leibler divergence is defined.",
            stacklevel=3,  # the caller of the guard
        )
    as_number = {"none": 0, "mean": 1, "sum": 2, "batchmean": 2}[reduction]
    loss = _kl_div(input, target, as_number, log_target=log_target)
    return div(loss, input.shape[0]) if reduction == "batchmean" and input.dim() else loss


@answers(_NN.binary_cross_entropy)
def _binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: int = 1) -> Any:
    if not _are_pairs(input, target) or not _are_constant(weight):
        return NotImplemented
    if input.is_cuda and autocast_is_on_for(input):
        return NotImplemented  # PyTorch raises in this case
    return reduced(_weighted(BCELossFunction.apply(input, target), weight), reduction)


@_of_pairs(
    F.binary_cross_entropy,
    "losses.binary_cross_entropy",
    "Compute −y log a − (1 − y) log(1 − a), for probabilities a and targets y.",
    "torch.tensor([0.5, 0.9]), torch.tensor([0.0, 1.0])",
    "0.3993",
    error="ValueError",
    more="RuntimeError: when an element of the input is not between 0 and 1: "
    "`nn.functional.binary_cross_entropy(torch.tensor([2.0]), torch.tensor([1.0]))`.",
)
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    reduction = _of_legacy(size_average, reduce, reduction)
    return _binary_cross_entropy(input, target, weight, _REDUCTIONS.index(reduction))


@answers(torch.binary_cross_entropy_with_logits)
def _binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 1
) -> Any:
    if not _are_pairs(input, target) or not _are_constant(weight, pos_weight):
        return NotImplemented
    return reduced(_weighted(BCEWithLogitsLossFunction.apply(input, target, pos_weight), weight), reduction)


@_of_pairs(
    F.binary_cross_entropy_with_logits,
    "losses.binary_cross_entropy",
    "Compute −y log σ(z) − (1 − y) log(1 − σ(z)), for logits z and targets y.",
    "torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0])",
    "0.4100",
    error="ValueError",
)
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Any:
    reduction = _of_legacy(size_average, reduce, reduction)
    return _binary_cross_entropy_with_logits(input, target, weight, pos_weight, _REDUCTIONS.index(reduction))


def _weighted(loss: Tensor, weight: Tensor | None) -> Any:
    if weight is None:
        return loss
    if torch.broadcast_shapes(loss.shape, weight.shape) != loss.shape:
        return NotImplemented
    return mul(loss, weight.to(loss.dtype))
