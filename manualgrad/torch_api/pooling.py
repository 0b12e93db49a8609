"""Windows of planes: the largest of each, and the average of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from manualgrad.functions.pooling.adaptive_avg_pool import AdaptiveAvgPoolFunction
from manualgrad.functions.pooling.avg_pool import AvgPoolFunction
from manualgrad.functions.pooling.max_pool import MaxPoolFunction


def _sides(value: Any, n: int) -> list[Any] | None:
    """A number for each of n sides; None where it is no such thing."""
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
        *,
        out: Any = None,
    ) -> Any:
        kernel, stride = _kernel_and_stride(kernel_size, stride, n)
        padding, dilation = _sides(padding, n), _sides(dilation, n)
        if out is not None or kernel is None or stride is None or padding is None or dilation is None:
            return NotImplemented
        if n > 1:
            return MaxPoolFunction.apply(input, kernel, stride, padding, dilation, ceil_mode)
        if input.dim() not in (2, 3):
            return NotImplemented
        plane = input.unsqueeze(-2)  # a line is a plane of height 1
        y, index = MaxPoolFunction.apply(plane, [1, *kernel], [1, *stride], [0, *padding], [1, *dilation], ceil_mode)
        return y.squeeze(-2), index.squeeze(-2)

    return max_pool_with_indices


def _max_pool(with_indices: Callable[..., Any]) -> Callable[..., Any]:
    def max_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        answer = with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
        return answer if return_indices or answer is NotImplemented else answer[0]

    return max_pool


max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = (_max_pool_with_indices(n) for n in (1, 2, 3))
max_pool1d, max_pool2d, max_pool3d = (
    _max_pool(f) for f in (max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices)
)


def _avg_pool(n: int) -> Callable[..., Any]:
    def avg_pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        out: Any = None,
    ) -> Any:
        kernel, stride = _kernel_and_stride(kernel_size, stride, n)
        padding = _sides(padding, n)
        if out is not None or kernel is None or stride is None or padding is None or divisor_override == 0:
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
    *,
    out: Any = None,
) -> Any:
    kernel, stride = _kernel_and_stride(kernel_size, stride, 1)
    padding = _sides(padding, 1)
    if out is not None or kernel is None or stride is None or padding is None or input.dim() not in (2, 3):
        return NotImplemented
    plane = input.unsqueeze(-2)  # a line is a plane of height 1
    y = AvgPoolFunction.apply(plane, [1, *kernel], [1, *stride], [0, *padding], ceil_mode, count_include_pad, None)
    return y.squeeze(-2)


def _adaptive_avg_pool(n: int) -> Callable[..., Any]:
    def adaptive_avg_pool(input: Tensor, output_size: Any, *, out: Any = None) -> Any:
        size = _sides(output_size, n) if output_size is not None else [None] * n
        if out is not None or size is None or input.dim() not in (n + 1, n + 2):
            return NotImplemented
        return AdaptiveAvgPoolFunction.apply(
            input, [u if t is None else t for t, u in zip(size, input.shape[-n:], strict=True)]
        )

    return adaptive_avg_pool


adaptive_avg_pool2d, adaptive_avg_pool3d = _adaptive_avg_pool(2), _adaptive_avg_pool(3)


def adaptive_avg_pool1d(input: Tensor, output_size: Any, *, out: Any = None) -> Any:
    size = _sides(output_size, 1)
    if out is not None or size is None or input.dim() not in (2, 3):
        return NotImplemented
    return AdaptiveAvgPoolFunction.apply(input.unsqueeze(-2), [1, *size]).squeeze(-2)
