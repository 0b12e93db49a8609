"""Elementwise selection without torch.where, which branches at each element and is slow on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from manualgrad.functions._chunked import in_one_pass, plain

__all__ = ["between", "where_not_0"]

_BITS = {torch.float32: torch.int32, torch.float64: torch.int64, torch.float16: torch.int16, torch.bfloat16: torch.int16}


def between(low: float, high: float, z: Tensor, t: Tensor) -> Tensor:
    """Return t where low < z < high, and 0 elsewhere; where z is nan, either, as in PyTorch's hardtanh."""
    bits = _BITS.get(z.dtype)
    if bits is None or z.dtype != t.dtype or not plain(z) or not plain(t) or not t.is_contiguous():
        return torch.where((z > low) & (z < high), t, 0)
    # A negative number has a negative integer as its bits. Clamped to −1 (all bits set) or 0, these bits are a mask for t.
    is_inside = (low - z).view(bits)
    is_inside &= (z - high).view(bits)
    is_inside.clamp_(-1, 0)
    is_inside &= t.view(bits)
    return is_inside.view(t.dtype)


def where_not_0(a: Tensor, t: Tensor) -> Tensor:
    """Return t where a is not 0, and 0 elsewhere, whatever t is there; nan is not 0."""
    return in_one_pass(_where_not_0, (a, t))


def _where_not_0(a: Tensor, t: Tensor) -> Tensor:
    bits = _BITS.get(a.dtype)
    if bits is None or a.dtype != t.dtype or a.shape != t.shape or not plain(a) or not plain(t):
        return torch.where(a == 0, 0, t)
    # The bits of |a| are the integer 0 where a is 0, and a positive one elsewhere. Clamped to at most 1, they multiply the bits
    # of t, in which ∞ and nan are ordinary integers.
    is_not_0 = torch.abs(a).view(bits).clamp_(max=1)
    is_not_0 *= t.view(bits)
    return is_not_0.view(t.dtype)
