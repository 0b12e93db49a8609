"""Arithmetic, sums, means, cat and stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic import elementary
from manualgrad.functions.arithmetic.add import AddFunction, NegFunction
from manualgrad.functions.arithmetic.cat import CatFunction
from manualgrad.functions.arithmetic.div import DivFunction
from manualgrad.functions.arithmetic.mul import MulFunction
from manualgrad.functions.arithmetic.pow import PowFunction
from manualgrad.functions.arithmetic.sums import MeanFunction, SumFunction
from manualgrad.torch_api.autocast import in_its_dtype
from manualgrad.torch_api.catalogue import answers

T = Tensor
_OPERANDS = (Tensor, int, float, complex)


@answers(torch.add, T.add, T.__add__, T.__radd__, in_place=(T.add_, T.__iadd__), keeps_input=False)
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    if not isinstance(input, _OPERANDS) or not isinstance(other, _OPERANDS):
        return NotImplemented
    return AddFunction.apply(input, other, alpha)


@answers(torch.sub, torch.subtract, T.sub, T.subtract, T.__sub__, in_place=(T.sub_, T.subtract_, T.__isub__), keeps_input=False)
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    if _has_booleans(input, other):
        return NotImplemented
    return add(input, other, alpha=-alpha)


@answers(torch.rsub, T.__rsub__)
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    return sub(other, input, alpha=alpha)


def _has_booleans(*operands: Any) -> bool:
    return any(isinstance(t, bool) or (isinstance(t, Tensor) and t.dtype == torch.bool) for t in operands)


@answers(torch.mul, torch.multiply, T.mul, T.multiply, T.__mul__, T.__rmul__, in_place=(T.mul_, T.multiply_, T.__imul__))
def mul(input: Any, other: Any) -> Any:
    if not isinstance(input, _OPERANDS) or not isinstance(other, _OPERANDS):
        return NotImplemented
    return MulFunction.apply(input, other)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None or not isinstance(input, _OPERANDS) or not isinstance(other, _OPERANDS):
        return NotImplemented
    return DivFunction.apply(input, other)


@answers(T.__rtruediv__)
def rdiv(input: Any, other: Any) -> Any:
    """Compute other / input in PyTorch's two steps, a reciprocal and a product."""
    return mul(reciprocal(input), other)


@answers(torch.pow, T.pow, T.__pow__, in_place=(T.pow_, T.__ipow__))
def pow(input: Any, exponent: Any) -> Any:
    if not isinstance(input, _OPERANDS) or not isinstance(exponent, _OPERANDS):
        return NotImplemented
    return PowFunction.apply(input, exponent)


@answers(T.__rpow__)
def rpow(input: Any, other: Any) -> Any:
    return pow(other, input)


def elementwise(
    Function: Any, *names: str, keeps_input: bool = True, takes_complex: bool = True, special: Any = ()
) -> Callable[..., Any]:
    """Make the call of an elementwise function, and register it under these names of torch and Tensor, also in place.

    Args:
        keeps_input: whether the derivative needs the input, as in `answers`.
        takes_complex: whether the function supports complex inputs.
        special: further functions or methods that the call answers.
    """

    def call(input: Tensor) -> Any:
        return Function.apply(input) if takes_complex or not input.is_complex() else NotImplemented

    def named(suffix: str) -> list[Any]:
        return [getattr(where, name + suffix) for name in names for where in (torch, T) if hasattr(where, name + suffix)]

    return answers(*named(""), *special, in_place=tuple(named("_")), keeps_input=keeps_input)(call)


neg = elementwise(NegFunction, "neg", "negative", special=(T.__neg__,), keeps_input=False)
exp = elementwise(elementary.ExpFunction, "exp", keeps_input=False)
expm1 = elementwise(elementary.Expm1Function, "expm1", special=(torch.special.expm1,), keeps_input=False)
log = elementwise(elementary.LogFunction, "log")
log1p = elementwise(elementary.Log1pFunction, "log1p", special=(torch.special.log1p,))
sqrt = elementwise(elementary.SqrtFunction, "sqrt", keeps_input=False)
rsqrt = elementwise(elementary.RsqrtFunction, "rsqrt", keeps_input=False)
reciprocal = elementwise(elementary.ReciprocalFunction, "reciprocal", keeps_input=False)
square = elementwise(elementary.SquareFunction, "square")
sin = elementwise(elementary.SinFunction, "sin")
cos = elementwise(elementary.CosFunction, "cos")
erf = elementwise(elementary.ErfFunction, "erf", special=(torch.special.erf,))


@answers(torch.sum, T.sum)
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:
    return _reduced(SumFunction, input, dim, keepdim, dtype)


@answers(torch.mean, T.mean)
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:
    return _reduced(MeanFunction, input, dim, keepdim, dtype)


def _reduced(Function: Any, x: Tensor, dim: Any, keepdim: bool, dtype: torch.dtype | None) -> Any:
    dims = dims_of(x, dim)
    return NotImplemented if dims is None else in_its_dtype(Function, x, dtype, dims, keepdim)


def dims_of(x: Tensor, dim: Any) -> tuple[int, ...] | None:
    """Return the dimensions as non-negative numbers, all of them for a `dim` of None; return None if `dim` is invalid."""
    if dim is not None and not isinstance(dim, (int, Sequence)):
        return None
    n = x.dim()
    wanted = [dim] if isinstance(dim, int) else list(range(n)) if dim is None or not dim else list(dim)
    if any(not isinstance(d, int) or not -max(n, 1) <= d < max(n, 1) for d in wanted):
        return None
    dims = tuple(d % n for d in wanted) if n else ()
    return dims if len(set(dims)) == len(dims) else None


def dim_of(x: Tensor, dim: Any) -> int | None:
    """Return the dimension as a non-negative number; return None if `dim` is invalid."""
    dims = dims_of(x, dim) if isinstance(dim, int) else None
    return None if dims is None else dims[0] if dims else 0


def is_number(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


@answers(torch.cat, torch.concat, torch.concatenate)
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Any:
    if not isinstance(dim, int):
        return NotImplemented
    n = max(t.dim() for t in tensors)
    return CatFunction.apply(dim % n if n else dim, *tensors)


@answers(torch.stack)
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Any:
    if len({t.shape for t in tensors}) != 1:
        return NotImplemented
    n = tensors[0].dim() + 1
    if not -n <= dim < n:
        return NotImplemented
    return CatFunction.apply(dim % n, *[t.unsqueeze(dim) for t in tensors])
