"""Derivatives by differences, as exact as float64 has them, and how exact that is.

Central differences at steps h, h/2, h/4, ... err by a series in h²; Richardson's extrapolation cancels its terms one after the
other, so that steps may be large, and rounding small beside them (Ridders, 1982, "Accurate computation of F′(x) and
F′(x) F″(x)", Advances in Engineering Software 4). Of all extrapolations the one whose neighbours agree best is taken, and
their distance is how far it may be off: large where a kink, a pole or the edge of the domain is near, or where the function
itself is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Derivative", "at_least_rounded", "careful_derivative", "noise_of", "quick_derivative"]

_FIRST_STEP, _STEPS = 1 / 16, 6  # of the scale
_TRIALS = 6  # each with steps 2⁻⁵ times those of the one before
_NEXT_TRIAL = 2.0**-5
_NOISE_STEPS, _NOISE_POINTS = (2.0**-34, 2.0**-24), 12
_ORDERS = range(3, 9)  # of the differences that noise is read from
_COARSE = 2.0**-14  # the noise step for functions that are rounded coarsely; a kink is taken for noise there
_FAR = 2.0**12  # where a function that is rounded to steps is not flat
_TOLD_APART = 2.0**-18  # the step at which a kink is told from a bend
_FLAT_WITHIN = 2.0**-14  # where a curve that has a slope is not flat, unless it goes in steps
_NO_SIGNAL = 1e-3  # of the values: what is rounded more, or oscillates within such a step, says nothing
_CANCELLED = 1e-12  # of the largest value: so little beside the others is known to be noise, and how large that is
_EPS = torch.finfo(torch.float64).eps


@dataclass
class Derivative:
    """Of each element: the derivative, and how far it may be off; inf where it cannot be told, as at a kink."""

    value: Tensor
    error: Tensor


Curve = Callable[[float], Tensor | None]
"""Of a number t, what is differentiated at t = 0: float64 numbers, always as many; None where it is not defined."""


def quick_derivative(curve: Curve, noise: Tensor, good_enough: float = 0.0) -> Derivative:
    """Compute d curve / dt at t = 0 from as few values as do; it is right where the curve has no kink near.

    Args:
        curve: its t is measured in units of the argument's scale.
        noise: how far its values may be off by rounding.
        good_enough: the error at which no smaller steps are tried.
    """
    best = _unknown(noise)
    for trial in range(_TRIALS):
        step = _FIRST_STEP * _NEXT_TRIAL**trial
        best = _better(best, _extrapolated(curve, step, noise, good_enough))
        if (best.error <= (4 * noise / (step * _NEXT_TRIAL)).clamp_min(good_enough)).all():
            break  # smaller steps would be rounded more
    return Derivative(best.value, best.error + 4 * _EPS * best.value.abs())


def careful_derivative(curve: Curve, noise: Tensor) -> Derivative:
    """Compute d curve / dt at t = 0 from steps of all sizes; the error is inf at a kink, and on a step of a staircase.

    Args:
        curve: its t is measured in units of the argument's scale.
        noise: how far its values may be off by rounding; 0 where they do not depend on t.
    """
    best, coarse = _unknown(noise), noise_of(curve, (_COARSE,))
    rounded = noise if coarse is None else torch.where(noise > 0, torch.maximum(noise, coarse), 0)
    for trial in range(_TRIALS):
        best = _better(best, _extrapolated(curve, _FIRST_STEP * _NEXT_TRIAL**trial, rounded))
    unknown = _kinks(curve, noise) | _hidden_slopes(curve, best.value) | _staircases(curve, best.value, noise)
    return Derivative(best.value, torch.where(unknown, torch.inf, best.error + 4 * _EPS * best.value.abs()))


def _unknown(like: Tensor) -> Derivative:
    return Derivative(torch.zeros_like(like), torch.full_like(like, torch.inf))


def _better(best: Derivative, found: Derivative) -> Derivative:
    contradicts = (found.value - best.value).abs() > 3 * (found.error + best.error)  # larger steps saw another scale
    better = (found.error < best.error) | contradicts
    return Derivative(torch.where(better, found.value, best.value), torch.where(better, found.error, best.error))


def _extrapolated(curve: Curve, step: float, noise: Tensor, good_enough: float = 0.0) -> Derivative:
    """The best of a triangle of extrapolations, from _STEPS steps, or from as few as are good enough."""
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
        if good_enough and (error <= (2 * rounding).clamp_min(good_enough)).all():
            break
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


def _hidden_slopes(curve: Curve, slope: Tensor) -> Tensor:
    """Where a curve is flat near by, and further away goes up or down in steps: its rounding hides its slope."""
    flat = slope == 0
    if not flat.any():
        return flat
    hidden = torch.zeros_like(flat)
    for far in (_FAR, 1.61 * _FAR, 2.77 * _FAR):  # of which one may be where it steps
        there, beside, beyond = (curve(t) for t in (far, far * (1 + 2.0**-40), 1.37 * far))
        if there is None or beside is None or beyond is None:
            return flat
        hidden |= (there == beside) & (there != beyond)
    return flat & hidden


def _staircases(curve: Curve, slope: Tensor, noise: Tensor) -> Tensor:
    """Where a curve has a slope, and is flat on both sides none the less."""
    here, after, before = curve(0.0), curve(_FLAT_WITHIN), curve(-_FLAT_WITHIN)
    if here is None or after is None or before is None:
        return torch.zeros_like(slope, dtype=torch.bool)
    flat = (after == here) & (before == here)
    return flat & (slope.abs() * _FLAT_WITHIN > 8 * noise.clamp_min(_EPS * here.abs()))


def noise_of(curve: Curve, steps: tuple[float, ...] = _NOISE_STEPS) -> Tensor | None:
    """How far the values of a curve may be off by rounding: what is left of them in differences of high order.

    A smooth function's differences shrink from order to order, and those of noise, divided by √(2n choose n), do not (Moré and
    Wild, 2011, "Estimating computational noise".)
    """
    noise = None
    for step in steps:
        values = [curve((k - _NOISE_POINTS // 2) * step) for k in range(_NOISE_POINTS)]
        if any(value is None for value in values):
            return noise
        y = torch.stack(values)  # type: ignore[arg-type]
        largest = y.abs().amax(0)
        overall = y.abs().nan_to_num(0, 0, 0).max() if y.numel() else 0.0
        estimate = torch.maximum(2 * _rest(y), _EPS * largest)
        hidden = (estimate > _NO_SIGNAL * largest) & (estimate > _CANCELLED * overall)
        estimate = torch.where(hidden, torch.inf, estimate)
        noise = estimate if noise is None else torch.maximum(noise, estimate)
    return noise


def at_least_rounded(noise: Tensor, values: Tensor) -> Tensor:
    """The noise, and where it shows at none of the points, that of a difference of terms as large as the largest value."""
    finite = values.abs().nan_to_num(0, 0, 0)
    return noise.clamp_min(_EPS * finite.max().item()) if values.numel() else noise


def _rest(y: Tensor) -> Tensor:
    """The least of the differences of each order, as the standard deviation of noise that would leave such."""
    rest = None
    for order in range(1, _ORDERS.stop):
        y = y.diff(dim=0)
        if order in _ORDERS:
            size = y.square().mean(0).sqrt() / math.comb(2 * order, order) ** 0.5
            rest = size if rest is None else torch.minimum(rest, size)
    assert rest is not None
    return rest
