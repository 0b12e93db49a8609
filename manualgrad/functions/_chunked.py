"""A formula on large arrays, a part of them at a time that stays in the cache.

A formula of k operators goes through memory k times, and each of its arrays is fetched from the system anew; of a part that
stays in the cache, memory is read and written once. It is the same formula, and where something records or transforms what is
done, or on another device, it is given the whole arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["along", "elementwise", "in_parts", "plain", "rows", "to_rows"]

_PART = 1 << 16  # elements for each thread: 256 KiB of float32

_transforms_are_active: Callable[[], bool] = torch._C._are_functorch_transforms_active
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_jit_trace = torch._C._get_tracing_state
_is_batched = torch._C._functorch.is_legacy_batchedtensor


def elementwise(formula: Callable[..., Tensor], arrays: tuple[Tensor, ...], *others: Any) -> Tensor:
    """formula(*arrays, *others, out), of arrays that are alike in shape, element by element.

    A formula writes its result into `out`, of the form of the first array, or makes a tensor for it where `out` is None.
    """
    if not in_parts(arrays):
        return formula(*arrays, *others, out=None)
    out = torch.empty_like(arrays[0])
    lines = _as_lines((*arrays, out))
    if lines is None:
        return formula(*arrays, *others, out=None)
    _write(formula, lines, *others)
    return out


def along(formula: Callable[..., Tensor], arrays: tuple[Tensor, ...], dim: int) -> Tensor:
    """formula(*arrays, dim, out), of arrays alike in shape; what differs in its place in `dim` alone stays together."""
    if not in_parts(arrays) or not all(t.is_contiguous() for t in arrays):
        return formula(*arrays, dim, out=None)
    out = torch.empty_like(arrays[0])
    behind = out.shape[dim % out.dim() :]
    _write(formula, [t.view(-1, *behind) for t in (*arrays, out)], 1)
    return out


def rows(formula: Callable[..., Tensor], arrays: tuple[Tensor, ...], *others: Any) -> Tensor:
    """formula(*arrays, *others, out), some places of the first dimension at a time: all arrays have it."""
    if not all(plain(t) for t in arrays):
        return formula(*arrays, *others, out=None)
    out = torch.empty_like(arrays[0])
    if not in_parts(arrays):
        return formula(*arrays, *others, out=out)
    _write(formula, [*arrays, out], *others)
    return out


def to_rows(formula: Callable[..., tuple[Tensor, ...]], arrays: tuple[Tensor, ...], *others: Any) -> tuple[Tensor, ...]:
    """formula(*arrays, *others), likewise, for a formula that gives a few numbers for each place: they are joined."""
    if not in_parts(arrays):
        return formula(*arrays, *others)
    step = _step(arrays[0])
    found = [formula(*part, *others) for part in zip(*(t.split(step) for t in arrays), strict=True)]
    return tuple(torch.cat(tensors) for tensors in zip(*found, strict=True))


def _write(formula: Callable[..., Tensor], tensors: list[Tensor], *others: Any) -> None:
    """Into the last of the tensors, which all have the first dimension."""
    step = _step(tensors[0])
    for *part, out in zip(*(t.split(step) for t in tensors), strict=True):
        formula(*part, *others, out=out)


def plain(t: Tensor) -> bool:
    """Whether t is a plain array on the CPU, and nothing records or transforms what is done with it."""
    return t.device.type == "cpu" and unrecorded(t)


def unrecorded(t: Tensor) -> bool:
    """Whether t is a plain array, on whatever device, and nothing records or transforms what is done with it."""
    return (
        not _dynamo_is_tracing()
        and (type(t) is Tensor or type(t) is torch.nn.Parameter)
        and not torch.is_grad_enabled()
        and not _transforms_are_active()
        and forward_ad._current_level < 0
        and torch._C._len_torch_dispatch_stack() == 0
        and not _is_batched(t)
        and _jit_trace() is None
    )


def _part() -> int:
    return _PART * torch.get_num_threads()


def _step(a: Tensor) -> int:
    """How many places of the first dimension are a part."""
    return max(1, _part() * a.shape[0] // a.numel())


def in_parts(arrays: tuple[Tensor, ...]) -> bool:
    """Whether a formula is given these arrays in parts."""
    return not _dynamo_is_tracing() and arrays[0].numel() >= 2 * _part() and all(plain(t) for t in arrays)


def _as_lines(arrays: tuple[Tensor, ...]) -> list[Tensor] | None:
    """Of one dimension, in the order in which all of them lie in memory; None where they have no order in common."""
    a = arrays[0]
    if all(t.is_contiguous() and t.shape == a.shape for t in arrays):
        return [t.view(-1) for t in arrays]
    alike = all(t.shape == a.shape and t.stride() == a.stride() for t in arrays)
    if not alike or not torch.ops.aten.is_non_overlapping_and_dense(a):
        return None
    order = sorted(range(a.dim()), key=a.stride, reverse=True)
    return [t.permute(order).view(-1) for t in arrays]
