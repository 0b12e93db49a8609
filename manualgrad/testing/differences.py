"""Derivatives by differences, as exact as float64 has them, and how exact that is.

Central differences at steps h, h/2, h/4, ... err by a series in h²; Richardson's extrapolation cancels its terms one after the
other, so that steps may be large, and rounding small beside them (Ridders, 1982, "Accurate computation of F′(x) and
F′(x) F″(x)", Advances in Engineering Software 4). Of all extrapolations the one whose neighbours agree best is taken, and
their distance is how far it may be off: large where a kink, a pole or the edge of the domain is near, or where the function
itself is rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Derivative", "derivative", "noise_of"]

_FIRST_STEP, _STEPS = 1 / 16, 6  # of the scale
_TRIALS = 6  # each with steps 2⁻⁵ times those of the one before
_NOISE_STEPS, _NOISE_POINTS = (2.0**-34, 2.0**-24), 12
_FAR = 2.0**12  # where a function that is rounded to steps is not flat
_TOLD_APART = 2.0**-18  # the step at which a kink is told from a bend
_NO_SIGNAL = 1e-3  # of the values: what is rounded more, or oscillates within such a step, says nothing
_EPS = torch.finfo(torch.float64).eps


@dataclass
class Derivative:
    """Of each element: the derivative, and how far it may be off; inf where it cannot be told, as at a kink."""

    value: Tensor
    error: Tensor


Curve = Callable[[float], Tensor | None]
"""Of a number t, what is differentiated at t = 0: float64 numbers, always as many; None where it is not defined."""


def derivative(curve: Curve, noise: Tensor, good_enough: float = 0.0) -> Derivative:
    """d curve / dt at t = 0.

    Args:
        curve: its t is measured in units of the argument's scale.
        noise: how far its values may be off by rounding.
        good_enough: the error at which no smaller steps are tried.
    """
    best = Derivative(torch.zeros_like(noise), torch.full_like(noise, torch.inf))
    rounded = torch.where(_still(curve), 0, noise)
    for trial in range(_TRIALS):
        found = _extrapolated(curve, _FIRST_STEP * 2.0 ** (-5 * trial), rounded)
        contradicts = (found.value - best.value).abs() > 3 * (found.error + best.error)  # larger steps saw another scale
        better = (found.error < best.error) | contradicts
        best = Derivative(torch.where(better, found.value, best.value), torch.where(better, found.error, best.error))
        if (best.error <= good_enough).all():
            break
    unknown = _kinks(curve, noise) | _steps(curve, best.value)
    return Derivative(best.value, torch.where(unknown, torch.inf, best.error + 4 * _EPS * best.value.abs()))


def _still(curve: Curve) -> Tensor:
    """Where a curve does not move at all, and so is not rounded otherwise."""
    here, after, before = curve(0.0), curve(_FIRST_STEP), curve(-_FIRST_STEP)
    if here is None or after is None or before is None:
        return torch.zeros((), dtype=torch.bool)
    return (after == here) & (before == here)


def _extrapolated(curve: Curve, step: float, noise: Tensor) -> Derivative:
    """The best of a triangle of extrapolations, from _STEPS steps."""
    best, error = torch.zeros_like(noise), torch.full_like(noise, torch.inf)
    row: list[Tensor] = []
    for k in range(_STEPS):
        h = step * 2.0**-k
        difference = _central(curve, h)
        if difference is None:
            row = []
            continue
        before, row = row, [difference]
        rounding = 4 * noise / h
        for j, upper in enumerate(before):
            row.append(row[j] + (row[j] - upper) / (4.0 ** (j + 1) - 1))
            off = torch.maximum((row[-1] - row[j]).abs(), (row[-1] - upper).abs()) + rounding
            better = off < error  # False for nan
            best, error = torch.where(better, row[-1], best), torch.where(better, off, error)
    return Derivative(best, error)


def _central(curve: Curve, h: float) -> Tensor | None:
    after, before = curve(h), curve(-h)
    return None if after is None or before is None else (after - before) / (2 * h)


def _kinks(curve: Curve, noise: Tensor) -> Tensor:
    """Where the derivatives from the left and from the right differ, by as much at a small step as at a larger one."""
    here = curve(0.0)
    gaps = []
    for h in (_TOLD_APART, 16 * _TOLD_APART):
        after, before = curve(h), curve(-h)
        if here is None or after is None or before is None:
            return torch.ones_like(noise, dtype=torch.bool)  # the edge of the domain
        gaps.append((after - 2 * here + before).abs() / h)
        slope = torch.maximum((after - here).abs(), (here - before).abs()) / h
    small, large = gaps
    return (small > 1e-4 * slope + 16 * noise / _TOLD_APART) & (small > large / 4)


def _steps(curve: Curve, slope: Tensor) -> Tensor:
    """Where a curve is flat near by, and further away goes up or down in steps: its rounding hides its slope."""
    flat = slope == 0
    if not flat.any():
        return flat
    there, beside, beyond = (curve(t) for t in (_FAR, _FAR * (1 + 2.0**-30), 1.37 * _FAR))
    return flat if there is None or beside is None or beyond is None else flat & (there == beside) & (there != beyond)


def noise_of(curve: Curve) -> Tensor | None:
    """How far the values of a curve may be off by rounding: from their third differences at steps where it is a parabola.

    (Moré and Wild, 2011, "Estimating computational noise".)
    """
    noise = None
    for step in _NOISE_STEPS:
        values = [curve((k - _NOISE_POINTS // 2) * step) for k in range(_NOISE_POINTS)]
        if any(value is None for value in values):
            return noise
        y = torch.stack(values)  # type: ignore[arg-type]
        third = y[3:] - 3 * y[2:-1] + 3 * y[1:-2] - y[:-3]
        estimate = torch.maximum(2 * third.square().mean(0).sqrt() / 20**0.5, _EPS * y.abs().amax(0))
        estimate = torch.where(estimate > _NO_SIGNAL * y.abs().amax(0), torch.inf, estimate)
        noise = estimate if noise is None else torch.maximum(noise, estimate)
    return noise
