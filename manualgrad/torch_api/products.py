"""Products, cumulative sums and cumulative products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic.products import CumprodFunction, CumsumFunction, ProdFunction
from manualgrad.torch_api.arithmetic import dim_of, is_number
from manualgrad.torch_api.autocast import in_its_dtype
from manualgrad.torch_api.catalogue import answers

T = Tensor


@answers(torch.prod, T.prod)
def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    x = input if dtype is None else input.to(dtype)
    dim_of_x = 0 if dim is None else dim_of(x, dim)
    if dim_of_x is None or (dim is None and keepdim) or not is_number(x):
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
    dim = dim_of(x, dim)
    if dim is None or not is_number(x):
        return NotImplemented
    return in_its_dtype(Function, x, dtype, dim) if x.dim() else in_its_dtype(Function, x.reshape(1), dtype, 0).reshape(())
