"""Comparison of results with those of a plain call, within the rounding of float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from manualgrad.testing.differences import noise_of
from manualgrad.testing.subject import EXTENDING, Fault, Sample, Skip, Subject, own_node, weights

RTOL = 1e-6  # between two float64 results of the same formula
SIGNAL = 1e3  # a number this many times its rounding error is not just rounding
_ULPS = 64  # allowed error of a sum of terms, in ulps of the largest term
_EPS = torch.finfo(torch.float64).eps


class Baseline:
    """The results of a plain call of the Function: eager, in float64, on contiguous inputs."""

    def __init__(self, subject: Subject, sample: Sample) -> None:
        result = subject.run(sample)
        if not result.outputs:
            raise Skip("no output requires grad")
        try:
            self.gradients = result.gradients()
        except Exception as error:
            raise Skip("the backward raises: see `backward`") from error
        self.outputs = [o.detach() for o in result.outputs]
        self.all_outputs = [o.detach() for o in result.all_outputs]
        self._subject, self._sample = subject, sample

    @cached_property
    def rounding(self) -> Rounding:
        return Rounding(self, self._subject, self._sample)


class Rounding:
    """Allowed rounding errors of outputs and gradients, which are sums of terms that may cancel.

    `terms` is the size of the outputs' terms: that of the outputs, or of the inputs if the outputs are only rounding.
    `of_terms` is the size of each gradient's terms, by position. A saturated function is assumed to saturate around 1,
    however large its inputs are.
    """

    def __init__(self, plain: Baseline, subject: Subject, sample: Sample) -> None:
        others = [Baseline(subject, sample.with_tensors(_rounded(sample, seed))) for seed in (8, 18)]
        largest = {i: size([sample.arguments[i]]) or 1.0 for i in plain.gradients}
        off = max(size(distances(plain.outputs, other.outputs)) for other in others)
        self._outputs_cancel = size(plain.outputs) <= SIGNAL * max(off, _noise(subject, sample))
        self.terms = max(1.0, *largest.values()) if self._outputs_cancel else size(plain.outputs)
        self.outputs = rounding_of(self.terms) + 16 * off * self._outputs_cancel
        weight = size(weights(plain.outputs))
        self.of_terms = {i: weight * max(self.terms / x, min(self.terms, 1.0)) for i, x in largest.items()}
        self.gradients, self._gradients_cancel = {}, set()
        for i, gradient in plain.gradients.items():
            self.gradients[i] = rounding_of(self.of_terms[i])
            off = max(size(distances([gradient], [other.gradients[i]])) for other in others)
            if size([gradient]) <= max(SIGNAL * off, self.gradients[i]):
                self._gradients_cancel.add(i)
                self.gradients[i] += 16 * off

    def in_precision(self, eps: float) -> Rounding:
        """Return the errors in another precision for results that are 0 up to rounding; for others, callers add their own."""
        other = copy(self)
        other.outputs = self.outputs * self._outputs_cancel * eps / _EPS
        other.gradients = {i: r * (i in self._gradients_cancel) * eps / _EPS for i, r in self.gradients.items()}
        return other


def _noise(subject: Subject, sample: Sample) -> float:
    """Return the rounding noise of the outputs."""
    function, inputs = subject.of_wanted(sample), subject.wanted_tensors(sample, requires_grad=False)
    directions = [t * d for t, d in zip(inputs, weights(inputs, seed=9), strict=True)]

    def curve(t: float) -> Tensor | None:
        try:
            outputs = function(*(x + t * d for x, d in zip(inputs, directions, strict=True)))
            return torch.cat([o.abs().reshape(-1).to(torch.float64) for o in outputs])
        except Exception:
            return None  # the Function does not accept these values

    noise = noise_of(curve)
    return 0.0 if noise is None or not noise.numel() else noise.max().item()


def rounding_of(terms: float) -> float:
    """Return the allowed rounding error of a sum of terms of this size."""
    return _ULPS * _EPS * terms


def moved_by_rounding(tensors: Sequence[Tensor], seed: int) -> list[Tensor]:
    return [t * (1 + 4 * _EPS * d) for t, d in zip(tensors, weights(tensors, seed), strict=True)]


def _rounded(sample: Sample, seed: int) -> dict[int, Tensor]:
    numbers = {i: t for i, t in sample.tensors.items() if t.is_floating_point() or t.is_complex()}
    return dict(zip(numbers, moved_by_rounding(list(numbers.values()), seed), strict=True))


def distances(found: Sequence[Tensor | None], expected: Sequence[Tensor | None]) -> list[Tensor]:
    return [a - b for a, b in zip(found, expected, strict=True) if a is not None and b is not None]


def compare(
    found: Sequence[Tensor | None],
    expected: Sequence[Tensor | None],
    what: Callable[[int], str],
    fix: str,
    see: str = EXTENDING,
    rtol: float = RTOL,
    atol: float | Sequence[float] = 0.0,
) -> None:
    """Raise a Fault if results differ by more than rtol times the largest expected value, plus atol."""
    scale = max(size(expected), 1e-300)
    let_pass = [atol] * len(expected) if isinstance(atol, float) else atol
    for i, (a, b, absolute) in enumerate(zip(found, expected, let_pass, strict=True)):
        if a is not None and b is not None and a.shape != b.shape:
            raise Fault(f"{what(i)} has shape {list(a.shape)}, expected {list(b.shape)}", fix, see)
        error = difference(a, b)
        if error > rtol * scale + absolute:
            raise Fault(f"{what(i)} is off by {error:.3g} (expected values are up to {scale:.3g})", fix, see)


def gradients_agree(
    found: dict[int, Tensor | None],
    expected: dict[int, Tensor | None],
    sample: Sample,
    when: str,
    fix: str,
    rounding: Rounding | None = None,
    atol: float = 0.0,
    **options: Any,
) -> None:
    positions = list(found)
    compare(
        [found[i] for i in positions],
        [expected[i] for i in positions],
        lambda k: f"{when} the gradient of {sample.name(positions[k])}",
        fix,
        atol=[atol + (0.0 if rounding is None else rounding.gradients[i]) for i in positions],
        **options,
    )


def raw_gradients(subject: Subject, sample: Sample) -> list[tuple[int, Tensor, Tensor]]:
    """Return (position, gradient as the backward returns it, input), or [] if the outputs are not from one Function."""
    result = subject.run(sample)
    node = own_node(result)
    if node is None or subject.in_place:
        return []
    grads = iter(weights(result.outputs))
    by_output = [next(grads) if o.requires_grad else torch.zeros_like(o) for o in result.all_outputs]
    try:
        found = node.apply(*by_output)
    except Exception:
        return []  # the node cannot be called outside autograd
    found = found if isinstance(found, tuple) else (found,)
    return [(i, g, result.arguments[i]) for i, g in enumerate(found) if isinstance(g, Tensor) and i in result.leaves]


def difference(found: Tensor | None, expected: Tensor | None) -> float:
    """Return the largest difference between two tensors; None counts as zeros, and equal nan or inf as no difference."""
    if found is None or expected is None:
        other = found if expected is None else expected
        return 0.0 if other is None or not other.numel() else other.detach().abs().max().item()
    if found.shape != expected.shape:
        return float("inf")
    wide = torch.complex128 if found.is_complex() or expected.is_complex() else torch.float64
    found, expected = found.detach().to(wide), expected.detach().to(wide)
    same = (found == expected) | (found.isnan() & expected.isnan())
    distance = torch.where(same, 0, (found - expected).abs()).nan_to_num(nan=float("inf"), posinf=float("inf"))
    return distance.max().item() if distance.numel() else 0.0


def size(tensors: Any) -> float:
    """Return the largest finite absolute value in the tensors."""
    numbers = (t.detach() for t in tensors if t is not None and t.numel() and t.dtype != torch.bool)
    return max((t.abs().nan_to_num(0, 0, 0).max().item() for t in numbers), default=0.0)
