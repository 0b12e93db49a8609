"""How formulas are written: the notes' letters, and numbers in their place."""

from __future__ import annotations

from collections.abc import Sequence

from manualgrad.symbolic.notation import subscript, superscript
from manualgrad.teaching.number import number

__all__ = ["factor", "of_layer", "shown", "sum_of"]

_TERMS = 3  # of a sum that are written out, the largest


def of_layer(letter: str, l: int, *indices: int | str) -> str:
    """z⁽³⁾₂, W⁽³⁾₂ₖ; an index that is a letter stays one."""
    parts = [index if isinstance(index, str) else subscript(index) for index in indices]
    return letter + superscript(l) + ("," if any(isinstance(i, int) and i > 9 for i in indices) else "").join(parts)


def shown(value: float) -> str:
    """A number with four digits, and a sign only below 0; a whole number as it is."""
    if value.is_integer() and abs(value) < 10_000:
        return f"{value + 0.0:g}".replace("-", "−")
    return number(value).removeprefix("+")


def factor(value: float) -> str:
    """A number in a product: in brackets below 0."""
    return f"({shown(value)})" if value < 0 else shown(value)


def sum_of(products: Sequence[tuple[float, float]]) -> str:
    """A sum of products: all of three, or the three largest and how many there are."""
    order = sorted(range(len(products)), key=lambda i: -abs(products[i][0] * products[i][1]))
    largest = sorted(order[:_TERMS])
    text = " + ".join(f"{factor(p)} · {factor(q)}" for p, q in (products[i] for i in largest))
    return text if len(products) <= _TERMS else f"{text} + … ({len(products)} terms)"
