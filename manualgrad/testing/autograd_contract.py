"""Checks of the contract between autograd and a backward: requested and incoming gradients, shapes, layouts and dtypes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from manualgrad.testing.compare import RTOL, Baseline, Rounding, compare, difference, gradients_agree, raw_gradients, size
from manualgrad.testing.state import sound
from manualgrad.testing.subject import Fault, Result, Sample, Skip, Subject, blamed_on_the_function, copies, first_line, weights


def needs_input_grad(subject: Subject, sample: Sample) -> None:
    """Check that each input gets the same gradient whichever other inputs require grad."""
    baseline = sound(subject, sample)
    fix = "compute the gradient of input i whenever ctx.needs_input_grad[i] is True, whatever the other entries are"
    for wanted in _subsets(sample.wanted):
        alone = f"with requires_grad=True only for {sample.listed(wanted)},"
        with blamed_on_the_function(f"{alone} the Function", fix):
            result = subject.run(sample.wanting(wanted))
            if not result.outputs:
                if any(size([baseline.gradients[i]]) for i in wanted):
                    raise Fault(f"{alone} no output requires grad", fix)
                continue
            kept = [k for k, o in enumerate(result.all_outputs) if o.requires_grad]
            found = result.gradients([weights(subject.run(sample).outputs)[k] for k in _places(subject, sample, kept)])
        gradients_agree(found, {i: baseline.gradients[i] for i in wanted}, sample, alone, fix, baseline.rounding)


def _places(subject: Subject, sample: Sample, kept: list[int]) -> list[int]:
    """Convert positions among all outputs to positions among the differentiable outputs of the plain call."""
    differentiable = [k for k, o in enumerate(subject.run(sample).all_outputs) if o.requires_grad]
    return [differentiable.index(k) for k in kept]


def _subsets(positions: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield every proper subset; for more than 5 positions, only single ones and those that omit a single one."""
    n = len(positions)
    for k in range(1, n) if n <= 5 else (1, n - 1):
        yield from itertools.combinations(positions, k)


def undefined_gradients(subject: Subject, sample: Sample) -> None:
    """Check that undefined grad_outputs count as zeros, also with ctx.set_materialize_grads(False)."""
    rounding = sound(subject, sample).rounding
    fix = (
        "treat None as zeros: after ctx.set_materialize_grads(False), the grad_output of an output that the loss does not use "
        "is None"
    )
    n = len(subject.run(sample).outputs)
    for used in range(n if n > 1 else 0):
        zeros = [w if k == used else torch.zeros_like(w) for k, w in enumerate(weights(subject.run(sample).outputs))]
        expected = subject.run(sample).gradients(zeros)
        when = f"when the loss uses only output {used},"
        with blamed_on_the_function(f"{when} the backward", fix):
            result = subject.run(sample)
            found = torch.autograd.grad(result.outputs[used], list(result.leaves.values()), zeros[used], allow_unused=True)
        gradients_agree(dict(zip(result.leaves, found, strict=True)), expected, sample, when, fix, rounding)

    result = subject.run(sample)
    undefined: list[Any] = [torch._C._functions.UndefinedGrad()(o) for o in result.outputs]
    with blamed_on_the_function("when the loss uses no output, the backward", fix):
        found = torch.autograd.grad(
            undefined, list(result.leaves.values()), [torch.ones_like(o) for o in undefined], allow_unused=True
        )
    expected = subject.run(sample).gradients([torch.zeros_like(w) for w in weights(result.outputs)])
    gradients: dict[int, Tensor | None] = dict(zip(result.leaves, found, strict=True))
    gradients_agree(gradients, expected, sample, "when the loss uses no output,", fix, rounding)


def memory_layout(subject: Subject, sample: Sample) -> None:
    """Check inputs and grad_outputs that are strided, transposed, sliced, expanded or channels-last."""
    baseline = sound(subject, sample)
    subject.skip_if_random()
    fix = "support any strides: use reshape instead of view, and call contiguous() before reading data_ptr or flat storage"
    noise = 1e-12 * size([*baseline.outputs, *baseline.gradients.values()])  # for results that are 0 for an expanded input
    for position, tensor in sample.tensors.items():
        for layout, laid_out in _layouts(tensor):
            if subject.in_place and layout == EXPANDED:
                continue  # cannot be changed in place
            try:
                expected = Baseline(subject, sample.with_tensors({position: laid_out.contiguous()}))
            except Exception:
                continue  # the Function does not accept these values
            if any(t is not None and not t.isfinite().all() for t in [*expected.outputs, *expected.gradients.values()]):
                continue  # there is no finite result to compare with
            what = f"with {sample.name(position)} {layout},"
            with blamed_on_the_function(f"{what} the Function", fix):
                result = _run_as_laid_out(subject, sample, position, laid_out)
                found = result.gradients()
            compare(
                result.outputs,
                expected.outputs,
                partial("{} output {}".format, what),
                fix,
                atol=noise + baseline.rounding.outputs,
            )
            gradients_agree(found, expected.gradients, sample, what, fix, baseline.rounding, atol=noise)

    for k, weight in enumerate(weights(baseline.outputs)):
        for layout, laid_out in _layouts(weight):
            what = f"with grad_output {k} {layout},"
            grads, plain_grads = weights(baseline.outputs), weights(baseline.outputs)
            grads[k], plain_grads[k] = laid_out, laid_out.contiguous()
            expected_gradients = subject.run(sample).gradients(plain_grads)
            result = subject.run(sample)
            with blamed_on_the_function(f"{what} the backward", fix + "; .sum().backward() passes an expanded grad_output"):
                found = result.gradients(grads)
            gradients_agree(found, expected_gradients, sample, what, fix, baseline.rounding, atol=noise)


EXPANDED = "expanded (stride 0)"


def _run_as_laid_out(subject: Subject, sample: Sample, position: int, laid_out: Tensor) -> Result:
    """Do the same as `Subject.run`, whose copies would lose the layout."""
    leaves, arguments = copies(sample)
    laid_out = laid_out.detach()
    if position in leaves:
        leaves[position] = laid_out.requires_grad_()
    arguments = tuple(laid_out if i == position else a for i, a in enumerate(arguments))
    if subject.in_place:
        arguments = tuple(leaves[i].clone() if i in leaves else a for i, a in enumerate(arguments))
    return Result(leaves, arguments, subject.seeded(*arguments))


def _layouts(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the same tensor in other memory layouts; the expanded one repeats its first row."""
    if tensor.dim() == 0 or not tensor.numel():
        return
    yield "sliced from a larger tensor", torch.cat([tensor, tensor])[len(tensor) :]
    yield "not contiguous", torch.stack([tensor, tensor], -1)[..., 0]
    if tensor.dim() > 1:
        yield "transposed", tensor.transpose(0, -1).contiguous().transpose(0, -1)
    if tensor.dim() == 4:
        yield "channels-last", tensor.to(memory_format=torch.channels_last)
    yield EXPANDED, tensor[:1].expand_as(tensor)


def shapes(subject: Subject, sample: Sample) -> None:
    """Check that gradients have the shape, layout and device of their inputs, also for empty and 0-dimensional inputs."""
    sound(subject, sample)
    _raw_gradients_fit(subject, sample, f"the inputs{sample.which}")
    fix = "give every gradient the shape of its input: keep sizes of 0, and sum over broadcast dimensions (Tensor.sum_to_size)"
    for what, of_data, other in _degenerate(sample):
        let_pass = _LET_SINGLE_NUMBERS_PASS if what == _SINGLE else _LET_NOTHING_PASS
        try:
            result = subject.run(other)
        except Exception:
            continue  # the forward does not accept such inputs
        if not result.outputs:
            continue
        try:
            found = result.gradients()
        except Exception as error:
            if of_data:
                raise Fault(f"with {what}, the backward raises {first_line(error)}", let_pass, error=error) from error
            subject.allow(f"{what}, as parameters for data of another size: the backward raises")
            continue
        for position, gradient in found.items():
            if gradient is not None and gradient.shape != other.arguments[position].shape:
                raise Fault(
                    f"with {what}, the gradient of {sample.name(position)} has shape {list(gradient.shape)}, expected that of "
                    "the input",
                    fix,
                )
        _raw_gradients_fit(subject, other, what)


_SINGLE = "0-dimensional inputs"
_LET_SINGLE_NUMBERS_PASS = "support tensors with no dimensions: do not use len(), indexing or dim=0 on them"
_LET_NOTHING_PASS = "support sizes of 0: do not use max(), min(), the first element or division by the number of elements"


def _raw_gradients_fit(subject: Subject, sample: Sample, what: str) -> None:
    """Check the gradients as the backward returns them, before autograd reduces and casts them."""
    for position, gradient, tensor in raw_gradients(subject, sample):
        if gradient.shape != tensor.shape or gradient.layout != tensor.layout or gradient.device != tensor.device:
            raise Fault(
                f"with {what}, backward must return for {sample.name(position)} a gradient of shape {list(tensor.shape)}, got "
                f"shape {list(gradient.shape)} ({gradient.layout}, {gradient.device})",
                "return each gradient with the shape, layout and device of its input: gradient.sum_to_size(input.shape) undoes "
                "broadcasting; autograd may do this itself, but not every caller of backward does",
            )


def _degenerate(sample: Sample) -> Iterator[tuple[str, bool, Sample]]:
    """Yield samples with empty or 0-dimensional inputs, and whether the first tensor (the data) is among these."""
    first = next(iter(sample.tensors))
    for length in {len(t) for t in sample.tensors.values() if t.dim()}:
        of_length = {i: t for i, t in sample.tensors.items() if t.dim() and len(t) == length}
        yield (
            f"{sample.listed(list(of_length))} of size 0",
            first in of_length,
            sample.with_tensors({i: t[:0] for i, t in of_length.items()}),
        )
    if len({t.shape for t in sample.tensors.values()}) == 1 and all(t.numel() for t in sample.tensors.values()):
        yield _SINGLE, True, sample.with_tensors({i: t.flatten()[0] for i, t in sample.tensors.items()})


_HALF = (torch.bfloat16, torch.float16)


def dtypes(subject: Subject, sample: Sample) -> None:
    """Check that outputs and gradients have the dtype and precision of the inputs, from float64 to bfloat16 and float16."""
    sound(subject, sample)
    subject.skip_if_random()
    ran = False
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        low = sample.to(dtype)
        if dtype == torch.bfloat16 and any(t.is_complex() for t in low.tensors.values()):
            continue  # PyTorch hardly supports complex numbers of this precision
        try:
            result = subject.run(low)
        except Exception:
            continue  # an explicit error is allowed
        ran = True
        fix = "keep the dtype of the inputs: do not use constants, buffers or .float() of another dtype"
        fix += f", and accumulate in float32 for {dtype}" * (dtype in _HALF)
        expected_dtypes = {dtype, dtype.to_complex()} if any(t.is_complex() for t in low.tensors.values()) else {dtype}
        for k, output in enumerate(result.outputs):
            if k > 0 and dtype in _HALF and output.dtype == torch.float32 and result.outputs[0].dtype in expected_dtypes:
                subject.allow(f"output {k}, which is float32 for half-precision inputs, as statistics may be")
            elif output.dtype not in expected_dtypes:
                raise Fault(f"output {k} has dtype {output.dtype}, expected that of the inputs, {dtype}", fix)
        with blamed_on_the_function(f"in {dtype}, the backward", fix):
            found = result.gradients()
        for position, gradient, tensor in raw_gradients(subject, low):
            if gradient.dtype != tensor.dtype:
                raise Fault(
                    f"backward returns a gradient in {gradient.dtype} for {sample.name(position)}, expected {tensor.dtype}", fix
                )
        wide = Baseline(subject, low.to(torch.float64))
        everything = [*sample.tensors.values(), *wide.outputs, *wide.gradients.values()]
        if size(everything) > torch.finfo(dtype).max / 16:
            continue  # results may correctly be infinite in this dtype
        rtol = 16 * torch.finfo(dtype).eps
        rounded = Baseline(subject, _rounded(low.to(torch.float64), torch.finfo(dtype).eps))
        underflow = 4 * torch.finfo(dtype).tiny * torch.finfo(dtype).eps
        near = Baseline(subject, _rounded(low.to(torch.float64), _NEAR))
        atol = 8 * _distance(wide.outputs, rounded.outputs) + underflow + rtol * _cancelled(wide.outputs, near.outputs)
        rounding = wide.rounding.in_precision(torch.finfo(dtype).eps)
        compare(
            result.outputs,
            wide.outputs,
            partial("in {}, output {}".format, dtype),
            fix,
            rtol=rtol,
            atol=atol + rounding.outputs,
        )
        atol = 8 * _distance(list(wide.gradients.values()), list(rounded.gradients.values())) + underflow
        atol += rtol * _cancelled(wide.gradients.values(), near.gradients.values())
        atol += 4 * torch.finfo(dtype).eps * max(wide.rounding.of_terms.values())
        gradients_agree(found, wide.gradients, sample, f"in {dtype},", fix, rounding, rtol=rtol, atol=atol)
    if not ran:
        raise Skip("the forward accepts only float64")


def _rounded(sample: Sample, eps: float) -> Sample:
    """Perturb the inputs as rounding to another precision would; results may be off by as much as they then move."""
    moved = {
        i: t * (1 + eps * (2 * torch.rand(t.shape, generator=torch.Generator().manual_seed(1)) - 1).to(t.device, t.dtype))
        for i, t in sample.tensors.items()
        if t.is_floating_point() or t.is_complex()
    }
    return sample.with_tensors(moved)


_NEAR = 0.2  # relative to the inputs


def _cancelled(here: Iterable[Tensor | None], near: Iterable[Tensor | None]) -> float:
    """Return the size of the results at nearby inputs if those here nearly cancel, else 0."""
    return size(near) if size(here) < 1e-2 * size(near) else 0.0


def _distance(found: Sequence[Tensor | None], others: Sequence[Tensor | None]) -> float:
    distances = [difference(a, b) for a, b in zip(found, others, strict=True)]
    return max([d for d in distances if d < float("inf")], default=0.0)


def gradient_scale(subject: Subject, sample: Sample) -> None:
    """Check that the backward is linear in grad_output: times 0, 1e4 and -1, for a sum, and with an inf in one element."""
    baseline = sound(subject, sample)
    fix = "multiply by grad_output exactly once: the backward must be linear in it"
    one, other = weights(baseline.outputs), weights(baseline.outputs, seed=7)

    def gradients(grads: Sequence[Tensor]) -> dict[int, Tensor | None]:
        with blamed_on_the_function("with another grad_output, the backward", fix):
            return subject.run(sample).gradients(list(grads))

    for factor in (0.0, 1e4, -1.0):
        expected = {i: None if g is None else factor * g for i, g in baseline.gradients.items()}
        found = gradients([factor * g for g in one])
        largest = max(abs(factor), 1) * size(baseline.gradients.values())
        _linear(found, expected, sample, f"with grad_output times {factor:g},", fix, largest, baseline.rounding)
    total = gradients([a + b for a, b in zip(one, other, strict=True)])
    parts = gradients(other)
    expected = {i: _sum(g, parts[i]) for i, g in baseline.gradients.items()}
    _linear(total, expected, sample, "for the sum of two grad_outputs,", fix, size(expected.values()), baseline.rounding)
    _inf_stays_in_its_place(subject, sample, baseline, one, gradients)


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b


def _linear(found: Any, expected: Any, sample: Sample, when: str, fix: str, scale: float, rounding: Rounding) -> None:
    for position, gradient in found.items():
        error = difference(gradient, expected[position])
        if error > RTOL * scale + 1e4 * rounding.gradients[position]:
            raise Fault(
                f"{when} the gradient of {sample.name(position)} is off by {error:.3g}: backward is not linear in grad_output",
                fix,
            )


def _inf_stays_in_its_place(
    subject: Subject, sample: Sample, baseline: Baseline, one: list[Tensor], gradients: Callable[..., Any]
) -> None:
    """Check that an inf in one element of grad_output does not spread to gradients that do not depend on it."""
    if any(o.is_complex() for o in baseline.outputs) or not one[0].numel():
        return
    reached = []
    for factor in (1.0, 0.7):  # two, since rounding may hide the dependence for one
        place = [torch.zeros_like(g) for g in one]
        place[0].view(-1)[0] = factor
        reached.append(gradients(place))
    with_inf = [g.clone() for g in one]
    with_inf[0].view(-1)[0] = torch.inf
    found = gradients(with_inf)
    for position, plain in baseline.gradients.items():
        if plain is None or found[position] is None:
            continue
        untouched = plain.abs() > max(baseline.rounding.gradients[position], 1e-12 * baseline.rounding.of_terms[position])
        for reach in reached:
            untouched &= torch.ones_like(untouched) if reach[position] is None else reach[position] == 0
        spread = untouched & ~found[position].isfinite()
        if spread.any() and _multiplies_it_by_0(subject, sample, position, spread):
            subject.allow(f"an inf in grad_output, which the operator multiplies by a 0 for {sample.name(position)}")
        elif spread.any():
            raise Fault(
                f"an inf in one element of grad_output makes {int(spread.sum())} independent elements of the gradient of "
                f"{sample.name(position)} nan or inf, expected finite values",
                "do not normalize or reduce over grad_output, and select with torch.where instead of multiplying by a mask",
            )


def _multiplies_it_by_0(subject: Subject, sample: Sample, position: int, spread: Tensor) -> bool:
    """Return whether an inf in each of these input elements spoils the output too: 0 · ∞, as in convolution padding."""
    for place in spread.nonzero().tolist():
        moved = sample.arguments[position].detach().clone()
        moved[tuple(place)] = torch.inf
        try:
            output = subject.run(sample.with_tensors({position: moved})).outputs[0]
        except Exception:
            return False
        if output.detach().reshape(-1)[0].isfinite():
            return False
    return True
