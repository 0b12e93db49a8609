"""Max pooling, average pooling and adaptive average pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions.pooling.adaptive_avg_pool import AdaptiveAvgPoolFunction
from manualgrad.functions.pooling.avg_pool import AvgPoolFunction
from manualgrad.functions.pooling.max_pool import MaxPoolFunction
from manualgrad.torch_api.autocast import in_float32_on_the_cpu
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.guard import functional
from manualgrad.torch_api.reference import in_dimensions

_NN: Any = torch._C._nn


def _sides(value: Any, n: int) -> list[Any] | None:
    """Return one number per side, repeating a single number for all n; return None for an invalid value."""
    if isinstance(value, int):
        return [value] * n
    if not isinstance(value, Sequence) or len(value) not in (1, n):
        return None
    return [*value] * (n if len(value) == 1 else 1)


def _kernel_and_stride(kernel_size: Any, stride: Any, n: int) -> tuple[list[Any] | None, list[Any] | None]:
    stride_is_the_kernel = stride is None or (isinstance(stride, Sequence) and not len(stride))
    return _sides(kernel_size, n), _sides(kernel_size if stride_is_the_kernel else stride, n)


def _max_pool_with_indices(n: int) -> Callable[..., Any]:
    def max_pool_with_indices(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = True,
    ) -> Any:
        kernel, stride = _kernel_and_stride(kernel_size, stride, n)
        padding, dilation = _sides(padding, n), _sides(dilation, n)
        if kernel is None or stride is None or padding is None or dilation is None:
            return NotImplemented
        if n > 1:
            return MaxPoolFunction.apply(input, kernel, stride, padding, dilation, ceil_mode)
        if input.dim() not in (2, 3):
            return NotImplemented
        plane = input.unsqueeze(-2)  # a line is a plane of height 1
        y, index = MaxPoolFunction.apply(plane, [1, *kernel], [1, *stride], [0, *padding], [1, *dilation], ceil_mode)
        return y.squeeze(-2), index.squeeze(-2)

    return max_pool_with_indices


def _max_pool(with_indices: Callable[..., Any], n: int) -> Callable[..., Any]:
    def max_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        def with_them(x: Tensor) -> Any:
            return with_indices(x, kernel_size, stride, padding, dilation, ceil_mode)

        answer = with_them(input) if return_indices or n < 3 else in_float32_on_the_cpu(input, with_them)
        return answer if return_indices or answer is NotImplemented else answer[0]

    return max_pool


def _avg_pool(n: int) -> Callable[..., Any]:
    def avg_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        kernel, stride = _kernel_and_stride(kernel_size, stride, n)
        padding = _sides(padding, n)
        if kernel is None or stride is None or padding is None or divisor_override == 0:
            return NotImplemented
        return AvgPoolFunction.apply(input, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)

    return avg_pool


avg_pool2d, avg_pool3d = _avg_pool(2), _avg_pool(3)


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    kernel, stride = _kernel_and_stride(kernel_size, stride, 1)
    padding = _sides(padding, 1)
    if kernel is None or stride is None or padding is None or input.dim() not in (2, 3):
        return NotImplemented
    plane = input.unsqueeze(-2)  # a line is a plane of height 1
    y = AvgPoolFunction.apply(plane, [1, *kernel], [1, *stride], [0, *padding], ceil_mode, count_include_pad, None)
    return y.squeeze(-2)


def _adaptive_avg_pool(n: int) -> Callable[..., Any]:
    def adaptive_avg_pool(input: Tensor, output_size: Any) -> Any:
        size = [None] * n if n > 1 and output_size is None else _sides(output_size, n)
        if size is None or input.dim() not in (n + 1, n + 2):
            return NotImplemented
        size = [u if t is None else t for t, u in zip(size, input.shape[-n:], strict=True)]
        if n == 1:
            return AdaptiveAvgPoolFunction.apply(input.unsqueeze(-2), [1, *size]).squeeze(-2)
        if n == 3:
            return in_float32_on_the_cpu(input, lambda x: AdaptiveAvgPoolFunction.apply(x, size))
        return AdaptiveAvgPoolFunction.apply(input, size)

    return adaptive_avg_pool


_DOC = """Compute the <kind> of each window of a <where>.

Shapes:
    input [n, channels, <sides>] or [channels, <sides>]; output [n, channels, ...], with each side
    (side + 2 padding − <extent>) / stride + 1, rounded down.<more>

Raises:
    RuntimeError: when the window is larger than the input: `nn.functional.<name>(torch.rand(2, 3, <2 each>), 3)`.
    RuntimeError: when `padding` is more than half of the window:
        `nn.functional.<name>(torch.rand(2, 3, <8 each>), 2, padding=2)`.
    TypeError: when the input is not a Tensor: `nn.functional.<name>([1.0], 2)`.

Example:
    >>> nn.functional.<name>(torch.rand(2, 3, <8 each>), 2).shape
    torch.Size([2, 3, <4 each>])
"""
_LARGEST = {
    "kind": "maximum",
    "extent": "dilation (kernel_size − 1) − 1",
    "more": "\n    With `return_indices`, also the indices of the maxima, of the same shape.",
}
_MEAN = {"kind": "mean", "extent": "kernel_size", "more": ""}
_ADAPTIVE = """Compute the mean of each of `output_size` windows, which together cover a <where>.

Shapes:
    input [n, channels, <sides>] or [channels, <sides>]; output [n, channels, *output_size].

Raises:
    RuntimeError: when `output_size` is negative: `nn.functional.adaptive_avg_pool<n>d(torch.rand(2, 3, <8 each>), -1)`.
    RuntimeError: when the input has too few dimensions: `nn.functional.adaptive_avg_pool<n>d(torch.rand(8), 2)`.
    <error>: when the input is not a Tensor: `nn.functional.adaptive_avg_pool<n>d([1.0], 2)`.

Example:
    >>> nn.functional.adaptive_avg_pool<n>d(torch.rand(2, 3, <8 each>), 3).shape
    torch.Size([2, 3, <3 each>])
"""

for _n, _in_torch, _mean in ((1, torch, avg_pool1d), (2, _NN, avg_pool2d), (3, _NN, avg_pool3d)):
    _name = f"max_pool{_n}d"
    _with_indices = _max_pool_with_indices(_n)
    answers(getattr(F, f"{_name}_with_indices"), getattr(_in_torch, f"{_name}_with_indices"))(_with_indices)
    _largest = _max_pool(_with_indices, _n)
    _largest.__doc__ = in_dimensions(_DOC, _n, name=_name, **_LARGEST)
    functional(getattr(F, _name), getattr(torch, _name), page="pooling.max_pool")(_largest)
    _name = f"avg_pool{_n}d"
    _mean.__doc__ = in_dimensions(_DOC, _n, name=_name, **_MEAN)
    functional(getattr(F, _name), page="pooling.avg_pool")(_mean)
    _name = f"adaptive_avg_pool{_n}d"
    _adaptive = _adaptive_avg_pool(_n)
    _adaptive.__doc__ = in_dimensions(_ADAPTIVE, _n, error="TypeError" if _n == 1 else "AttributeError")
    functional(getattr(F, _name), getattr(_in_torch, _name), page="pooling.adaptive_avg_pool")(_adaptive)
