"""Upsampling."""

import torch

from manualgrad.nn.layers._derived import derived

Upsample = derived(torch.nn.Upsample)
UpsamplingBilinear2d = derived(
    torch.nn.UpsamplingBilinear2d,
    """Upsample the input by bilinear interpolation.

    Shapes:
        input [n, channels, h, w]; output [n, channels, *size], or each side times scale_factor.

    Raises:
        NotImplementedError: when the input is not [n, channels, h, w]:
            `nn.UpsamplingBilinear2d(scale_factor=2)(torch.rand(1, 1, 3))`.

    Example:
        >>> nn.UpsamplingBilinear2d(scale_factor=2)(torch.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[1.0000, 1.3333, 1.6667, 2.0000],
                  [1.0000, 1.3333, 1.6667, 2.0000]]]])
    """,
)
UpsamplingNearest2d = derived(
    torch.nn.UpsamplingNearest2d,
    """Upsample the input: each element of the output is the nearest element of the input.

    Shapes:
        input [n, channels, h, w]; output [n, channels, *size], or each side times scale_factor.

    Raises:
        NotImplementedError: when the input is not [n, channels, h, w]:
            `nn.UpsamplingNearest2d(scale_factor=2)(torch.rand(3, 3))`.

    Example:
        >>> nn.UpsamplingNearest2d(scale_factor=2)(torch.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[1., 1., 2., 2.],
                  [1., 1., 2., 2.]]]])
    """,
)
