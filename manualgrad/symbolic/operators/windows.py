"""Convolutions as the sums that they are, and the pooling of windows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy
import sympy

from manualgrad.symbolic.operators._arrays import Array
from manualgrad.symbolic.operators.movement import gather, pad
from manualgrad.symbolic.operators.piecewise import best

__all__ = ["TABLE"]

Sizes = Sequence[int]


def convolution(
    x: Array,
    K: Array,
    b: Array | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
) -> Array:
    """y[n, o, p] = Σ_c Σ_k K[o, c, k] x[n, c, s p + d k − P] + b[o], or spread the other way."""
    n = x.ndim - 2
    s, P, d, extra = ([*sizes] * (n if len(sizes) == 1 else 1) for sizes in (stride, padding, dilation, output_padding))
    places, kernel = x.shape[2:], K.shape[2:]
    steps = range(n)
    if transposed:
        sides = [(places[i] - 1) * s[i] - 2 * P[i] + d[i] * (kernel[i] - 1) + extra[i] + 1 for i in steps]
        y = numpy.full((x.shape[0], K.shape[1] * groups, *sides), sympy.Integer(0), object)
        stops, inside, outputs = places, sides, K.shape[1]
    else:
        stops = tuple((places[i] + 2 * P[i] - d[i] * (kernel[i] - 1) - 1) // s[i] + 1 for i in steps)
        y = numpy.full((x.shape[0], K.shape[0], *stops), sympy.Integer(0), object)
        inside, outputs = places, K.shape[0] // groups
    channels = x.shape[1] // groups
    for p, k in itertools.product(numpy.ndindex(*stops), numpy.ndindex(*kernel)):
        u = tuple(s[i] * p[i] + d[i] * k[i] - P[i] for i in steps)
        if not all(0 <= u[i] < inside[i] for i in steps):
            continue
        for e, group, o, c in itertools.product(range(len(x)), range(groups), range(outputs), range(channels)):
            output, channel = group * outputs + o, group * channels + c
            if transposed:
                y[(e, output, *u)] += K[(channel, o, *k)] * x[(e, channel, *p)]
            else:
                y[(e, output, *p)] += K[(output, c, *k)] * x[(e, channel, *u)]
    return y if b is None else y + b.reshape(-1, *[1] * n)


def stops_of(ceil_mode: bool, places: int, k: int, s: int, P: int, d: int) -> int:
    """How many windows there are along a side. The last one begins within the side or its padding before it."""
    span = places + 2 * P - d * (k - 1) - 1
    stops = (-(-span // s) if ceil_mode else span // s) + 1
    return stops - 1 if ceil_mode and (stops - 1) * s >= places + P else stops


def windows(
    sides: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> Iterator[tuple[tuple[int, ...], list[range]]]:
    """Each place of the output, and the places that its window covers along each side, those of the padding too."""
    n = len(sides)
    geometry = [[*size] * (n if len(size) == 1 else 1) for size in (kernel, stride or kernel, padding, dilation)]
    stops = [stops_of(ceil_mode, *side) for side in zip(sides, *geometry, strict=True)]
    for t in numpy.ndindex(*stops):
        yield t, [range(i * s - P, i * s - P + k * d, d) for i, k, s, P, d in zip(t, *geometry, strict=True)]


def inside(window: Sequence[range], sides: Sizes) -> list[tuple[int, ...]]:
    """The places of a window that are not padding."""
    return [u for u in itertools.product(*window) if all(0 <= i < side for i, side in zip(u, sides, strict=True))]


def pooled(x: Array, n: int, found: dict[tuple[int, ...], Any]) -> Array:
    """The numbers found for each place of the output, each an array of examples and channels."""
    shape = [max(t[i] for t in found) + 1 for i in range(n)]
    y: Array = numpy.empty((*x.shape[:-n], *shape), object)
    for t, value in found.items():
        y[(..., *t)] = value
    return y


def avg_pool(n: int) -> Callable[..., Array]:
    def average(
        x: Array,
        kernel: Sizes,
        stride: Sizes = (),
        padding: Sizes = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor: int | None = None,
    ) -> Array:
        sides, P = x.shape[-n:], [*padding] * (n if len(padding) == 1 else 1)
        found = {}
        for t, window in windows(sides, kernel, stride, padding, [1] * n, ceil_mode):
            padded = [[u for u in w if u < side + p] for w, side, p in zip(window, sides, P, strict=True)]
            those = inside(window, sides)
            N = divisor or (math.prod(map(len, padded)) if count_include_pad else len(those))
            found[t] = sum(x[(..., *u)] for u in those) / sympy.Integer(N)
        return pooled(x, n, found)

    return average


def adaptive_avg_pool(x: Array, T: Sizes) -> Array:
    sides = x.shape[-len(T) :]
    found = {}
    for t in numpy.ndindex(*T):
        those = inside([range(i * U // w, -(-(i + 1) * U // w)) for i, U, w in zip(t, sides, T, strict=True)], sides)
        found[t] = sum(x[(..., *u)] for u in those) / sympy.Integer(len(those))
    return pooled(x, len(T), found)


def max_pool(n: int) -> Callable[..., tuple[Array, Array]]:
    def largest(
        x: Array,
        kernel: Sizes,
        stride: Sizes = (),
        padding: Sizes = (0,),
        dilation: Sizes = (1,),
        ceil_mode: bool = False,
    ) -> tuple[Array, Array]:
        sides = x.shape[-n:]
        flat = x.reshape(*x.shape[:-n], -1)
        index = {}
        for t, window in windows(sides, kernel, stride, padding, dilation, ceil_mode):
            those = [int(numpy.ravel_multi_index(u, sides)) for u in inside(window, sides)]
            index[t] = numpy.take(those, numpy.apply_along_axis(best, -1, flat[..., those]))
        where = pooled(x, n, index).astype(numpy.int64)
        return gather(flat, -1, where.reshape(*flat.shape[:-1], -1)).reshape(where.shape), where

    return largest


def im2col(x: Array, kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Array:
    """The windows of x [N, C, H, W], as columns: [N, C · places of the kernel, stops]."""
    large = pad(x, [padding[1]] * 2 + [padding[0]] * 2)
    columns = [large[..., rows, places] for rows, places in _seen(large.shape[2:], kernel, dilation, stride)]
    return numpy.stack([c.reshape(*x.shape[:2], -1) for c in columns], 2).reshape(x.shape[0], -1, columns[0][0, 0].size)


def col2im(y: Array, size: Sizes, kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Array:
    """The sum of such windows, each in its place of [N, C, *size]."""
    N, C = y.shape[0], y.shape[1] // math.prod(kernel)
    x = numpy.full((N, C, *(s + 2 * p for s, p in zip(size, padding, strict=True))), sympy.Integer(0), object)
    columns = y.reshape(N, C, math.prod(kernel), -1)
    for k, (rows, places) in enumerate(_seen(x.shape[2:], kernel, dilation, stride)):
        x[..., rows, places] += columns[:, :, k].reshape(x[..., rows, places].shape)
    return pad(x, [-padding[1]] * 2 + [-padding[0]] * 2)


def _seen(size: Sizes, kernel: Sizes, dilation: Sizes, stride: Sizes) -> Iterator[tuple[slice, ...]]:
    """For each place of the kernel, what it sees at its stops."""
    for k in numpy.ndindex(*kernel):
        of_each = zip(size, kernel, dilation, stride, k, strict=True)
        yield tuple(slice(d * i, L - d * (K - 1 - i), s) for L, K, d, s, i in of_each)


TABLE: dict[str, Callable[..., Any]] = {
    "convolution": convolution,
    "im2col": im2col,
    "col2im": col2im,
    "avg_pool2d": avg_pool(2),
    "avg_pool3d": avg_pool(3),
    "_adaptive_avg_pool2d": adaptive_avg_pool,
    "_adaptive_avg_pool3d": adaptive_avg_pool,
    "max_pool2d_with_indices": max_pool(2),
    "max_pool3d_with_indices": max_pool(3),
}
