"""Formulas on large arrays, computed in chunks that stay in the cache.

A formula of k operators passes over memory k times and allocates each intermediate array anew; with chunks that stay in the
cache, memory is read and written once. If the operations are recorded or transformed, or run on another device than the CPU,
the formula gets the whole arrays.
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
    """Compute the elementwise formula(*arrays, *others, out) of arrays of the same shape.

    The formula writes its result into `out`, which is like the first array, or returns a new tensor if `out` is None.
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
    """Compute formula(*arrays, dim, out) of arrays of the same shape; no chunk is split along `dim`."""
    if not in_parts(arrays) or not all(t.is_contiguous() for t in arrays):
        return formula(*arrays, dim, out=None)
    out = torch.empty_like(arrays[0])
    behind = out.shape[dim % out.dim() :]
    _write(formula, [t.view(-1, *behind) for t in (*arrays, out)], 1)
    return out


def rows(formula: Callable[..., Tensor], arrays: tuple[Tensor, ...], *others: Any) -> Tensor:
    """Compute formula(*arrays, *others, out) in chunks along the first dimension, which all arrays share."""
    if not all(plain(t) for t in arrays):
        return formula(*arrays, *others, out=None)
    out = torch.empty_like(arrays[0])
    if not in_parts(arrays):
        return formula(*arrays, *others, out=out)
    _write(formula, [*arrays, out], *others)
    return out


def to_rows(formula: Callable[..., tuple[Tensor, ...]], arrays: tuple[Tensor, ...], *others: Any) -> tuple[Tensor, ...]:
    """Compute formula(*arrays, *others), with a few numbers per row, in chunks of rows, and concatenate the results."""
    if not in_parts(arrays):
        return formula(*arrays, *others)
    step = _step(arrays[0])
    found = [formula(*part, *others) for part in zip(*(t.split(step) for t in arrays), strict=True)]
    return tuple(torch.cat(tensors) for tensors in zip(*found, strict=True))


def _write(formula: Callable[..., Tensor], tensors: list[Tensor], *others: Any) -> None:
    """Compute the formula in chunks along the first dimension, and write the result into the last tensor."""
    step = _step(tensors[0])
    for *part, out in zip(*(t.split(step) for t in tensors), strict=True):
        formula(*part, *others, out=out)


def plain(t: Tensor) -> bool:
    """Return whether t is a plain tensor on the CPU whose operations are not recorded or transformed."""
    return t.device.type == "cpu" and unrecorded(t)


def unrecorded(t: Tensor) -> bool:
    """Return whether t is a plain tensor, on any device, whose operations are not recorded or transformed."""
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
    """Return the chunk size along the first dimension."""
    return max(1, _part() * a.shape[0] // a.numel())


def in_parts(arrays: tuple[Tensor, ...]) -> bool:
    """Return whether these arrays are processed in chunks."""
    return not _dynamo_is_tracing() and arrays[0].numel() >= 2 * _part() and all(plain(t) for t in arrays)


def _as_lines(arrays: tuple[Tensor, ...]) -> list[Tensor] | None:
    """Flatten the arrays in their common memory order; return None if they do not share one."""
    a = arrays[0]
    if all(t.is_contiguous() and t.shape == a.shape for t in arrays):
        return [t.view(-1) for t in arrays]
    alike = all(t.shape == a.shape and t.stride() == a.stride() for t in arrays)
    if not alike or not torch.ops.aten.is_non_overlapping_and_dense(a):
        return None
    order = sorted(range(a.dim()), key=a.stride, reverse=True)
    return [t.permute(order).view(-1) for t in arrays]
