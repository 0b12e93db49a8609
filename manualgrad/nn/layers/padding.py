"""Padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor

from manualgrad.nn import functional
from manualgrad.nn.layers._hand_written import HandWritten

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class CircularPad1d(HandWritten, torch.nn.CircularPad1d):
    """The input, made larger by its other side."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return functional.pad(input, self.padding, "circular")


class CircularPad2d(HandWritten, torch.nn.CircularPad2d):
    """The input, made larger by its other side."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return functional.pad(input, self.padding, "circular")


class CircularPad3d(HandWritten, torch.nn.CircularPad3d):
    """The input, made larger by its other side."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return functional.pad(input, self.padding, "circular")


class ConstantPad1d(HandWritten, torch.nn.ConstantPad1d):
    """The input, made larger by a number."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)


class ConstantPad2d(HandWritten, torch.nn.ConstantPad2d):
    """The input, made larger by a number."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)


class ConstantPad3d(HandWritten, torch.nn.ConstantPad3d):
    """The input, made larger by a number."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)


class ReflectionPad1d(HandWritten, torch.nn.ReflectionPad1d):
    """The input, made larger by its reflection."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "reflect")


class ReflectionPad2d(HandWritten, torch.nn.ReflectionPad2d):
    """The input, made larger by its reflection."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "reflect")


class ReflectionPad3d(HandWritten, torch.nn.ReflectionPad3d):
    """The input, made larger by its reflection."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "reflect")


class ReplicationPad1d(HandWritten, torch.nn.ReplicationPad1d):
    """The input, made larger by its last numbers."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "replicate")


class ReplicationPad2d(HandWritten, torch.nn.ReplicationPad2d):
    """The input, made larger by its last numbers."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "replicate")


class ReplicationPad3d(HandWritten, torch.nn.ReplicationPad3d):
    """The input, made larger by its last numbers."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "replicate")


class ZeroPad1d(HandWritten, torch.nn.ZeroPad1d):
    """The input, made larger by 0."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)


class ZeroPad2d(HandWritten, torch.nn.ZeroPad2d):
    """The input, made larger by 0."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)


class ZeroPad3d(HandWritten, torch.nn.ZeroPad3d):
    """The input, made larger by 0."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)
