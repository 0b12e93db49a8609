"""Dropout: the product of x with random numbers that are 0 or 1/(1 − p), drawn as torch draws them.

    y = x m        ∂C/∂x = m ∂C/∂y        (functions/arithmetic/mul.py)

The same seed gives torch's own numbers on the CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic.mul import MulFunction


def dropout(input: Tensor, p: float, train: bool) -> Any:
    """torch.dropout, which F.dropout calls."""
    return _dropped(input, p, train, input.shape)


def feature_dropout(input: Tensor, p: float, train: bool) -> Any:
    """torch.feature_dropout, which F.dropout1d, 2d and 3d call: one number for each example and channel."""
    if input.dim() < 2:
        return NotImplemented
    return _dropped(input, p, train, (*input.shape[:2], *[1] * (input.dim() - 2)))


def _dropped(x: Tensor, p: float, train: bool, shape: Any) -> Any:
    if not train or p == 0 or not x.numel() or not 0 <= p <= 1:
        return NotImplemented  # torch returns x itself, or says what is wrong with p
    with torch.no_grad():
        m = torch.empty_like(x) if shape == x.shape else x.new_empty(shape)
        m = m.bernoulli_(1 - p).div_(1 - p) if p < 1 else m.zero_()
    return MulFunction.apply(x, m)
