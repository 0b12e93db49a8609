"""Checks against finite differences: the gradient, its own derivative, and the tangent of forward mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad as fw
from torch.autograd.gradcheck import GradcheckError, gradcheck

from manualgrad.testing.compare import raw_gradients, size
from manualgrad.testing.state import sound
from manualgrad.testing.subject import Fault, Sample, Skip, Subject, blamed_on_the_function, first_line, supported, weights

FD_RTOL, FD_ATOL = 1e-3, 1e-5  # of finite differences, torch.autograd.gradcheck's own
SLOW_MODE_ENTRIES = 100_000  # of the Jacobian; larger ones are checked in fast mode alone


def backward(subject: Subject, sample: Sample) -> None:
    """The gradient of every input, against finite differences in float64, real and complex."""
    mend = "derive the gradient again: gradient of an input = sum over the outputs of d output / d input times grad_output"
    result = subject.run(sample)
    if any(torch.finfo(o.dtype).eps > 1e-15 for o in result.outputs):
        raise Skip("an output of float64 inputs is in lower precision: see `dtypes`")
    with blamed_on_the_function(f"backward of sample {sample.number}", "return one gradient for each input of forward"):
        found = result.gradients()
    sound(subject, sample)
    outputs_of, inputs = subject.of_wanted(sample), subject.wanted_tensors(sample)

    def function(*wanted: Tensor) -> Tensor:
        return torch.cat([o.reshape(-1) for o in outputs_of(*wanted)])  # in one, so that no grad_output is undefined

    small = sum(t.numel() for t in inputs) * function(*inputs).numel() < SLOW_MODE_ENTRIES
    options: dict[str, Any] = {"nondet_tol": torch.inf, "check_undefined_grad": False, "check_grad_dtypes": False}
    for fast in (False, True) if small else (True,):
        try:
            gradcheck(function, inputs, fast_mode=fast, **options)
        except GradcheckError as error:
            if (fast and small) or "not multiplied by grad_output" in str(error):
                return  # right for every single output, and so not linear in grad_output: gradient_scale's to say
            k, distance = _worst_direction(outputs_of, inputs, list(found.values()))
            raise Fault(
                f"the gradient of {sample.name(sample.wanted[k])} differs from finite differences by {distance:.3g} "
                "along a random direction",
                mend,
                "https://docs.pytorch.org/docs/stable/notes/gradcheck.html",
            ) from error
        except Exception as error:
            raise Fault(f"near sample {sample.number} the Function raises {first_line(error)}", mend) from error


def _worst_direction(
    function: Callable[..., Any], inputs: Sequence[Tensor], gradients: Sequence[Tensor | None]
) -> tuple[int, float]:
    """The input whose gradient is furthest from its finite difference, and how far."""
    detached = [t.detach() for t in inputs]
    errors = []
    for k, gradient in enumerate(gradients):
        direction = weights(detached, seed=3)[k]
        numeric = along(function, detached, {k: direction}, lambda outputs: weights(outputs))
        errors.append(abs(numeric - inner(gradient, direction)))
    worst = max(range(len(errors)), key=errors.__getitem__)
    return worst, errors[worst]


def inner(a: Tensor | None, b: Tensor) -> float:
    """The real inner product, by which PyTorch's gradients of complex numbers are defined."""
    return 0.0 if a is None else (a.detach().conj() * b).sum().real.item()


def along(
    function: Callable[..., Any], inputs: Sequence[Tensor], directions: dict[int, Tensor], weighted_by: Any, eps: float = 1e-6
) -> float:
    """The derivative of the weighted sum of the outputs along the directions, by central differences."""

    def value(step: float) -> float:
        moved = [(t + step * directions[k] if k in directions else t).detach().requires_grad_() for k, t in enumerate(inputs)]
        outputs = [o.detach() for o in function(*moved)]
        return sum(inner(w, o) for w, o in zip(weighted_by(outputs), outputs, strict=True))

    return (value(eps) - value(-eps)) / (2 * eps)


def double_backward(subject: Subject, sample: Sample) -> None:
    """Differentiating the backward gives what finite differences of it give, or raises; it is never silently wrong."""
    baseline = sound(subject, sample)
    if any(torch.finfo(t.dtype).eps > 1e-15 for t in [*baseline.outputs, *(g for _, g, _ in raw_gradients(subject, sample))]):
        raise Skip("an output or a gradient of float64 inputs is in lower precision: see `dtypes`")
    function = subject.of_wanted(sample)
    primals = [t.detach() for t in subject.wanted_tensors(sample)]
    grads = weights(subject.run(sample).outputs)

    def vjp(*arguments: Tensor, create_graph: bool = False) -> tuple[Tensor, ...]:
        inputs, grad_outputs = arguments[: len(primals)], arguments[len(primals) :]
        found = torch.autograd.grad(
            function(*inputs), inputs, grad_outputs, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
        return tuple(found)

    everything = [*primals, *grads]
    leaves = [t.clone().requires_grad_() for t in everything]
    cotangents = weights(primals, seed=1)
    try:
        first = vjp(*leaves, create_graph=True)
        differentiable = [(g, c) for g, c in zip(first, cotangents, strict=True) if g.requires_grad]
        if differentiable:
            # Not autograd.grad, which goes around the node with which once_differentiable raises.
            torch.autograd.backward([g for g, _ in differentiable], [c for _, c in differentiable])
        second = [leaf.grad for leaf in leaves]
    except Exception as error:
        raise Skip(f"differentiating the backward raises, as it should where it cannot be done: {first_line(error)}") from error

    for k, tensor in enumerate(everything):
        direction = weights([tensor], seed=2)[0]
        numeric = along(vjp, everything, {k: direction}, lambda outputs: cotangents, eps=1e-5)
        found = inner(second[k], direction)
        if abs(found - numeric) > FD_ATOL + 2 * FD_RTOL * max(abs(numeric), size(second)):
            name = sample.name(sample.wanted[k]) if k < len(primals) else f"grad_output {k - len(primals)}"
            silent = "is silently zero" if not found else "is silently wrong"
            raise Fault(
                f"the derivative of the backward by {name} {silent}: {found:.6g} along a random direction, "
                f"by finite differences {numeric:.6g}",
                "save only inputs and outputs for the backward, and write it in differentiable operations (no intermediate "
                "of the forward, .data, detach or numpy), or mark it with torch.autograd.function.once_differentiable",
                "https://docs.pytorch.org/tutorials/intermediate/custom_function_double_backward_tutorial.html "
                "(and pytorch issue 76185)",
            )


def forward_ad(subject: Subject, sample: Sample) -> None:
    """The tangent of the outputs for a tangent of each input, against finite differences."""
    sound(subject, sample)
    function = subject.of_wanted(sample)
    inputs = [t.detach() for t in subject.wanted_tensors(sample)]
    mend = "derive jvp again: tangent of an output = sum over the inputs of d output / d input times the input's tangent"
    see = "https://docs.pytorch.org/docs/stable/notes/extending.html#forward-mode-ad"
    for k, direction in enumerate(weights(inputs, seed=6)):

        def tangents(k: int = k, direction: Tensor = direction) -> list[Tensor]:
            with fw.dual_level():
                duals = [fw.make_dual(t, direction) if i == k else t for i, t in enumerate(inputs)]
                unpacked = [fw.unpack_dual(o) for o in function(*duals)]
                return [(u.tangent if u.tangent is not None else torch.zeros_like(u.primal)).detach() for u in unpacked]

        found = supported(tangents, f"forward mode for {sample.name(sample.wanted[k])}:", mend, see)
        total = sum(inner(w, t) for w, t in zip(weights(found), found, strict=True))
        numeric = along(function, inputs, {k: direction}, weights)
        if abs(total - numeric) > FD_ATOL + FD_RTOL * max(abs(numeric), size(found)):
            raise Fault(
                f"the tangent for {sample.name(sample.wanted[k])} is {total:.6g}, and by finite differences {numeric:.6g}",
                mend,
                see,
            )
