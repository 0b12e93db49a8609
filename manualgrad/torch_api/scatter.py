"""Functions that write, add or select elements by index, and in-place writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.function.in_place import _remember_as_a_copy, copy_into
from manualgrad.functions.arithmetic.movement import ExpandFunction, GatherFunction, IndexFunction
from manualgrad.functions.arithmetic.piecewise import MaskedFillFunction
from manualgrad.functions.arithmetic.scatter import (
    IndexAddFunction,
    IndexCopyFunction,
    IndexFillFunction,
    IndexPutFunction,
    MaskedScatterFunction,
    ScatterAddFunction,
    ScatterFunction,
)
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.indexing import INDEX_DTYPES, is_mask, places

T = Tensor
_NUMBER = (int, float, complex)
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling


@answers(torch.scatter, T.scatter, in_place=T.scatter_, keeps_input=False)
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: Any = None) -> Any:
    v = value if src is None else src
    if reduce is not None or v is None or not isinstance(dim, int):
        return NotImplemented
    return ScatterFunction.apply(input, dim, index, v)


@answers(torch.scatter_add, T.scatter_add, in_place=T.scatter_add_, keeps_input=False)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Any:
    if not isinstance(dim, int):
        return NotImplemented
    return ScatterAddFunction.apply(input, dim, index, src)


@answers(torch.index_add, T.index_add, in_place=T.index_add_, keeps_input=False)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Any:
    if not isinstance(dim, int):
        return NotImplemented
    return IndexAddFunction.apply(input, dim, index, source, alpha)


@answers(torch.index_copy, T.index_copy, in_place=T.index_copy_, keeps_input=False)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Any:
    if not isinstance(dim, int):
        return NotImplemented
    return IndexCopyFunction.apply(input, dim, index, source)


@answers(torch.index_fill, T.index_fill, in_place=T.index_fill_, keeps_input=False)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Any:
    fits = not isinstance(value, Tensor) or (not value.dim() and (input.is_complex() or not value.is_complex()))
    return IndexFillFunction.apply(input, dim, index, value) if fits and isinstance(dim, int) else NotImplemented


@answers(torch.masked_scatter, T.masked_scatter, in_place=T.masked_scatter_, keeps_input=False)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Any:
    return MaskedScatterFunction.apply(input, mask, source)


@answers(torch.index_put, T.index_put, torch.ops.aten.index_put, in_place=(T.index_put_, torch.index_put_), keeps_input=False)
def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Any:
    if not indices or not all(i is None or (isinstance(i, Tensor) and i.dtype in INDEX_DTYPES) for i in indices):
        return NotImplemented
    return IndexPutFunction.apply(input, values, accumulate, *indices)


@answers(torch.ops.aten.index)
def index(input: Tensor, indices: Sequence[Tensor | None]) -> Any:
    return IndexFunction.apply(input, *indices)


@answers(torch.masked_select, T.masked_select)
def masked_select(input: Tensor, mask: Tensor) -> Any:
    if mask.dtype != torch.bool:
        return NotImplemented
    shape = torch.broadcast_shapes(input.shape, mask.shape)
    if not shape:
        input, mask, shape = input.reshape(1), mask.reshape(1), torch.Size([1])
    return IndexFunction.apply(_expanded(input, shape), mask.expand(shape))


@answers(torch.take, T.take)
def take(input: Tensor, index: Tensor) -> Any:
    if index.dtype != torch.int64:
        return NotImplemented
    return IndexFunction.apply(input.reshape(-1), index)


@answers(torch.take_along_dim, T.take_along_dim)
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Any:
    if indices.dtype != torch.int64:
        return NotImplemented
    if dim is None:
        input, indices, dim = input.reshape(-1), indices.reshape(-1), 0
    n = input.dim()
    if indices.dim() != n or not -n <= dim < n:
        return NotImplemented
    dim %= n
    others = torch.broadcast_shapes(*((*t.shape[:dim], *t.shape[dim + 1 :]) for t in (input, indices)))
    of_input, of_indices = ((*others[:dim], t.shape[dim], *others[dim:]) for t in (input, indices))
    places = torch.where(indices < 0, indices + input.shape[dim], indices).expand(of_indices)
    return GatherFunction.apply(_expanded(input, of_input), dim, places)


# In-place writes.


@answers(T.copy_)
def copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Any:
    return _put(src, input) if isinstance(src, Tensor) else NotImplemented


@answers(T.fill_, torch.fill_)
def fill_(input: Tensor, value: Any) -> Any:
    value = _as_value(value, input)
    return NotImplemented if value is None or value.dim() else _put(value, input)


@answers(T.zero_, torch.zero_)
def zero_(input: Tensor) -> Any:
    return fill_(input, 0)


@answers(T.__setitem__)
def setitem(input: Tensor, index: Any, value: Any) -> Any:
    """Assign input[index] = value as PyTorch does: write to a view, with index_put_ if the index contains tensors."""
    found = places(input, index)
    value = _as_value(value, input)
    if found is None or value is None:
        return NotImplemented
    value = _without_ones(value)
    view = input if all(part == slice(None) for part in found.view) else input[found.view]
    answer = _write(value, view, found.indices) if found.indices else _put(value, view)
    if answer is NotImplemented:
        return NotImplemented
    if not _dynamo_is_tracing() and input._base is not None:
        _remember_as_a_copy(input)
    return None


def _as_value(value: Any, like: Tensor) -> Tensor | None:
    """Convert a number to a tensor; return None if it cannot be assigned."""
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, _NUMBER) or (isinstance(value, complex) and not like.is_complex()):
        return None
    return torch.full((), value, dtype=like.dtype, device=like.device)


def _without_ones(value: Tensor) -> Tensor:
    while value.dim() and value.shape[0] == 1:
        value = value.squeeze(0)
    return value


def _write(value: Tensor, into: Tensor, indices: tuple[Tensor | None, ...]) -> Any:
    """Write a value at these indices."""
    first = next(i for i, index in enumerate(indices) if index is not None)
    mask = indices[first]
    assert mask is not None
    if value.dim() or not is_mask(mask) or any(index is not None for index in indices[first + 1 :]):
        return IndexPutFunction.apply_in_place(into, value, False, *indices)
    if mask.shape != into.shape[first : first + mask.dim()]:
        return NotImplemented
    mask = mask.reshape(*mask.shape, *[1] * (into.dim() - first - mask.dim()))
    return MaskedFillFunction.apply_in_place(into, mask, value)


def _put(value: Tensor, into: Tensor) -> Any:
    """Copy a value into a tensor; expand it by hand if it must be broadcast."""
    if value.shape != into.shape:
        if value.dim() > into.dim() or any(n not in (1, m) for n, m in zip(value.shape[::-1], into.shape[::-1], strict=False)):
            return NotImplemented
        value = ExpandFunction.apply(value, tuple(into.shape))
    return copy_into(value, into)


def _expanded(t: Tensor, shape: Sequence[int]) -> Tensor:
    return t if t.shape == tuple(shape) else ExpandFunction.apply(t, tuple(shape))
