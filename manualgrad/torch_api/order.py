"""The largest and smallest, what is sorted, products, running sums, norms of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function.in_place import kept_beside
from manualgrad.functions.arithmetic import picked
from manualgrad.functions.arithmetic.cosine_similarity import CosineSimilarityFunction
from manualgrad.functions.arithmetic.extremes import ExtremeFunction, OneOfAllFunction
from manualgrad.functions.arithmetic.movement import GatherFunction
from manualgrad.functions.arithmetic.products import CumprodFunction, CumsumFunction, ProdFunction
from manualgrad.functions.arithmetic.vector_norm import VectorNormFunction
from manualgrad.torch_api.arithmetic import add, dims_of, div, sub
from manualgrad.torch_api.autocast import cast_as, in_its_dtype
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.movement import clamp_min, expand_as, maximum, minimum

T = Tensor


def _dim_of(x: Tensor, dim: Any) -> int | None:
    """Counted from 0; None where it is not as it should be."""
    dims = dims_of(x, dim) if isinstance(dim, int) else None
    return None if dims is None else dims[0] if dims else 0


# One of the numbers, over some dimensions or of all.


@answers(torch.amax, T.amax)
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Any:
    return _extreme(input, dim, keepdim, True)


@answers(torch.amin, T.amin)
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Any:
    return _extreme(input, dim, keepdim, False)


def _extreme(x: Tensor, dim: Any, keepdim: bool, is_max: bool) -> Any:
    dims = dims_of(x, dim)
    if dims is None or not x.is_floating_point() or any(not x.shape[d] for d in dims):
        return NotImplemented
    return ExtremeFunction.apply(x, dims, keepdim, is_max)


@answers(torch.aminmax, T.aminmax)
def aminmax(input: Tensor, *, dim: Any = None, keepdim: bool = False) -> Any:
    least, most = (_extreme(input, dim, keepdim, is_max) for is_max in (False, True))
    return NotImplemented if least is NotImplemented else torch.return_types.aminmax((least, most))


@answers(torch.max, T.max)
def max(input: Tensor, dim: Any = None, keepdim: bool | None = None, *, other: Any = None) -> Any:
    if other is not None or (isinstance(dim, Tensor) and keepdim is None):
        return maximum(input, dim if other is None else other)
    if dim is None:
        return NotImplemented if keepdim else _one_of_all(input, "max")
    return _picked("max", picked.ExtremeAlongFunction, input, dim, bool(keepdim), True)


@answers(torch.min, T.min)
def min(input: Tensor, dim: Any = None, keepdim: bool | None = None, *, other: Any = None) -> Any:
    if other is not None or (isinstance(dim, Tensor) and keepdim is None):
        return minimum(input, dim if other is None else other)
    if dim is None:
        return NotImplemented if keepdim else _one_of_all(input, "min")
    return _picked("min", picked.ExtremeAlongFunction, input, dim, bool(keepdim), False)


@answers(torch.median, T.median)
def median(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    if dim is None:
        return NotImplemented if keepdim else _one_of_all(input, "median")
    return _picked("median", picked.MedianFunction, input, dim, keepdim, False)


@answers(torch.nanmedian, T.nanmedian)
def nanmedian(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    if dim is None:
        return NotImplemented if keepdim else _one_of_all(input, "nanmedian")
    return _picked("nanmedian", picked.MedianFunction, input, dim, keepdim, True)


def _one_of_all(x: Tensor, name: str) -> Any:
    return OneOfAllFunction.apply(x, name) if x.is_floating_point() and x.numel() else NotImplemented


# Along a dimension, with the index.


def _picked(name: str, Function: Any, x: Tensor, dim: Any, *others: Any) -> Any:
    dim = _dim_of(x, dim)
    if dim is None or not x.is_floating_point():
        return NotImplemented
    return _NAMED_TUPLES[name](Function.apply(x, dim, *others))


_NAMED_TUPLES: dict[str, Any] = {
    name: getattr(torch.return_types, name)
    for name in ("max", "min", "median", "nanmedian", "topk", "sort", "kthvalue", "mode", "cummax", "cummin")
}


@answers(torch.topk, T.topk)
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    return _picked("topk", picked.TopkFunction, input, dim, k, largest, sorted)


@answers(torch.sort, T.sort)
def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
    return _picked("sort", picked.SortFunction, input, dim, descending, stable)


@answers(torch.msort, T.msort)
def msort(input: Tensor) -> Any:
    found = sort(input, 0, stable=False)
    return NotImplemented if found is NotImplemented else found[0]


@answers(torch.kthvalue, T.kthvalue)
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    return _picked("kthvalue", picked.KthvalueFunction, input, dim, k, keepdim)


@answers(torch.mode, T.mode)
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    return _picked("mode", picked.ModeFunction, input, dim, keepdim)


@answers(torch.cummax, T.cummax)
def cummax(input: Tensor, dim: int) -> Any:
    return _running(torch.cummax, input, dim)


@answers(torch.cummin, T.cummin)
def cummin(input: Tensor, dim: int) -> Any:
    return _running(torch.cummin, input, dim)


def _running(torchs: Any, x: Tensor, dim: Any) -> Any:
    """The largest or smallest up to each place: gathered, as one may be that of many places."""
    dim = _dim_of(x, dim)
    if dim is None or not x.is_floating_point():
        return NotImplemented
    _, index = torchs(x.detach(), dim)
    return _NAMED_TUPLES[torchs.__name__]((GatherFunction.apply(x, dim, index), index))


# Products and running sums.


@answers(torch.prod, T.prod)
def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    x = input if dtype is None else input.to(dtype)
    dim_of_x = 0 if dim is None else _dim_of(x, dim)
    if dim_of_x is None or (dim is None and keepdim) or not _is_number(x):
        return NotImplemented
    if dim is None or not x.dim():
        return in_its_dtype(ProdFunction, x.reshape(-1), dtype, 0, False)
    return in_its_dtype(ProdFunction, x, dtype, dim_of_x, keepdim)


@answers(torch.cumsum, T.cumsum, in_place=T.cumsum_, keeps_input=False)
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Any:
    return _cumulative(CumsumFunction, input, dim, dtype)


@answers(torch.cumprod, T.cumprod, in_place=T.cumprod_)
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Any:
    return _cumulative(CumprodFunction, input, dim, dtype)


def _cumulative(Function: Any, input: Tensor, dim: Any, dtype: Any) -> Any:
    x = input if dtype is None else input.to(dtype)
    dim = _dim_of(x, dim)
    if dim is None or not _is_number(x):
        return NotImplemented
    return in_its_dtype(Function, x, dtype, dim) if x.dim() else in_its_dtype(Function, x.reshape(1), dtype, 0).reshape(())


def _is_number(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


# Norms.


@answers(torch.linalg.vector_norm)
def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    dims = dims_of(x, dim)
    if dims is None or not isinstance(ord, int | float) or not _is_number(x):
        return NotImplemented
    if dtype is not None and (dtype.is_complex != x.is_complex() or torch.promote_types(x.dtype, dtype) != dtype):
        return NotImplemented
    return in_its_dtype(VectorNormFunction, x, dtype, ord, dims, keepdim)


@answers(torch.norm, T.norm)
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None, dtype: Any = None) -> Any:
    p = 2 if p is None or (p == "fro" and (not isinstance(dim, Sequence) or len(dim) <= 2)) else p
    return vector_norm(input, p, dim, keepdim, dtype=dtype)


@answers(torch.linalg.norm)
def linalg_norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """torch.linalg.norm, of a matrix or of a vector."""
    n = A.dim() if dim is None else len(dim) if isinstance(dim, Sequence) else 1
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if n == 2:
        return matrix_norm(A, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype) if n == 1 else NotImplemented


@answers(torch.linalg.matrix_norm)
def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Of the numbers of a matrix, or the largest or smallest norm of its columns (±1) or rows (±∞); others need its SVD."""
    dims = dims_of(A, dim)
    if A.dim() < 2 or not isinstance(dim, Sequence) or dims is None or len(dims) != 2 or len(dim) != 2:
        return NotImplemented
    if ord == "fro":
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if isinstance(ord, str) or abs(ord) not in (1, math.inf):
        return NotImplemented
    within, across = dims if abs(ord) == 1 else dims[::-1]
    sizes = vector_norm(A, 1, within, True, dtype=dtype)
    y = NotImplemented if sizes is NotImplemented else _extreme(sizes, across, True, ord > 0)
    return y if keepdim or y is NotImplemented else y.squeeze(dims)


@answers(F.normalize)
def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    y = NotImplemented if out is not None else vector_norm(input, p, dim, True)
    return y if y is NotImplemented else div(input, expand_as(clamp_min(y, eps), input))


@answers(torch.cosine_similarity)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Any:
    n = len(torch.broadcast_shapes(x1.shape, x2.shape))
    if not n:
        x1, x2, n = x1.reshape(1), x2.reshape(1), 1
    if not isinstance(dim, int) or not -n <= dim < n or not (x1.is_floating_point() and x2.is_floating_point()):
        return NotImplemented
    return CosineSimilarityFunction.apply(kept_beside(x1, x2), kept_beside(x2, x1), dim % n, eps)


@answers(torch.pairwise_distance)
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The norm of the difference, and of eps more in each direction."""
    return vector_norm(add(sub(x1, x2), eps), p, -1, keepdim)


@answers(torch.dist, T.dist)
def dist(input: Tensor, other: Tensor, p: Any = 2) -> Any:
    return cast_as({"cuda": "float32"}, (input, other), lambda a, b: vector_norm(sub(a, b), p))
