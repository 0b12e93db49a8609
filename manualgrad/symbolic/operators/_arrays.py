"""What all of them are written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from manualgrad.symbolic.comparisons import sign

__all__ = ["Array", "comparison", "entrywise"]

Array = Any  # of expressions, or of whole numbers, or of truth values; or a single one of these


def entrywise(function: Callable[..., Any]) -> Callable[..., Array]:
    """A function of numbers as one of arrays that broadcast against each other."""

    def of_arrays(*operands: Any) -> Array:
        return numpy.asarray(numpy.frompyfunc(function, len(operands), 1)(*operands), object)

    return of_arrays


def comparison(holds: Callable[[int], bool]) -> Callable[..., Array]:
    """Of each a and b, by the sign of a − b."""
    return lambda a, b: numpy.asarray(numpy.frompyfunc(lambda a, b: holds(sign(a, b)), 2, 1)(a, b), bool)
