"""Variance, standard deviation and logsumexp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic.statistics import LogsumexpFunction, StdFunction, VarFunction
from manualgrad.torch_api.arithmetic import dims_of
from manualgrad.torch_api.catalogue import answers

T = Tensor


@answers(torch.var, T.var)
def var(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Any:
    return _spread(VarFunction, input, dim, unbiased, keepdim, correction)


@answers(torch.std, T.std)
def std(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Any:
    return _spread(StdFunction, input, dim, unbiased, keepdim, correction)


def _spread(Function: Any, x: Tensor, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Any:
    if isinstance(dim, bool):  # torch.var(x, unbiased)
        dim, unbiased = None, dim
    dims = dims_of(x, dim)
    if dims is None:
        return NotImplemented
    c = correction if correction is not None else 1 if unbiased is None else int(unbiased)
    return Function.apply(x, dims, c, keepdim)


@answers(torch.logsumexp, T.logsumexp, torch.special.logsumexp)
def logsumexp(input: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> Any:
    dims = dims_of(input, dim)
    if dims is None:
        return NotImplemented
    if not input.dim():
        return LogsumexpFunction.apply(input.unsqueeze(0), (0,), False)
    return LogsumexpFunction.apply(input, dims, keepdim)
