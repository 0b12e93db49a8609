"""Convolutions and transposed convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter

from manualgrad.functions.convolution.convolution import ConvolutionFunction
from manualgrad.functions.convolution.transposed_convolution import TransposedConvolutionFunction
from manualgrad.torch_api.arithmetic import cat
from manualgrad.torch_api.guard import functional
from manualgrad.torch_api.reference import in_dimensions


def _convolution(n: int) -> Callable[..., Any]:
    """Make the call of the convolution in n dimensions."""

    def conv(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        stride, dilation = _each(stride, n), _each(dilation, n)
        if input.dim() not in (n + 1, n + 2) or weight.dim() != n + 2 or not stride or not dilation:
            return NotImplemented
        if _is_distributed(input) or _is_distributed(weight):
            return NotImplemented
        x = input if input.dim() == n + 2 else input.unsqueeze(0)
        if padding == "same":
            if any(s != 1 for s in stride):
                return NotImplemented
            totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
            x = _one_place_more(x, [dim for dim, total in enumerate(totals, 2) if total % 2])
            padding = tuple([total // 2 for total in totals])
        else:
            padding = _each(0 if padding == "valid" else padding, n)
        if not padding:
            return NotImplemented
        y = ConvolutionFunction.apply(x, weight, bias, stride, padding, dilation, groups)
        return y if input.dim() == n + 2 else y.squeeze(0)

    return conv


_CONVOLUTION = """Slide the kernels `weight` over the <where> of each input channel, sum over the channels, and add `bias`.

Shapes:
    input [n, in, <sides>] or [in, <sides>]; weight [out, in / groups, *kernel]; bias [out];
    output [n, out, ...], with each side (side + 2 padding − dilation (kernel − 1) − 1) / stride + 1, rounded down.

Raises:
    RuntimeError: when the input's channels do not match those of weight:
        `nn.functional.conv<n>d(torch.rand(2, 4, <8 each>), torch.rand(5, 3, <3 each>))`.
    RuntimeError: when the kernel is larger than the padded input:
        `nn.functional.conv<n>d(torch.rand(2, 3, <2 each>), torch.rand(5, 3, <3 each>))`.
    TypeError: when the input is not a Tensor: `nn.functional.conv<n>d([1.0], torch.rand(5, 3, <3 each>))`.

Example:
    >>> nn.functional.conv<n>d(torch.rand(2, 3, <8 each>), torch.rand(5, 3, <3 each>)).shape
    torch.Size([2, 5, <6 each>])
"""
for _n in (1, 2, 3):
    _call = _convolution(_n)
    _call.__doc__ = in_dimensions(_CONVOLUTION, _n)
    functional(getattr(F, f"conv{_n}d"), page="convolution.convolution")(_call)


def _transposed_convolution(n: int) -> Callable[..., Any]:
    """Make the call of the transposed convolution in n dimensions."""

    def conv_transpose(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        stride, padding, output_padding, dilation = (_each(v, n) for v in (stride, padding, output_padding, dilation))
        known = stride and padding and output_padding and dilation
        if input.dim() not in (n + 1, n + 2) or weight.dim() != n + 2 or not known:
            return NotImplemented
        if _is_distributed(input) or _is_distributed(weight):
            return NotImplemented
        x = input if input.dim() == n + 2 else input.unsqueeze(0)
        y = TransposedConvolutionFunction.apply(x, weight, bias, stride, padding, output_padding, groups, dilation)
        return y if input.dim() == n + 2 else y.squeeze(0)

    return conv_transpose


_TRANSPOSED = """Multiply the kernels `weight` by each element of the input, sum the overlaps, and add `bias`.

Without `bias`, this is the gradient of conv<n>d with respect to its input.

Shapes:
    input [n, in, <sides>] or [in, <sides>]; weight [in, out / groups, *kernel]; bias [out];
    output [n, out, ...], with each side (side − 1) stride − 2 padding + dilation (kernel − 1) + output_padding + 1.

Raises:
    RuntimeError: when the input's channels do not match those of weight:
        `nn.functional.conv_transpose<n>d(torch.rand(2, 4, <8 each>), torch.rand(3, 5, <3 each>))`.
    TypeError: when the input is not a Tensor: `nn.functional.conv_transpose<n>d([1.0], torch.rand(3, 5, <3 each>))`.

Example:
    >>> nn.functional.conv_transpose<n>d(torch.rand(2, 3, <8 each>), torch.rand(3, 5, <3 each>)).shape
    torch.Size([2, 5, <10 each>])
"""
for _n in (1, 2, 3):
    _call = _transposed_convolution(_n)
    _call.__doc__ = in_dimensions(_TRANSPOSED, _n)
    functional(getattr(F, f"conv_transpose{_n}d"), page="convolution.transposed_convolution")(_call)


def _is_distributed(t: Tensor) -> bool:
    """Return whether t is a DTensor or another type that overrides operators by `__torch_dispatch__`.

    DTensor's convolution assumes that the batch is sharded (torch.distributed.tensor._ops._conv_ops). The weight gradient is
    a convolution with the channels as its batch, and there DTensor is silently wrong.
    """
    return type(t) not in (Tensor, Parameter) and type(t).__torch_dispatch__ is not Tensor.__torch_dispatch__


def _each(value: Any, n: int) -> tuple[int, ...]:
    """Return one int per dimension, repeating a single int for all n; return () for an invalid value."""
    values = (value,) if isinstance(value, int) else tuple(value) if isinstance(value, Sequence) else ()
    if not all(isinstance(v, int) for v in values):
        return ()
    return values * n if len(values) == 1 else values if len(values) == n else ()


def _one_place_more(x: Tensor, dims: list[int]) -> Tensor:
    """Append a zero along each of these dimensions: an odd total padding is larger on that side."""
    for dim in dims:
        x = cat([x, x.new_zeros([1 if d == dim else size for d, size in enumerate(x.shape)])], dim)
    return x
