"""Element by element, by cases: which of them it is follows from a comparison."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy
import sympy

from manualgrad.symbolic.comparisons import sign
from manualgrad.symbolic.operators._arrays import Array, comparison, entrywise
from manualgrad.symbolic.operators.sums import total

__all__ = ["TABLE", "absolute", "best", "greater", "less", "where"]


def greater(a: Any, b: Any) -> Any:
    return a if sign(a, b) >= 0 else b


def less(a: Any, b: Any) -> Any:
    return a if sign(a, b) <= 0 else b


def absolute(x: Any) -> Any:
    return x if sign(x) >= 0 else -x


def clamp(x: Array, least: Any = None, most: Any = None) -> Array:
    x = x if least is None else entrywise(greater)(x, least)
    return x if most is None else entrywise(less)(x, most)


def softplus(z: Array, beta: Any = 1, threshold: Any = 20) -> Array:
    return entrywise(lambda z: z if sign(beta * z, threshold) > 0 else sympy.log(1 + sympy.exp(beta * z)) / beta)(z)


def elu(z: Array, alpha: Any = 1, scale: Any = 1, input_scale: Any = 1) -> Array:
    return entrywise(lambda z: scale * (z if sign(z) > 0 else alpha * (sympy.exp(input_scale * z) - 1)))(z)


def leaky_relu(z: Array, slope: Any) -> Array:
    return entrywise(lambda z: z if sign(z) > 0 else slope * z)(z)


def threshold(z: Array, bound: Any, otherwise: Any) -> Array:
    return entrywise(lambda z: z if sign(z, bound) > 0 else otherwise)(z)


def where(condition: Array, x: Any = None, y: Any = None) -> Array:
    return numpy.asarray(numpy.where(condition, x, y), object)


def extreme(choose: Callable[[Any, Any], Any]) -> Callable[..., Array]:
    """The greatest or the least over dimensions; over all of them for none."""

    def chosen(x: Array, dims: Any = None, keepdim: bool = False) -> Array:
        axes = range(x.ndim) if dims is None or dims == [] else [d % x.ndim for d in numpy.atleast_1d(dims)]
        for d in sorted(axes, reverse=True):
            x = numpy.asarray(numpy.frompyfunc(choose, 2, 1).reduce(x, axis=d, keepdims=keepdim), object)
        return x

    return chosen


def vector_norm(x: Array, p: Any = 2, dims: Any = None, keepdim: bool = False) -> Array:
    """(Σ |x|^p)^(1/p), of which the limits are the extremes of |x|, and how many are not 0."""
    if p == 2:
        return entrywise(sympy.sqrt)(total(x**2, dims, keepdim))
    if p == 0:
        return total(entrywise(lambda x: abs(sign(x)))(x), dims, keepdim)
    size = entrywise(absolute)(x)
    if p in (sympy.oo, -sympy.oo):
        return extreme(greater if p > 0 else less)(size, dims, keepdim)
    return entrywise(lambda S: S ** (1 / sympy.sympify(p)))(total(entrywise(lambda x: x**p)(size), dims, keepdim))


def extreme_and_place(is_better: Callable[[int], bool]) -> Callable[..., tuple[Array, Array]]:
    """The greatest or the least along a dimension, and its place, the first of equals."""

    def with_place(x: Array, dim: int, keepdim: bool = False) -> tuple[Array, Array]:
        places: Array = numpy.apply_along_axis(best, dim, x, is_better)
        index = numpy.expand_dims(places, dim)
        chosen = numpy.take_along_axis(x, index, dim)
        return (chosen, index) if keepdim else (chosen.squeeze(dim), places)

    return with_place


def in_order(line: Array, descending: bool = False) -> list[int]:
    """The places of its numbers, from the least to the greatest or the other way; of equals, the first first."""
    order = functools.cmp_to_key(lambda i, j: (-1 if descending else 1) * sign(line[i], line[j]))
    return sorted(range(len(line)), key=order)


def sorted_with_places(x: Array, dim: int, descending: bool, part: slice | int, keepdim: bool = True) -> tuple[Array, Array]:
    """A part of the numbers along a dimension in their order, and their places."""
    index: Array = numpy.apply_along_axis(in_order, dim, x, descending)
    index = numpy.moveaxis(numpy.moveaxis(index, dim, 0)[part if isinstance(part, slice) else slice(part, part + 1)], 0, dim)
    chosen = numpy.take_along_axis(x, index, dim)
    return (chosen, index) if keepdim else (chosen.squeeze(dim), index.squeeze(dim))


def median(x: Array, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle one, of an even number the lower; of all of them, without its place."""
    if dim is None:
        return sorted_with_places(x.reshape(-1), 0, False, (x.size - 1) // 2, False)[0]
    return sorted_with_places(x, dim, False, (x.shape[dim] - 1) // 2, keepdim)


def best(line: Array, is_better: Callable[[int], bool] = lambda s: s > 0) -> int:
    """The place of the greatest, or of the least; the first of equals."""
    found = 0
    for i in range(1, len(line)):
        found = i if is_better(sign(line[i], line[found])) else found
    return found


TABLE: dict[str, Callable[..., Any]] = {
    "softplus": softplus,
    "relu": entrywise(lambda z: greater(z, 0)),
    "leaky_relu": leaky_relu,
    "elu": elu,
    "celu": lambda z, alpha: elu(z, alpha, 1, 1 / sympy.sympify(alpha)),
    "_prelu_kernel": entrywise(lambda z, slope: z if sign(z) > 0 else slope * z),
    "hardshrink": entrywise(lambda z, bound: 0 if sign(z, -bound) >= 0 >= sign(z, bound) else z),
    "softshrink": entrywise(lambda z, bound: z - less(greater(z, -bound), bound)),
    "threshold": threshold,
    "hardtanh": clamp,
    "hardsigmoid": lambda z: clamp(z + 3, 0, 6) / 6,
    "hardswish": lambda z: z * clamp(z + 3, 0, 6) / 6,
    "abs": entrywise(absolute),
    "sign": entrywise(sign),
    "sgn": entrywise(sign),
    "maximum": entrywise(greater),
    "minimum": entrywise(less),
    "clamp": clamp,
    "clamp_min": clamp,
    "clamp_max": lambda x, most: clamp(x, None, most),
    "where": where,
    "masked_fill": lambda x, mask, value: where(mask, value, x),
    "gt": comparison(lambda s: s > 0),
    "ge": comparison(lambda s: s >= 0),
    "lt": comparison(lambda s: s < 0),
    "le": comparison(lambda s: s <= 0),
    "eq": comparison(lambda s: s == 0),
    "ne": comparison(lambda s: s != 0),
    "isnan": lambda x: numpy.zeros(x.shape, bool),
    "linalg_vector_norm": vector_norm,
    "amax": extreme(greater),
    "amin": extreme(less),
    "argmax": lambda x, dim, keepdim: extreme_and_place(lambda s: s > 0)(x, dim, keepdim)[1],
    "argmin": lambda x, dim, keepdim: extreme_and_place(lambda s: s < 0)(x, dim, keepdim)[1],
    "max": lambda x, *dim: extreme_and_place(lambda s: s > 0)(x, *dim) if dim else extreme(greater)(x),
    "min": lambda x, *dim: extreme_and_place(lambda s: s < 0)(x, *dim) if dim else extreme(less)(x),
    "sort": lambda x, stable=None, dim=-1, descending=False: sorted_with_places(x, dim, descending, slice(None)),
    "topk": lambda x, k, dim=-1, largest=True, _=True: sorted_with_places(x, dim, largest, slice(k)),
    "kthvalue": lambda x, k, dim=-1, keepdim=False: sorted_with_places(x, dim, False, k - 1, keepdim),
    "median": median,
    "nanmedian": median,
    "mode": lambda x, dim=-1, keepdim=False: sorted_with_places(x, dim, False, 0, keepdim),  # of numbers that all differ
}
