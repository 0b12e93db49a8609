"""Comparison of two expressions, which decides between the cases of a formula.

The result follows from the assumptions about the symbols (`positive=True`) or from their values (`at`); otherwise
OpenComparison is raised. A formula at some values holds in a region around them, in which all comparisons have the same result.
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
    """The order of two expressions depends on the values of the symbols."""


_places: ContextVar[Mapping[Expr, Expr]] = ContextVar("_places", default={})  # noqa: B039  (never written to)


@contextmanager
def places(at: Mapping[Expr, Expr]) -> Iterator[None]:
    """Evaluate comparisons inside the `with` block at these values of the symbols."""
    token = _places.set(at)
    try:
        yield
    finally:
        _places.reset(token)


def sign(a: Any, b: Any = 0) -> int:
    """Return 1 if a > b, −1 if a < b, and 0 if they are the same expression.

    Raises:
        OpenComparison: when neither the assumptions about the symbols nor their values determine the result.
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
    raise OpenComparison(f"cannot compare {a} with {b}: give the symbols assumptions (such as positive=True) or values (at=)")


def floor(x: Any) -> Expr:
    """Return the largest integer below x.

    Raises:
        OpenComparison: when the symbols' values do not determine it, or x is an integer there.
    """
    value = sympy.sympify(x).subs(_places.get())
    if value.free_symbols or value.is_integer:
        raise OpenComparison(f"cannot determine floor({x}): give the symbols values (at=) where this is not an integer")
    return sympy.floor(value)
