"""What moves entries, and leaves each as it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from manualgrad.symbolic.operators._arrays import Array
from manualgrad.symbolic.operators.piecewise import where

__all__ = ["TABLE", "gather", "pad"]

Sizes = Sequence[int]


def permute(x: Array, dims: Sizes) -> Array:
    return x.transpose(dims)


def expand(x: Array, shape: Sizes, **_: Any) -> Array:
    kept = [1] * (len(shape) - x.ndim) + list(x.shape)
    return numpy.broadcast_to(x, [k if s == -1 else s for s, k in zip(shape, kept, strict=True)])


def narrowed(x: Array, dim: int, part: Any) -> Array:
    return x[(slice(None),) * (dim % x.ndim) + (part,)]


def slice_of(x: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Array:
    return narrowed(x, dim, slice(start, end, step))


def squeeze(x: Array, dims: Any = None) -> Array:
    dims = range(x.ndim) if dims is None else [d % x.ndim for d in numpy.atleast_1d(dims)]
    return x.squeeze(tuple(d for d in dims if x.shape[d] == 1))


def split(x: Array, size: Any, dim: int = 0) -> list[Array]:
    length = x.shape[dim]
    ends = range(size, length, size) if isinstance(size, int) else itertools.accumulate(size[:-1])
    return numpy.split(x, list(ends), dim)


def pad(x: Array, sides: Sizes, value: Any = 0) -> Array:
    """Pairs of before and after, of the last dimension first; what is negative cuts off."""
    pairs = [(0, 0)] * (x.ndim - len(sides) // 2) + [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]
    for d, (before, after) in enumerate(pairs):
        x = narrowed(x, d, slice(max(-before, 0), x.shape[d] - max(-after, 0)))
    return numpy.pad(x, [(max(before, 0), max(after, 0)) for before, after in pairs], constant_values=value)


def index(x: Array, indices: Sequence[Array | None]) -> Array:
    return x[tuple(slice(None) if i is None else i for i in indices)]


def index_put(x: Array, indices: Sequence[Array | None], values: Array, accumulate: bool = False) -> Array:
    x = x.copy()
    place: Any = tuple(slice(None) if i is None else i for i in indices)
    if accumulate:
        numpy.add.at(x, place, values)
    else:
        x[place] = values
    return x


def index_add(x: Array, dim: int, index: Array, source: Array, alpha: Any = 1) -> Array:
    x = x.copy()
    for i, part in zip(index, numpy.moveaxis(source, dim, 0), strict=True):
        numpy.moveaxis(x, dim, 0)[i] = numpy.moveaxis(x, dim, 0)[i] + alpha * part
    return x


def index_copy(x: Array, dim: int, index: Array, source: Array) -> Array:
    x = x.copy()
    for i, part in zip(index, numpy.moveaxis(source, dim, 0), strict=True):
        numpy.moveaxis(x, dim, 0)[i] = part
    return x


def index_fill(x: Array, dim: int, index: Array, value: Any) -> Array:
    x = x.copy()
    numpy.moveaxis(x, dim, 0)[index] = value
    return x


def masked_scatter(x: Array, mask: Array, source: Array) -> Array:
    x = numpy.array(numpy.broadcast_arrays(x, mask)[0])
    mask = numpy.broadcast_to(mask, x.shape)
    x[mask] = source.reshape(-1)[: mask.sum()]
    return x


def gather(x: Array, dim: int, index: Array, **_: Any) -> Array:
    return _along(x, dim, index)[0]


def scatter(x: Array, dim: int, index: Array, source: Any, **_: Any) -> Array:
    x = x.copy()
    _, places = _along(x, dim, index)
    for i, place in places:
        x[place] = source[i] if isinstance(source, numpy.ndarray) else source
    return x


def scatter_add(x: Array, dim: int, index: Array, source: Array) -> Array:
    x = x.copy()
    for i, place in _along(x, dim, index)[1]:
        x[place] = x[place] + source[i]
    return x


def _along(x: Array, dim: int, index: Array) -> tuple[Array, list[tuple[Any, Any]]]:
    """x[..., index[i], ...] for each place i of the index, and that place of x with i."""
    dim %= max(x.ndim, 1)
    places = [(i, (*i[:dim], int(index[i]), *i[dim + 1 :])) for i in numpy.ndindex(index.shape)]
    found = numpy.empty(index.shape, object)
    for i, place in places:
        found[i] = x[place]
    return found, places


def unfold(x: Array, dim: int, size: int, step: int) -> Array:
    """The windows along a dimension, each the last dimension of what is returned."""
    starts = range(0, x.shape[dim] - size + 1, step)
    return numpy.stack([numpy.moveaxis(narrowed(x, dim, slice(u, u + size)), dim, -1) for u in starts], dim)


def filled(value: Any) -> Callable[..., Array]:
    """An array of one number, of the shape of x, or of a shape that is given."""

    def full(x: Array, shape: Sizes | None = None, *_: Any, **__: Any) -> Array:
        return numpy.full(x.shape if shape is None else tuple(shape), value, object)

    return full


def triangle(keep: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, diagonal=0: where(keep(numpy.ones(x.shape, bool), diagonal), x, 0)


TABLE: dict[str, Callable[..., Any]] = {
    "view": lambda x, shape: x.reshape(shape),
    "t": lambda x: x.T,
    "transpose": lambda x, i, j: x.swapaxes(i, j),
    "permute": permute,
    "expand": expand,
    "unsqueeze": numpy.expand_dims,
    "squeeze": squeeze,
    "slice": slice_of,
    "select": lambda x, dim, i: narrowed(x, dim, i),
    "split": split,
    "split_with_sizes": split,
    "unbind": lambda x, dim=0: [narrowed(x, dim, i) for i in range(x.shape[dim])],
    "cat": lambda arrays, dim=0: numpy.concatenate(arrays, dim),
    "stack": lambda arrays, dim=0: numpy.stack(arrays, dim),
    "flip": lambda x, dims: numpy.flip(x, tuple(dims)),
    "roll": lambda x, shifts, dims=(): numpy.roll(x, shifts, tuple(dims) or None),
    "constant_pad_nd": pad,
    "gather": gather,
    "index": index,
    "index_put": index_put,
    "index_select": lambda x, dim, i: numpy.take(x, i, dim),
    "index_add": index_add,
    "index_copy": index_copy,
    "index_fill": index_fill,
    "masked_scatter": masked_scatter,
    "unfold": unfold,
    "scatter": scatter,
    "scatter_add": scatter_add,
    "embedding": lambda W, i, *_: W[i],
    "tril": triangle(numpy.tril),
    "triu": triangle(numpy.triu),
    "clone": lambda x: x.copy(),
    "alias": lambda x: x,
    "_to_copy": lambda x: x,
    "copy": lambda x, source, *_: source,
    "fill": lambda x, value: value,
    "repeat": lambda x, times: numpy.tile(x, times),
    "diagonal": numpy.diagonal,
    "zeros_like": filled(0),
    "ones_like": filled(1),
    "empty_like": filled(0),
    "new_empty": filled(0),
    "new_zeros": filled(0),
    "new_ones": filled(1),
    "full_like": lambda x, value: numpy.full(x.shape, value, object),
    "new_full": lambda x, shape, value: numpy.full(tuple(shape), value, object),
}
