"""The form that a gradient owes to its input: its shape and its dtype, whatever broadcasting and promotion made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Form", "as_rows", "conj", "fitted", "form", "numbers", "operands", "with_dims", "without_numbers"]


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
    if gradient.dtype.is_complex and not to.dtype.is_complex:
        gradient = gradient.real  # a real number moves along the real axis alone
    return gradient if gradient.dtype == to.dtype else gradient.to(to.dtype)


def conj(value: Any) -> Any:
    """Of a tensor or a number."""
    return value.conj() if isinstance(value, Tensor) else value.conjugate()


def as_rows(t: Tensor) -> Tensor:
    """[..., m] as a matrix [n, m], a row for each example."""
    # Not flatten, which fails under is_grads_batched=True; not -1, which is ambiguous where m is 0.
    return t if t.dim() == 2 else t.reshape(math.prod(t.shape[:-1]), t.shape[-1])


def with_dims(t: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    """What was reduced over these dimensions, with 1 in their place, unless they were kept."""
    for d in () if keepdim else sorted(dims):
        t = t.unsqueeze(d)
    return t


# Of operands that are tensors or numbers, the tensors are saved, and the numbers stay in ctx.


def numbers(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if isinstance(value, Tensor) else value for value in values)


def without_numbers(values: tuple[Any, ...]) -> tuple[Tensor | None, ...]:
    return tuple(value if isinstance(value, Tensor) else None for value in values)


def operands(tensors: Sequence[Tensor | None], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The saved tensors, and in the places of numbers these."""
    return tuple(value if t is None else t for t, value in zip(tensors, values, strict=True))
