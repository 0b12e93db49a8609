"""Derivatives by finite differences, as accurate as float64 allows, with error estimates.

The error of central differences at steps h, h/2, h/4, ... is a series in h². Richardson extrapolation cancels its terms one by
one, so that the steps can be large and rounding small in comparison (Ridders, 1982, "Accurate computation of F′(x) and
F′(x) F″(x)", Advances in Engineering Software 4). The extrapolation that agrees best with its neighbours is used. Its distance
from them is the error estimate, which is large near a kink, a pole or the edge of the domain, or if the function is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Derivative", "at_least_rounded", "careful_derivative", "noise_of", "quick_derivative"]

_FIRST_STEP, _STEPS = 1 / 16, 6  # relative to the scale
_TRIALS = 6  # each with steps 2⁻⁵ times those of the previous trial
_NEXT_TRIAL = 2.0**-5
_NOISE_STEPS, _NOISE_POINTS = (2.0**-34, 2.0**-24), 12
_ORDERS = range(3, 9)  # of the differences that the noise is estimated from
_COARSE = 2.0**-14  # noise step for coarsely rounded functions; at this step, a kink looks like noise
_FAR = 2.0**12  # distance at which a function that is rounded to steps is no longer flat
_TOLD_APART = 2.0**-18  # step at which a kink is distinguished from curvature
_FLAT_WITHIN = 2.0**-14  # distance within which only a staircase is flat although it has a slope
_NO_SIGNAL = 1e-3  # relative noise above which a value is useless: it is rounded more, or oscillates within a step
_CANCELLED = 1e-12  # relative to the largest value: smaller noise is known well enough, even if it hides a value
_EPS = torch.finfo(torch.float64).eps


@dataclass
class Derivative:
    """The derivative of each element and its error estimate: inf where it cannot be determined, as at a kink."""

    value: Tensor
    error: Tensor


Curve = Callable[[float], Tensor | None]
"""A function of t to differentiate at t = 0: a fixed number of float64 values, or None where it is undefined."""


def quick_derivative(curve: Curve, noise: Tensor, good_enough: float = 0.0) -> Derivative:
    """Compute d curve / dt at t = 0 from as few values as possible; correct if no kink is near.

    Args:
        curve: a function of t, in units of the argument's scale.
        noise: the rounding noise of its values.
        good_enough: the error at which no smaller steps are tried.
    """
    best = _unknown(noise)
    for trial in range(_TRIALS):
        step = _FIRST_STEP * _NEXT_TRIAL**trial
        best = _better(best, _extrapolated(curve, step, noise, good_enough))
        if (best.error <= (4 * noise / (step * _NEXT_TRIAL)).clamp_min(good_enough)).all():
            break  # smaller steps would only add rounding
    return Derivative(best.value, best.error + 4 * _EPS * best.value.abs())


def careful_derivative(curve: Curve, noise: Tensor) -> Derivative:
    """Compute d curve / dt at t = 0 from steps of all sizes; the error is inf at a kink and on a step of a staircase.

    Args:
        curve: a function of t, in units of the argument's scale.
        noise: the rounding noise of its values; 0 for values that do not depend on t.
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
    contradicts = (found.value - best.value).abs() > 3 * (found.error + best.error)  # larger steps missed the local scale
    better = (found.error < best.error) | contradicts
    return Derivative(torch.where(better, found.value, best.value), torch.where(better, found.error, best.error))


def _extrapolated(curve: Curve, step: float, noise: Tensor, good_enough: float = 0.0) -> Derivative:
    """Return the best of a triangle of extrapolations, from _STEPS steps or as few as are good enough."""
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
    """Return where the left and right derivatives differ, by as much at a small step as at a larger one."""
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
    """Return where a curve is flat nearby but changes in steps further away: rounding hides its slope."""
    flat = slope == 0
    if not flat.any():
        return flat
    hidden = torch.zeros_like(flat)
    for far in (_FAR, 1.61 * _FAR, 2.77 * _FAR):  # several, since one may be exactly at a step
        there, beside, beyond = (curve(t) for t in (far, far * (1 + 2.0**-40), 1.37 * far))
        if there is None or beside is None or beyond is None:
            return flat
        hidden |= (there == beside) & (there != beyond)
    return flat & hidden


def _staircases(curve: Curve, slope: Tensor, noise: Tensor) -> Tensor:
    """Return where a curve has a slope although it is flat on both sides."""
    here, after, before = curve(0.0), curve(_FLAT_WITHIN), curve(-_FLAT_WITHIN)
    if here is None or after is None or before is None:
        return torch.zeros_like(slope, dtype=torch.bool)
    flat = (after == here) & (before == here)
    return flat & (slope.abs() * _FLAT_WITHIN > 8 * noise.clamp_min(_EPS * here.abs()))


def noise_of(curve: Curve, steps: tuple[float, ...] = _NOISE_STEPS) -> Tensor | None:
    """Estimate the rounding noise of a curve's values from their differences of high order.

    The differences of a smooth function shrink from order to order; those of noise, divided by √(2n choose n), do not (Moré and
    Wild, 2011, "Estimating computational noise").
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
    """Clamp the noise to at least the rounding of the largest value: it may show at none of the sampled points."""
    finite = values.abs().nan_to_num(0, 0, 0)
    return noise.clamp_min(_EPS * finite.max().item()) if values.numel() else noise


def _rest(y: Tensor) -> Tensor:
    """Return the smallest difference over all orders, as the standard deviation of the noise that would cause it."""
    rest = None
    for order in range(1, _ORDERS.stop):
        y = y.diff(dim=0)
        if order in _ORDERS:
            size = y.square().mean(0).sqrt() / math.comb(2 * order, order) ** 0.5
            rest = size if rest is None else torch.minimum(rest, size)
    assert rest is not None
    return rest
