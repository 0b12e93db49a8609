"""Notation of the formulas, in letters and in numbers."""

from __future__ import annotations

from collections.abc import Sequence

from manualgrad.symbolic.notation import subscript, superscript
from manualgrad.teaching.number import number

__all__ = ["factor", "of_layer", "shown", "sum_of"]

_TERMS = 3  # largest terms of a sum that are written out


def of_layer(letter: str, l: int, *indices: int | str) -> str:
    """Add a layer and indices to a letter: z⁽³⁾₂, W⁽³⁾₂ₖ; indices that are letters stay unchanged."""
    parts = [index if isinstance(index, str) else subscript(index) for index in indices]
    return letter + superscript(l) + ("," if any(isinstance(i, int) and i > 9 for i in indices) else "").join(parts)


def shown(value: float) -> str:
    """Format a number with four significant digits, and a sign only if negative; integers stay integers."""
    if value.is_integer() and abs(value) < 10_000:
        return f"{value + 0.0:g}".replace("-", "−")
    return number(value).removeprefix("+")


def factor(value: float) -> str:
    """Format a factor of a product, in brackets if negative."""
    return f"({shown(value)})" if value < 0 else shown(value)


def sum_of(products: Sequence[tuple[float, float]]) -> str:
    """Write a sum of products: up to three terms, or the three largest and the number of terms."""
    order = sorted(range(len(products)), key=lambda i: -abs(products[i][0] * products[i][1]))
    largest = sorted(order[:_TERMS])
    text = " + ".join(f"{factor(p)} · {factor(q)}" for p, q in (products[i] for i in largest))
    return text if len(products) <= _TERMS else f"{text} + … ({len(products)} terms)"
