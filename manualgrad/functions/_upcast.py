"""Half precision: PyTorch computes it in float32 and rounds once."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["upcast_half"]


def upcast_half(t: Tensor) -> Tensor:
    """Cast t to float32 if it has half precision, in which sums and further operations would lose digits."""
    return t.float() if t.dtype in (torch.float16, torch.bfloat16) else t
