"""Rounding, element by element, of which the places of the symbols say what comes out; and remainders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from manualgrad.symbolic.comparisons import floor, sign
from manualgrad.symbolic.operators._arrays import Array, entrywise

__all__ = ["TABLE"]


def trunc(x: Any) -> Any:
    return floor(x) if sign(x) > 0 else -floor(-x)


def rounded(x: Array, decimals: int = 0) -> Array:
    ten = sympy.Integer(10) ** decimals
    return entrywise(lambda x: floor(ten * x + sympy.Rational(1, 2)) / ten)(x)


def quotient(a: Array, b: Array, rounding_mode: str | None = None) -> Array:
    a, b = (sympy.Integer(t) if isinstance(t, int) else t for t in (a, b))
    if rounding_mode is None:
        return a / b
    return entrywise(floor if rounding_mode == "floor" else trunc)(a / b)


def left_by(rounding_mode: str) -> Callable[[Array, Array], Array]:
    """a − (a / b, rounded) b."""
    return lambda a, b: a - quotient(a, b, rounding_mode) * b


TABLE: dict[str, Callable[..., Any]] = {
    "div": quotient,
    "floor": entrywise(floor),
    "ceil": entrywise(lambda x: -floor(-x)),
    "trunc": entrywise(trunc),
    "round": rounded,
    "frac": entrywise(lambda x: x - trunc(x)),
    "remainder": left_by("floor"),
    "fmod": left_by("trunc"),
}
