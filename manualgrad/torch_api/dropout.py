"""Dropout: the product of x with random numbers that are 0 or 1/(1 − p), drawn as torch draws them.

    y = x m        ∂C/∂x = m ∂C/∂y        (functions/arithmetic/mul.py)

The same seed gives torch's own numbers on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.function.in_place import written
from manualgrad.functions.arithmetic.mul import MulFunction


def dropout(input: Tensor, p: float, train: bool) -> Any:
    """torch.dropout, which F.dropout calls."""
    return _dropped(input, p, train, input.shape)


def feature_dropout(input: Tensor, p: float, train: bool) -> Any:
    """torch.feature_dropout, which F.dropout1d, 2d and 3d call: one number for each example and channel."""
    if input.dim() < 2:
        return NotImplemented
    return _dropped(input, p, train, (*input.shape[:2], *[1] * (input.dim() - 2)))


def _functional(dropped: Callable[..., Any], dims: tuple[int, ...] | None = None) -> Callable[..., Any]:
    """torch.nn.functional's, of an input with one of these numbers of dimensions; of two, the first has no batch."""

    def function(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        if dims is not None and input.dim() not in dims:
            return NotImplemented  # torch warns, or raises
        is_a_batch = dims is None or input.dim() == dims[-1]
        y = dropped(input if is_a_batch else input.unsqueeze(0), p, training)
        if y is NotImplemented:
            return y
        y = y if is_a_batch else y.squeeze(0)
        return written(y, input) if inplace else y

    return function


functional_dropout = _functional(dropout)
functional_dropout1d = _functional(feature_dropout, (2, 3))
functional_dropout2d = _functional(feature_dropout, (4,))
functional_dropout3d = _functional(feature_dropout, (4, 5))


def _dropped(x: Tensor, p: float, train: bool, shape: Any) -> Any:
    if not train or p == 0 or not x.numel() or not 0 <= p <= 1:
        return NotImplemented  # torch returns x itself, or says what is wrong with p
    with torch.no_grad():
        m = torch.empty_like(x) if shape == x.shape else x.new_empty(shape)
        if shape == x.shape and (x.device.type != "cpu" or torch.compiler.is_dynamo_compiling()):
            m, _ = torch.native_dropout(m.fill_(1), p, True)  # which torch.dropout is there, with another order of its numbers
        else:
            m = m.bernoulli_(1 - p).div_(1 - p) if p < 1 else m.zero_()
    return MulFunction.apply(x, m)
