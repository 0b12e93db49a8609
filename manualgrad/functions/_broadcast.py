"""Broadcasting, undone."""

from __future__ import annotations

import torch
from torch import Tensor


def sum_to(gradient: Tensor, shape: torch.Size) -> Tensor:
    """The gradient of a tensor of this shape, from that of the tensor it was broadcast to: the sum over the copies."""
    if gradient.shape == shape:
        return gradient
    if gradient.shape[1:] == shape:
        return gradient.sum(0)  # the usual case, at half the time of sum_to_size
    return gradient.sum_to_size(shape)
