"""Operations that write elements of v into x, or add them to it, at the places in an index.

    written:  y_k = v_i where place k is written with v_i, x_k elsewhere
    added:    y_k = x_k + c Σ v_i over all i that go to place k

Each v_i occurs in one y_k, and x_k occurs in y_k alone, unless it is overwritten. With g = ∂C/∂y:

    ∂C/∂v_i = g_k at the place k that v_i went to          (c g_k where it was added)
    ∂C/∂x_k = 0 where y_k was written, g_k elsewhere       (g_k everywhere where it was added)

So the backward gathers where the forward scatters. If several v_i are written to one place, it is undefined which of them
stays; each of them gets g_k, as in PyTorch. A single number v that goes to many places gets the sum of their gradients. For
complex numbers, the backward conjugates c (see linear/linear.py).

Forward mode applies the same operation to dx and dv, because y is linear in x and v.

Shapes: y, g and ∂C/∂x have the shape of x; ∂C/∂v has the shape of v.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._tensor_meta import conj, tensor_meta, unbroadcast_to

__all__ = [
    "IndexAddFunction",
    "IndexCopyFunction",
    "IndexFillFunction",
    "IndexPutFunction",
    "MaskedScatterFunction",
    "ScatterAddFunction",
    "ScatterFunction",
]


class _AlongADimension(Function):
    """Base class for `apply(x, dim, index, v)`, or `apply(x, dim, index, v, c)` if v is multiplied by a number c."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.dim, index, v, *c = inputs
        ctx.x, ctx.v, ctx.c = tensor_meta(x), tensor_meta(v), c[0] if c else 1
        ctx.save_for_backward(index)
        ctx.save_for_forward(index)


class _AddedAlongADimension(_AlongADimension):
    """Base class for additions. The index is not saved if only x needs a gradient, which is g."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _AlongADimension.setup_context(ctx, inputs, output)
        if not ctx.needs_input_grad[3]:
            ctx.save_for_backward(None)


class ScatterFunction(_AlongADimension):
    """x with v_i written to place index_i along dim, like torch.scatter; `ScatterFunction.apply(x, dim, index, v)`.

    v is a number or a Tensor; only the leading part of v with the shape of the index is written.
    """

    @staticmethod
    def forward(x: Tensor, dim: int, index: Tensor, v: Any) -> Tensor:
        return torch.scatter(x, dim, index, v)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None, None, Tensor | None]:
        (index,) = ctx.saved_tensors
        x_needs_grad, _, _, v_needs_grad = ctx.needs_input_grad
        dC_dx = g.scatter(ctx.dim, index, 0) if x_needs_grad else None
        dC_dv = _gathered(g, ctx.dim, index, ctx.v.shape) if v_needs_grad else None
        return dC_dx, None, None, dC_dv

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, _: None, __: None, dv: Tensor | None) -> Tensor:
        (index,) = ctx.saved_tensors
        return torch.scatter(_or_zeros(dx, ctx.x, index), ctx.dim, index, 0 if dv is None else dv)


class ScatterAddFunction(_AddedAlongADimension):
    """x with v_i added at place index_i along dim, like torch.scatter_add; `ScatterAddFunction.apply(x, dim, index, v)`."""

    autocast = {"cuda": "widest"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, dim: int, index: Tensor, v: Tensor) -> Tensor:
        return torch.scatter_add(x, dim, index, v)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, Tensor | None]:
        (index,) = ctx.saved_tensors
        dC_dv = _gathered(g, ctx.dim, index, ctx.v.shape) if ctx.needs_input_grad[3] else None
        return g, None, None, dC_dv

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, _: None, __: None, dv: Tensor | None) -> Tensor:
        (index,) = ctx.saved_tensors
        dx = _or_zeros(dx, ctx.x, index)
        return dx.clone() if dv is None else torch.scatter_add(dx, ctx.dim, index, dv)


class IndexAddFunction(_AddedAlongADimension):
    """x with c times the slices of v added at `index` along dim; `IndexAddFunction.apply(x, dim, index, v, c)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, index: Tensor, v: Tensor, c: Any) -> Tensor:
        return torch.index_add(x, dim, index, v, alpha=c)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, Tensor | None, None]:
        (index,) = ctx.saved_tensors
        dC_dv = None
        if ctx.needs_input_grad[3]:
            dC_dv = g.index_select(ctx.dim, index).reshape(ctx.v.shape) if g.numel() else g.new_zeros(ctx.v.shape)
            dC_dv = dC_dv if ctx.c == 1 else conj(ctx.c) * dC_dv
        return g, None, None, dC_dv, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, _: None, __: None, dv: Tensor | None, ___: None) -> Tensor:
        (index,) = ctx.saved_tensors
        dx = _or_zeros(dx, ctx.x, index)
        return dx.clone() if dv is None else torch.index_add(dx, ctx.dim, index, dv, alpha=ctx.c)


class IndexCopyFunction(_AlongADimension):
    """x with the slices of v written to `index` along dim; `IndexCopyFunction.apply(x, dim, index, v)`."""

    @staticmethod
    def forward(x: Tensor, dim: int, index: Tensor, v: Tensor) -> Tensor:
        return torch.index_copy(x, dim, index, v)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None, None, Tensor | None]:
        (index,) = ctx.saved_tensors
        x_needs_grad, _, _, v_needs_grad = ctx.needs_input_grad
        dC_dx = g.index_fill(ctx.dim, index, 0) if x_needs_grad else None
        dC_dv = g.index_select(ctx.dim, index).reshape(ctx.v.shape) if v_needs_grad else None
        return dC_dx, None, None, dC_dv

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, _: None, __: None, dv: Tensor | None) -> Tensor:
        (index,) = ctx.saved_tensors
        dx = _or_zeros(dx, ctx.x, index)
        return dx.index_fill(ctx.dim, index, 0) if dv is None else torch.index_copy(dx, ctx.dim, index, dv)


class IndexFillFunction(_AlongADimension):
    """x with its slices at `index` along dim filled with v; `IndexFillFunction.apply(x, dim, index, v)`.

    v is a 0-d Tensor or a number. ∂C/∂v is the sum of g over these slices; a repeated index counts once.
    """

    @staticmethod
    def forward(x: Tensor, dim: int, index: Tensor, v: Any) -> Tensor:
        return _filled(x, dim, index, v)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None, None, Tensor | None]:
        (index,) = ctx.saved_tensors
        x_needs_grad, _, _, v_needs_grad = ctx.needs_input_grad
        dC_dx = g.index_fill(ctx.dim, index, 0) if x_needs_grad else None
        dC_dv = None
        if v_needs_grad:
            dC_dv = unbroadcast_to(torch.where(_named(g, ctx.dim, index), g, 0), ctx.v)
        return dC_dx, None, None, dC_dv

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, _: None, __: None, dv: Tensor | None) -> Tensor:
        (index,) = ctx.saved_tensors
        return _filled(_or_zeros(dx, ctx.x, index), ctx.dim, index, 0 if dv is None else dv)


def _named(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """Return the mask of the slices at `index`."""
    return torch.zeros_like(x, dtype=torch.bool).index_fill(dim, index, True)


def _filled(x: Tensor, dim: int, index: Tensor, v: Any) -> Tensor:
    """Fill like torch.index_fill, which is wrong under vmap for a batch of v and a single x."""
    if not isinstance(v, Tensor):
        return torch.index_fill(x, dim, index, v)
    return torch.where(_named(x, dim, index), v.to(x.dtype), x)


class IndexPutFunction(Function):
    """x with v written to x[indices], or added to it; `IndexPutFunction.apply(x, v, add, *indices)`.

    An index is a tensor, or None for a whole dimension; v broadcasts to the shape of x[indices].
    """

    autocast = {"cuda": "widest"}  # noqa: RUF012

    @staticmethod
    def forward(x: Tensor, v: Tensor, add: bool, *indices: Tensor | None) -> Tensor:
        return torch.ops.aten.index_put(x, indices, v, add)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, v, ctx.add, *indices = inputs
        ctx.x, ctx.v = tensor_meta(x), tensor_meta(v)
        only_x_is_added_to = ctx.add and not ctx.needs_input_grad[1]  # the gradient of x is g
        ctx.save_for_backward(*([None] * len(indices) if only_x_is_added_to else indices))
        ctx.save_for_forward(*indices)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        indices = ctx.saved_tensors
        x_needs_grad, v_needs_grad, *_ = ctx.needs_input_grad
        dC_dx = dC_dv = None
        if x_needs_grad:
            dC_dx = g if ctx.add else torch.ops.aten.index_put(g, indices, g.new_zeros(()))
        if v_needs_grad and not ctx.add and ctx.v.shape.numel() == 1:
            elsewhere = torch.ones_like(g, dtype=torch.bool)
            elsewhere = torch.ops.aten.index_put(elsewhere, indices, elsewhere.new_zeros(()))
            dC_dv = g.masked_fill(elsewhere, 0).sum().reshape(ctx.v.shape)
        elif v_needs_grad:
            dC_dv = unbroadcast_to(torch.ops.aten.index(g, indices), ctx.v)
        return dC_dx, dC_dv, None, *(None for _ in indices)

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dv: Tensor | None, *_: None) -> Tensor:
        like = dv if dx is None else dx
        assert like is not None
        dv = like.new_zeros(()) if dv is None else dv
        return torch.ops.aten.index_put(_or_zeros(dx, ctx.x, like), ctx.saved_tensors, dv, ctx.add)


class MaskedScatterFunction(Function):
    """x with the first elements of v, in order, where the mask is true; `MaskedScatterFunction.apply(x, mask, v)`.

    A true place k gets v_i, where i counts the true places before it, so ∂C/∂v_i is g_k. x and the mask broadcast against each
    other.
    """

    @staticmethod
    def forward(x: Tensor, mask: Tensor, v: Tensor) -> Tensor:
        return torch.masked_scatter(x, mask, v)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        x, mask, v = inputs
        ctx.x, ctx.v = tensor_meta(x), tensor_meta(v)
        ctx.save_for_backward(mask)
        ctx.save_for_forward(mask)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        (mask,) = ctx.saved_tensors
        x_needs_grad, _, v_needs_grad = ctx.needs_input_grad
        dC_dx = unbroadcast_to(g.masked_fill(mask, 0), ctx.x) if x_needs_grad else None
        dC_dv = None
        if v_needs_grad:
            true = mask.expand(g.shape).reshape(-1)
            i = (true.cumsum(0) - 1).clamp(min=0)
            of_v = g.reshape(-1).masked_fill(~true, 0)
            n = ctx.v.shape.numel()
            dC_dv = g.new_zeros(max(n, 1)).index_add(0, i, of_v)[:n].reshape(ctx.v.shape)
        return dC_dx, None, dC_dv

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, _: None, dv: Tensor | None) -> Tensor:
        (mask,) = ctx.saved_tensors
        return torch.masked_scatter(_or_zeros(dx, ctx.x, mask, dv), mask, _or_zeros(dv, ctx.v, mask, dx))


def _gathered(g: Tensor, dim: int, index: Tensor, shape: torch.Size) -> Tensor:
    """Return g at the index, and 0 for the elements of v, of this shape, that are not scattered."""
    of_index = g.gather(dim, index)
    if of_index.dim() != len(shape):
        return of_index.reshape(shape)  # one is 0-d, the other [1]
    over = [n - m for n, m in zip(shape, of_index.shape, strict=True)]
    return F.pad(of_index, [n for k in reversed(over) for n in (0, k)]) if any(over) else of_index


def _or_zeros(tangent: Tensor | None, of: Any, *device_of: Tensor | None) -> Tensor:
    """Return the tangent, or zeros if it is None."""
    like = next(t for t in device_of if t is not None)
    return torch.zeros(of.shape, dtype=of.dtype, device=like.device) if tangent is None else tangent
