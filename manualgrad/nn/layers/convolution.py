"""Convolutions and transposed convolutions."""

import torch

from manualgrad.nn.layers._derived import derived
from manualgrad.torch_api.reference import in_dimensions

_CONVOLUTION = """Slide the kernels `weight` [out, in / groups, *kernel_size] over a <where>, and add `bias`.

Shapes:
    input [n, in_channels, <sides>] or [in_channels, <sides>]; output [n, out_channels, ...] or [out_channels, ...];
    `weight` [out_channels, in_channels / groups, *kernel_size]; `bias` [out_channels].

Raises:
    RuntimeError: when the input does not have in_channels channels: `nn.Conv<n>d(3, 5, 3)(torch.rand(2, 4, <8 each>))`.
    RuntimeError: when the kernel is larger than the padded input: `nn.Conv<n>d(3, 5, 3)(torch.rand(2, 3, <2 each>))`.
    TypeError: when the input is not a Tensor: `nn.Conv<n>d(3, 5, 3)([1.0])`.
    ValueError: when `groups` does not divide the channels: `nn.Conv<n>d(3, 8, 3, groups=2)`.

Example:
    >>> nn.Conv<n>d(3, 5, 3)(torch.rand(2, 3, <8 each>)).shape
    torch.Size([2, 5, <6 each>])
"""
_TRANSPOSED = """Multiply the kernels `weight` by each element of the input, sum the overlaps, and add `bias`.

Without `bias`, this is the gradient of Conv<n>d with respect to its input.

Shapes:
    input [n, in_channels, <sides>] or [in_channels, <sides>]; output [n, out_channels, ...] or [out_channels, ...];
    `weight` [in_channels, out_channels / groups, *kernel_size]; `bias` [out_channels].

Raises:
    RuntimeError: when the input does not have in_channels channels:
        `nn.ConvTranspose<n>d(3, 5, 3)(torch.rand(2, 4, <8 each>))`.
    TypeError: when the input is not a Tensor: `nn.ConvTranspose<n>d(3, 5, 3)([1.0])`.
    ValueError: when `output_size` is not a possible size:
        `nn.ConvTranspose<n>d(3, 5, 3)(torch.rand(2, 3, <8 each>), output_size=[<20 each>])`.
    ValueError: when `groups` does not divide the channels: `nn.ConvTranspose<n>d(3, 8, 3, groups=2)`.

Example:
    >>> nn.ConvTranspose<n>d(3, 5, 3)(torch.rand(2, 3, <8 each>)).shape
    torch.Size([2, 5, <10 each>])
"""

Conv1d = derived(torch.nn.Conv1d, in_dimensions(_CONVOLUTION, 1))
Conv2d = derived(torch.nn.Conv2d, in_dimensions(_CONVOLUTION, 2))
Conv3d = derived(torch.nn.Conv3d, in_dimensions(_CONVOLUTION, 3))
ConvTranspose1d = derived(torch.nn.ConvTranspose1d, in_dimensions(_TRANSPOSED, 1))
ConvTranspose2d = derived(torch.nn.ConvTranspose2d, in_dimensions(_TRANSPOSED, 2))
ConvTranspose3d = derived(torch.nn.ConvTranspose3d, in_dimensions(_TRANSPOSED, 3))
