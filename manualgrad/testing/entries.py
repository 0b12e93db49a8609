"""A derivative held against finite differences, entry by entry, and how exactly the two can be told apart.

An entry that is 0 because its terms cancel is judged at the scale of these terms: rounding leaves of it what it likes. Where an
entry looks wrong, or the differences are not exact enough, they are taken again with more care before anything is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manualgrad.testing.compare import SIGNAL, moved_by_rounding, rounding_of, size
from manualgrad.testing.differences import (
    Curve,
    Derivative,
    at_least_rounded,
    careful_derivative,
    noise_of,
    quick_derivative,
)
from manualgrad.testing.subject import Sample, Subject, weights

Outputs = Callable[..., tuple[Tensor, ...]]
Place = tuple[int, ...]

RTOL = 4e-7  # a factor wrong by 1e-6 is found
SMALLEST = 1e-4  # of the largest entry of its tensor: smaller ones are held to the absolute error of this one
GOOD_ENOUGH = 1e-11  # of the largest: finer steps are for what then looks wrong
_ENTRIES = 500  # that are tried one by one; of more, as many by chance, and the others in random directions
_EPS = torch.finfo(torch.float64).eps
_STEEPEST = 1e4


@dataclass
class Disagreement:
    """An entry of a gradient (input, place) as it was found, and by differences."""

    input: int
    place: Place
    found: float
    numeric: float


class Entries:
    """A gradient of ⟨cotangents, function⟩ at some inputs, entry by entry.

    `below` is for each input how large the terms of a lower order are, of which the function's own may be made.
    `untold` holds the entries (input, place) of which the differences are not exact enough to tell a millionth.
    """

    def __init__(
        self,
        gradient: Outputs,
        function: Outputs,
        inputs: Sequence[Tensor],
        cotangents: Sequence[Tensor],
        padding_row: PaddingRow | None = None,
        below: Sequence[float] = (),
    ) -> None:
        self.below = below
        self.function, self.inputs = function, inputs
        self.cotangents = flat(cotangents)
        self.padding_row = padding_row
        self.values = flat(function(*inputs))
        self.noise = noise_around(function, inputs)
        self.untold: list[tuple[int, Place]] = []
        self.found = gradient(*inputs)
        self.rounding = _rounding(gradient, inputs, self.found)
        self.zero = rounding_of(self._terms())

    def _terms(self) -> float:
        """How large the terms are that an entry may be the sum of, in units of the argument's scale."""
        if self.noise is None:
            return 0.0
        found = [
            size([f]) * size([_scales(t)])
            for f, t, off in zip(self.found, self.inputs, self.rounding, strict=True)
            if size([f]) > SIGNAL * off
        ]
        rounding = size([self.cotangents * self.noise])
        signals = [x for x in (size([self.cotangents * self.values]), *found) if x > SIGNAL * rounding > 0]
        return max(signals, default=size([self.cotangents])) * steepness(self.inputs)

    def disagreements(self) -> Iterator[Disagreement]:
        """Yield the entries that are wrong: by more than a factor 1 + RTOL, and than what either side may be off by."""
        for k, t in enumerate(self.inputs) if self.noise is not None else ():
            units: list[tuple[Any, Tensor]] = list(_units(t))
            if len(units) < _reals(t).numel():
                units.append((None, everywhere(t, 3, self.padding_row)))
            for place, direction in units:
                if is_frozen(place, self.padding_row, self._along(k, direction)):
                    continue
                if not self._agrees_quickly(k, direction):
                    yield from self._judged_with_care(k, place, by_its_own_scale(direction, t))

    def _along(self, k: int, direction: Tensor) -> Tensor:
        moved = _reals(direction)
        return (_reals(self.found[k]) * moved)[moved != 0].sum()

    def _agrees_quickly(self, k: int, direction: Tensor) -> bool:
        assert self.noise is not None
        moved = quick_derivative(
            curve_along(self.function, self.inputs, {k: direction}),
            at_least_rounded(self.noise, self.values),
            GOOD_ENOUGH / 100 * size([self.found[k]]) * size([direction]),
        )
        return self._verdict(k, direction, moved) == "right"

    def _judged_with_care(self, k: int, place: Place | None, direction: Tensor) -> Iterator[Disagreement]:
        moved = self._with_care(k, direction)
        verdict = self._verdict(k, direction, moved)
        if verdict == "untold":
            self.untold.append((k, place or ()))
        elif verdict == "wrong":
            scale = direction.abs().max().item() if place is not None else 1.0
            numeric = (self.cotangents @ moved.value).item()
            yield Disagreement(k, place or (), self._along(k, direction).item() / scale, numeric / scale)

    def _with_care(self, k: int, direction: Tensor) -> Derivative:
        """As exact as can be: with the noise along this very direction, and none where an output does not hang on it."""
        assert self.noise is not None
        curve = curve_along(self.function, self.inputs, {k: direction})
        own = noise_of(curve)
        if own is None:
            return Derivative(torch.zeros_like(self.noise), torch.full_like(self.noise, torch.inf))
        independent = self._independent(k, direction)
        noise = at_least_rounded(torch.maximum(own, self.noise), torch.where(independent, 0, self.values))
        return careful_derivative(curve, torch.where(independent, 0, noise))

    def _independent(self, k: int, direction: Tensor) -> Tensor:
        """The outputs that stay as they are when the entries that are moved become nan."""
        assert self.noise is not None
        hidden = torch.where(direction != 0, torch.nan, self.inputs[k])
        try:
            values = flat(self.function(*(hidden if i == k else t for i, t in enumerate(self.inputs))))
            return values == self.values
        except Exception:  # it takes no nan
            return torch.zeros_like(self.noise, dtype=torch.bool)

    def _verdict(self, k: int, direction: Tensor, moved: Derivative) -> str:
        total = self._along(k, direction)
        numeric = Derivative(self.cotangents @ moved.value, _weighed_error(self.cotangents, moved.error))
        floor = SMALLEST * size([self.found[k]]) * size([direction])
        doubt = 16 * self.rounding[k] * size([direction])
        below = rounding_of(self.below[k]) if self.below else 0.0
        zero = Zero(max(self.zero, below * steepness(self.inputs) ** 2), below)
        if zero.holds(total, numeric).item():
            return "right"
        if is_wrong(total, numeric, doubt, floor, zero).item():
            return "wrong"
        return "untold" if total.abs() >= floor > 0 and 3 * numeric.error > 2 * RTOL * total.abs() else "right"


def steepness(inputs: Sequence[Tensor]) -> float:
    """How much faster than in proportion to its inputs a function may vary, which does not show where it is saturated."""
    return min(max(1.0, size(inputs)), _STEEPEST)


def rounding_of_values(values: Tensor, noise: Tensor, inputs: Sequence[Tensor]) -> float:
    """By how much a tangent may be off whose terms cancel: they are as large as the values, or else as the inputs."""
    signal = torch.where(values.abs() > SIGNAL * noise, values, 0)
    return rounding_of(size([signal]) or max(1.0, size(inputs)))


@dataclass
class Zero:
    """What is 0 but for rounding, on the one side and on the other."""

    found: float
    numeric: float = 0.0

    def holds(self, found: Tensor, numeric: Derivative) -> Tensor:
        return (found.abs() <= max(self.found, self.numeric)) & (numeric.value.abs() <= 3 * numeric.error + self.numeric)


def numeric_gradient(function: Outputs, inputs: Sequence[Tensor], cotangents: Sequence[Tensor], k: int) -> Tensor | None:
    """Compute the gradient of ⟨cotangents, function⟩ by input k from differences; None where it has too many entries."""
    noise, weighed, t = noise_around(function, inputs), flat(cotangents), inputs[k]
    if noise is None or t.numel() > _ENTRIES or t.is_complex():
        return None
    gradient = torch.zeros_like(t)
    for place, direction in _units(t):
        moved = quick_derivative(curve_along(function, inputs, {k: direction}), noise)
        gradient[place] = (weighed @ moved.value) / direction[place]
    return gradient


def _weighed_error(cotangents: Tensor, error: Tensor) -> Tensor:
    return (cotangents.abs() * error)[cotangents != 0].sum()


def _rounding(gradient: Outputs, inputs: Sequence[Tensor], found: Sequence[Tensor]) -> list[float]:
    """How far each gradient moves where the inputs are rounded."""
    off = [0.0] * len(inputs)
    for seed in (8, 18, 28, 38):
        rounded = gradient(*moved_by_rounding(inputs, seed))
        off = [max(far, size([a - b])) for far, a, b in zip(off, found, rounded, strict=True)]
    return off


def is_wrong(found: Tensor, numeric: Derivative, doubt: float, floor: float, zero: Zero) -> Tensor:
    """Where the two differ by more than a factor 1 + RTOL and what either may be off by, or `found` alone is not finite."""
    nowhere = ~found.isfinite() & numeric.value.isfinite() & numeric.error.isfinite()
    differs = (found - numeric.value).abs() > RTOL * numeric.value.abs().clamp_min(floor) + 3 * numeric.error + doubt
    return nowhere | (differs & ~zero.holds(found, numeric))


def curve_along(function: Outputs, inputs: Sequence[Tensor], directions: dict[int, Tensor]) -> Curve:
    """The outputs, at the inputs moved by t times the directions."""

    def curve(t: float) -> Tensor | None:
        moved = [(x + t * directions[k] if k in directions else x).detach() for k, x in enumerate(inputs)]
        try:
            return flat(function(*moved))
        except Exception:
            return None  # they do not suit the Function

    return curve


def noise_around(function: Outputs, inputs: Sequence[Tensor]) -> Tensor | None:
    """How far the outputs may be off by rounding, near the inputs; None where the function is defined nowhere else."""
    directions = {k: d * _scales(t) for k, (t, d) in enumerate(zip(inputs, weights(inputs, seed=9), strict=True))}
    return noise_of(curve_along(function, inputs, directions))


def by_its_own_scale(direction: Tensor, t: Tensor) -> Tensor:
    """The direction, but that each entry is moved in proportion to itself, however much larger the others are."""
    return torch.where((t != 0) & (direction != 0), direction.sgn() * t.abs(), direction)


def _scales(t: Tensor) -> Tensor:
    """How far each entry is moved: in proportion to it, or where it is small, to the others."""
    largest = size([t])
    return t.abs().clamp_min(0.1 * largest) if largest else torch.ones_like(t.abs())


def _units(t: Tensor) -> Iterator[tuple[Place, Tensor]]:
    """A place and a direction for each entry, of a complex one for its real and its imaginary part; by chance, where many."""
    scales = _scales(t)
    parts = [1.0, 1j] if t.is_complex() else [1.0]
    order = torch.randperm(t.numel(), generator=torch.Generator().manual_seed(0)).tolist()
    for e in sorted(order[: _ENTRIES // len(parts)]):
        place = tuple(int(i) for i in torch.unravel_index(torch.tensor(e), t.shape))
        for part in parts:
            direction = torch.zeros_like(t)
            direction[place] = part * scales[place]
            yield place, direction


def units_and_everywhere(t: Tensor, padding_row: PaddingRow | None) -> Iterator[tuple[Place | None, Tensor]]:
    yield None, everywhere(t, 6, padding_row)
    yield from _units(t)


def everywhere(t: Tensor, seed: int, padding_row: PaddingRow | None) -> Tensor:
    direction = weights([t], seed)[0] * _scales(t)
    if padding_row is not None and t.dim() == 2 and padding_row.index < len(t):
        direction[padding_row.index] = 0
    return direction


@dataclass
class PaddingRow:
    """The row of a table whose gradient is 0 by agreement, padding_idx; what was let pass for its sake is noted."""

    index: int
    subject: Subject

    def allow(self) -> None:
        self.subject.allow(f"row {self.index}, which padding_idx freezes")


def padding_row_of(subject: Subject, sample: Sample) -> PaddingRow | None:
    named = dict(zip(sample.names, sample.arguments, strict=False))
    index = named.get("padding_idx", subject.padding_idx)
    return PaddingRow(index, subject) if isinstance(index, int) and index >= 0 else None


def is_frozen(place: Place | None, row: PaddingRow | None, found: Tensor) -> bool:
    if row is None or place is None or len(place) != 2 or place[0] != row.index or found.any():
        return False
    row.allow()
    return True


def _reals(t: Tensor) -> Tensor:
    """As real numbers, complex ones as two."""
    t = t.detach()
    return (torch.view_as_real(t.resolve_conj()) if t.is_complex() else t).reshape(-1).to(torch.float64)


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([_reals(t) for t in tensors]) if tensors else torch.zeros(0, dtype=torch.float64)


def differ(found: float, numeric: float) -> str:
    return f"is {found:.8g}, and by finite differences {numeric:.8g}: off by {abs(found - numeric):.3g}"
