"""What is held against what: results as they come in the plain way, and the largest difference from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.testing.subject import EXTENDING, Fault, Sample, Skip, Subject, first_line, own_node, weights

RTOL = 1e-6  # between two float64 results of the same formula


class Baseline:
    """What the Function gives when it is called in the plain way: eagerly, in float64, on contiguous inputs."""

    def __init__(self, subject: Subject, sample: Sample) -> None:
        result = subject.run(sample)
        if not result.outputs:
            raise Skip("no output requires grad")
        try:
            self.gradients = result.gradients()
        except Exception as error:
            raise Skip(f"the backward raises: see `backward` ({first_line(error)})") from error
        self.outputs = [o.detach() for o in result.outputs]
        self.all_outputs = [o.detach() for o in result.all_outputs]


def compare(
    found: Sequence[Tensor | None],
    expected: Sequence[Tensor | None],
    what: Callable[[int], str],
    fix: str,
    see: str = EXTENDING,
    rtol: float = RTOL,
    atol: float = 0.0,
) -> None:
    """A Fault where two lists of results differ by more than rtol of the largest number among them, and atol."""
    scale = max(size(expected), 1e-300)
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        error = difference(a, b)
        if error > rtol * scale + atol:
            raise Fault(f"{what(i)} is off by {error:.3g}, where the results are up to {scale:.3g}", fix, see)


def gradients_agree(
    found: dict[int, Tensor | None], expected: dict[int, Tensor | None], sample: Sample, when: str, fix: str, **options: Any
) -> None:
    positions = list(found)
    compare(
        [found[i] for i in positions],
        [expected[i] for i in positions],
        lambda k: f"{when} the gradient of {sample.name(positions[k])}",
        fix,
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
