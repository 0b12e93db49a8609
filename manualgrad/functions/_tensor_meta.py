"""Shapes and dtypes: reduce a gradient to those of its input, and tell tensors from numbers among operands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = [
    "TensorMeta",
    "as_rows",
    "conj",
    "numbers",
    "operands",
    "tensor_meta",
    "unbroadcast_to",
    "with_dims",
    "without_numbers",
]


class TensorMeta(NamedTuple):
    """Shape and dtype of a tensor, which need not be saved for them."""

    shape: torch.Size
    dtype: torch.dtype


def tensor_meta(value: Any) -> TensorMeta | None:
    """Return the shape and dtype of a tensor; None for a number."""
    return TensorMeta(value.shape, value.dtype) if isinstance(value, Tensor) else None


def unbroadcast_to(gradient: Tensor, to: Any) -> Tensor:
    """Reduce a gradient to the shape and dtype of its input, a tensor or its TensorMeta."""
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
