"""Checks against finite differences, entry by entry: the gradient, its own derivative, and the tangent of forward mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad as fw

from manualgrad.testing.compare import raw_gradients, size
from manualgrad.testing.differences import Curve, Derivative, derivative, noise_of
from manualgrad.testing.state import sound
from manualgrad.testing.subject import Fault, Sample, Skip, Subject, blamed_on_the_function, first_line, supported, weights

Outputs = Callable[..., tuple[Tensor, ...]]

RTOL = 4e-7  # a factor wrong by 1e-6 is found
SMALLEST = 1e-4  # of the largest entry of its tensor: smaller ones are held to the absolute error of this one
_ENTRIES = 500  # that are tried one by one; of more, as many by chance, and the others in random directions
GOOD_ENOUGH = 1e-11  # of the largest: finer steps are for what then looks wrong
_ROUNDED = 4 * torch.finfo(torch.float64).eps


def backward(subject: Subject, sample: Sample) -> None:
    """The gradient of every input, against finite differences in float64, real and complex."""
    fix = "derive the gradient again: gradient of an input = sum over the outputs of d output / d input times grad_output"
    result = subject.run(sample)
    if any(torch.finfo(o.dtype).eps > 1e-15 for o in result.outputs):
        raise Skip("an output of float64 inputs is in lower precision: see `dtypes`")
    with blamed_on_the_function("the backward", "return one gradient for each input of forward"):
        result.gradients()
    sound(subject, sample)
    function = subject.of_wanted(sample)
    inputs = [t.detach() for t in subject.wanted_tensors(sample)]
    grads = weights(result.outputs)

    def gradients(*at: Tensor, sign: int = 1) -> tuple[Tensor, ...]:
        leaves = [t.detach().requires_grad_() for t in at]
        signed = [sign * g for g in grads]
        return torch.autograd.grad(function(*leaves), leaves, signed, allow_unused=True, materialize_grads=True)

    untold: list[tuple[int, tuple[int, ...]]] = []
    row = _padding_row(subject, sample)
    for k, entry, found, numeric in _disagreements(gradients, function, inputs, grads, untold, row):
        negative = gradients(*inputs, sign=-1)
        if size([a + b for a, b in zip(gradients(*inputs), negative, strict=True)]) > 1e-9 * size(negative):
            return  # not linear in grad_output: gradient_scale's to say
        raise Fault(
            f"the gradient of {sample.name(sample.wanted[k], entry)} {_differ(found, numeric)}",
            fix,
            "https://docs.pytorch.org/docs/stable/notes/gradcheck.html",
        )
    _allow(subject, sample, untold)


def _allow(subject: Subject, sample: Sample, untold: Sequence[tuple[int, tuple[int, ...]]]) -> None:
    if untold:
        k, place = untold[0]
        more = f" and {len(untold) - 1} more" if len(untold) > 1 else ""
        what = f"{sample.name(sample.wanted[k], place)}{more}, by which finite differences cannot tell a millionth here"
        subject.allow(f"{what}: a kink is near, or rounding hides it")


def double_backward(subject: Subject, sample: Sample) -> None:
    """Differentiating the backward gives what finite differences of it give, or raises; it is never silently wrong."""
    baseline = sound(subject, sample)
    if any(torch.finfo(t.dtype).eps > 1e-15 for t in [*baseline.outputs, *(g for _, g, _ in raw_gradients(subject, sample))]):
        raise Skip("an output or a gradient of float64 inputs is in lower precision: see `dtypes`")
    function = subject.of_wanted(sample)
    primals = [t.detach() for t in subject.wanted_tensors(sample)]
    everything = [*primals, *weights(subject.run(sample).outputs)]
    cotangents = weights(primals, seed=1)

    def vjp(*arguments: Tensor, create_graph: bool = False) -> tuple[Tensor, ...]:
        inputs, grad_outputs = arguments[: len(primals)], arguments[len(primals) :]
        inputs = tuple(t if t.requires_grad else t.detach().requires_grad_() for t in inputs)
        found = torch.autograd.grad(
            function(*inputs), inputs, grad_outputs, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
        return tuple(found)

    def second(*arguments: Tensor) -> tuple[Tensor, ...]:
        leaves = [t.detach().clone().requires_grad_() for t in arguments]
        first = vjp(*leaves, create_graph=True)
        differentiable = [(g, c) for g, c in zip(first, cotangents, strict=True) if g.requires_grad]
        if differentiable:
            # Not autograd.grad, which goes around the node with which once_differentiable raises.
            torch.autograd.backward([g for g, _ in differentiable], [c for _, c in differentiable])
        return tuple(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves)

    try:
        second(*everything)
    except Exception as error:
        raise Skip(f"differentiating the backward raises, as it should where it cannot be done: {first_line(error)}") from error

    untold: list[tuple[int, tuple[int, ...]]] = []
    for k, entry, found, numeric in _disagreements(second, vjp, everything, cotangents, untold):
        n = k - len(primals)
        name = sample.name(sample.wanted[k], entry) if n < 0 else f"grad_output{f' {n}' * (n > 0)}{list(entry) or ''}"
        silent = "is silently zero" if not found else "is silently wrong"
        raise Fault(
            f"the derivative of the backward by {name} {silent}: it {_differ(found, numeric)}",
            "save only inputs and outputs for the backward, and write it in differentiable operations (no intermediate "
            "of the forward, .data, detach or numpy), or mark it with torch.autograd.function.once_differentiable",
            "https://docs.pytorch.org/tutorials/intermediate/custom_function_double_backward_tutorial.html "
            "(and pytorch issue 76185)",
        )
    _allow(subject, sample, [(k, place) for k, place in untold if k < len(primals)])


def forward_ad(subject: Subject, sample: Sample) -> None:
    """The tangent of the outputs for a tangent of each input, and of each of its entries, against finite differences."""
    sound(subject, sample)
    function = subject.of_wanted(sample)
    inputs = [t.detach() for t in subject.wanted_tensors(sample)]
    fix = "derive jvp again: tangent of an output = sum over the inputs of d output / d input times the input's tangent"
    see = "https://docs.pytorch.org/docs/stable/notes/extending.html#forward-mode-ad"

    def tangents(k: int, direction: Tensor) -> list[Tensor]:
        with fw.dual_level():
            duals = [fw.make_dual(t, direction) if i == k else t for i, t in enumerate(inputs)]
            unpacked = [fw.unpack_dual(o) for o in function(*duals)]
            return [(u.tangent if u.tangent is not None else torch.zeros_like(u.primal)).detach() for u in unpacked]

    noise = _noise(function, inputs)
    if noise is None:
        return
    row = _padding_row(subject, sample)
    doubt = torch.tensor(16 * _ROUNDED * size(function(*inputs)))  # of tangents that cancel
    for k, t in enumerate(inputs):
        doing = f"forward mode for {sample.name(sample.wanted[k])}:"
        for place, direction in ((None, _everywhere(t, 6, row)), *_units(t)):
            found = _flat(supported(lambda k=k, d=direction: tangents(k, d), doing, fix, see))  # type: ignore[misc]
            if _is_frozen(place, row, found):
                continue
            numeric = derivative(_curve(function, inputs, {k: direction}), noise, GOOD_ENOUGH * size([found]))
            wrong = _wrong(found, numeric, doubt)
            if wrong.any():
                direction = _by_its_own_scale(direction, t)
                found, numeric = _flat(tangents(k, direction)), _closely(_curve(function, inputs, {k: direction}), noise)
                wrong &= _wrong(found, numeric, doubt)
            if wrong.any():
                o = int(wrong.nonzero()[0])
                text = f"the tangent of output element {o} for {sample.name(sample.wanted[k], place or ())}"
                raise Fault(f"{text} {_differ(found[o].item(), numeric.value[o].item())}", fix, see)


# What is held against what.


def _disagreements(
    gradient: Outputs,
    function: Outputs,
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    untold: list[tuple[int, tuple[int, ...]]],
    padding_row: PaddingRow | None = None,
) -> Iterator[tuple[int, tuple[int, ...], float, float]]:
    """The entries (input, place, found, by differences) in which a gradient differs from that of ⟨cotangents, function⟩.

    `untold` is given those of which the differences are not exact enough to tell.
    """
    w = _flat(cotangents)
    noise = _noise(function, inputs)
    if noise is None:
        return
    found = gradient(*inputs)
    rounded = gradient(*(t * (1 + _ROUNDED * d) for t, d in zip(inputs, weights(inputs, seed=8), strict=True)))
    for k, t in enumerate(inputs):
        largest = size([found[k]])
        off = _reals(found[k] - rounded[k])
        units: list[tuple[Any, Tensor]] = list(_units(t))
        if len(units) < _reals(t).numel():
            units.append((None, _everywhere(t, 3, padding_row)))
        for place, direction in units:
            if _is_frozen(place, padding_row, (_reals(found[k]) * _reals(direction)).sum()):
                continue
            moved = derivative(_curve(function, inputs, {k: direction}), noise, GOOD_ENOUGH / 100 * largest * size([direction]))
            for closely in (False, True):
                if closely:
                    direction = _by_its_own_scale(direction, t)
                    moved = _closely(_curve(function, inputs, {k: direction}), noise)
                total = (_reals(found[k]) * _reals(direction)).sum()
                along = Derivative(w @ moved.value, w.abs() @ moved.error)
                doubt = (off * _reals(direction)).abs().sum() * 16
                floor = SMALLEST * largest * size([direction])
                if not _wrong(total, along, doubt, floor).item():
                    if total.abs() >= floor > 0 and 3 * along.error > 2 * RTOL * total.abs():
                        untold.append((k, place or ()))
                    break
            else:
                scale = direction.abs().max().item() if place is not None else 1.0
                yield k, place or (), total.item() / scale, along.value.item() / scale


def _by_its_own_scale(direction: Tensor, t: Tensor) -> Tensor:
    """The direction, but that each entry is moved in proportion to itself, however much larger the others are."""
    return torch.where((t != 0) & (direction != 0), direction.sgn() * t.abs(), direction)


def _closely(curve: Curve, noise: Tensor) -> Derivative:
    """As exact as can be, before anybody is accused."""
    own = noise_of(curve)
    return Derivative(torch.zeros_like(noise), torch.full_like(noise, torch.inf)) if own is None else derivative(curve, own)


def _wrong(found: Tensor, numeric: Derivative, doubt: Tensor, floor: float | None = None) -> Tensor:
    """Where the two differ by more than a factor 1 + RTOL, and than what either may be off by."""
    floor = SMALLEST * size([found]) if floor is None else floor
    return (found - numeric.value).abs() > RTOL * numeric.value.abs().clamp_min(floor) + 3 * numeric.error + doubt


def _curve(function: Outputs, inputs: Sequence[Tensor], directions: dict[int, Tensor]) -> Curve:
    """The outputs, at the inputs moved by t times the directions."""

    def curve(t: float) -> Tensor | None:
        moved = [(x + t * directions[k] if k in directions else x).detach() for k, x in enumerate(inputs)]
        try:
            return _flat(function(*moved))
        except Exception:
            return None  # they do not suit the Function

    return curve


def _noise(function: Outputs, inputs: Sequence[Tensor]) -> Tensor | None:
    everywhere = {k: d * _scales(t) for k, (t, d) in enumerate(zip(inputs, weights(inputs, seed=9), strict=True))}
    return noise_of(_curve(function, inputs, everywhere))


def _scales(t: Tensor) -> Tensor:
    """How far each entry is moved: in proportion to it, or where it is small, to the others."""
    largest = size([t])
    return t.abs().clamp_min(0.1 * largest) if largest else torch.ones_like(t.abs())


def _units(t: Tensor) -> Iterator[tuple[tuple[int, ...], Tensor]]:
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


def _everywhere(t: Tensor, seed: int, padding_row: PaddingRow | None) -> Tensor:
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


def _padding_row(subject: Subject, sample: Sample) -> PaddingRow | None:
    named = dict(zip(sample.names, sample.arguments, strict=False))
    index = named.get("padding_idx", subject.padding_idx)
    return PaddingRow(index, subject) if isinstance(index, int) and index >= 0 else None


def _is_frozen(place: tuple[int, ...] | None, row: PaddingRow | None, found: Tensor) -> bool:
    if row is None or place is None or len(place) != 2 or place[0] != row.index or found.any():
        return False
    row.allow()
    return True


def _reals(t: Tensor) -> Tensor:
    """As real numbers, complex ones as two."""
    t = t.detach()
    return (torch.view_as_real(t.resolve_conj()) if t.is_complex() else t).reshape(-1).to(torch.float64)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([_reals(t) for t in tensors]) if tensors else torch.zeros(0, dtype=torch.float64)


def _differ(found: float, numeric: float) -> str:
    return f"is {found:.8g}, and by finite differences {numeric:.8g}: off by {abs(found - numeric):.3g}"
