"""Interpolation: the operators that torch.nn.functional.interpolate calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions.interpolate import InterpolateFunction
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.guard import composed

_NN: Any = torch._C._nn


def _nearest(mode: str, n: int) -> Callable[..., Any]:
    def upsample(input: Tensor, output_size: Any, scale_factors: Any = None) -> Any:
        return _interpolated(input, mode, n, output_size, scale_factors, None)

    return upsample


def _weighted(mode: str, n: int) -> Callable[..., Any]:
    def upsample(input: Tensor, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Any:
        return _interpolated(input, mode, n, output_size, scale_factors, align_corners)

    return upsample


def _interpolated(x: Tensor, mode: str, n: int, size: Any, factors: Any, align_corners: bool | None) -> Any:
    """Interpolate to a size or by factors; exactly one of them must be given."""
    given, missing = (factors, size) if size is None else (size, factors)
    if missing is not None or not isinstance(given, Sequence) or len(given) != n or x.dim() != n + 2:
        return NotImplemented
    if "antialiased" in mode and (int(x.shape[-1] * factors[-1]) if size is None else size[-1]) == 1:
        return NotImplemented  # PyTorch's values are wrong in this case
    size, factors = (None if values is None else list(values) for values in (size, factors))
    return InterpolateFunction.apply(x, mode, size, factors, align_corners)


for _n in (1, 2, 3):
    answers(getattr(_NN, f"upsample_nearest{_n}d"))(_nearest("nearest", _n))
    answers(getattr(_NN, f"_upsample_nearest_exact{_n}d"))(_nearest("nearest-exact", _n))
for _name, _mode, _n in (
    ("upsample_linear1d", "linear", 1),
    ("upsample_bilinear2d", "linear", 2),
    ("upsample_trilinear3d", "linear", 3),
    ("upsample_bicubic2d", "cubic", 2),
    ("_upsample_bilinear2d_aa", "linear, antialiased", 2),
    ("_upsample_bicubic2d_aa", "cubic, antialiased", 2),
    ("_upsample_lanczos2d_aa", "lanczos, antialiased", 2),
):
    if hasattr(_NN, _name):  # the last one is new in PyTorch 2.14
        answers(getattr(_NN, _name))(_weighted(_mode, _n))

composed(
    F.interpolate,
    "interpolate",
    """Resize the input: each element of the output is a weighted sum of the nearest input elements, with weights that sum to 1.

    Shapes:
        input [n, channels, l], [n, channels, h, w] or [n, channels, d, h, w];
        output [n, channels, *size], or each side times scale_factor.

    Raises:
        ValueError: when neither `size` nor `scale_factor` is given: `nn.functional.interpolate(torch.rand(1, 1, 3, 3))`.
        NotImplementedError: when the mode does not support the input's number of dimensions:
            `nn.functional.interpolate(torch.rand(1, 1, 3), scale_factor=2, mode='bilinear')`.

    Example:
        >>> x = torch.tensor([[[[1.0, 2.0]]]])
        >>> nn.functional.interpolate(x, scale_factor=2)
        tensor([[[[1., 1., 2., 2.],
                  [1., 1., 2., 2.]]]])
    """,
)
