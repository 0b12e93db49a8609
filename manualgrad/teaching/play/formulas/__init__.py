"""The formula behind each number on the page: in letters, with numbers, and the line of code that computes it."""

from __future__ import annotations

from collections.abc import Callable

from manualgrad.teaching.play.formulas import averages, backward, forward
from manualgrad.teaching.play.formulas.averages import Examples
from manualgrad.teaching.play.formulas.formula import Formula, Place

__all__ = ["OF_EXAMPLES", "OF_PLACE", "Examples", "Formula", "Place"]

OF_PLACE: dict[str, Callable[[Place], Formula]] = {
    "x": forward.x,
    "W": forward.W,
    "b": forward.b,
    "z": forward.z,
    "a": forward.a,
    "y": forward.y,
    "cost": forward.cost,
    "dC_da": backward.dC_da,
    "da_dz": backward.da_dz,
    "delta": backward.delta,
    "wish_a": backward.wish_a,
    "wish_b": backward.wish_b,
    "wish_W": backward.wish_W,
    "wish_before": backward.wish_before,
    "wish_before_sum": backward.wish_before_sum,
    "step": backward.step,
    "foretold": backward.foretold,
}
OF_EXAMPLES: dict[str, Callable[[Examples], Formula]] = {
    "mean_wish": averages.mean_wish,
    "ratio": averages.ratio,
    "nudge": averages.nudge,
}
