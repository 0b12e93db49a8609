"""Sums, and what is made of them: means, variances, softmax, products of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import sympy

from manualgrad.symbolic.operators._arrays import Array, entrywise
from manualgrad.symbolic.operators.elementary import log_of

__all__ = ["TABLE", "mean", "total", "variance"]


def over(dims: Any) -> Any:
    """numpy's axis: all of them for none."""
    return None if dims is None or dims == [] else dims if isinstance(dims, int) else tuple(dims)


def total(x: Array, dims: Any = None, keepdim: bool = False) -> Array:
    return numpy.sum(x, axis=over(dims), keepdims=keepdim)


def product(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    return numpy.prod(x, axis=dim, keepdims=keepdim)


def count(x: Array, dims: Any) -> int:
    axis, shape = over(dims), numpy.shape(x)
    return math.prod(shape if axis is None else [shape[d] for d in numpy.atleast_1d(axis)])


def mean(x: Array, dims: Any = None, keepdim: bool = False) -> Array:
    return total(x, dims, keepdim) / sympy.Integer(count(x, dims))


def variance(x: Array, dims: Any = None, correction: Any = 1, keepdim: bool = False) -> Array:
    squares = (x - mean(x, dims, True)) ** 2
    return total(squares, dims, keepdim) / (count(x, dims) - sympy.sympify(correction))


def logsumexp(x: Array, dims: Any, keepdim: bool = False) -> Array:
    return entrywise(log_of)(total(entrywise(sympy.exp)(x), dims, keepdim))


def softmax(x: Array, dim: int, *_: Any) -> Array:
    return entrywise(sympy.exp)(x) / total(entrywise(sympy.exp)(x), dim, True)


def safe_softmax(x: Array, dim: int, *_: Any) -> Array:
    """0 where all are −∞."""
    sums = total(entrywise(sympy.exp)(x), dim, True)
    return entrywise(sympy.exp)(x) / numpy.where(sums == 0, sympy.Integer(1), sums)


def log_softmax(x: Array, dim: int, *_: Any) -> Array:
    return x - logsumexp(x, dim, True)


def addmm(M: Array, A: Array, B: Array, beta: Any = 1, alpha: Any = 1) -> Array:
    return beta * M + alpha * (A @ B)


def linear(x: Array, W: Array, b: Array | None = None) -> Array:
    return x @ W.T if b is None else x @ W.T + b


TABLE: dict[str, Callable[..., Any]] = {
    "mm": lambda A, B: A @ B,
    "bmm": lambda A, B: A @ B,
    "mv": lambda A, b: A @ b,
    "dot": lambda a, b: a @ b,
    "matmul": lambda A, B: A @ B,
    "addmm": addmm,
    "addmv": addmm,
    "baddbmm": addmm,
    "linear": linear,
    "sum": total,
    "prod": product,
    "mean": mean,
    "var": variance,
    "std": lambda *x, **how: entrywise(sympy.sqrt)(variance(*x, **how)),
    "cumsum": lambda x, dim: numpy.cumsum(x, axis=dim),
    "cumprod": lambda x, dim: numpy.cumprod(x, axis=dim),
    "logsumexp": logsumexp,
    "_softmax": softmax,
    "_safe_softmax": safe_softmax,
    "_log_softmax": log_softmax,
}
