"""Normalization by the statistics of a batch, of examples, of groups of channels, or by given ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.function.in_place import kept, kept_beside
from manualgrad.functions.normalization.batch_norm import BatchNormEvaluationFunction, BatchNormFunction
from manualgrad.functions.normalization.group_norm import GroupNormFunction
from manualgrad.functions.normalization.instance_norm import InstanceNormFunction
from manualgrad.functions.normalization.layer_norm import LayerNormFunction
from manualgrad.functions.normalization.rms_norm import RMSNormFunction
from manualgrad.torch_api import arithmetic, movement, pooling

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
    if input.numel() == 0:
        return _of_nothing(input, weight, bias, eps)
    if training:
        return BatchNormFunction.apply(input, weight, bias, running_mean, running_var, momentum, eps)[0]
    if running_mean is None:
        return NotImplemented
    return BatchNormEvaluationFunction.apply(input, weight, bias, running_mean, running_var, eps)


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
    """torch.nn.functional's."""
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        return NotImplemented
    return torch_instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, False)


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
    """torch's own, with its order of arguments."""
    if input.dim() < 2 or not _belong_together(input, weight, bias, running_mean, running_var):
        return NotImplemented
    if running_mean is None and not use_input_stats:
        return NotImplemented
    if input.numel() == 0:
        torch_raises = not input.shape[0] and not (weight is None and bias is None)
        return NotImplemented if torch_raises or running_mean is not None else _of_nothing(input, weight, bias, eps)
    weight = weight if weight is None else kept(weight)  # a few numbers, of which torch saves a copy, too
    if use_input_stats:
        return InstanceNormFunction.apply(input.contiguous(), weight, bias, running_mean, running_var, momentum, eps)[0]
    return BatchNormEvaluationFunction.apply(input.contiguous(), weight, bias, running_mean, running_var, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Any:
    """torch.nn.functional's."""
    if input.dim() < 2 or not isinstance(num_groups, int) or num_groups < 1:
        return NotImplemented
    if input.shape[0] * input.shape[1] // num_groups * math.prod(input.shape[2:]) == 1:
        return NotImplemented
    return torch_group_norm(input, num_groups, weight, bias, eps)


def torch_group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """torch's own."""
    if input.dim() < 2 or not isinstance(num_groups, int) or num_groups < 1 or input.shape[1] % num_groups:
        return NotImplemented
    if not _fit(input, input.shape[1:2], weight, bias):
        return NotImplemented
    return GroupNormFunction.apply(input, weight, bias, num_groups, eps)[0]


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """torch.nn.functional's."""
    shape = _last_dimensions(input, normalized_shape)
    if shape is None or not _fit(input, shape, weight, bias):
        return NotImplemented
    return LayerNormFunction.apply(input, weight, bias, shape, eps)[0]


def torch_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    """torch's own."""
    return layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Any:
    """torch.nn.functional's, and torch's own. An eps of None is that of the dtype that is computed in."""
    shape = _last_dimensions(input, normalized_shape)
    if shape is None or not (input.is_floating_point() or input.is_complex()):
        return NotImplemented
    if weight is not None and (weight.shape != shape or weight.is_complex() != input.is_complex()):
        return NotImplemented
    input = input if weight is None else kept_beside(input, weight)
    eps = torch.finfo(torch.float32 if input.dtype in _HALF else input.dtype).eps if eps is None else eps
    return RMSNormFunction.apply(input, weight, shape, eps)[0]


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """torch.nn.functional's: x / (k + alpha · the mean of x² over `size` channels)^beta, of sums and products."""
    if input.dim() < 3 or input.numel() == 0:
        return NotImplemented
    N, C, L = input.shape[0], input.shape[1], math.prod(input.shape[2:])
    squares = arithmetic.square(input).reshape(N, 1, C, L)
    squares = movement.pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means = pooling.avg_pool2d(squares, (size, 1), 1).reshape(input.shape)
    return arithmetic.div(input, arithmetic.pow(arithmetic.add(arithmetic.mul(means, alpha), k), beta))


def _last_dimensions(x: Tensor, normalized_shape: Any) -> tuple[int, ...] | None:
    """As a tuple; None where they are not the last of x."""
    if not isinstance(normalized_shape, Sequence) or not 1 <= len(normalized_shape) <= x.dim():
        return None
    shape = tuple(normalized_shape)
    return shape if shape == tuple(x.shape[-len(shape) :]) else None


def _fit(x: Tensor, shape: Sequence[int], *given: Tensor | None) -> bool:
    """Whether torch takes them: of this shape, and of one dtype, float32 beside half precision too."""
    dtypes = {t.dtype for t in given if t is not None}
    return (
        x.is_floating_point()
        and len(dtypes) <= 1
        and dtypes <= ({x.dtype, torch.float32} if x.dtype in _HALF else {x.dtype})
        and all(t is None or tuple(t.shape) == tuple(shape) for t in given)
    )


def _belong_together(x: Tensor, w: Tensor | None, b: Tensor | None, mean: Tensor | None, var: Tensor | None) -> bool:
    """Whether torch takes them, and the statistics are both or neither, and constants."""
    if (mean is None) != (var is None) or any(t is not None and t.requires_grad for t in (mean, var)):
        return False
    return _fit(x, x.shape[1:2], w, b, mean, var)


def _of_nothing(x: Tensor, w: Tensor | None, b: Tensor | None, eps: float) -> Any:
    """x that has no numbers has no statistics; what it is normalized by does not matter."""
    zeros = x.new_zeros(x.shape[1])
    return BatchNormEvaluationFunction.apply(kept(x), w, b, zeros, zeros + 1, eps)
