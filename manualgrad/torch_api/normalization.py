"""Batch, instance, group, layer, RMS and local response normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function.in_place import kept, kept_beside
from manualgrad.functions.normalization.batch_norm import BatchNormEvaluationFunction, BatchNormFunction
from manualgrad.functions.normalization.group_norm import GroupNormFunction
from manualgrad.functions.normalization.instance_norm import InstanceNormFunction
from manualgrad.functions.normalization.layer_norm import LayerNormFunction
from manualgrad.functions.normalization.rms_norm import RMSNormFunction
from manualgrad.torch_api import arithmetic, movement, pooling
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.guard import functional

_HALF = (torch.float16, torch.bfloat16)


@functional(F.batch_norm, page="normalization.batch_norm")
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
    """Compute (x − mean) / √(variance + eps) · weight + bias, with the mean and variance of each channel in the batch.

    Shapes:
        input and output [n, channels, ...]; running_mean, running_var, weight and bias [channels].

    Raises:
        ValueError: when there is only one value per channel in training:
            `nn.functional.batch_norm(torch.rand(1, 2), None, None, training=True)`.
        RuntimeError: when weight does not match the channels:
            `nn.functional.batch_norm(torch.rand(4, 2), *2 * [None], torch.rand(3), training=True)`.
        RuntimeError: when running_mean is None in evaluation: `nn.functional.batch_norm(torch.rand(4, 2), None, None)`.

    Example:
        >>> x = torch.tensor([[0.0], [2.0], [4.0], [6.0]])
        >>> nn.functional.batch_norm(x, None, None, training=True).T
        tensor([[-1.3416, -0.4472,  0.4472,  1.3416]])
    """
    if (training and math.prod(input.shape[:1] + input.shape[2:]) == 1) or eps < 0 or (training and eps == 0):
        return NotImplemented
    return torch_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, False)


@answers(torch.batch_norm)
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
    """Implement torch.batch_norm, which has another order of arguments."""
    if input.dim() < 2 or not _belong_together(input, weight, bias, running_mean, running_var):
        return NotImplemented
    if input.numel() == 0:
        return _of_nothing(input, weight, bias, eps)
    if training:
        return BatchNormFunction.apply(input, weight, bias, running_mean, running_var, momentum, eps)[0]
    if running_mean is None:
        return NotImplemented
    return BatchNormEvaluationFunction.apply(input, weight, bias, running_mean, running_var, eps)


@functional(F.instance_norm, page="normalization.instance_norm")
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Compute (x − mean) / √(variance + eps) · weight + bias, with the mean and variance of each channel of an example.

    Shapes:
        input and output [n, channels, ...]; running_mean, running_var, weight and bias [channels].

    Raises:
        ValueError: when there is only one value per channel: `nn.functional.instance_norm(torch.rand(2, 3, 1))`.
        RuntimeError: when weight does not match the channels:
            `nn.functional.instance_norm(torch.rand(2, 3, 4), weight=torch.rand(2))`.

    Example:
        >>> x = torch.tensor([[0.0, 2.0, 4.0, 6.0]])
        >>> nn.functional.instance_norm(x[None])[0]
        tensor([[-1.3416, -0.4472,  0.4472,  1.3416]])
    """
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        return NotImplemented
    return torch_instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, False)


@answers(torch.instance_norm)
def torch_instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """Implement torch.instance_norm, which has another order of arguments."""
    if input.dim() < 2 or not _belong_together(input, weight, bias, running_mean, running_var):
        return NotImplemented
    if running_mean is None and not use_input_stats:
        return NotImplemented
    if input.numel() == 0:
        torch_raises = not input.shape[0] and not (weight is None and bias is None)
        return NotImplemented if torch_raises or running_mean is not None else _of_nothing(input, weight, bias, eps)
    weight = weight if weight is None else kept(weight)  # PyTorch also saves a copy
    if use_input_stats:
        return InstanceNormFunction.apply(input.contiguous(), weight, bias, running_mean, running_var, momentum, eps)[0]
    return BatchNormEvaluationFunction.apply(input.contiguous(), weight, bias, running_mean, running_var, eps)


@functional(F.group_norm, page="normalization.group_norm")
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Any:
    """Compute (x − mean) / √(variance + eps) · weight + bias, over each group of channels of an example.

    Shapes:
        input and output [n, channels, ...]; weight and bias [channels].

    Raises:
        RuntimeError: when `num_groups` does not divide the channels: `nn.functional.group_norm(torch.rand(2, 4), 3)`.
        RuntimeError: when weight does not match the channels: `nn.functional.group_norm(torch.rand(2, 4), 2, torch.rand(3))`.

    Example:
        >>> x = torch.tensor([[0.0, 2.0, 4.0, 6.0]])
        >>> nn.functional.group_norm(x, 2)
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    if input.dim() < 2 or not isinstance(num_groups, int) or num_groups < 1:
        return NotImplemented
    if input.shape[0] * input.shape[1] // num_groups * math.prod(input.shape[2:]) == 1:
        return NotImplemented
    return torch_group_norm(input, num_groups, weight, bias, eps)


@answers(torch.group_norm)
def torch_group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """Implement torch.group_norm."""
    if input.dim() < 2 or not isinstance(num_groups, int) or num_groups < 1 or input.shape[1] % num_groups:
        return NotImplemented
    if not _fit(input, input.shape[1:2], weight, bias):
        return NotImplemented
    return GroupNormFunction.apply(input, weight, bias, num_groups, eps)[0]


@functional(F.layer_norm, page="normalization.layer_norm")
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """Compute (x − mean) / √(variance + eps) · weight + bias, with the mean and variance over the last dimensions.

    Shapes:
        input and output [..., *normalized_shape]; weight and bias [*normalized_shape].

    Raises:
        RuntimeError: when the input's shape does not end in normalized_shape:
            `nn.functional.layer_norm(torch.rand(2, 3), (4,))`.
        RuntimeError: when weight does not have normalized_shape:
            `nn.functional.layer_norm(torch.rand(2, 3), (3,), torch.rand(2))`.
        TypeError: when the input is not a Tensor: `nn.functional.layer_norm([1.0], (1,))`.

    Example:
        >>> x = torch.tensor([[0.0, 2.0, 4.0, 6.0]])
        >>> nn.functional.layer_norm(x, (4,))
        tensor([[-1.3416, -0.4472,  0.4472,  1.3416]])
    """
    shape = _last_dimensions(input, normalized_shape)
    if shape is None or not _fit(input, shape, weight, bias):
        return NotImplemented
    return LayerNormFunction.apply(input, weight, bias, shape, eps)[0]


@answers(torch.layer_norm)
def torch_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    """Implement torch.layer_norm."""
    return layer_norm(input, normalized_shape, weight, bias, eps)


@functional(F.rms_norm, torch.rms_norm, page="normalization.rms_norm")
def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Any:
    """Compute x / √(mean of x² + eps) · weight, with the mean over the last dimensions.

    If eps is None, use the machine epsilon of the dtype of the computation.

    Shapes:
        input and output [..., *normalized_shape]; weight [*normalized_shape].

    Raises:
        RuntimeError: when the input's shape does not end in normalized_shape:
            `nn.functional.rms_norm(torch.rand(2, 3), (4,))`.

    Example:
        >>> x = torch.tensor([[0.0, 2.0, 4.0, 6.0]])
        >>> nn.functional.rms_norm(x, (4,))
        tensor([[0.0000, 0.5345, 1.0690, 1.6036]])
    """
    shape = _last_dimensions(input, normalized_shape)
    if shape is None or not (input.is_floating_point() or input.is_complex()):
        return NotImplemented
    if weight is not None and (weight.shape != shape or weight.is_complex() != input.is_complex()):
        return NotImplemented
    input = input if weight is None else kept_beside(input, weight)
    eps = torch.finfo(torch.float32 if input.dtype in _HALF else input.dtype).eps if eps is None else eps
    return RMSNormFunction.apply(input, weight, shape, eps)[0]


@functional(F.local_response_norm, page="pooling.avg_pool")
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """Compute x / (k + alpha · mean of x² over `size` channels)^beta.

    Shapes:
        input and output [n, channels, ...], with three or more dimensions.

    Raises:
        ValueError: when the input has fewer than three dimensions: `nn.functional.local_response_norm(torch.rand(3, 2), 2)`.

    Example:
        >>> x = torch.tensor([[0.0, 2.0, 4.0, 6.0]])
        >>> nn.functional.local_response_norm(x[..., None], 1, alpha=1.0)[..., 0]
        tensor([[0.0000, 0.5981, 0.4778, 0.3999]])
    """
    if input.dim() < 3 or input.numel() == 0:
        return NotImplemented
    N, C, L = input.shape[0], input.shape[1], math.prod(input.shape[2:])
    squares = arithmetic.square(input).reshape(N, 1, C, L)
    squares = movement.pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means = pooling.avg_pool2d(squares, (size, 1), 1).reshape(input.shape)
    return arithmetic.div(input, arithmetic.pow(arithmetic.add(arithmetic.mul(means, alpha), k), beta))


def _last_dimensions(x: Tensor, normalized_shape: Any) -> tuple[int, ...] | None:
    """Return normalized_shape as a tuple; None if x's shape does not end in it."""
    if not isinstance(normalized_shape, Sequence) or not 1 <= len(normalized_shape) <= x.dim():
        return None
    shape = tuple(normalized_shape)
    return shape if shape == tuple(x.shape[-len(shape) :]) else None


def _fit(x: Tensor, shape: Sequence[int], *given: Tensor | None) -> bool:
    """Return whether PyTorch accepts the tensors: they have this shape and x's dtype, or float32 for a half-precision x."""
    dtypes = {t.dtype for t in given if t is not None}
    return (
        x.is_floating_point()
        and len(dtypes) <= 1
        and dtypes <= ({x.dtype, torch.float32} if x.dtype in _HALF else {x.dtype})
        and all(t is None or tuple(t.shape) == tuple(shape) for t in given)
    )


def _belong_together(x: Tensor, w: Tensor | None, b: Tensor | None, mean: Tensor | None, var: Tensor | None) -> bool:
    """Return whether PyTorch accepts the tensors, and mean and var are both None or both constants."""
    if (mean is None) != (var is None) or any(t is not None and t.requires_grad for t in (mean, var)):
        return False
    return _fit(x, x.shape[1:2], w, b, mean, var)


def _of_nothing(x: Tensor, w: Tensor | None, b: Tensor | None, eps: float) -> Any:
    """Normalize an empty x; it has no statistics, so any values will do."""
    zeros = x.new_zeros(x.shape[1])
    return BatchNormEvaluationFunction.apply(kept(x), w, b, zeros, zeros + 1, eps)
