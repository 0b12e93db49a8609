"""Entry-by-entry comparison of a derivative with finite differences, within the accuracy of both.

An entry that is 0 because its terms cancel is judged on the scale of these terms, since only rounding is left of it. If an
entry looks wrong, or the differences are not accurate enough, they are recomputed with more care before a fault is reported.
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

RTOL = 4e-7  # detects a factor that is wrong by 1e-6
SMALLEST = 1e-4  # relative to the tensor's largest entry; smaller entries are allowed the absolute error of this size
GOOD_ENOUGH = 1e-11  # relative to the largest entry; only entries that then look wrong get finer steps
_ENTRIES = 500  # checked one by one; of more entries, a random selection, and the rest along random directions
_EPS = torch.finfo(torch.float64).eps
_STEEPEST = 1e4


@dataclass
class Disagreement:
    """A gradient entry (input, place): its value, and that from finite differences."""

    input: int
    place: Place
    found: float
    numeric: float


class Entries:
    """A gradient of ⟨cotangents, function⟩ at given inputs, entry by entry.

    `below` is, for each input, the size of the lower-order terms that the function may be composed of.
    `untold` collects the entries (input, place) for which the differences are not accurate to 1e-6.
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
        """Return the size of the terms that an entry may be the sum of, in units of the argument's scale."""
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
        """Yield the wrong entries: they differ by more than a factor of 1 + RTOL, and by more than the errors of both."""
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
        """Compute the derivative as accurately as possible: with the noise along this direction, 0 for independent outputs."""
        assert self.noise is not None
        curve = curve_along(self.function, self.inputs, {k: direction})
        own = noise_of(curve)
        if own is None:
            return Derivative(torch.zeros_like(self.noise), torch.full_like(self.noise, torch.inf))
        independent = self._independent(k, direction)
        noise = at_least_rounded(torch.maximum(own, self.noise), torch.where(independent, 0, self.values))
        return careful_derivative(curve, torch.where(independent, 0, noise))

    def _independent(self, k: int, direction: Tensor) -> Tensor:
        """Return which outputs do not change when the moved entries become nan."""
        assert self.noise is not None
        hidden = torch.where(direction != 0, torch.nan, self.inputs[k])
        try:
            values = flat(self.function(*(hidden if i == k else t for i, t in enumerate(self.inputs))))
            return values == self.values
        except Exception:  # the Function does not accept nan
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
    """Bound how much faster than its inputs a function may vary, which a saturated function does not show."""
    return min(max(1.0, size(inputs)), _STEEPEST)


def rounding_of_values(values: Tensor, noise: Tensor, inputs: Sequence[Tensor]) -> float:
    """Return the allowed error of a tangent whose terms cancel: they are as large as the values, or else as the inputs."""
    signal = torch.where(values.abs() > SIGNAL * noise, values, 0)
    return rounding_of(size([signal]) or max(1.0, size(inputs)))


@dataclass
class Zero:
    """Bounds within which the computed and the numeric derivative count as 0 up to rounding."""

    found: float
    numeric: float = 0.0

    def holds(self, found: Tensor, numeric: Derivative) -> Tensor:
        return (found.abs() <= max(self.found, self.numeric)) & (numeric.value.abs() <= 3 * numeric.error + self.numeric)


def numeric_gradient(function: Outputs, inputs: Sequence[Tensor], cotangents: Sequence[Tensor], k: int) -> Tensor | None:
    """Compute the gradient of ⟨cotangents, function⟩ for input k by differences; None if it is too large or complex."""
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
    """Return how far each gradient moves when the inputs are perturbed by rounding."""
    off = [0.0] * len(inputs)
    for seed in (8, 18, 28, 38):
        rounded = gradient(*moved_by_rounding(inputs, seed))
        off = [max(far, size([a - b])) for far, a, b in zip(off, found, rounded, strict=True)]
    return off


def is_wrong(found: Tensor, numeric: Derivative, doubt: float, floor: float, zero: Zero) -> Tensor:
    """Return where the two differ by more than a factor of 1 + RTOL and their errors, or only `found` is not finite."""
    nowhere = ~found.isfinite() & numeric.value.isfinite() & numeric.error.isfinite()
    differs = (found - numeric.value).abs() > RTOL * numeric.value.abs().clamp_min(floor) + 3 * numeric.error + doubt
    return nowhere | (differs & ~zero.holds(found, numeric))


def curve_along(function: Outputs, inputs: Sequence[Tensor], directions: dict[int, Tensor]) -> Curve:
    """Return the outputs as a function of t, with the inputs moved by t times the directions."""

    def curve(t: float) -> Tensor | None:
        moved = [(x + t * directions[k] if k in directions else x).detach() for k, x in enumerate(inputs)]
        try:
            return flat(function(*moved))
        except Exception:
            return None  # the Function does not accept these values

    return curve


def noise_around(function: Outputs, inputs: Sequence[Tensor]) -> Tensor | None:
    """Return the rounding noise of the outputs near the inputs; None if the function is undefined nearby."""
    directions = {k: d * _scales(t) for k, (t, d) in enumerate(zip(inputs, weights(inputs, seed=9), strict=True))}
    return noise_of(curve_along(function, inputs, directions))


def by_its_own_scale(direction: Tensor, t: Tensor) -> Tensor:
    """Rescale a direction to move each entry in proportion to itself, however much larger the others are."""
    return torch.where((t != 0) & (direction != 0), direction.sgn() * t.abs(), direction)


def _scales(t: Tensor) -> Tensor:
    """Return how far each entry is moved: in proportion to itself, or if it is small, to the largest."""
    largest = size([t])
    return t.abs().clamp_min(0.1 * largest) if largest else torch.ones_like(t.abs())


def _units(t: Tensor) -> Iterator[tuple[Place, Tensor]]:
    """Yield (place, direction) for each entry, or a random selection; for real and imaginary parts if complex."""
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
    """The row of an embedding table whose gradient padding_idx sets to 0; `allow` notes it in the report."""

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
    """Flatten to float64, with complex numbers as pairs."""
    t = t.detach()
    return (torch.view_as_real(t.resolve_conj()) if t.is_complex() else t).reshape(-1).to(torch.float64)


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([_reals(t) for t in tensors]) if tensors else torch.zeros(0, dtype=torch.float64)


def differ(found: float, numeric: float) -> str:
    return f"is {found:.8g}, expected {numeric:.8g} from finite differences (off by {abs(found - numeric):.3g})"
