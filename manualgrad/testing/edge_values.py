"""Large, small and shifted numbers, at which a formula overflows, or loses everything to rounding, that is right elsewhere.

The Function itself knows better: in float64, of the same numbers, it overflows much later. Where that result is a number that
float32 can hold, and in float32 there is nan, inf or 0 in its place, the formula is to blame. It is not to blame for a 0 where
the inputs, moved by one rounding of float32, move the result in float64 by as much as it is: no formula keeps that number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from manualgrad.testing.compare import size
from manualgrad.testing.state import sound
from manualgrad.testing.subject import Fault, Result, Sample, Skip, Subject, first_line, weights

_FACTORS = (30.0, 100.0, 300.0, 1e3, 1e10, 1e-3, 1e-10)
_FACTORS_TOGETHER = tuple(f for f in _FACTORS if 1e-3 <= f <= 1e3)  # their products may be a million times as large
_SHIFTS = (30.0, 100.0, 300.0, 1e3, 1e4, 1e5)
_REPRESENTABLE = (1e-30, 1e30)  # well within float32, so that a sum or a product on the way may be as large
_MATTERS = 1e-3  # of the numbers beside it: below, 0 may be right to within rounding
_AMONG_THE_LARGEST = 0.1  # of its tensor; the others may be lost in the rounding of these
_SEE = "https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html#extremal-values"


def extreme_values(subject: Subject, sample: Sample) -> None:
    """In float32, no nan, inf or 0 where the value or the gradient is a number that float32 holds, as float64 shows."""
    sound(subject, sample)
    subject.skip_if_random()
    if any(t.is_complex() for t in sample.tensors.values()):
        raise Skip("complex numbers are not moved")
    try:
        subject.run(sample.to(torch.float32))
    except Exception as error:
        raise Skip(f"the Function does not run in float32, which overflows first: {first_line(error)}") from error
    for low, positions in _moved(sample):
        try:
            narrow, wide = subject.run(low), subject.run(low.to(torch.float64))
            grads, found = _gradients(narrow), _gradients(wide)
        except Exception:
            continue  # these numbers do not suit the Function
        outputs = [(f"output {k}", o, w) for k, (o, w) in enumerate(zip(narrow.outputs, wide.outputs, strict=True))]
        if any(not o.detach().isfinite().all() or size([o]) > _REPRESENTABLE[1] for o in wide.outputs):
            gradients = []  # where the value overflows, so may the gradient
        else:
            gradients = [(f"the gradient of {sample.listed([i])}", grads[i], found[i]) for i in found]
        near = min(1.0, size([low.arguments[i] for i in positions]))
        shaken = functools.cache(functools.partial(_shaken, subject, low, sample))
        for name, got, wanted in outputs:
            _hold(name, got, wanted, _MATTERS * near, shaken, low, positions, sample)
        for name, gradient, right in gradients:
            if gradient is not None and right is not None:
                _hold(name, gradient, right, _MATTERS * max(1.0, size(wide.outputs)), shaken, low, positions, sample)


def _moved(sample: Sample) -> Iterator[tuple[Sample, tuple[int, ...]]]:
    """The sample in float32, with one of the inputs or all of them much larger, smaller, or elsewhere."""
    low = sample.to(torch.float32)
    wanted = sample.wanted
    for positions in [(i,) for i in wanted] + ([wanted] if len(wanted) > 1 else []):
        for sign in (1, -1):
            for factor in _FACTORS if len(positions) == 1 else _FACTORS_TOGETHER:
                yield low.with_tensors({i: sign * factor * low.arguments[i] for i in positions}), positions
            for shift in _SHIFTS:
                yield low.with_tensors({i: low.arguments[i] + sign * shift for i in positions}), positions


def _shaken(subject: Subject, low: Sample, sample: Sample) -> dict[str, Tensor | None]:
    """The outputs and gradients in float64, by name, of inputs that are each moved by one rounding of float32."""
    eps = torch.finfo(torch.float32).eps
    wide = low.to(torch.float64)
    moved = {i: t * (1 + eps * _signs(t)) for i, t in wide.tensors.items() if t.is_floating_point()}
    result = subject.run(wide.with_tensors(moved))
    gradients = {f"the gradient of {sample.listed([i])}": g for i, g in _gradients(result).items()}
    return {f"output {k}": o for k, o in enumerate(result.outputs)} | gradients


def _signs(t: Tensor) -> Tensor:
    """1 and −1, in no order."""
    generator = torch.Generator().manual_seed(t.numel())
    return (torch.randint(2, t.shape, generator=generator) * 2 - 1).to(t)


def _gradients(result: Result) -> dict[int, Tensor | None]:
    return result.gradients(weights(result.outputs))


def _hold(
    name: str,
    got: Tensor,
    wanted: Tensor,
    matters: float,
    shaken: Callable[[], dict[str, Tensor | None]],
    low: Sample,
    positions: Sequence[int],
    sample: Sample,
) -> None:
    got, wanted = got.detach().double(), wanted.detach()
    least, most = _REPRESENTABLE
    judged = wanted.isfinite() & (wanted.abs() < most) & (wanted.abs() > least)
    vanished = (got == 0) & (wanted.abs() >= max(matters, _AMONG_THE_LARGEST * size([wanted])))
    if _are_lost(positions, low):
        vanished = torch.zeros_like(vanished)
    if (judged & vanished).any() and (other := shaken()[name]) is not None:
        vanished &= (other.detach() - wanted).abs() < wanted.abs() / 2
    bad = judged & (~got.isfinite() | vanished)
    if not bad.any():
        return
    place = tuple(int(i) for i in bad.nonzero()[0])
    numbers = " and ".join(f"{sample.listed([i])} = {_shown(low.arguments[i], place)}" for i in positions)
    raise Fault(
        f"for {numbers} {name}{list(place) or ''} is {got[place].item():.6g} in float32, where {wanted[place].item():.6g} is "
        f"right{sample.which and ' (' + sample.which.strip() + ')'}",
        "rewrite the formula so that nothing on the way overflows or cancels: subtract the maximum before exp, use log1p, "
        "expm1, logsigmoid or logsumexp, take differences from the mean before squaring",
        _SEE,
    )


def _are_lost(moved: Sequence[int], low: Sample) -> bool:
    """Whether nothing is left in float32 of the sum of the moved inputs and the others, but of the larger ones."""
    numbers = {i: size([t]) for i, t in low.tensors.items() if t.is_floating_point()}
    here, there = (max((n for i, n in numbers.items() if (i in moved) == side), default=0.0) for side in (True, False))
    return 0 < min(here, there) < torch.finfo(torch.float32).eps * max(here, there)


def _shown(t: Tensor, place: Sequence[int]) -> str:
    """The number in that place, where the input has such, or its first and last numbers."""
    if len(place) == t.dim() and all(i < n for i, n in zip(place, t.shape, strict=True)):
        return f"{t[tuple(place)].item():.6g}" + (" and the like" if t.numel() > 1 else "")
    flat = t.flatten().tolist()
    return f"[{flat[0]:.6g}, ..., {flat[-1]:.6g}]" if len(flat) > 1 else f"{flat[0]:.6g}"
