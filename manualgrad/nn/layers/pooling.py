"""The largest of each window, and the mean of each."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor

from manualgrad.nn import functional
from manualgrad.nn.layers._hand_written import HandWritten

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


class MaxPool1d(HandWritten, torch.nn.MaxPool1d):
    """The largest number of each window."""

    def forward(self, input: Tensor) -> Any:
        return functional.max_pool1d(  # type: ignore[call-overload]
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool2d(HandWritten, torch.nn.MaxPool2d):
    """The largest number of each window."""

    def forward(self, input: Tensor) -> Any:
        return functional.max_pool2d(  # type: ignore[call-overload]
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool3d(HandWritten, torch.nn.MaxPool3d):
    """The largest number of each window."""

    def forward(self, input: Tensor) -> Any:
        return functional.max_pool3d(  # type: ignore[call-overload]
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class AvgPool1d(HandWritten, torch.nn.AvgPool1d):
    """The mean of each window."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(HandWritten, torch.nn.AvgPool2d):
    """The mean of each window."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        )


class AvgPool3d(HandWritten, torch.nn.AvgPool3d):
    """The mean of each window."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.avg_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        )


class AdaptiveAvgPool1d(HandWritten, torch.nn.AdaptiveAvgPool1d):
    """The mean of each of as many windows as the output has places."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(HandWritten, torch.nn.AdaptiveAvgPool2d):
    """The mean of each of as many windows as the output has places."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(HandWritten, torch.nn.AdaptiveAvgPool3d):
    """The mean of each of as many windows as the output has places."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.adaptive_avg_pool3d(input, self.output_size)
