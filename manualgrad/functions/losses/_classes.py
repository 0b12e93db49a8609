"""Shared functions of the losses whose targets are classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions._chunked import plain
from manualgrad.functions._upcast import upcast_half

__all__ = ["classes", "nll_loss", "total"]

_nll_loss: Any = torch._C._nn.nll_loss_nd
_NUMBER = {"none": 0, "mean": 1, "sum": 2}


def nll_loss(l: Tensor, y: Tensor, w: Tensor | None, ignored: int, reduction: str) -> Tensor:
    """Compute −w_y l_y for l [N, K, ...] and y [N, ...], 0 where y is ignored, or their sum or mean."""
    if plain(l) and plain(y):
        C: Tensor = _nll_loss(l, y, w, _NUMBER[reduction], ignored)  # in one pass
        return C
    y, is_ignored, w_y = classes(y, w, ignored)
    C = -upcast_half(l.gather(1, y))
    C = (C if w_y is None else w_y * C).masked_fill(is_ignored, 0).squeeze(1)
    if reduction != "none":
        C = C.sum() / total(is_ignored, w_y) if reduction == "mean" else C.sum()
    return C.to(l.dtype)


def classes(y: Tensor, w: Tensor | None, ignored: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return y [N, ...] as [N, 1, ...], whether it is ignored, and its weight or None; y and its weight are 0 if ignored."""
    y = y.unsqueeze(1)
    is_ignored = y == ignored
    y = y.masked_fill(is_ignored, 0)
    return y, is_ignored, None if w is None else upcast_half(w)[y].masked_fill(is_ignored, 0)


def total(is_ignored: Tensor, w_y: Tensor | None) -> Tensor:
    """Return the total weight of the examples that are not ignored, each 1 without weights."""
    return is_ignored.numel() - is_ignored.sum() if w_y is None else w_y.sum()
