"""Choices, element by element, which torch.where makes with a branch at each element: on the CPU that is slow."""

from __future__ import annotations

import torch
from torch import Tensor

from manualgrad.functions._chunked import plain

__all__ = ["between", "where_not_0"]

_BITS = {torch.float32: torch.int32, torch.float64: torch.int64, torch.float16: torch.int16, torch.bfloat16: torch.int16}


def between(low: float, high: float, z: Tensor, t: Tensor) -> Tensor:
    """t where low < z < high, and 0 elsewhere; where z is nan, either, as of PyTorch's hardtanh."""
    bits = _BITS.get(z.dtype)
    if bits is None or z.dtype != t.dtype or not plain(z) or not plain(t) or not t.is_contiguous():
        return torch.where((z > low) & (z < high), t, 0)
    # The bits of numbers below 0 are integers below 0. Kept between −1, of which all bits are set, and 0, they keep what is
    # inside, and clear the rest.
    is_inside = (low - z).view(bits)
    is_inside &= (z - high).view(bits)
    is_inside.clamp_(-1, 0)
    is_inside &= t.view(bits)
    return is_inside.view(t.dtype)


def where_not_0(a: Tensor, t: Tensor) -> Tensor:
    """t where a is not 0, and 0 elsewhere, whatever t is there; nan is not 0."""
    bits = _BITS.get(a.dtype)
    if bits is None or a.dtype != t.dtype or a.shape != t.shape or not plain(a) or not plain(t):
        return torch.where(a == 0, 0, t)
    # The bits of |a| are the integer 0 where a is 0, and else a greater one. Kept at most 1, it is a factor of the bits of t,
    # for which ∞ and nan are integers like others.
    is_not_0 = torch.abs(a).view(bits).clamp_(max=1)
    is_not_0 *= t.view(bits)
    return is_not_0.view(t.dtype)
