"""Rounding, signs and remainders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

_NUMBER = (int, float)
_OPERANDS = (Tensor, *_NUMBER)


def _elementwise(Function: Any, *numbers: Any) -> Callable[..., Any]:
    def function(input: Tensor, *, out: Tensor | None = None) -> Any:
        return NotImplemented if out is not None or input.is_complex() else Function.apply(input, *numbers)

    return function


floor = _elementwise(FloorFunction)
ceil = _elementwise(CeilFunction)
trunc = _elementwise(TruncFunction)
frac = _elementwise(FracFunction)
sign = _elementwise(SignFunction)


def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Any:
    return NotImplemented if out is not None else RoundFunction.apply(input, decimals)


def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Any:
    if rounding_mode is None:
        return arithmetic.div(input, other, out=out)
    return _of_two(RoundedDivFunction, input, other, rounding_mode, out=out)


def floor_divide(input: Any, other: Any, *, out: Tensor | None = None) -> Any:
    """⌊a / b⌋. torch's own has no derivative, and raises in the backward."""
    return _of_two(RoundedDivFunction, input, other, "floor", out=out)


def rfloordiv(input: Tensor, other: Any) -> Any:
    return floor_divide(other, input)


def remainder(input: Any, other: Any, *, out: Tensor | None = None) -> Any:
    return _of_two(RemainderFunction, input, other, out=out)


def rmod(input: Tensor, other: Any) -> Any:
    return remainder(other, input)


def fmod(input: Tensor, other: Any, *, out: Tensor | None = None) -> Any:
    return _of_two(FmodFunction, input, other, out=out)


def _of_two(Function: Any, input: Any, other: Any, *others: Any, out: Tensor | None) -> Any:
    if out is not None or not isinstance(input, _OPERANDS) or not isinstance(other, _OPERANDS):
        return NotImplemented
    return Function.apply(input, other, *others)
