"""Check of large, small and shifted inputs, at which a formula may overflow or lose everything to rounding.

The reference is the Function in float64, where it overflows much later on the same inputs. The formula is at fault if that
result fits into float32, but the result in float32 is nan, inf or 0. A 0 is allowed if perturbing the inputs by one rounding of
float32 changes the float64 result by its own size: no formula keeps that number.
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
_FACTORS_TOGETHER = tuple(f for f in _FACTORS if 1e-3 <= f <= 1e3)  # products may grow by a million
_SHIFTS = (30.0, 100.0, 300.0, 1e3, 1e4, 1e5)
_REPRESENTABLE = (1e-30, 1e30)  # well within float32, to leave room for intermediate sums and products
_MATTERS = 1e-3  # relative to the inputs or outputs; below it, 0 may be correct up to rounding
_AMONG_THE_LARGEST = 0.1  # relative to the largest entry, whose rounding may hide smaller ones
_SEE = "https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html#extremal-values"


def extreme_values(subject: Subject, sample: Sample) -> None:
    """Check that float32 gives no nan, inf or 0 where the output or gradient in float64 fits into float32."""
    sound(subject, sample)
    subject.skip_if_random()
    if any(t.is_complex() for t in sample.tensors.values()):
        raise Skip("this check does not support complex numbers")
    try:
        subject.run(sample.to(torch.float32))
    except Exception as error:
        raise Skip(f"the Function does not run in float32, which this check needs: {first_line(error)}") from error
    for low, positions in _moved(sample):
        try:
            narrow, wide = subject.run(low), subject.run(low.to(torch.float64))
            grads, found = _gradients(narrow), _gradients(wide)
        except Exception:
            continue  # the Function does not accept these values
        outputs = [(f"output {k}", o, w) for k, (o, w) in enumerate(zip(narrow.outputs, wide.outputs, strict=True))]
        if any(not o.detach().isfinite().all() or size([o]) > _REPRESENTABLE[1] for o in wide.outputs):
            gradients = []  # if the value overflows, the gradient may too
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
    """Yield the sample in float32 with one or all inputs scaled or shifted, and the positions of these inputs."""
    low = sample.to(torch.float32)
    wanted = sample.wanted
    for positions in [(i,) for i in wanted] + ([wanted] if len(wanted) > 1 else []):
        for sign in (1, -1):
            for factor in _FACTORS if len(positions) == 1 else _FACTORS_TOGETHER:
                yield low.with_tensors({i: sign * factor * low.arguments[i] for i in positions}), positions
            for shift in _SHIFTS:
                yield low.with_tensors({i: low.arguments[i] + sign * shift for i in positions}), positions


def _shaken(subject: Subject, low: Sample, sample: Sample) -> dict[str, Tensor | None]:
    """Return outputs and gradients by name, in float64, for inputs perturbed by one rounding of float32."""
    eps = torch.finfo(torch.float32).eps
    wide = low.to(torch.float64)
    moved = {i: t * (1 + eps * _signs(t)) for i, t in wide.tensors.items() if t.is_floating_point()}
    result = subject.run(wide.with_tensors(moved))
    gradients = {f"the gradient of {sample.listed([i])}": g for i, g in _gradients(result).items()}
    return {f"output {k}": o for k, o in enumerate(result.outputs)} | gradients


def _signs(t: Tensor) -> Tensor:
    """Return 1 and −1 in random order."""
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
        f"for {numbers}, {name}{list(place) or ''} is {got[place].item():.6g} in float32, expected {wanted[place].item():.6g}"
        f"{sample.which and ' (' + sample.which.strip() + ')'}",
        "rewrite the formula so that no intermediate result overflows or cancels: subtract the maximum before exp, use log1p, "
        "expm1, logsigmoid or logsumexp, subtract the mean before squaring",
        _SEE,
    )


def _are_lost(moved: Sequence[int], low: Sample) -> bool:
    """Return whether adding the moved inputs and the others in float32 rounds the smaller ones away."""
    numbers = {i: size([t]) for i, t in low.tensors.items() if t.is_floating_point()}
    here, there = (max((n for i, n in numbers.items() if (i in moved) == side), default=0.0) for side in (True, False))
    return 0 < min(here, there) < torch.finfo(torch.float32).eps * max(here, there)


def _shown(t: Tensor, place: Sequence[int]) -> str:
    """Format the entry at this index if the input has one, else the first and last entries."""
    if len(place) == t.dim() and all(i < n for i, n in zip(place, t.shape, strict=True)):
        return f"{t[tuple(place)].item():.6g}" + (" and similar entries" if t.numel() > 1 else "")
    flat = t.flatten().tolist()
    return f"[{flat[0]:.6g}, ..., {flat[-1]:.6g}]" if len(flat) > 1 else f"{flat[0]:.6g}"
