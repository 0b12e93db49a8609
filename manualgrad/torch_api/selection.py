"""Maxima, minima, medians, modes and sorting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic import selection
from manualgrad.functions.arithmetic.amax import ExtremeFunction, OneOfAllFunction
from manualgrad.functions.arithmetic.movement import GatherFunction
from manualgrad.torch_api.arithmetic import dim_of, dims_of
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.piecewise import maximum, minimum

T = Tensor


@answers(torch.amax, T.amax)
def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Any:
    return extreme(input, dim, keepdim, True)


@answers(torch.amin, T.amin)
def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Any:
    return extreme(input, dim, keepdim, False)


def extreme(x: Tensor, dim: Any, keepdim: bool, is_max: bool) -> Any:
    dims = dims_of(x, dim)
    if dims is None or not x.is_floating_point() or any(not x.shape[d] for d in dims):
        return NotImplemented
    return ExtremeFunction.apply(x, dims, keepdim, is_max)


@answers(torch.aminmax, T.aminmax)
def aminmax(input: Tensor, *, dim: Any = None, keepdim: bool = False) -> Any:
    least, most = (extreme(input, dim, keepdim, is_max) for is_max in (False, True))
    return NotImplemented if least is NotImplemented else torch.return_types.aminmax((least, most))


@answers(torch.max, T.max)
def max(input: Tensor, dim: Any = None, keepdim: bool | None = None, *, other: Any = None) -> Any:
    if other is not None or (isinstance(dim, Tensor) and keepdim is None):
        return maximum(input, dim if other is None else other)
    if dim is None:
        return NotImplemented if keepdim else _one_of_all(input, "max")
    return _picked("max", selection.ExtremeAlongFunction, input, dim, bool(keepdim), True)


@answers(torch.min, T.min)
def min(input: Tensor, dim: Any = None, keepdim: bool | None = None, *, other: Any = None) -> Any:
    if other is not None or (isinstance(dim, Tensor) and keepdim is None):
        return minimum(input, dim if other is None else other)
    if dim is None:
        return NotImplemented if keepdim else _one_of_all(input, "min")
    return _picked("min", selection.ExtremeAlongFunction, input, dim, bool(keepdim), False)


@answers(torch.median, T.median)
def median(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    if dim is None:
        return NotImplemented if keepdim else _one_of_all(input, "median")
    return _picked("median", selection.MedianFunction, input, dim, keepdim, False)


@answers(torch.nanmedian, T.nanmedian)
def nanmedian(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    if dim is None:
        return NotImplemented if keepdim else _one_of_all(input, "nanmedian")
    return _picked("nanmedian", selection.MedianFunction, input, dim, keepdim, True)


def _one_of_all(x: Tensor, name: str) -> Any:
    return OneOfAllFunction.apply(x, name) if x.is_floating_point() and x.numel() else NotImplemented


def _picked(name: str, Function: Any, x: Tensor, dim: Any, *others: Any) -> Any:
    dim = dim_of(x, dim)
    if dim is None or not x.is_floating_point():
        return NotImplemented
    return _NAMED_TUPLES[name](Function.apply(x, dim, *others))


_NAMED_TUPLES: dict[str, Any] = {
    name: getattr(torch.return_types, name)
    for name in ("max", "min", "median", "nanmedian", "topk", "sort", "kthvalue", "mode", "cummax", "cummin")
}


@answers(torch.topk, T.topk)
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    return _picked("topk", selection.TopkFunction, input, dim, k, largest, sorted)


@answers(torch.sort, T.sort)
def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
    return _picked("sort", selection.SortFunction, input, dim, descending, stable)


@answers(torch.msort, T.msort)
def msort(input: Tensor) -> Any:
    found = sort(input, 0, stable=False)
    return NotImplemented if found is NotImplemented else found[0]


@answers(torch.kthvalue, T.kthvalue)
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    return _picked("kthvalue", selection.KthvalueFunction, input, dim, k, keepdim)


@answers(torch.mode, T.mode)
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    return _picked("mode", selection.ModeFunction, input, dim, keepdim)


@answers(torch.cummax, T.cummax)
def cummax(input: Tensor, dim: int) -> Any:
    return _running(torch.cummax, input, dim)


@answers(torch.cummin, T.cummin)
def cummin(input: Tensor, dim: int) -> Any:
    return _running(torch.cummin, input, dim)


def _running(torchs: Any, x: Tensor, dim: Any) -> Any:
    """Return the running maximum or minimum, by gather: one element may be the extreme at many positions."""
    dim = dim_of(x, dim)
    if dim is None or not x.is_floating_point():
        return NotImplemented
    _, index = torchs(x.detach(), dim)
    return _NAMED_TUPLES[torchs.__name__]((GatherFunction.apply(x, dim, index), index))
