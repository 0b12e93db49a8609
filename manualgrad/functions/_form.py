"""The form that a gradient owes to its input: its shape and its dtype, whatever broadcasting and promotion made of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Form", "conj", "fitted", "form"]


class Form(NamedTuple):
    """Of a tensor that need not be kept for it."""

    shape: torch.Size
    dtype: torch.dtype


def form(value: Any) -> Form | None:
    """Of a tensor; None for a number."""
    return Form(value.shape, value.dtype) if isinstance(value, Tensor) else None


def fitted(gradient: Tensor, to: Any) -> Tensor:
    """The gradient of a tensor or Form: what broadcasting repeated is added up, what promotion widened is narrowed."""
    if gradient.shape != to.shape:
        gradient = gradient.sum_to_size(to.shape)
    if gradient.is_complex() and not to.dtype.is_complex:
        gradient = gradient.real  # a real number moves along the real axis alone
    return gradient if gradient.dtype == to.dtype else gradient.to(to.dtype)


def conj(value: Any) -> Any:
    """Of a tensor or a number."""
    return value.conj() if isinstance(value, Tensor) else value.conjugate()
