"""The largest and smallest, what is sorted, products, running sums, norms of vectors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad._calls.arithmetic import dims_of
from manualgrad._calls.movement import maximum, minimum
from manualgrad.functions.arithmetic.extremes import ExtremeFunction
from manualgrad.functions.arithmetic.movement import GatherFunction
from manualgrad.functions.arithmetic.products import CumsumFunction, ProdFunction
from manualgrad.functions.arithmetic.vector_norm import VectorNormFunction


def amax(input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Any = None) -> Any:
    return _extreme(input, dim, keepdim, True, out)


def amin(input: Tensor, dim: Any = (), keepdim: bool = False, *, out: Any = None) -> Any:
    return _extreme(input, dim, keepdim, False, out)


def _extreme(x: Tensor, dim: Any, keepdim: bool, is_max: bool, out: Any = None) -> Any:
    dims = dims_of(x, dim)
    if out is not None or dims is None or not x.is_floating_point() or any(not x.shape[d] for d in dims):
        return NotImplemented
    return ExtremeFunction.apply(x, dims, keepdim, is_max)


def max(input: Tensor, *args: Any, **kwargs: Any) -> Any:
    return _max_or_min(torch.max, maximum, True, input, *args, **kwargs)


def min(input: Tensor, *args: Any, **kwargs: Any) -> Any:
    return _max_or_min(torch.min, minimum, False, input, *args, **kwargs)


def _max_or_min(torchs: Any, of_two: Any, is_max: bool, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Of all, of two tensors, or along a dimension with its index."""
    if kwargs.get("out") is not None:
        return NotImplemented
    first = args[0] if args else kwargs.get("other", kwargs.get("dim"))
    if first is None:
        return _extreme(x, None, False, is_max)
    if isinstance(first, Tensor):
        return of_two(x, first)
    return _picked(torchs, x, kwargs.get("dim", args[0] if args else None), *args, **kwargs)


def _picked(torchs: Any, x: Tensor, along: Any, *args: Any, **kwargs: Any) -> Any:
    """What torch's function picks along a dimension: its values, gathered at its indices."""
    if x.is_complex():
        return NotImplemented
    with torch.no_grad():
        found = torchs(x, *args, **kwargs)
        index = found[1]
    places = index if index.dim() == x.dim() else index.unsqueeze(along)
    values = GatherFunction.apply(x, along, places)
    return type(found)((values if index.dim() == x.dim() else values.squeeze(along), index))


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, out: Any = None) -> Any:
    return NotImplemented if out is not None else _picked(torch.topk, input, dim, k, dim, largest, sorted)


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *, out: Any = None) -> Any:
    if out is not None:
        return NotImplemented
    return _picked(torch.sort, input, dim, dim=dim, descending=descending, stable=stable)


def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Any:
    x = input if dtype is None else input.to(dtype)
    if out is not None or not (x.is_floating_point() or x.is_complex()):
        return NotImplemented
    if dim is None:
        return ProdFunction.apply(x.reshape(-1), 0, False)
    n = x.dim() or 1
    if not isinstance(dim, int) or not -n <= dim < n:
        return NotImplemented
    if not x.dim():
        return ProdFunction.apply(x.unsqueeze(0), 0, False)
    return ProdFunction.apply(x, dim % x.dim(), keepdim)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None, out: Any = None) -> Any:
    x = input if dtype is None else input.to(dtype)
    n = x.dim() or 1  # a number is the sum of itself
    if out is not None or not -n <= dim < n:
        return NotImplemented
    return CumsumFunction.apply(x, dim) if x.dim() else CumsumFunction.apply(x.unsqueeze(0), 0).squeeze(0)


def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Any:
    dims = dims_of(x, dim)
    if out is not None or dims is None or not isinstance(ord, int | float) or not (x.is_floating_point() or x.is_complex()):
        return NotImplemented
    return VectorNormFunction.apply(x if dtype is None else x.to(dtype), ord, dims, keepdim)


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None, dtype: Any = None) -> Any:
    """torch.norm, of vectors: "fro" is 2; "nuc" is torch's own."""
    ord = 2 if p in ("fro", None) else p
    return vector_norm(input, ord, dim, keepdim, dtype=dtype, out=out)
