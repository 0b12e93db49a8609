"""Normalization layers: y = weight · (x − mean) / √(variance + eps) + bias."""

import torch

from manualgrad.nn.layers._derived import derived
from manualgrad.torch_api.reference import in_dimensions

_BATCH = """Normalize each channel by its mean and variance in the batch.

Shapes:
    input and output [n, num_features, <sides>]<or>;
    `weight`, `bias`, `running_mean` and `running_var` [num_features].

Raises:
    ValueError: when the input has the wrong number of dimensions: `nn.BatchNorm<n>d(3)(torch.rand(3))`.
    RuntimeError: when the input does not have num_features channels: `nn.BatchNorm<n>d(3)(torch.rand(2, 4, <8 each>))`.
    ValueError: when there is only one value per channel in training: `nn.BatchNorm<n>d(3)(torch.rand(1, 3, <1 each>))`.

Example:
    >>> y = nn.BatchNorm<n>d(3)(torch.rand(5, 3, <8 each>))
    >>> y.transpose(0, 1).flatten(1).mean(1).abs() < 1e-5  # of each channel
    tensor([True, True, True])
"""
_INSTANCE = """Normalize each channel of each example by its own mean and variance.

Shapes:
    input and output [n, num_features, <sides>] or [num_features, <sides>];
    `weight`, `bias`, `running_mean` and `running_var` [num_features].

Raises:
    ValueError: when the input has the wrong number of dimensions: `nn.InstanceNorm<n>d(3)(torch.rand(3))`.
    ValueError: when there is only one value per channel in training: `nn.InstanceNorm<n>d(3)(torch.rand(2, 3, <1 each>))`.

Example:
    >>> y = nn.InstanceNorm<n>d(3)(torch.rand(5, 3, <8 each>))
    >>> bool((y.flatten(2).mean(2).abs() < 1e-5).all())  # of each channel of each example
    True
"""

BatchNorm1d = derived(torch.nn.BatchNorm1d, in_dimensions(_BATCH, 1, **{"or": " or [n, num_features]"}), stays_whole=True)
BatchNorm2d = derived(torch.nn.BatchNorm2d, in_dimensions(_BATCH, 2, **{"or": ""}), stays_whole=True)
BatchNorm3d = derived(torch.nn.BatchNorm3d, in_dimensions(_BATCH, 3, **{"or": ""}), stays_whole=True)
InstanceNorm1d = derived(torch.nn.InstanceNorm1d, in_dimensions(_INSTANCE, 1), stays_whole=True)
InstanceNorm2d = derived(torch.nn.InstanceNorm2d, in_dimensions(_INSTANCE, 2), stays_whole=True)
InstanceNorm3d = derived(torch.nn.InstanceNorm3d, in_dimensions(_INSTANCE, 3), stays_whole=True)
GroupNorm = derived(
    torch.nn.GroupNorm,
    """Normalize each group of channels of each example by its mean and variance.

    Shapes:
        input and output [n, channels, ...]; `weight` and `bias` [channels].

    Raises:
        ValueError: when num_groups does not divide num_channels: `nn.GroupNorm(3, 4)`.
        RuntimeError: when the input does not have num_channels channels: `nn.GroupNorm(2, 4)(torch.rand(2, 6))`.

    Example:
        >>> nn.GroupNorm(2, 4)(torch.tensor([[0.0, 2.0, 4.0, 6.0]]))
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]],
               grad_fn=<GroupNormFunctionBackward>)
    """,
)
LayerNorm = derived(
    torch.nn.LayerNorm,
    """Normalize the last dimensions of each example by their mean and variance.

    Shapes:
        input and output [..., *normalized_shape]; `weight` and `bias` [*normalized_shape].

    Raises:
        RuntimeError: when the input's shape does not end in normalized_shape: `nn.LayerNorm(4)(torch.rand(2, 3))`.
        TypeError: when the input is not a Tensor: `nn.LayerNorm(1)([1.0])`.

    Example:
        >>> nn.LayerNorm(4)(torch.tensor([[0.0, 2.0, 4.0, 6.0]]))
        tensor([[-1.3416, -0.4472,  0.4472,  1.3416]],
               grad_fn=<LayerNormFunctionBackward>)
    """,
)
RMSNorm = derived(
    torch.nn.RMSNorm,
    """Divide the last dimensions of each example by their root mean square.

    Shapes:
        input and output [..., *normalized_shape]; `weight` [*normalized_shape].

    Raises:
        RuntimeError: when the input's shape does not end in normalized_shape: `nn.RMSNorm(4)(torch.rand(2, 3))`.

    Example:
        >>> nn.RMSNorm(4)(torch.tensor([[0.0, 2.0, 4.0, 6.0]]))
        tensor([[0.0000, 0.5345, 1.0690, 1.6036]], grad_fn=<RMSNormFunctionBackward>)
    """,
)
