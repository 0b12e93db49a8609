"""The classes of the examples, for the losses that have them."""

from __future__ import annotations

from torch import Tensor

from manualgrad.functions._precision import wide

__all__ = ["classes", "total"]


def classes(y: Tensor, w: Tensor | None, ignored: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """y [N, ...] as [N, 1, ...], 0 where it is to be ignored; whether it is; its weight, 0 there too, or None."""
    y = y.unsqueeze(1)
    is_ignored = y == ignored
    y = y.masked_fill(is_ignored, 0)
    return y, is_ignored, None if w is None else wide(w)[y].masked_fill(is_ignored, 0)


def total(is_ignored: Tensor, w_y: Tensor | None) -> Tensor:
    """The weight of all of them; each weighs 1 where none are given."""
    return is_ignored.numel() - is_ignored.sum() if w_y is None else w_y.sum()
