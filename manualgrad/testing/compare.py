"""What is held against what: results as they come in the plain way, and the largest difference from them."""

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
SIGNAL = 1e3  # times its rounding, a number is more than that
_ULPS = 64  # by which a sum of terms may be off, in units of the largest of them
_EPS = torch.finfo(torch.float64).eps


class Baseline:
    """What the Function gives when it is called in the plain way: eagerly, in float64, on contiguous inputs."""

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
    """How far results may be off that are sums of terms, whatever is left of them where the terms cancel.

    `terms` is how large those of the outputs are: as the outputs, or where these are nothing but rounding, as the inputs.
    `of_terms` is for each position that of the gradient's. A function that is saturated is so about 1, however large its
    inputs are.
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
        """That in another dtype, of what is 0 but for rounding; that of the other results is for the caller to say."""
        other = copy(self)
        other.outputs = self.outputs * self._outputs_cancel * eps / _EPS
        other.gradients = {i: r * (i in self._gradients_cancel) * eps / _EPS for i, r in self.gradients.items()}
        return other


def _noise(subject: Subject, sample: Sample) -> float:
    """By how much the outputs are rounded."""
    function, inputs = subject.of_wanted(sample), subject.wanted_tensors(sample, requires_grad=False)
    directions = [t * d for t, d in zip(inputs, weights(inputs, seed=9), strict=True)]

    def curve(t: float) -> Tensor | None:
        try:
            outputs = function(*(x + t * d for x, d in zip(inputs, directions, strict=True)))
            return torch.cat([o.abs().reshape(-1).to(torch.float64) for o in outputs])
        except Exception:
            return None  # they do not suit the Function

    noise = noise_of(curve)
    return 0.0 if noise is None or not noise.numel() else noise.max().item()


def rounding_of(terms: float) -> float:
    """By how much a sum may be off whose terms are as large as this."""
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
    """A Fault where two lists of results differ by more than rtol of the largest number among them, and atol."""
    scale = max(size(expected), 1e-300)
    let_pass = [atol] * len(expected) if isinstance(atol, float) else atol
    for i, (a, b, absolute) in enumerate(zip(found, expected, let_pass, strict=True)):
        error = difference(a, b)
        if error > rtol * scale + absolute:
            raise Fault(f"{what(i)} is off by {error:.3g}, where the results are up to {scale:.3g}", fix, see)


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
    """Position, gradient as the backward returns it, and input; nothing where the outputs are not one Function's."""
    result = subject.run(sample)
    node = own_node(result)
    if node is None or subject.in_place:
        return []
    grads = iter(weights(result.outputs))
    by_output = [next(grads) if o.requires_grad else torch.zeros_like(o) for o in result.all_outputs]
    try:
        found = node.apply(*by_output)
    except Exception:
        return []  # not to be called from outside of autograd
    found = found if isinstance(found, tuple) else (found,)
    return [(i, g, result.arguments[i]) for i, g in enumerate(found) if isinstance(g, Tensor) and i in result.leaves]


def difference(found: Tensor | None, expected: Tensor | None) -> float:
    """The largest difference between two tensors, None counting as 0; 0 where both are the same nan or inf."""
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
    """The largest finite number in them."""
    numbers = (t.detach() for t in tensors if t is not None and t.numel() and t.dtype != torch.bool)
    return max((t.abs().nan_to_num(0, 0, 0).max().item() for t in numbers), default=0.0)
