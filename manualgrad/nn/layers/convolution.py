"""Convolutions and transposed convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor
from torch.nn.modules.utils import _pair, _single, _triple  # noqa: F401 - likewise

from manualgrad.nn import functional
from manualgrad.nn.layers._hand_written import HandWritten

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


def _convolved(layer: Any, convolution: Callable[..., Tensor], input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    padding = layer.padding
    if layer.padding_mode != "zeros":
        input = functional.pad(input, layer._reversed_padding_repeated_twice, mode=layer.padding_mode)
        padding = 0
    return convolution(input, weight, bias, layer.stride, padding, layer.dilation, layer.groups)


class Conv1d(HandWritten, torch.nn.Conv1d):
    """The kernels `weight` [out, in / groups, *kernel_size], moved over a line, plus `bias`."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _convolved(self, functional.conv1d, input, weight, bias)


class Conv2d(HandWritten, torch.nn.Conv2d):
    """The kernels `weight` [out, in / groups, *kernel_size], moved over a plane, plus `bias`."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _convolved(self, functional.conv2d, input, weight, bias)


class Conv3d(HandWritten, torch.nn.Conv3d):
    """The kernels `weight` [out, in / groups, *kernel_size], moved over a volume, plus `bias`."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _convolved(self, functional.conv3d, input, weight, bias)


def _transposed(layer: Any, convolution: Callable[..., Tensor], n: int, input: Tensor, output_size: list[int] | None) -> Tensor:
    if layer.padding_mode != "zeros":
        raise ValueError(f"Only `zeros` padding mode is supported for {type(layer).__name__}")
    output_padding = layer._output_padding(
        input, output_size, layer.stride, layer.padding, layer.kernel_size, n, layer.dilation
    )
    return convolution(
        input, layer.weight, layer.bias, layer.stride, layer.padding, output_padding, layer.groups, layer.dilation
    )


class ConvTranspose1d(HandWritten, torch.nn.ConvTranspose1d):
    """What Conv1d's derivative by its input does, as a layer; `weight` [in, out / groups, *kernel_size]."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return _transposed(self, functional.conv_transpose1d, 1, input, output_size)


class ConvTranspose2d(HandWritten, torch.nn.ConvTranspose2d):
    """What Conv2d's derivative by its input does, as a layer; `weight` [in, out / groups, *kernel_size]."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return _transposed(self, functional.conv_transpose2d, 2, input, output_size)


class ConvTranspose3d(HandWritten, torch.nn.ConvTranspose3d):
    """What Conv3d's derivative by its input does, as a layer; `weight` [in, out / groups, *kernel_size]."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return _transposed(self, functional.conv_transpose3d, 3, input, output_size)
