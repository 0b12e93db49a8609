"""Interpolation, one side after another, each a matrix of weights; and bags of an embedding's rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy
import sympy
from sympy import Rational

from manualgrad.symbolic.operators._arrays import Array
from manualgrad.symbolic.operators.piecewise import best

__all__ = ["TABLE"]

Weights = dict[int, Any]  # of the places u that one place t is made of
HALF = Rational(1, 2)


def spacing(U: int, T: int, factor: Any) -> Any:
    """How far apart the new places are on the old side."""
    return Rational(U, T) if factor is None else 1 / sympy.sympify(factor)


def nearest(middle: Any) -> Callable[..., Weights]:
    """Of place t the old place that holds the left end of t, or the middle of it."""
    return lambda t, U, T, factor: {min(math.floor((t + middle) * spacing(U, T, factor)), U - 1): 1}


def position(t: int, U: int, T: int, align_corners: bool, factor: Any) -> Any:
    """Where the middle of place t is, in places of the old side."""
    if align_corners:
        return Rational(t * (U - 1), T - 1) if T > 1 else sympy.Integer(0)
    return spacing(U, T, factor) * (t + HALF) - HALF


def triangle(d: Any) -> Any:
    return max(1 - abs(d), 0)


def cubic(A: Any) -> Callable[[Any], Any]:
    """Keys' kernel (1981), of the slope A at distance 1."""

    def kernel(d: Any) -> Any:
        d = abs(d)
        if d <= 1:
            return (A + 2) * d**3 - (A + 3) * d**2 + 1
        return A * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else sympy.Integer(0)

    return kernel


def by_kernel(kernel: Callable[[Any], Any], reach: int, from_0: bool) -> Callable[..., Weights]:
    """Each place nearer than `reach` by the kernel of its distance; the outermost stand for those beyond the ends."""

    def of_place(t: int, U: int, T: int, align_corners: bool, factor: Any) -> Weights:
        s = position(t, U, T, align_corners, factor)
        s = max(s, sympy.Integer(0)) if from_0 else s
        found: Weights = {}
        for u in range(math.floor(s) - reach + 1, math.floor(s) + reach + 1):
            at = min(max(u, 0), U - 1)
            found[at] = found.get(at, 0) + kernel(s - u)
        return found

    return of_place


def antialiased(kernel: Callable[[Any], Any], reach: int) -> Callable[..., Weights]:
    """The kernel as wide as a new place is, its weights brought to sum 1."""

    def of_place(t: int, U: int, T: int, align_corners: bool, factor: Any) -> Weights:
        gap = Rational(U - 1, T - 1) if align_corners and T > 1 else spacing(U, T, factor)
        width, middle = max(gap, sympy.Integer(1)), gap * (t + HALF)
        first = max(int(middle - width * reach + HALF), 0)
        weights = {u: kernel((u + HALF - middle) / width) for u in range(first, min(int(middle + width * reach + HALF), U))}
        return {u: w / sum(weights.values()) for u, w in weights.items()}

    return of_place


def interpolated(n: int, of_place: Callable[..., Weights], has_corners: bool = True) -> Callable[..., Array]:
    """Over the last n sides of x. The arguments are those sides' new lengths, `align_corners`, and each side's factor."""

    def over_sides(x: Array, sides: Sequence[int], *how: Any) -> Array:
        corners, factors = (how[:1], how[1:]) if has_corners else ((), how)
        for i, T in enumerate(sides):
            dim, factor = x.ndim - n + i, factors[i] if factors else None
            lines = numpy.moveaxis(x, dim, 0)
            places = [of_place(t, len(lines), T, *corners, factor) for t in range(T)]
            x = numpy.moveaxis(numpy.stack([sum(w * lines[u] for u, w in place.items()) for place in places]), 0, dim)
        return x

    return over_sides


def embedding_bag(
    W: Array,
    i: Array,
    first: Array,
    by_frequency: bool = False,
    mode: int = 0,
    sparse: bool = False,
    w: Array | None = None,
    has_end: bool = False,
    padding: int = -1,
) -> tuple[Array, Array, Array, Array]:
    """Of each bag of rows the sum (mode 0), the mean (1) or the largest (2); each bag's size, and the rows of the largest."""
    ends = [*first[1:], *([] if has_end else [len(i)])]
    bags = [[k for k in range(b, e) if i[k] != padding] for b, e in zip(first, ends, strict=False)]
    y: Array = numpy.full((len(bags), W.shape[1]), sympy.Integer(0), object)
    r = numpy.zeros(y.shape, numpy.int64)
    for b, bag in enumerate(bags):
        rows = numpy.stack([W[i[k]] * (1 if w is None else w[k]) for k in bag])
        y[b] = rows.sum(0) / (len(bag) if mode == 1 else 1)
        if mode == 2:
            r[b] = i[numpy.array(bag)[numpy.apply_along_axis(best, 0, rows)]]
            y[b] = W[r[b], range(W.shape[1])]
    return y, numpy.zeros(0, numpy.int64), numpy.array([len(bag) for bag in bags]), r


NEAREST, EXACT = nearest(0), nearest(HALF)
LINEAR, CUBIC = by_kernel(triangle, 1, True), by_kernel(cubic(Rational(-3, 4)), 2, False)
TABLE: dict[str, Callable[..., Any]] = {
    **{f"upsample_nearest{n}d": interpolated(n, NEAREST, False) for n in (1, 2, 3)},
    **{f"_upsample_nearest_exact{n}d": interpolated(n, EXACT, False) for n in (1, 2, 3)},
    "upsample_linear1d": interpolated(1, LINEAR),
    "upsample_bilinear2d": interpolated(2, LINEAR),
    "upsample_trilinear3d": interpolated(3, LINEAR),
    "upsample_bicubic2d": interpolated(2, CUBIC),
    "_upsample_bilinear2d_aa": interpolated(2, antialiased(triangle, 1)),
    "_upsample_bicubic2d_aa": interpolated(2, antialiased(cubic(Rational(-1, 2)), 2)),
    "_embedding_bag": embedding_bag,
    "_embedding_bag_forward_only": embedding_bag,
}
