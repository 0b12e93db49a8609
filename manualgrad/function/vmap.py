"""The vmap rule of a Function: a Function of the whole batch that runs every method under vmap.

PyTorch can generate such a rule (torch/_functorch/autograd_function.py), but with two faults. If only some outputs are batched,
it counts the gradient of an unbatched output once for each example; and it runs `jvp` with forward mode disabled (pytorch issue
197867). Here the vmapped Function is again a `Function`, and so supports further transforms.

An output that depends on no batched input is shared by all examples, and so is its gradient. The backward is linear in this
gradient and runs for each example: the whole gradient goes to example 0, and zeros go to the rest.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function.contexts import SavedContext, SavingContext
from manualgrad.function.functorch import restore_vmap

__all__ = ["vmap_rule"]


_PlainFunction = torch.autograd.Function


def vmap_rule(cls: Any, Function: Any) -> Any:
    """Return the static method `vmap` of a Function `cls`, as PyTorch calls it (docs/stable/notes/extending.func.html).

    Args:
        Function: manualgrad.Function, the base class of the vmapped Functions.
    """
    by_in_dims: dict[str, Any] = {}

    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        key = f"{in_dims} {info.randomness}"
        if key not in by_in_dims:
            by_in_dims[key] = _vmapped(cls, Function, in_dims, info.randomness)
        *outputs, batch = by_in_dims[key].apply(*inputs)
        return (tuple(outputs), batch.dims) if batch.is_tuple else (outputs[0], batch.dims[0])

    return vmap


class _Batch:
    """Batch size of a call, and the batch dimension of each output, or None."""

    def __init__(self, size: int, dims: tuple[int | None, ...], is_tuple: bool) -> None:
        self.size, self.dims, self.is_tuple = size, dims, is_tuple


def _vmapped(cls: Any, Function: Any, in_dims: tuple[Any, ...], randomness: str) -> Any:
    """Return `cls` for inputs with batch dimensions `in_dims`; its last output is a _Batch, not a tensor."""
    attribute = f"_{cls.__name__}_in_a_batch"  # of ctx, which a Function vmapped twice shares with the inner one

    def forward(*inputs: Any) -> tuple[Any, ...]:
        size = next(t.shape[d] for t, d in zip(inputs, in_dims, strict=True) if isinstance(t, Tensor) and d is not None)
        outputs, dims = restore_vmap(cls.forward, in_dims, size, randomness)(*inputs)
        is_tuple = isinstance(outputs, tuple)
        outputs, dims = (outputs, dims) if is_tuple else ((outputs,), (dims,))
        return (*outputs, _Batch(size, dims, is_tuple))

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
        *outputs, batch = output
        shapes: list[Any] = []
        marks: list[tuple[str, list[Tensor]]] = []

        def of_one(its_inputs: tuple[Any, ...], its_outputs: tuple[Any, ...]) -> Any:
            saving = SavingContext(ctx)
            cls.setup_context(saving, its_inputs, its_outputs if batch.is_tuple else its_outputs[0])
            shapes.extend(i.shape if isinstance(i, Tensor) else None for i in its_inputs)
            pairs = [*zip(its_inputs, inputs, strict=True), *zip(its_outputs, outputs, strict=True)]
            for method, tensors in saving.marks:
                marks.append((method, [whole for t in tensors for one, whole in pairs if one is t]))
            return saving.for_backward, saving.for_forward, None  # restore_vmap gives no dims for an empty result

        saved, saved_dims = restore_vmap(of_one, (in_dims, batch.dims), batch.size, randomness)(inputs, tuple(outputs))
        for_backward, for_forward, _ = saved
        ctx.save_for_backward(*for_backward)
        ctx.save_for_forward(*for_forward)
        for method, tensors in marks:
            getattr(ctx, method)(*tensors)
        setattr(ctx, attribute, (batch, shapes, *saved_dims))

    back = cls.backward if cls.vjp is _PlainFunction.vjp else cls.vjp

    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Any, ...]:
        batch, shapes, saved_dims, *_ = getattr(ctx, attribute)

        def of_one(saved: tuple[Any, ...], grads: tuple[Any, ...]) -> tuple[Any, ...]:
            found = back(SavedContext(ctx, saved), *grads)
            found = found[: len(shapes)] if isinstance(found, tuple) else (found,)  # PyTorch accepts extra Nones at the end
            return tuple(g if g is None or g.shape == s else g.sum_to_size(s) for g, s in zip(found, shapes, strict=True))

        grads = tuple(_to_example_0(g, d, batch.size) for g, d in zip(grad_outputs[:-1], batch.dims, strict=True))
        grad_dims = tuple(None if g is None else d or 0 for g, d in zip(grads, batch.dims, strict=True))
        found, dims = restore_vmap(of_one, (saved_dims, grad_dims), batch.size, randomness)(ctx.saved_tensors, grads)
        return tuple(_as_the_input(g, d, wanted, batch.size) for g, d, wanted in zip(found, dims, in_dims, strict=True))

    def jvp(ctx: Any, *tangents: Any) -> tuple[Any, ...]:
        batch, _, _, saved_dims, _ = getattr(ctx, attribute)

        def of_one(saved: tuple[Any, ...], its_tangents: tuple[Any, ...]) -> Any:
            return cls.jvp(SavedContext(ctx, saved), *its_tangents)

        tangent_dims = tuple(None if t is None else d for t, d in zip(tangents, in_dims, strict=True))
        found, dims = restore_vmap(of_one, (saved_dims, tangent_dims), batch.size, randomness)(ctx.saved_tensors, tangents)
        found, dims = (found, dims) if batch.is_tuple else ((found,), (dims,))
        return (*(_as_the_output(t, d, wanted, batch.size) for t, d, wanted in zip(found, dims, batch.dims, strict=True)), None)

    methods: dict[str, Any] = {"forward": forward, "setup_context": setup_context, "backward": backward}
    if cls.jvp is not _PlainFunction.jvp:
        methods["jvp"] = jvp
    attributes: dict[str, Any] = {name: staticmethod(method) for name, method in methods.items()}
    attributes |= {"constant_slope": cls.constant_slope, "__module__": cls.__module__}
    return type(Function)(f"Vmapped{cls.__name__}", (Function,), attributes)


def _to_example_0(grad: Tensor | None, dim: int | None, size: int) -> Tensor | None:
    """Batch the gradient of an output that all examples share: all of it for example 0, and zeros for the rest."""
    if grad is None or dim is not None:
        return grad
    return torch.cat([grad.unsqueeze(0), grad.new_zeros(size - 1, *grad.shape)])


def _as_the_input(gradient: Tensor | None, dim: int | None, wanted: int | None, size: int) -> Tensor | None:
    """Move a gradient's batch dimension to that of its input; sum over the batch if the input is not batched."""
    if gradient is not None and wanted is None and dim is not None:
        return gradient.sum(dim)
    return _as_the_output(gradient, dim, wanted, size)


def _as_the_output(t: Tensor | None, dim: int | None, wanted: int | None, size: int) -> Tensor | None:
    """Move the batch dimension of t from `dim` to `wanted`; if `wanted` is None, take example 0, as all are equal."""
    if t is None or dim == wanted:
        return t
    if dim is None:
        t, dim = t.expand(size, *t.shape), 0
    return t.select(dim, 0) if wanted is None else t.movedim(dim, wanted)
