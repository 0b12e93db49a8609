"""Which of two expressions is the greater: what decides between the cases of a formula.

The answer is never open: it follows from what is assumed of the symbols (`positive=True`), or from the places where they are
(`at`). A formula is then one in a region around that place, in which all comparisons come out so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import sympy
from sympy import Expr

__all__ = ["OpenComparison", "floor", "places", "sign"]


class OpenComparison(ValueError):
    """Which of two expressions is the greater depends on where the symbols are."""


_places: ContextVar[Mapping[Expr, Expr]] = ContextVar("_places", default={})  # noqa: B039  (never written to)


@contextmanager
def places(at: Mapping[Expr, Expr]) -> Iterator[None]:
    """Inside the `with` block, comparisons come out as they do where the symbols have these values."""
    token = _places.set(at)
    try:
        yield
    finally:
        _places.reset(token)


def sign(a: Any, b: Any = 0) -> int:
    """1 where a > b, −1 where a < b, 0 where they are the same expression.

    Raises:
        OpenComparison: when that follows neither from the symbols' assumptions nor from their places.
    """
    a, b = sympy.sympify(a), sympy.sympify(b)
    if a == b:
        return 0
    if a.is_infinite or b.is_infinite:
        return 1 if a == sympy.oo or b == -sympy.oo else -1
    difference = a - b
    value = difference.subs(_places.get()) if difference.free_symbols else difference
    if not value.free_symbols:
        value = value.evalf(30)
        if abs(value) > 1e-20:
            return 1 if value > 0 else -1
    if value.is_positive or value.is_negative:
        return 1 if value.is_positive else -1
    if difference.equals(0):
        return 0
    raise OpenComparison(f"it is open which is the greater, {a} or {b}: say so by assumptions, or by places (at=)")


def floor(x: Any) -> Expr:
    """The greatest whole number below x.

    Raises:
        OpenComparison: when it does not follow from the symbols' places, or changes there.
    """
    value = sympy.sympify(x).subs(_places.get())
    if value.free_symbols or value.is_integer:
        raise OpenComparison(f"it is open which whole number is the greatest below {x}: say so by places (at=)")
    return sympy.floor(value)
