"""Interpolation."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor

from manualgrad.nn import functional
from manualgrad.nn.layers._hand_written import HandWritten

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


def _interpolated(layer: torch.nn.Upsample, input: Tensor) -> Tensor:
    factors: Any = layer.scale_factor
    return functional.interpolate(
        input, layer.size, factors, layer.mode, layer.align_corners, recompute_scale_factor=layer.recompute_scale_factor
    )


class Upsample(HandWritten, torch.nn.Upsample):
    """The input, interpolated at more places."""

    def forward(self, input: Tensor) -> Tensor:
        return _interpolated(self, input)


class UpsamplingBilinear2d(HandWritten, torch.nn.UpsamplingBilinear2d):
    """The input, interpolated at more places."""

    def forward(self, input: Tensor) -> Tensor:
        return _interpolated(self, input)


class UpsamplingNearest2d(HandWritten, torch.nn.UpsamplingNearest2d):
    """The input, interpolated at more places."""

    def forward(self, input: Tensor) -> Tensor:
        return _interpolated(self, input)
