"""Shapes and dtypes: reduce a gradient to those of its input, and separate tensors from numbers among operands."""

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
    """Shape and dtype of a tensor, so that the tensor itself need not be saved."""

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
        gradient = gradient.real  # a real input changes only along the real axis
    return gradient if gradient.dtype == to.dtype else gradient.to(to.dtype)


def conj(value: Any) -> Any:
    """Return the conjugate of a tensor or a number."""
    return value.conj() if isinstance(value, Tensor) else value.conjugate()


def as_rows(t: Tensor) -> Tensor:
    """Reshape [..., m] to a matrix [n, m], one row per example."""
    # flatten fails under is_grads_batched=True, and -1 is ambiguous if m is 0.
    return t if t.dim() == 2 else t.reshape(math.prod(t.shape[:-1]), t.shape[-1])


def with_dims(t: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    """Restore the reduced dimensions with size 1, unless they were kept."""
    for d in () if keepdim else sorted(dims):
        t = t.unsqueeze(d)
    return t


# Operands may be tensors or numbers: the tensors are saved, and the numbers are stored in ctx.


def numbers(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if isinstance(value, Tensor) else value for value in values)


def without_numbers(values: tuple[Any, ...]) -> tuple[Tensor | None, ...]:
    return tuple(value if isinstance(value, Tensor) else None for value in values)


def operands(tensors: Sequence[Tensor | None], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the saved tensors, with the numbers of `values` in between."""
    return tuple(value if t is None else t for t, value in zip(tensors, values, strict=True))
