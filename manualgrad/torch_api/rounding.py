"""Rounding, signs and remainders."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic.rounding import (
    CeilFunction,
    FloorFunction,
    FmodFunction,
    FracFunction,
    RemainderFunction,
    RoundedDivFunction,
    RoundFunction,
    SignFunction,
    TruncFunction,
)
from manualgrad.torch_api import arithmetic
from manualgrad.torch_api.arithmetic import elementwise
from manualgrad.torch_api.catalogue import answers

T = Tensor
_OPERANDS = (Tensor, int, float)


def _elementwise(Function: Any, *names: str) -> Any:
    return elementwise(Function, *names, keeps_input=False, takes_complex=False)


floor = _elementwise(FloorFunction, "floor")
ceil = _elementwise(CeilFunction, "ceil")
trunc = _elementwise(TruncFunction, "trunc", "fix")
frac = _elementwise(FracFunction, "frac")
sign = _elementwise(SignFunction, "sign", "sgn")


@answers(torch.round, T.round, torch.special.round, in_place=(torch.round_, T.round_), keeps_input=False)
def round(input: Tensor, *, decimals: int = 0) -> Any:
    return RoundFunction.apply(input, decimals)


@answers(
    torch.div,
    torch.divide,
    torch.true_divide,
    T.div,
    T.divide,
    T.true_divide,
    T.__truediv__,
    in_place=(T.div_, T.divide_, T.true_divide_, T.__itruediv__),
)
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode is None:
        return arithmetic.div(input, other)
    return _of_two(RoundedDivFunction, input, other, rounding_mode)


@answers(torch.floor_divide, T.floor_divide, T.__floordiv__, in_place=(T.floor_divide_, T.__ifloordiv__))
def floor_divide(input: Any, other: Any) -> Any:
    """Compute ⌊a / b⌋. PyTorch's floor_divide does not have a derivative and raises in the backward."""
    return _of_two(RoundedDivFunction, input, other, "floor")


@answers(T.__rfloordiv__)
def rfloordiv(input: Tensor, other: Any) -> Any:
    return floor_divide(other, input)


@answers(torch.remainder, T.remainder, T.__mod__, in_place=(T.remainder_, T.__imod__))
def remainder(input: Any, other: Any) -> Any:
    return _of_two(RemainderFunction, input, other)


@answers(T.__rmod__)
def rmod(input: Tensor, other: Any) -> Any:
    return remainder(other, input)


@answers(torch.fmod, T.fmod, in_place=T.fmod_)
def fmod(input: Tensor, other: Any) -> Any:
    return _of_two(FmodFunction, input, other)


def _of_two(Function: Any, input: Any, other: Any, *others: Any) -> Any:
    if not isinstance(input, _OPERANDS) or not isinstance(other, _OPERANDS):
        return NotImplemented
    return Function.apply(input, other, *others)
