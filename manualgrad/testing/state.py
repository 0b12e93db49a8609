"""Checks of a Function's side effects, saved tensors and hidden state."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.testing.compare import Baseline, compare, difference, gradients_agree
from manualgrad.testing.subject import (
    Fault,
    Result,
    Sample,
    Skip,
    Subject,
    blamed_on_the_function,
    copies,
    function_nodes,
    weights,
)


def sound(subject: Subject, sample: Sample) -> Baseline:
    """Return the Baseline; raise a Skip if the Function changes its inputs or its results do not repeat.

    Such a fault would show in nearly every check.
    """
    for check in (forward_is_pure, _is_steady):
        try:
            subject.once(check, sample)
        except Fault as fault:
            name = "repeatable" if check is _is_steady else check.__name__
            raise Skip(f"`{name}` fails; fix that first") from fault
    return subject.once(Baseline, sample)


def forward_is_pure(subject: Subject, sample: Sample) -> None:
    """Check that forward and backward do not change inputs (unless marked dirty), grad_outputs or saved tensors.

    An output that shares memory with an input must be known to autograd as a view of it.
    """
    result = subject.run(sample)
    _inputs_unchanged(result, sample, "forward")
    for position, tensor in ((i, a) for i, a in enumerate(result.arguments) if isinstance(a, Tensor)):
        for output in result.all_outputs:
            if output is not tensor and _share_memory(output, tensor) and not output._is_view():
                raise Fault(
                    f"an output shares memory with {sample.name(position)}, but is not its view in autograd",
                    "return a new tensor (clone it), or the input itself with ctx.mark_dirty if it was changed in place; "
                    ".data, numpy() and set_ hide shared memory from autograd",
                )

    if not result.outputs:
        raise Skip("no output requires grad")
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.detach())
        return kept[-1]

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = subject.run(sample)
    saved = [(tensor, tensor.clone(), tensor._version) for tensor in kept]
    grads = weights(result.outputs)
    before, versions = [g.clone() for g in grads], [g._version for g in grads]
    try:
        result.gradients(grads)
    except Exception as error:
        raise Skip("the backward raises: see `backward`") from error
    fix = "compute the gradient out of place: other operations read this tensor too"
    for k, (now, then, version) in enumerate(zip(grads, before, versions, strict=True)):
        if difference(now, then) or now._version != version:
            raise Fault(f"backward changes grad_output {k}{sample.which} in place, by {difference(now, then):.3g}", fix)
    for now, then, version in saved:
        if difference(now, then) or now._version != version:
            raise Fault(
                f"backward changes a saved tensor of shape {list(now.shape)} in place, by {difference(now, then):.3g}", fix
            )
    _inputs_unchanged(result, sample, "backward")


def _inputs_unchanged(result: Result, sample: Sample, method: str) -> None:
    outputs = result.all_outputs
    for position, then in sample.tensors.items():
        now = result.arguments[position]
        if any(now is output for output in outputs):
            continue  # marked dirty
        if difference(now, then) or now._version:
            raise Fault(
                f"{method} changes {sample.name(position)} in place, by {difference(now, then):.3g}",
                "work on a clone, or call ctx.mark_dirty on the input and return it",
                "https://docs.pytorch.org/docs/stable/generated/torch.autograd.function.FunctionCtx.mark_dirty.html",
            )


def _share_memory(a: Tensor, b: Tensor) -> bool:
    return a.numel() > 0 and b.numel() > 0 and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def saved_tensors(subject: Subject, sample: Sample) -> None:
    """Check that only save_for_backward keeps tensors: it detects changes, supports hooks and frees them."""
    baseline = sound(subject, sample)
    result = subject.run(sample)
    fix = (
        "keep tensors only with ctx.save_for_backward: it detects in-place changes, supports saved-tensor hooks and frees them"
    )
    see = "https://docs.pytorch.org/docs/stable/generated/torch.autograd.function.FunctionCtx.save_for_backward.html"
    for node in function_nodes(result):
        for name, value in getattr(node, "__dict__", {}).items():
            if any(isinstance(leaf, Tensor) for leaf in torch.utils._pytree.tree_leaves(value)):
                raise Fault(f"ctx.{name} holds a tensor", fix, see, implies_errors=_CALLS_AT_A_LEVEL)
    if not subject.is_module:  # a Module may keep its parameters
        _nothing_else_is_kept(subject, sample, fix, see)
    _no_cycle(subject, sample, see)
    _changes_are_noticed(subject, sample, baseline, fix, see)


_CALLS_AT_A_LEVEL = ("vmap", "func_transforms", "forward_ad", "forward_over_forward", "compile")


def _nothing_else_is_kept(subject: Subject, sample: Sample, fix: str, see: str) -> None:
    """Check that the graph does not hold the inputs themselves when a hook packs each saved tensor as a copy."""
    _, arguments = copies(sample)
    storages = {
        i: torch.multiprocessing.reductions.StorageWeakRef(a.untyped_storage())
        for i, a in enumerate(arguments)
        if isinstance(a, Tensor)
    }
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        raw = subject.seeded(*arguments)
    outputs = Result({}, (), raw).all_outputs
    shared = {i for i, a in enumerate(arguments) if isinstance(a, Tensor) and any(_share_memory(a, o) for o in outputs)}
    del arguments
    gc.collect()
    for i, storage in storages.items():
        if i not in shared and not storage.expired():
            raise Fault(
                f"{sample.name(i)} is kept alive by an attribute, a closure or a global instead of ctx.save_for_backward",
                fix,
                see,
            )


def _no_cycle(subject: Subject, sample: Sample, see: str) -> None:
    gc.collect()
    gc.disable()
    try:
        result = subject.run(sample)
        storages = [torch.multiprocessing.reductions.StorageWeakRef(o.untyped_storage()) for o in result.all_outputs]
        del result
        for k, storage in enumerate(storages):
            if not storage.expired():
                raise Fault(
                    f"output {k} is not freed when the last reference to it is dropped: a reference cycle or a global holds it",
                    "save outputs with ctx.save_for_backward in setup_context or forward, never as an attribute of ctx",
                    see,
                )
    finally:
        gc.enable()


def _changes_are_noticed(subject: Subject, sample: Sample, baseline: Baseline, fix: str, see: str) -> None:
    for position in sample.tensors:
        leaves, arguments = copies(sample)
        result = Result(leaves, arguments, subject.seeded(*arguments))
        if any(o is arguments[position] or o._is_view() for o in result.all_outputs):
            continue  # the change would also change the output
        with torch.no_grad():
            arguments[position].copy_(1 - arguments[position].to(torch.float64).real)
        try:
            found = result.gradients()
        except Exception:
            continue  # autograd detected the change
        gradients_agree(
            found,
            baseline.gradients,
            sample,
            f"after an undetected in-place change of {sample.name(position)},",
            fix,
            see=see,
            rounding=baseline.rounding,
        )


def repeatable(subject: Subject, sample: Sample) -> None:
    """Check that a second call or backward agrees bit for bit, and that thread and grad mode do not matter."""
    try:
        subject.once(forward_is_pure, sample)
    except Fault as fault:
        raise Skip("`forward_is_pure` fails; fix that first") from fault
    subject.once(_is_steady, sample)
    fix = "do not keep state in thread-locals or globals: autograd runs the backward in its own threads"
    first = subject.run(sample)
    expected, rounding = first.gradients(), Baseline(subject, sample).rounding
    other: dict[str, Any] = {}
    result = subject.run(sample)
    thread = threading.Thread(target=lambda: other.update(_caught(result.gradients)))
    thread.start()
    thread.join()
    with blamed_on_the_function("a backward in another thread", fix):
        if "error" in other:
            raise other["error"]
    gradients_agree(other["result"], expected, sample, "in another thread,", fix, rounding)

    with torch.no_grad(), blamed_on_the_function("the forward under no_grad", "do not query the grad mode in forward"):
        quiet = Result({}, (), subject.seeded(*copies(sample)[1])).all_outputs
    compare(
        quiet,
        [o.detach() for o in first.all_outputs],
        lambda k: f"under no_grad, output {k}",
        "do not query the grad mode in forward",
        atol=rounding.outputs,
    )
    try:
        with_graph = subject.run(sample).gradients(create_graph=True)
    except Exception:
        return  # an explicit error, which double_backward reports
    gradients_agree(with_graph, expected, sample, "with create_graph=True,", "do not query the grad mode in backward", rounding)


def _is_steady(subject: Subject, sample: Sample) -> None:
    """Check that two calls, and two backwards of one call, give the same results bit for bit."""
    first, second = subject.run(sample), subject.run(sample)
    fix = "depend only on the arguments: use no counter, cache, clock or random numbers other than torch's"
    compare(second.all_outputs, first.all_outputs, lambda k: f"in a second call, output {k}", fix, rtol=0)
    try:
        expected, other = first.gradients(retain_graph=True), second.gradients()
    except Exception as error:
        raise Skip("the backward raises: see `backward`") from error
    gradients_agree(other, expected, sample, "in a second call,", fix, rtol=0)
    fix = "do not free or change saved tensors in backward"
    with blamed_on_the_function("a second backward with retain_graph=True", fix):
        again = first.gradients()
    gradients_agree(again, expected, sample, "in a second backward with retain_graph=True,", fix, rtol=0)


def _caught(function: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"result": function()}
    except Exception as error:
        return {"error": error}
