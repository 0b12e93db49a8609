"""Half precision, which PyTorch computes in float32 and rounds once."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["upcast_half"]


def upcast_half(t: Tensor) -> Tensor:
    """t in float32 where it is in half precision: sums of it, and what is computed of it, would lose digits."""
    return t.float() if t.dtype in (torch.float16, torch.bfloat16) else t
