"""Dropout."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor

from manualgrad.nn import functional
from manualgrad.nn.layers._hand_written import HandWritten, as_a_node

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"]


class Dropout(HandWritten, torch.nn.Dropout):
    """0 in the place of each number with probability p, in training."""

    def forward(self, input: Tensor) -> Tensor:
        node = as_a_node(self, input)
        return functional.dropout(input, self.p, self.training, self.inplace) if node is None else node


class Dropout1d(HandWritten, torch.nn.Dropout1d):
    """0 in the place of each channel of each example with probability p, in training."""

    def forward(self, input: Tensor) -> Tensor:
        node = as_a_node(self, input)
        return functional.dropout1d(input, self.p, self.training, self.inplace) if node is None else node


class Dropout2d(HandWritten, torch.nn.Dropout2d):
    """0 in the place of each channel of each example with probability p, in training."""

    def forward(self, input: Tensor) -> Tensor:
        node = as_a_node(self, input)
        return functional.dropout2d(input, self.p, self.training, self.inplace) if node is None else node


class Dropout3d(HandWritten, torch.nn.Dropout3d):
    """0 in the place of each channel of each example with probability p, in training."""

    def forward(self, input: Tensor) -> Tensor:
        node = as_a_node(self, input)
        return functional.dropout3d(input, self.p, self.training, self.inplace) if node is None else node
