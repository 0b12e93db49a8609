"""Checks against finite differences, entry by entry: gradients, second derivatives, and tangents of forward mode."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad as fw

from manualgrad.testing.compare import raw_gradients, size
from manualgrad.testing.cures import constant_ratio, wrong_order
from manualgrad.testing.differences import (
    Curve,
    Derivative,
    at_least_rounded,
    careful_derivative,
    noise_of,
    quick_derivative,
)
from manualgrad.testing.entries import (
    GOOD_ENOUGH,
    SMALLEST,
    Disagreement,
    Entries,
    Outputs,
    Place,
    Zero,
    by_its_own_scale,
    curve_along,
    differ,
    flat,
    is_frozen,
    is_wrong,
    noise_around,
    numeric_gradient,
    padding_row_of,
    rounding_of_values,
    steepness,
    units_and_everywhere,
)
from manualgrad.testing.state import sound
from manualgrad.testing.subject import Fault, Sample, Skip, Subject, first_line, own_node, supported, weights


def backward(subject: Subject, sample: Sample) -> None:
    """Compare the gradient of every input with finite differences in float64, for real and complex inputs."""
    result = subject.run(sample)
    if any(torch.finfo(o.dtype).eps > 1e-15 for o in result.outputs):
        raise Skip("an output has lower precision than its float64 inputs: see `dtypes`")
    function = subject.of_wanted(sample)
    inputs = [t.detach() for t in subject.wanted_tensors(sample)]
    grads = weights(result.outputs)
    try:
        result.gradients()
    except Exception as error:
        if "returned an invalid gradient" in str(error):
            _raise_where_the_order_is_wrong(subject, sample, function, inputs, grads)
        fix = "return one gradient for each input of forward, with its shape, and None for arguments that are not tensors"
        raise Fault(f"the backward raises {first_line(error)}", fix, error=error) from error
    sound(subject, sample)

    def gradients(*at: Tensor, factor: int = 1) -> tuple[Tensor, ...]:
        leaves = [t.detach().requires_grad_() for t in at]
        scaled = [factor * g for g in grads]
        return torch.autograd.grad(function(*leaves), leaves, scaled, allow_unused=True, materialize_grads=True)

    entries = Entries(gradients, function, inputs, grads, padding_row_of(subject, sample))
    first = next(entries.disagreements(), None)
    if first is not None:
        _raise_where_it_is_not_linear(gradients(*inputs), gradients(*inputs, factor=-2))
        _raise_where_there_is_none(subject, sample, first)
        _raise_where_the_order_is_wrong(subject, sample, function, inputs, grads)
        position = sample.wanted[first.input]
        wrong = [w for w in entries.disagreements() if w.input == first.input]
        ratio = constant_ratio(wrong, position, sample, result.outputs)
        of_complex = f"{_DERIVE_AGAIN}; for complex numbers, times the conjugate of d output / d input"
        what, fix = ratio or ("", of_complex if inputs[first.input].is_complex() else _DERIVE_AGAIN)
        text = f"the gradient of {sample.name(position, first.place)} {differ(first.found, first.numeric)}"
        raise Fault(f"{text}; {what}" if what else text, fix, _GRADCHECK, implies=_HIGHER)
    _allow(subject, sample, entries.untold)


_DERIVE_AGAIN = "derive the gradient again: gradient of an input = sum over the outputs of d output / d input times grad_output"
_GRADCHECK = "https://docs.pytorch.org/docs/stable/notes/gradcheck.html"
_HIGHER = ("double_backward", "third_derivative")


def _raise_where_it_is_not_linear(plain: Sequence[Tensor], of_minus_two: Sequence[Tensor]) -> None:
    if size([2 * a + b for a, b in zip(plain, of_minus_two, strict=True)]) <= 1e-9 * size(of_minus_two):
        return
    ignored = size([a - b for a, b in zip(plain, of_minus_two, strict=True)]) == 0
    text = "the backward ignores grad_output" if ignored else "the backward is not linear in grad_output"
    raise Fault(
        f"{text}: with grad_output times -2, the gradient is {'the same' if ignored else 'not -2 times as large'}",
        "multiply by grad_output exactly once: a loss may be scaled, or be one of several terms",
        implies=(*_HIGHER, "gradient_scale", "undefined_gradients"),
    )


def _raise_where_there_is_none(subject: Subject, sample: Sample, wrong: Disagreement) -> None:
    position = sample.wanted[wrong.input]
    if subject.run(sample).gradients()[position] is None:
        name = sample.name(position)
        raise Fault(
            f"backward returns None for {name}, expected a gradient: that of {name}{list(wrong.place) or ''} is "
            f"{wrong.numeric:.8g} from finite differences",
            f"return the gradient of {name}; return None only for inputs without a gradient or with ctx.needs_input_grad False",
            implies=_HIGHER,
        )


def _raise_where_the_order_is_wrong(
    subject: Subject, sample: Sample, function: Outputs, inputs: Sequence[Tensor], grads: Sequence[Tensor]
) -> None:
    raw: dict[int, Tensor | None] = {position: gradient for position, gradient, _ in raw_gradients(subject, sample)}
    if not raw:
        return
    right = {position: numeric_gradient(function, inputs, grads, k) for k, position in enumerate(sample.wanted)}
    named = wrong_order(raw, right, sample)
    if named is not None:
        raise Fault(*named, implies=(*_HIGHER, "shapes"))


def _allow(subject: Subject, sample: Sample, untold: Sequence[tuple[int, Place]]) -> None:
    if untold:
        k, place = untold[0]
        more = f" and {len(untold) - 1} more" if len(untold) > 1 else ""
        what = f"{sample.name(sample.wanted[k], place)}{more}, where finite differences are not accurate to 1e-6"
        subject.allow(f"{what}: a kink is near, or rounding hides the derivative")


def double_backward(subject: Subject, sample: Sample) -> None:
    """Compare the derivative of the backward with finite differences; it may raise, but not be silently wrong."""
    baseline = sound(subject, sample)
    if any(torch.finfo(t.dtype).eps > 1e-15 for t in [*baseline.outputs, *(g for _, g, _ in raw_gradients(subject, sample))]):
        raise Skip("an output or a gradient has lower precision than the float64 inputs: see `dtypes`")
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
            # autograd.grad would bypass the node with which once_differentiable raises.
            torch.autograd.backward([g for g, _ in differentiable], [c for _, c in differentiable])
        return tuple(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves)

    try:
        second(*everything)
    except Exception as error:
        raise Skip(f"differentiating the backward raises, as it should if unsupported: {first_line(error)}") from error

    below = [_size_of_what_depends_on(k, function, primals) for k in range(len(primals))]
    below += [size([o]) for o in function(*primals)]
    entries = Entries(second, vjp, everything, cotangents, below=below)
    for wrong in entries.disagreements():
        k, n = wrong.input, wrong.input - len(primals)
        grad_output = f"grad_output{f' {n}' * (n > 0)}{list(wrong.place) or ''}"
        name = sample.name(sample.wanted[k], wrong.place) if n < 0 else grad_output
        silent = "is silently zero" if not wrong.found else "is silently wrong"
        raise Fault(
            f"the derivative of the backward with respect to {name} {silent}: it {differ(wrong.found, wrong.numeric)}",
            "save only inputs and outputs for the backward, and use only differentiable operations in it (no intermediate "
            "results of the forward, .data, detach or numpy), or decorate it with "
            "torch.autograd.function.once_differentiable",
            "https://docs.pytorch.org/tutorials/intermediate/custom_function_double_backward_tutorial.html "
            "(and pytorch issue 76185)",
        )
    _allow(subject, sample, [(k, place) for k, place in entries.untold if k < len(primals)])


def _saves_for_backward_alone(subject: Subject, sample: Sample) -> bool:
    node = own_node(subject.run(sample))
    if node is None or getattr(node, "saved_for_forward", None) is not None:
        return False
    return bool(node.saved_tensors)


def _size_of_what_depends_on(k: int, function: Outputs, inputs: Sequence[Tensor]) -> float:
    """Return the largest output value that depends on input k: it changes when the input is nan."""
    values = flat(function(*inputs))
    try:
        without = flat(function(*(torch.full_like(t, torch.nan) if i == k else t for i, t in enumerate(inputs))))
    except Exception:  # the Function does not accept nan
        return size([values])
    return size([values[values != without]])


def forward_ad(subject: Subject, sample: Sample) -> None:
    """Compare the tangents of the outputs with finite differences, along each input and each of its entries."""
    sound(subject, sample)
    function = subject.of_wanted(sample)
    inputs = [t.detach() for t in subject.wanted_tensors(sample)]
    fix = "derive jvp again: tangent of an output = sum over the inputs of d output / d input times the input's tangent"
    forgotten = "call ctx.save_for_forward too: in jvp, ctx.saved_tensors holds only the tensors that it saved"
    fix_of_error = forgotten if _saves_for_backward_alone(subject, sample) else fix
    see = "https://docs.pytorch.org/docs/stable/notes/extending.html#forward-mode-ad"

    def tangents(k: int, direction: Tensor) -> list[Tensor]:
        with fw.dual_level():
            duals = [fw.make_dual(t, direction) if i == k else t for i, t in enumerate(inputs)]
            unpacked = [fw.unpack_dual(o) for o in function(*duals)]
            return [(u.tangent if u.tangent is not None else torch.zeros_like(u.primal)).detach() for u in unpacked]

    noise = noise_around(function, inputs)
    if noise is None:
        return
    row = padding_row_of(subject, sample)
    values = flat(function(*inputs))
    doubt, noise = rounding_of_values(values, noise, inputs), at_least_rounded(noise, values)
    zero = Zero(doubt * steepness(inputs))
    for k, t in enumerate(inputs):
        doing = f"in forward mode for {sample.name(sample.wanted[k])},"
        for place, direction in units_and_everywhere(t, row):
            found = flat(supported(lambda k=k, d=direction: tangents(k, d), doing, fix_of_error, see))  # type: ignore[misc]
            if is_frozen(place, row, found):
                continue
            numeric = quick_derivative(curve_along(function, inputs, {k: direction}), noise, GOOD_ENOUGH * size([found]))
            wrong = is_wrong(found, numeric, doubt, SMALLEST * size([found]), zero)
            if wrong.any():
                direction = by_its_own_scale(direction, t)
                found, numeric = flat(tangents(k, direction)), _with_care(curve_along(function, inputs, {k: direction}), noise)
                wrong &= is_wrong(found, numeric, doubt, SMALLEST * size([found]), zero)
            if wrong.any():
                o = int(wrong.nonzero()[0])
                text = f"the tangent of output element {o} for {sample.name(sample.wanted[k], place or ())}"
                raise Fault(f"{text} {differ(found[o].item(), numeric.value[o].item())}", fix, see)


def _with_care(curve: Curve, noise: Tensor) -> Derivative:
    """Compute the derivative as accurately as possible, before reporting a fault."""
    own = noise_of(curve)
    unknown = Derivative(torch.zeros_like(noise), torch.full_like(noise, torch.inf))
    return unknown if own is None else careful_derivative(curve, torch.maximum(own, noise))
