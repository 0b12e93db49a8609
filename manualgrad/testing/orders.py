"""Checks of higher derivatives along directions, by every nesting of forward and reverse mode."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, jvp

from manualgrad.testing.compare import rounding_of, size
from manualgrad.testing.derivatives import double_backward, forward_ad
from manualgrad.testing.differences import Derivative, at_least_rounded, careful_derivative, noise_of
from manualgrad.testing.entries import SMALLEST, Zero, is_wrong, rounding_of_values, steepness
from manualgrad.testing.state import sound
from manualgrad.testing.subject import (
    Fault,
    Sample,
    Skip,
    Subject,
    first_line,
    own_node,
    weights,
)

Directions = tuple[Tensor, ...]

_PLAIN = "https://github.com/pytorch/pytorch/issues/197867"
_AUTOGRAD = "https://docs.pytorch.org/docs/stable/notes/autograd.html"


def forward_over_forward(subject: Subject, sample: Sample) -> None:
    """Compare torch.func.jvp of jvp with finite differences of the tangent; it may raise, but not be silently 0."""
    sound(subject, sample)
    _needs(forward_ad, subject, sample)
    _only_real(subject, sample)
    function = subject.of_wanted(sample)
    inputs = tuple(t.detach() for t in subject.wanted_tensors(sample))

    for own_scale in (False, True):
        v, u = (_direction(inputs, seed, own_scale) for seed in (10, 11))

        def tangents(*x: Tensor, v: Directions = v) -> tuple[Tensor, ...]:
            return jvp(function, x, v)[1]

        try:
            found = _flat(jvp(tangents, inputs, u)[1])
        except Exception as error:
            raise Skip(f"jvp of jvp raises, as it should if unsupported: {first_line(error)}") from error
        numeric, rounding = _along(lambda *x, f=tangents: _flat(f(*x)), inputs, u)
        zero = _zero(rounding, function, inputs)
        wrong = is_wrong(found, numeric, rounding, SMALLEST * size([found]), zero)
        if not wrong.any():
            return
    o = int(wrong.nonzero()[0])
    text = f"{found[o].item():.8g}, expected {numeric.value[o].item():.8g} from finite differences"
    if _is_plain(subject, sample):
        raise Fault(
            f"the tangent of a tangent (jvp of jvp) is silently {text}: a bug in PyTorch, for every torch.autograd.Function",
            "subclass manualgrad.Function, whose jvp runs at every level, or use jacfwd(jacrev(...)) instead",
            _PLAIN,
        )
    raise Fault(
        f"the tangent of a tangent (jvp of jvp) is silently wrong: for output element {o}, it is {text}",
        "use only differentiable operations on saved inputs and outputs in jvp: no .data, detach, numpy or no_grad, and no "
        "intermediate results of the forward",
        "https://docs.pytorch.org/docs/stable/notes/extending.func.html",
    )


def third_derivative(subject: Subject, sample: Sample) -> None:
    """Compare third derivatives, in reverse and mixed modes, with finite differences of the second derivative."""
    baseline = sound(subject, sample)
    _needs(double_backward, subject, sample)
    _only_real(subject, sample)
    function = subject.of_wanted(sample)
    inputs = tuple(t.detach() for t in subject.wanted_tensors(sample))
    c = weights(baseline.outputs, seed=12)

    def cost(*x: Tensor) -> Tensor:
        return torch.stack([(w * o).sum() for w, o in zip(c, function(*x), strict=True)]).sum()

    def by_autograd(order: int, directions: Sequence[Directions], *x: Tensor) -> Tensor:
        leaves = tuple(t.detach().requires_grad_() for t in x)
        value = cost(*leaves)
        for v in directions[:order]:
            if not value.requires_grad:
                return torch.zeros_like(value)
            first = torch.autograd.grad(value, leaves, create_graph=True, allow_unused=True, materialize_grads=True)
            value = torch.stack([(g * d).sum() for g, d in zip(first, v, strict=True)]).sum()
        return value.detach()

    for own_scale in (False, True):
        directions = [_direction(inputs, seed, own_scale) for seed in (13, 14, 15)]
        try:
            found = {"reverse of reverse of reverse": by_autograd(3, directions, *inputs)}
        except Exception as error:
            raise Skip(f"differentiating three times raises, as it should if unsupported: {first_line(error)}") from error
        numeric, rounding = _along(lambda *x, d=directions: by_autograd(2, d, *x).reshape(1), inputs, directions[2])
        zero = _zero(rounding, function, inputs)
        right, doubt = numeric.value.item(), 3 * numeric.error.item()
        if subject.holds(forward_ad, sample):
            found |= _mixed(cost, inputs, directions, twice_forward=subject.holds(forward_over_forward, sample))
        wrong = {
            word: value.item()
            for word, value in found.items()
            if abs(value.item() - right) > 1e-6 * abs(right) + doubt and not zero.holds(value, numeric).item()
        }
        if not wrong:
            return
    word, value = next(iter(wrong.items()))
    if "forward" in word:
        _needs(forward_over_forward, subject, sample)
    raise Fault(
        f"the third derivative along three directions, by {word}, is silently {value:.8g}, expected {right:.8g} from finite "
        "differences of the second",
        "use only differentiable operations on saved inputs and outputs in backward and jvp; Functions that they call must "
        "have correct second derivatives too",
        _AUTOGRAD,
    )


def _mixed(
    cost: Callable[..., Tensor], inputs: Directions, directions: Sequence[Directions], twice_forward: bool
) -> dict[str, Tensor]:
    """Compute the derivative by every nesting of torch.func transforms that does not raise, the last direction outermost."""

    def reverse(f: Callable[..., Tensor], v: Directions) -> Callable[..., Tensor]:
        def derivative(*x: Tensor) -> Tensor:
            gradients = grad(f, argnums=tuple(range(len(x))))(*x)
            return torch.stack([(g * d).sum() for g, d in zip(gradients, v, strict=True)]).sum()

        return derivative

    def forward(f: Callable[..., Tensor], v: Directions) -> Callable[..., Tensor]:
        return lambda *x: jvp(f, x, v)[1]

    found = {}
    for word in itertools.product((reverse, forward), repeat=3):
        if word.count(forward) > 1 and not twice_forward:
            continue  # forward_over_forward reports it
        function = cost
        for transform, v in zip(word, directions, strict=True):
            function = transform(function, v)
        try:
            found[" of ".join(t.__name__ for t in reversed(word)) + " (torch.func)"] = function(*inputs).detach()
        except Exception:
            continue  # an explicit error is allowed
    return found


def _needs(check: Callable[[Subject, Sample], None], subject: Subject, sample: Sample) -> None:
    """Raise a Skip if a lower derivative is missing or wrong."""
    try:
        subject.once(check, sample)
    except Fault as fault:
        raise Skip(f"`{check.__name__}` fails; fix that first") from fault


def _only_real(subject: Subject, sample: Sample) -> None:
    subject.skip_if_random()
    if any(t.is_complex() for t in sample.tensors.values()) or any(o.is_complex() for o in subject.run(sample).outputs):
        raise Skip("torch.func's transforms have no common definition for complex numbers")


def _is_plain(subject: Subject, sample: Sample) -> bool:
    """Return whether it is a plain torch.autograd.Function; those of manualgrad.Function wrap another class."""
    node = own_node(subject.run(sample))
    return node is not None and not hasattr(node._forward_cls, "wraps")


def _direction(inputs: Sequence[Tensor], seed: int, own_scale: bool) -> Directions:
    """Draw a direction that moves each entry in proportion to itself, or if small and not `own_scale`, to the largest."""
    directions = []
    for t, d in zip(inputs, weights(inputs, seed), strict=True):
        largest = size([t]) or 1.0
        directions.append(d * torch.where(t == 0, 0.1 * largest, t.abs().clamp_min(0 if own_scale else 0.1 * largest)))
    return tuple(directions)


def _along(function: Callable[..., Tensor], inputs: Directions, direction: Directions) -> tuple[Derivative, float]:
    """Return the derivative along a direction (error inf if it is undetermined), and the allowed error of its terms."""
    curve = _moved(function, inputs, direction)
    noise = noise_of(curve)
    here = function(*inputs)
    if noise is None:
        return Derivative(torch.zeros_like(here), torch.full_like(here, torch.inf)), 0.0
    return careful_derivative(curve, at_least_rounded(noise, here)), rounding_of_values(here, noise, inputs)


def _zero(rounding: float, function: Callable[..., Any], inputs: Directions) -> Zero:
    """Return the bounds for 0 up to the rounding of terms of this order, and of the values that they derive from."""
    of_values = rounding_of(size(function(*inputs)))
    return Zero(max(rounding, of_values) * steepness(inputs) ** 2, of_values)


def _moved(function: Callable[..., Tensor], inputs: Directions, direction: Directions) -> Callable[[float], Tensor | None]:
    def curve(t: float) -> Tensor | None:
        try:
            return function(*((x + t * d).detach() for x, d in zip(inputs, direction, strict=True)))
        except Exception:
            return None  # the Function does not accept these values

    return curve


def _flat(tensors: Any) -> Tensor:
    return torch.cat([t.detach().reshape(-1) for t in tensors])
