"""Layers that normalize."""

from __future__ import annotations

import warnings  # noqa: F401 - for torch.jit.script, see HandWritten
from typing import Any

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor

from manualgrad.nn import functional
from manualgrad.nn.layers._hand_written import HandWritten, as_a_node

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "RMSNorm",
]


def _batch_normalized(layer: Any, input: Tensor) -> Tensor:
    node = as_a_node(layer, input)
    if node is not None:
        return node
    layer._check_input_dim(input)
    momentum = 0.0 if layer.momentum is None else layer.momentum
    if layer.training and layer.track_running_stats and layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
        if layer.momentum is None:  # the mean of all batches so far
            momentum = 1.0 / float(layer.num_batches_tracked)
    of_the_batch = layer.training or (layer.running_mean is None and layer.running_var is None)
    mean, var = layer.running_mean, layer.running_var
    if layer.training and not layer.track_running_stats:
        mean = var = None  # are not changed
    return functional.batch_norm(input, mean, var, layer.weight, layer.bias, of_the_batch, momentum, layer.eps)


class BatchNorm1d(HandWritten, torch.nn.BatchNorm1d):
    """Each channel, normalized by its mean and variance in the batch."""

    def forward(self, input: Tensor) -> Tensor:
        return _batch_normalized(self, input)


class BatchNorm2d(HandWritten, torch.nn.BatchNorm2d):
    """Each channel, normalized by its mean and variance in the batch."""

    def forward(self, input: Tensor) -> Tensor:
        return _batch_normalized(self, input)


class BatchNorm3d(HandWritten, torch.nn.BatchNorm3d):
    """Each channel, normalized by its mean and variance in the batch."""

    def forward(self, input: Tensor) -> Tensor:
        return _batch_normalized(self, input)


def _instance_normalized(layer: Any, input: Tensor) -> Tensor:
    of_the_instance = layer.training or not layer.track_running_stats
    momentum = 0.0 if layer.momentum is None else layer.momentum
    return functional.instance_norm(
        input, layer.running_mean, layer.running_var, layer.weight, layer.bias, of_the_instance, momentum, layer.eps
    )


class InstanceNorm1d(HandWritten, torch.nn.InstanceNorm1d):
    """Each channel of each example, normalized by its own mean and variance."""

    def forward(self, input: Tensor) -> Tensor:
        node = as_a_node(self, input)
        return super().forward(input) if node is None else node

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        return _instance_normalized(self, input)


class InstanceNorm2d(HandWritten, torch.nn.InstanceNorm2d):
    """Each channel of each example, normalized by its own mean and variance."""

    def forward(self, input: Tensor) -> Tensor:
        node = as_a_node(self, input)
        return super().forward(input) if node is None else node

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        return _instance_normalized(self, input)


class InstanceNorm3d(HandWritten, torch.nn.InstanceNorm3d):
    """Each channel of each example, normalized by its own mean and variance."""

    def forward(self, input: Tensor) -> Tensor:
        node = as_a_node(self, input)
        return super().forward(input) if node is None else node

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        return _instance_normalized(self, input)


class GroupNorm(HandWritten, torch.nn.GroupNorm):
    """Each group of channels of each example, normalized by its mean and variance."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class LayerNorm(HandWritten, torch.nn.LayerNorm):
    """Each example's last dimensions, normalized by their mean and variance."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(HandWritten, torch.nn.RMSNorm):
    """Each example's last dimensions, divided by the root of the mean of their squares."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.normalized_shape, self.weight, self.eps)
