"""Diagnosis of wrong gradients: a wrong sign or factor, gradients in the wrong order, transposed gradients."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from torch import Tensor

from manualgrad.testing.compare import size
from manualgrad.testing.entries import Disagreement
from manualgrad.testing.subject import Sample

_SAME = 1e-5  # relative; a ratio that agrees this closely in all entries is not a coincidence
_VARIANCE = 3
_NEARLY = 1e-3  # a ratio closer to 1 is not reported
_DIMENSIONS_TRIED = 4

Gradients = dict[int, Tensor | None]
"""Gradients by input position."""


def wrong_order(raw: Gradients, right: Gradients, sample: Sample) -> tuple[str, str] | None:
    """Return the finding and the fix if the gradients are correct except for their order or that of their dimensions."""
    in_order = f"return the gradients in the order of forward's arguments: {', '.join(sample.names) or 'the first one first'}"
    for position, gradient in raw.items():
        if gradient is None or _is_same(gradient, right[position]):
            continue
        others = {i: wanted for i, wanted in right.items() if i != position}
        for other, wanted in others.items():
            if _is_same(gradient, wanted):
                return f"for {sample.name(position)}, backward returns the gradient of {sample.name(other)}", in_order
        for order in _orders(gradient):
            permuted = gradient.permute(order)
            if _is_same(permuted, right[position]):
                how = "t()" if gradient.dim() == 2 else f"permute{order}"
                return (
                    f"backward returns the gradient of {sample.name(position)} with its dimensions in the wrong order",
                    f"return its .{how}, which has the shape of {sample.name(position)}, {list(permuted.shape)}",
                )
            for other, wanted in others.items():
                if _is_same(permuted, wanted):
                    text = f"for {sample.name(position)}, backward returns the gradient of {sample.name(other)}, transposed"
                    return text, in_order
    return None


def _orders(t: Tensor) -> Iterator[tuple[int, ...]]:
    if 2 <= t.dim() <= _DIMENSIONS_TRIED:
        yield from itertools.islice(itertools.permutations(range(t.dim())), 1, None)


def _is_same(found: Tensor, wanted: Tensor | None) -> bool:
    return (
        wanted is not None
        and found.shape == wanted.shape
        and size([wanted]) > 0
        and size([found.to(wanted.dtype) - wanted]) <= _SAME * size([wanted])
    )


def constant_ratio(
    wrong: Sequence[Disagreement], position: int, sample: Sample, outputs: Sequence[Tensor]
) -> tuple[str, str] | None:
    """Return the finding and the fix if all wrong entries are the correct ones times the same number."""
    t = sample.arguments[position]
    if len(wrong) < min(2, t.numel()) or any(w.numeric == 0 for w in wrong):
        return None
    ratios = [w.found / w.numeric for w in wrong]
    ratio = ratios[0]
    if ratio == 0 or any(abs(r - ratio) > _SAME * abs(ratio) for r in ratios):
        return None
    everywhere = "all entries" if len(wrong) == t.numel() else f"all {len(wrong)} wrong entries"
    for value, named, fix in _known_ratios(sample, position, outputs):
        if abs(ratio - value) <= _SAME * abs(value):
            return f"{named} in {everywhere} of the gradient of {sample.name(position)}", fix
    if len(wrong) > 1 and abs(ratio - 1) > _NEARLY:
        found = f"it is {ratio:.6g} times the correct value in {everywhere} of the gradient of {sample.name(position)}"
        return found, f"look for a wrong or missing constant: the gradient times {1 / ratio:.6g} is correct"
    return None


def _known_ratios(sample: Sample, position: int, outputs: Sequence[Tensor]) -> Iterator[tuple[float, str, str]]:
    yield -1.0, "the sign is wrong", "change the sign"
    yield 2.0, "it is twice the correct value", "remove a factor of 2, or a term that is counted twice"
    yield 0.5, "it is half the correct value", "multiply by 2, or add the missing term"
    for n, what in _counts(sample, position, outputs):
        missing, needless = f"divide by {n}, as the forward's mean does", f"do not divide by {n}: the forward takes no mean"
        for sign, also in ((1, ""), (-1, "change the sign, and ")):
            minus = "-" * (sign < 0)
            yield sign * n, f"it is {minus}{n} times the correct value ({n} is {what})", also + missing
            yield sign / n, f"it is {minus}1/{n} of the correct value ({n} is {what})", also + needless
        if n > _VARIANCE:  # 3/2 and 2/3 have other causes too
            divisors = f"divide as the forward does: a biased variance by {n}, an unbiased one by {n - 1}"
            yield n / (n - 1), f"it is {n}/{n - 1} of the correct value ({n} is {what})", divisors
            yield (n - 1) / n, f"it is {n - 1}/{n} of the correct value ({n} is {what})", divisors


def _counts(sample: Sample, position: int, outputs: Sequence[Tensor]) -> Iterator[tuple[int, str]]:
    """Yield the counts that a mean may divide by, with a description of each, the most likely first."""
    others = [(sample.name(i), t) for i, t in sample.tensors.items() if i != position]
    named = [(sample.name(position), sample.arguments[position]), *others, *((f"output {k}", o) for k, o in enumerate(outputs))]
    seen = {0, 1, 2}
    for name, t in named:
        sizes = [(t.numel(), f"the number of elements of {name}")]
        sizes += [(n, f"the size of dimension {d} of {name}") for d, n in enumerate(t.shape)]
        for n, what in sizes:
            if n not in seen:
                seen.add(n)
                yield n, what
