"""`torch.nn.functional` with hand-written gradients.

The functions here have torch's signatures, take what torch's take and raise what torch's raise; every other name is torch's
own. `_guard.py` says which calls get torch's own function instead.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn._reduction import legacy_get_string

from manualgrad._calls import activations, convolution, losses, movement, normalization, pooling
from manualgrad._calls import dropout as drop
from manualgrad.functions import LinearFunction, MSELossFunction, ReLUFunction, SigmoidFunction
from manualgrad.nn._arguments import activation_problem, linear_problem, mse_loss_problem
from manualgrad.nn._guard import hand_written

if TYPE_CHECKING:
    from torch.nn.functional import *  # noqa: F403
else:
    celu = hand_written(F.celu)(activations.celu)
    elu = hand_written(F.elu)(activations.elu)
    gelu = hand_written(F.gelu)(activations.gelu)
    hardsigmoid = hand_written(F.hardsigmoid)(activations.hardsigmoid)
    hardswish = hand_written(F.hardswish)(activations.hardswish)
    hardtanh = hand_written(F.hardtanh)(activations.hardtanh)
    leaky_relu = hand_written(F.leaky_relu)(activations.leaky_relu)
    logsigmoid = hand_written(F.logsigmoid)(activations.logsigmoid)
    log_softmax = hand_written(F.log_softmax)(activations.functional_log_softmax)
    mish = hand_written(F.mish)(activations.mish)
    relu6 = hand_written(F.relu6)(activations.relu6)
    selu = hand_written(F.selu)(activations.selu)
    silu = hand_written(F.silu)(activations.silu)
    softmax = hand_written(F.softmax)(activations.functional_softmax)
    softplus = hand_written(F.softplus)(activations.softplus)
    softsign = hand_written(F.softsign)(activations.softsign)
    tanh = hand_written(torch.tanh)(activations.tanh)
    conv1d = hand_written(F.conv1d)(convolution.conv1d)
    conv2d = hand_written(F.conv2d)(convolution.conv2d)
    conv3d = hand_written(F.conv3d)(convolution.conv3d)
    conv_transpose1d = hand_written(F.conv_transpose1d)(convolution.conv_transpose1d)
    conv_transpose2d = hand_written(F.conv_transpose2d)(convolution.conv_transpose2d)
    conv_transpose3d = hand_written(F.conv_transpose3d)(convolution.conv_transpose3d)
    dropout = hand_written(F.dropout)(drop.functional_dropout)
    dropout1d = hand_written(F.dropout1d)(drop.functional_dropout1d)
    dropout2d = hand_written(F.dropout2d)(drop.functional_dropout2d)
    dropout3d = hand_written(F.dropout3d)(drop.functional_dropout3d)
    cross_entropy = hand_written(F.cross_entropy)(losses.cross_entropy)
    nll_loss = hand_written(F.nll_loss)(losses.nll_loss)
    pad = hand_written(F.pad)(movement.pad)
    batch_norm = hand_written(F.batch_norm)(normalization.batch_norm)
    max_pool1d = hand_written(F.max_pool1d)(pooling.max_pool1d)
    max_pool2d = hand_written(F.max_pool2d)(pooling.max_pool2d)
    max_pool3d = hand_written(F.max_pool3d)(pooling.max_pool3d)
    avg_pool1d = hand_written(F.avg_pool1d)(pooling.avg_pool1d)
    avg_pool2d = hand_written(F.avg_pool2d)(pooling.avg_pool2d)
    avg_pool3d = hand_written(F.avg_pool3d)(pooling.avg_pool3d)
    adaptive_avg_pool1d = hand_written(F.adaptive_avg_pool1d)(pooling.adaptive_avg_pool1d)
    adaptive_avg_pool2d = hand_written(F.adaptive_avg_pool2d)(pooling.adaptive_avg_pool2d)
    adaptive_avg_pool3d = hand_written(F.adaptive_avg_pool3d)(pooling.adaptive_avg_pool3d)


@hand_written(F.linear, linear_problem)  # type: ignore[no-redef]
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """z = input weightᵀ + bias, derived in `manualgrad.functions.linear.linear`; see `torch.nn.functional.linear`.

    Shapes:
        input [..., in]; weight [out, in]; bias [out] or None; result [..., out]. A weight [in] gives a result [...].

    Raises:
        RuntimeError: when shapes, dtypes or devices do not fit.
        TypeError: when an argument is no tensor.
    """
    if weight.dim() == 1 and bias is None:
        return LinearFunction.apply(input, weight.unsqueeze(0), None).squeeze(-1)
    if bias is not None and bias.dim() > 1:  # torch takes a bias for each example too
        return LinearFunction.apply(input, weight, None) + bias
    return LinearFunction.apply(input, weight, bias)


@hand_written(torch.sigmoid, partial(activation_problem, "sigmoid"))  # type: ignore[no-redef]
def sigmoid(input: Tensor) -> Tensor:
    """a = 1 / (1 + e^(-input)) of each element, derived in `manualgrad.functions.activations.sigmoid`; see `torch.sigmoid`.

    Raises:
        TypeError: when the input is no tensor.
    """
    return SigmoidFunction.apply(input)


@hand_written(F.relu, partial(activation_problem, "relu"))  # type: ignore[no-redef]
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """a = max(input, 0) of each element, derived in `manualgrad.functions.activations.relu`; see `torch.nn.functional.relu`.

    Args:
        inplace: write the result into `input`, and return it.

    Raises:
        RuntimeError: when the input is complex or boolean (NotImplementedError), or with `inplace` a leaf that requires grad.
        TypeError: when the input is no tensor.
    """
    return ReLUFunction.apply_in_place(input) if inplace else ReLUFunction.apply(input)


def _torchs_mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """torch's own, and "batchmean", which it has not, by its "sum"."""
    if reduction != "batchmean" or size_average is not None or reduce is not None:
        return F.mse_loss(input, target, size_average, reduce, reduction, weight)  # type: ignore[call-arg]
    C = F.mse_loss(input, target, reduction="sum", weight=weight)  # type: ignore[call-arg]
    return C / torch.atleast_1d(input).shape[0]  # the count is an operation of its own, for a trace to hold


@hand_written(_torchs_mse_loss, mse_loss_problem)  # type: ignore[no-redef]
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The quadratic cost, derived in `manualgrad.functions.losses.mse_loss`; see `torch.nn.functional.mse_loss`.

    Args:
        size_average, reduce: deprecated, as in torch.
        reduction: "none", "mean" or "sum", as in torch, or "batchmean": the sum over the outputs, averaged over the
            examples, that is divided by `input.shape[0]` (for a 0-d input, by 1), also where there is a `weight`.
        weight: a factor of each square. "mean" then divides by its sum.

    Shapes:
        input and target alike; another target is broadcast, with a warning. weight as input. The result is 0-d, or for
        "none" has the broadcast shape.

    Raises:
        ValueError: when the reduction is another, or the weight has another shape than the input.
        RuntimeError: when shapes or devices do not fit, or numbers are complex (NotImplementedError).
        AttributeError: when an argument is no tensor.
    """
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}): "
            "the two are broadcast, which is seldom what is meant; give both the same size.",
            stacklevel=3,  # who called the guard
        )
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise ValueError(f"mse_loss: reduction must be 'none', 'mean', 'sum' or 'batchmean', and is {reduction!r}")
    if weight is not None and weight.shape != input.shape:
        raise ValueError(f"mse_loss: weight must have the shape of input, {list(input.shape)}, and has {list(weight.shape)}")
    if weight is not None and weight.is_complex():
        raise NotImplementedError(f"mse_loss: weight is {weight.dtype}, and must be real")
    return MSELossFunction.apply(input, target, reduction, weight)


def __getattr__(name: str) -> Any:
    return getattr(F, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(F)})
