"""Norms and distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function.in_place import kept_beside
from manualgrad.functions.arithmetic.cosine_similarity import CosineSimilarityFunction
from manualgrad.functions.arithmetic.vector_norm import VectorNormFunction
from manualgrad.torch_api.arithmetic import add, dims_of, div, is_number, sub
from manualgrad.torch_api.autocast import cast_as, in_its_dtype
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.movement import expand_as
from manualgrad.torch_api.piecewise import clamp_min
from manualgrad.torch_api.selection import extreme

T = Tensor


@answers(torch.linalg.vector_norm)
def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    dims = dims_of(x, dim)
    if dims is None or not isinstance(ord, (int, float)) or not is_number(x):
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
    """Compute torch.linalg.norm of a matrix or a vector."""
    n = A.dim() if dim is None else len(dim) if isinstance(dim, Sequence) else 1
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if n == 2:
        return matrix_norm(A, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype) if n == 1 else NotImplemented


@answers(torch.linalg.matrix_norm)
def matrix_norm(A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Compute the Frobenius norm, or the largest or smallest 1-norm of the columns (±1) or rows (±∞); others need an SVD."""
    dims = dims_of(A, dim)
    if A.dim() < 2 or not isinstance(dim, Sequence) or dims is None or len(dims) != 2 or len(dim) != 2:
        return NotImplemented
    if ord == "fro":
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if isinstance(ord, str) or abs(ord) not in (1, math.inf):
        return NotImplemented
    within, across = dims if abs(ord) == 1 else dims[::-1]
    sizes = vector_norm(A, 1, within, True, dtype=dtype)
    y = NotImplemented if sizes is NotImplemented else extreme(sizes, across, True, ord > 0)
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
    """Compute the norm of x1 − x2 + eps."""
    return vector_norm(add(sub(x1, x2), eps), p, -1, keepdim)


@answers(torch.dist, T.dist)
def dist(input: Tensor, other: Tensor, p: Any = 2) -> Any:
    return cast_as({"cuda": "float32"}, (input, other), lambda a, b: vector_norm(sub(a, b), p))
