"""Interpolation, as torch.nn.functional.interpolate calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from manualgrad.functions.interpolate import InterpolateFunction


def _nearest(mode: str, n: int) -> Callable[..., Any]:
    def upsample(input: Tensor, output_size: Any, scale_factors: Any = None) -> Any:
        return _interpolated(input, mode, n, output_size, scale_factors, None)

    return upsample


def _weighted(mode: str, n: int) -> Callable[..., Any]:
    def upsample(input: Tensor, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Any:
        return _interpolated(input, mode, n, output_size, scale_factors, align_corners)

    return upsample


def _interpolated(x: Tensor, mode: str, n: int, size: Any, factors: Any, align_corners: bool | None) -> Any:
    """For one size and no factors, or the other way round."""
    given, missing = (factors, size) if size is None else (size, factors)
    if missing is not None or not isinstance(given, Sequence) or len(given) != n or x.dim() != n + 2:
        return NotImplemented
    if "antialiased" in mode and (int(x.shape[-1] * factors[-1]) if size is None else size[-1]) == 1:
        return NotImplemented  # PyTorch's values are wrong there
    size, factors = (None if values is None else list(values) for values in (size, factors))
    return InterpolateFunction.apply(x, mode, size, factors, align_corners)


upsample_nearest1d, upsample_nearest2d, upsample_nearest3d = (_nearest("nearest", n) for n in (1, 2, 3))
upsample_nearest_exact1d, upsample_nearest_exact2d, upsample_nearest_exact3d = (_nearest("nearest-exact", n) for n in (1, 2, 3))
upsample_linear1d, upsample_bilinear2d, upsample_trilinear3d = (_weighted("linear", n) for n in (1, 2, 3))
upsample_bicubic2d = _weighted("cubic", 2)
upsample_bilinear2d_aa = _weighted("linear, antialiased", 2)
upsample_bicubic2d_aa = _weighted("cubic, antialiased", 2)
upsample_lanczos2d_aa = _weighted("lanczos, antialiased", 2)
