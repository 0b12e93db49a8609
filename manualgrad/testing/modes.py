"""Checks of PyTorch's modes against the plain call: torch.func, torch.compile, autocast, other devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad as fw

from manualgrad.testing.compare import (
    Baseline,
    compare,
    distances,
    gradients_agree,
    moved_by_rounding,
    raw_gradients,
    rounding_of,
    size,
)
from manualgrad.testing.derivatives import double_backward
from manualgrad.testing.state import sound
from manualgrad.testing.subject import (
    EXTENDING_FUNC,
    Fault,
    Result,
    Sample,
    Skip,
    Subject,
    blamed_on_the_function,
    copies,
    first_line,
    supported,
    weights,
)


def vmap(subject: Subject, sample: Sample) -> None:
    """Compare outputs and gradients of torch.vmap, over all inputs and over each separately, with a loop over the examples."""
    rounding = sound(subject, sample).rounding
    subject.skip_if_random()
    fix = "use only tensor operations in all methods and set generate_vmap_rule = True, or correct the vmap rule"
    for in_dims in _in_dims(sample):
        batch = {
            i: torch.stack(
                [t * (1 + k / 8) if t.is_floating_point() or t.is_complex() else t for k in range(3)], in_dims[i] or 0
            )
            for i, t in sample.tensors.items()
            if in_dims[i] is not None
        }
        over = f"under vmap with in_dims={in_dims},"
        batched = sample.with_tensors(batch)
        try:
            examples = [
                subject.run(sample.with_tensors({i: t.select(in_dims[i] or 0, k) for i, t in batch.items()})) for k in range(3)
            ]
        except Exception:
            continue  # the Function does not accept these values
        leaves, arguments = copies(batched)
        vmapped = torch.vmap(subject.call, in_dims=in_dims, randomness="same")
        found = Result(leaves, arguments, supported(partial(vmapped, *arguments), over, fix))
        expected = [torch.stack(outputs) for outputs in zip(*(e.all_outputs for e in examples), strict=True)]
        compare(found.all_outputs, expected, partial("{} output {}".format, over), fix, EXTENDING_FUNC, atol=rounding.outputs)
        if found.outputs:
            grads = weights(found.outputs)
            gradients = supported(partial(found.gradients, grads), over, fix)
            looped = _looped_gradients(examples, grads, in_dims)
            gradients_agree(gradients, looped, sample, over, fix, rounding, see=EXTENDING_FUNC)


def _looped_gradients(examples: list[Result], grads: list[Tensor], in_dims: tuple[int | None, ...]) -> dict[int, Tensor | None]:
    """Stack the examples' gradients for batched inputs, and sum them for the others."""
    parts = [example.gradients([g[n] for g in grads], materialize_grads=True) for n, example in enumerate(examples)]
    gradients: dict[int, Tensor | None] = {}
    for i in examples[0].leaves:
        stacked = torch.stack([part[i] for part in parts])  # type: ignore[misc]
        dim = in_dims[i]
        gradients[i] = stacked.sum(0) if dim is None else stacked.movedim(0, dim)
    return gradients


def _in_dims(sample: Sample) -> Iterator[tuple[int | None, ...]]:
    positions = list(sample.tensors)
    n = len(sample.arguments)
    yield tuple(0 if i in positions else None for i in range(n))
    if len(positions) > 1:
        for only in positions:
            yield tuple(0 if i == only else None for i in range(n))
    yield tuple(-1 if i in positions else None for i in range(n))


def func_transforms(subject: Subject, sample: Sample) -> None:
    """Check that torch.func's grad, jacrev, vmap(grad), jacfwd and hessian agree with autograd."""
    baseline = sound(subject, sample)
    function, grads = subject.of_wanted(sample), weights(baseline.outputs)
    inputs = tuple(t.detach() for t in subject.wanted_tensors(sample))
    positions = tuple(range(len(inputs)))
    fix = "write forward without ctx, and add setup_context: torch.func calls the two at different levels"
    other = "make forward and backward depend only on their arguments and on saved tensors, not on who calls them"
    if any(o.is_complex() for o in baseline.outputs) or any(t.is_complex() for t in inputs):
        raise Skip("torch.func's transforms have no common definition for complex numbers")

    def cost(*wanted: Tensor) -> Tensor:
        return torch.stack([(w * o).sum() for w, o in zip(grads, function(*wanted), strict=True)]).sum()

    def gradient_of(transform: str) -> Callable[[int], str]:
        return lambda k: f"with {transform}, the gradient of {sample.name(sample.wanted[k])}"

    expected = [baseline.gradients[i] for i in sample.wanted]
    atol = [baseline.rounding.gradients[i] for i in sample.wanted]
    found = supported(lambda: torch.func.grad(cost, argnums=positions)(*inputs), "under torch.func.grad,", fix)
    compare(found, expected, gradient_of("torch.func.grad"), other, EXTENDING_FUNC, atol=atol)

    if not subject.holds(vmap, sample):
        return  # the other transforms use vmap
    rows = supported(lambda: torch.func.jacrev(cost, argnums=positions)(*inputs), "under torch.func.jacrev,", fix)
    compare(rows, expected, gradient_of("torch.func.jacrev"), other, EXTENDING_FUNC, atol=atol)

    per_example = [torch.stack([t, t]) for t in inputs]
    found = supported(
        lambda: torch.func.vmap(torch.func.grad(cost, argnums=positions), randomness="same")(*per_example),
        "under vmap(grad),",
        fix,
    )
    compare([g[1] for g in found], expected, gradient_of("vmap(grad)"), other, EXTENDING_FUNC, atol=atol)

    tangents = tuple(weights(list(inputs), seed=4))
    try:
        with fw.dual_level():
            dual = cost(*(fw.make_dual(t, v) for t, v in zip(inputs, tangents, strict=True)))
            plain = fw.unpack_dual(dual).tangent
    except Exception:
        return  # forward mode is missing or broken: forward_ad reports it
    columns = supported(lambda: torch.func.jacfwd(cost, argnums=positions)(*inputs), "under torch.func.jacfwd,", fix)
    total = torch.stack([(c * v).sum() for c, v in zip(columns, tangents, strict=True)]).sum()
    compare(
        [total],
        [plain if plain is not None else torch.zeros_like(total)],
        lambda k: "with torch.func.jacfwd, the derivative along a direction",
        other,
        EXTENDING_FUNC,
        atol=2 * sum(a * t.numel() for a, t in zip(atol, inputs, strict=True)),
    )
    _hessian(subject, sample, baseline, cost, fix)


def _hessian(subject: Subject, sample: Sample, baseline: Baseline, cost: Callable[..., Tensor], fix: str) -> None:
    """Compare torch.func.hessian (forward over reverse mode) along a direction with autograd's second derivative."""
    if not subject.holds(double_backward, sample):
        return  # the second derivative is missing or wrong
    leaves = subject.wanted_tensors(sample)
    directions = weights(leaves, seed=5)

    def second(leaves: Sequence[Tensor]) -> list[Tensor]:
        first = torch.autograd.grad(cost(*leaves), leaves, create_graph=True, materialize_grads=True)
        along = torch.stack([(g * v).sum() for g, v in zip(first, directions, strict=True)]).sum()
        if not along.requires_grad:
            return [torch.zeros_like(t) for t in leaves]
        return list(torch.autograd.grad(along, leaves, allow_unused=True, materialize_grads=True))

    expected = second(leaves)
    moved = second([t.detach().requires_grad_() for t in moved_by_rounding(leaves, seed=8)])

    argnums = tuple(range(len(leaves)))
    inputs = [leaf.detach() for leaf in leaves]
    rows = supported(lambda: torch.func.hessian(cost, argnums=argnums)(*inputs), "under torch.func.hessian,", fix)
    found = [
        sum(torch.tensordot(v, row[k], v.dim()) for v, row in zip(directions, rows, strict=True)) for k in range(len(leaves))
    ]
    terms = max(size(baseline.gradients.values()), *baseline.rounding.of_terms.values())
    spread = max(1.0, 1 / _smallest(inputs))  # a term of x^p has the second derivative p (p − 1) x^p / x²
    compare(
        found,
        expected,
        lambda k: f"with torch.func.hessian, the second derivative with respect to {sample.name(sample.wanted[k])}",
        fix,
        atol=rounding_of(terms * spread) * spread + 16 * size(distances(expected, moved)),
    )


def _smallest(inputs: Sequence[Tensor]) -> float:
    """Return the smallest nonzero absolute value, but at least 1e-3."""
    sizes = torch.cat([t.abs().reshape(-1).to(torch.float64) for t in inputs])
    return max(sizes[sizes > 0].min().item() if (sizes > 0).any() else 1.0, 1e-3)


def compile(subject: Subject, sample: Sample) -> None:
    """Check that torch.compile(fullgraph=True), for two batch sizes and over torch.func.grad, agrees or raises."""
    sound(subject, sample)
    subject.skip_if_random()
    import torch._dynamo

    fix = "make forward, backward and setup_context independent of Python state that the compiler cannot see"
    see = "https://docs.pytorch.org/docs/stable/torch.compiler_troubleshooting.html"
    for which in [sample, *_twice_as_many(sample)]:
        try:
            expected = Baseline(subject, which)
        except Exception:
            continue  # the Function does not accept such inputs
        torch._dynamo.reset()
        try:
            run = torch.compile(subject.out_of_place, fullgraph=True, backend="aot_eager")
            leaves, arguments = copies(which)
            result = Result(leaves, arguments, run(*arguments))
            found = result.gradients(weights(expected.outputs))
        except Exception as error:
            raise Skip(f"torch.compile raises {first_line(error)}") from error
        finally:
            torch._dynamo.reset()
        compare(
            [o.detach() for o in result.all_outputs],
            expected.all_outputs,
            lambda k: f"under torch.compile, output {k}",
            fix,
            see,
            atol=expected.rounding.outputs,
        )
        gradients_agree(found, expected.gradients, which, "under torch.compile,", fix, expected.rounding, see=see)
    _compiled_grad(subject, sample)


def _twice_as_many(sample: Sample) -> Iterator[Sample]:
    """Yield the sample with every input doubled that is as long as the first one."""
    first = next(iter(sample.tensors.values()))
    if first.dim():
        same = {i: t for i, t in sample.tensors.items() if t.dim() and len(t) == len(first)}
        yield sample.with_tensors({i: torch.cat([t, t]) for i, t in same.items()})


def _compiled_grad(subject: Subject, sample: Sample) -> None:
    """Check that torch.compile of torch.func.grad runs the hand-written backward, or raises."""
    if any(t.is_complex() for t in sample.tensors.values()):
        return
    baseline, function = Baseline(subject, sample), subject.out_of_place
    inputs = tuple(t.detach() for t in subject.wanted_tensors(sample))
    grads = weights(baseline.outputs)
    differentiable = [k for k, o in enumerate(subject.run(sample).all_outputs) if o.requires_grad]

    def cost(*wanted: Tensor) -> Tensor:
        by_position = dict(zip(sample.wanted, wanted, strict=True))
        raw = function(*(by_position.get(i, a) for i, a in enumerate(sample.arguments)))
        outputs = Result({}, (), raw).all_outputs
        return torch.stack([(w * outputs[k]).sum() for w, k in zip(grads, differentiable, strict=True)]).sum()

    try:
        torch.func.grad(cost, argnums=tuple(range(len(inputs))))(*inputs)
    except Exception:
        return  # torch.func does not support the Function in eager mode either
    torch._dynamo.reset()
    try:
        found = torch.compile(torch.func.grad(cost, argnums=tuple(range(len(inputs)))), fullgraph=True, backend="aot_eager")(
            *inputs
        )
    except Exception:
        return  # an explicit error is allowed
    finally:
        torch._dynamo.reset()
    compare(
        found,
        [baseline.gradients[i] for i in sample.wanted],
        lambda k: f"torch.compile of torch.func.grad drops the backward: the gradient of {sample.name(sample.wanted[k])}",
        "subclass manualgrad.Function, whose backward runs there too",
        "https://github.com/pytorch/pytorch/issues/193279",
        atol=[baseline.rounding.gradients[i] for i in sample.wanted],
    )


def autocast(subject: Subject, sample: Sample) -> None:
    """Check that forward and backward run under CPU autocast, and that gradients have the dtypes of the inputs."""
    rounding = sound(subject, sample).rounding.in_precision(torch.finfo(torch.bfloat16).eps)
    low = sample.to(torch.float32)
    try:
        expected = Baseline(subject, low)
    except Skip:
        raise
    except Exception as error:
        raise Skip(f"the Function does not run in float32: {first_line(error)}") from error
    fix = "cast the inputs and disable autocast inside: use torch.amp.custom_fwd and custom_bwd, or manualgrad.Function"
    see = "https://docs.pytorch.org/docs/stable/notes/amp_examples.html#autocast-and-custom-autograd-functions"
    with blamed_on_the_function("under autocast, the forward", fix, see), torch.autocast("cpu", torch.bfloat16):
        result = subject.run(low)
    grads = [w.to(o.dtype) for w, o in zip(weights(expected.outputs), result.outputs, strict=True)]
    with blamed_on_the_function("the backward of a forward under autocast", fix, see):
        found = result.gradients(grads)
    for position, gradient in found.items():
        if gradient is not None and gradient.dtype != low.arguments[position].dtype:
            raise Fault(
                f"under autocast, the gradient of {sample.name(position)} is in {gradient.dtype}, expected the input's dtype",
                fix,
                see,
            )
    gradients_agree(found, expected.gradients, sample, "under autocast,", fix, rounding, see=see, rtol=0.1)


def meta_device(subject: Subject, sample: Sample) -> None:
    """Check that no tensor is created on another device, with inputs on the meta device and on CUDA if available."""
    baseline = sound(subject, sample)
    devices = ["meta", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        moved = sample.with_tensors({i: t.to(device) for i, t in sample.tensors.items()})
        fix = "create tensors on the device of the inputs: device=input.device, torch.zeros_like, input.new_zeros"
        result = _on_device(partial(subject.run, moved), device, "forward", fix)
        for k, output in enumerate(result.all_outputs):
            if output.device.type != device:
                raise Fault(f"output {k} is on {output.device}, expected {device} like the inputs", fix)
        found = _on_device(result.gradients, device, "backward", fix)
        for position, gradient, tensor in raw_gradients(subject, moved):
            if gradient.device != tensor.device:
                raise Fault(
                    f"the gradient of {sample.name(position)} is on {gradient.device}, expected {device} like the input", fix
                )
        if device != "meta" and not subject.is_random:  # random numbers differ between devices
            on_cpu = {i: None if g is None else g.cpu() for i, g in found.items()}
            gradients_agree(on_cpu, baseline.gradients, sample, f"on {device},", fix, baseline.rounding)


def _on_device(call: Callable[[], Any], device: str, method: str, fix: str) -> Any:
    try:
        return call()
    except Exception as error:
        if "device" in str(error) and "cpu" in str(error) and "convert" not in str(error):
            raise Fault(f"{method} on {device} raises {first_line(error)}", fix) from error
        raise Skip(f"{method} does not run on {device}: {first_line(error)}") from error
