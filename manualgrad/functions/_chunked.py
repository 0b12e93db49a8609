"""Formulas on large arrays: compiled, or computed in chunks that stay in the cache.

A formula of k operators passes over memory k times and allocates each intermediate array anew. Inside `manualgrad.fused`, the
formula is compiled to a kernel with a single pass. Otherwise, with chunks that stay in the cache, memory is read and written
once. If the operations are recorded or transformed, or run on another device than the CPU, the formula gets the whole arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from manualgrad import _fused

__all__ = ["along", "by_rows", "elementwise", "fused", "in_one_pass", "in_parts", "plain", "rows", "to_rows", "unrecorded"]

_VECTOR = 16  # a compiled kernel computes shorter rows one number at a time
_CALL = 1 << 13  # elements up to which two or three operators take less time than calling a compiled kernel
_PART = 1 << 16  # elements for each thread: 256 KiB of float32

_TENSORS = (Tensor, torch.nn.Parameter)
_transforms_are_active: Callable[[], bool] = torch._C._are_functorch_transforms_active
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_jit_trace = torch._C._get_tracing_state
_is_batched = torch._C._functorch.is_legacy_batchedtensor


def elementwise(formula: Callable[..., Tensor], arrays: tuple[Tensor, ...], *others: Any) -> Tensor:
    """Compute the elementwise formula(*arrays, *others, out) of arrays of the same shape.

    The formula writes its result into `out`, which is like the first array, or returns a new tensor if `out` is None.
    """
    if _fused.is_fusing() and (found := _elementwise_fused(formula, arrays, others)) is not None:
        return found
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
    if _fused.is_fusing() and arrays[0].numel() >= _CALL and (found := _along_fused(formula, arrays, dim)) is not None:
        return found
    if not in_parts(arrays) or not all(t.is_contiguous() for t in arrays):
        return formula(*arrays, dim, out=None)
    out = torch.empty_like(arrays[0])
    behind = out.shape[dim % out.dim() :]
    _write(formula, [t.view(-1, *behind) for t in (*arrays, out)], 1)
    return out


def rows(formula: Callable[..., Tensor], arrays: tuple[Tensor, ...], *others: Any) -> Tensor:
    """Compute formula(*arrays, *others, out) in chunks along the first dimension, which all arrays share."""
    if _fused.is_fusing() and (found := fused(formula, arrays, others)) is not None:
        return found[0]
    if not all(plain(t) for t in arrays):
        return formula(*arrays, *others, out=None)
    out = torch.empty_like(arrays[0])
    if not in_parts(arrays):
        return formula(*arrays, *others, out=out)
    _write(formula, [*arrays, out], *others)
    return out


def by_rows(formula: Callable[..., tuple[Tensor, ...]], arrays: tuple[Tensor, ...], *others: Any) -> tuple[Tensor, ...]:
    """Return formula(*arrays, *others, out): a tensor like the first one, written into `out`, and rows, concatenated.

    The arrays, all with the same number of rows, are split into chunks of rows where that is faster.
    """
    if _fused.is_fusing() and (found := fused(formula, arrays, others)) is not None:
        return found
    if not in_parts(arrays):
        return formula(*arrays, *others, out=None)
    out = torch.empty_like(arrays[0])
    step = _step(out)
    chunks = [formula(*part, *others, out=o) for *part, o in zip(*(t.split(step) for t in (*arrays, out)), strict=True)]
    return out, *(torch.cat(tensors) for tensors in list(zip(*chunks, strict=True))[1:])


def to_rows(formula: Callable[..., tuple[Tensor, ...]], arrays: tuple[Tensor, ...], *others: Any) -> tuple[Tensor, ...]:
    """Compute formula(*arrays, *others), with a few numbers per row, in chunks of rows, and concatenate the results."""
    if not in_parts(arrays):
        return formula(*arrays, *others)
    step = _step(arrays[0])
    chunks = [formula(*part, *others) for part in zip(*(t.split(step) for t in arrays), strict=True)]
    return tuple(torch.cat(tensors) for tensors in zip(*chunks, strict=True))


def fused(
    formula: Callable[..., Any], arrays: tuple[Tensor, ...], others: tuple[Any, ...] = (), letters: str = "ABCD"
) -> tuple[Tensor, ...] | None:
    """Compute the formula by a compiled kernel, where tensors broadcast to the first array; None where there is none.

    `letters` names the first array's dimensions; a digit is a size that is always the same.
    """
    tensors = (*arrays, *itertools.takewhile(lambda other: isinstance(other, Tensor), others))
    if not unrecorded(*tensors):
        return None
    if arrays[0].dim() > 1 and arrays[0].shape[-1] < _VECTOR:
        return None
    letters = letters[: arrays[0].dim()]
    shapes = tuple(
        "".join("1" if size == 1 else letter for size, letter in zip(t.shape, letters[len(letters) - t.dim() :], strict=True))
        for t in tensors
    )
    return _fused.run(formula, shapes, tensors, others[len(tensors) - len(arrays) :])


def in_one_pass(formula: Callable[..., Any], tensors: tuple[Tensor, ...], *numbers: Any) -> Any:
    """Compute the elementwise formula(*tensors, *numbers), inside `manualgrad.fused` by a compiled kernel.

    There is one where the tensors have one shape or are single numbers. Small formulas of small tensors take the operators.
    """
    if (
        _fused.is_fusing()
        and max([t.numel() for t in tensors]) >= _CALL
        and (found := _elementwise_fused(formula, tensors, numbers)) is not None
    ):
        return found
    return formula(*tensors, *numbers)


def _elementwise_fused(formula: Callable[..., Any], arrays: tuple[Tensor, ...], numbers: tuple[Any, ...]) -> Any:
    """Compute the formula by a compiled kernel, on the arrays as lines; None if there is none."""
    if not unrecorded(*arrays):
        return None
    shape = arrays[0].shape
    if all(t.is_contiguous() and t.shape == shape for t in arrays):  # what is below, for most calls, in less time
        found = _fused.run(formula, ("A",) * len(arrays), tuple([t.view(-1) for t in arrays]), numbers)
        if found is None:
            return None
        return found[0].view(shape) if len(found) == 1 else tuple([line.view(shape) for line in found])

    x = max(reversed(arrays), key=Tensor.numel)  # in a backward, the saved tensor: the incoming gradient may be expanded
    order = None if x.is_contiguous() else _memory_order(x)
    lines, shapes = [], []
    for t in arrays:
        is_one_number = t.numel() == 1 or (t.shape == x.shape and not any(t.stride()))  # such as the gradient of a sum
        if not is_one_number and t.shape != x.shape:
            return None
        if is_one_number:
            lines.append(t.as_strided((1,), (1,)))
        else:
            lines.append((t if order is None else t.permute(order)).reshape(-1))
        shapes.append("1" if is_one_number else "A")
    found = _fused.run(formula, tuple(shapes), tuple(lines), numbers)
    if found is None:
        return None
    if order is None:
        found = tuple(line.view(x.shape) for line in found)
    else:
        ordered, back = [x.shape[d] for d in order], sorted(range(x.dim()), key=order.__getitem__)
        found = tuple(line.view(ordered).permute(back) for line in found)
    return found if len(found) > 1 else found[0]


def _along_fused(formula: Callable[..., Tensor], arrays: tuple[Tensor, ...], dim: int) -> Tensor | None:
    """Compute the formula by a compiled kernel, on the arrays as [before, along, behind], without those of size 1."""
    x = arrays[0]
    if not x.dim():
        return None
    dim = dim % x.dim()
    before, behind = math.prod(x.shape[:dim]), math.prod(x.shape[dim + 1 :])
    sizes = [before, x.shape[dim], behind][before == 1 : 2 if behind == 1 else 3]
    found = fused(formula, tuple(t.reshape(sizes) for t in arrays), (int(before > 1),))
    return None if found is None else found[0].view(x.shape)


def _write(formula: Callable[..., Tensor], tensors: list[Tensor], *others: Any) -> None:
    """Compute the formula in chunks along the first dimension, and write the result into the last tensor."""
    step = _step(tensors[0])
    for *part, out in zip(*(t.split(step) for t in tensors), strict=True):
        formula(*part, *others, out=out)


def plain(t: Tensor) -> bool:
    """Return whether t is a plain tensor on the CPU whose operations are not recorded or transformed."""
    return t.device.type == "cpu" and unrecorded(t)


def unrecorded(*tensors: Tensor) -> bool:
    """Return whether all are plain tensors, on any device, whose operations are not recorded or transformed."""
    return (
        not _dynamo_is_tracing()
        and not torch.is_grad_enabled()
        and not _transforms_are_active()
        and forward_ad._current_level < 0
        and torch._C._len_torch_dispatch_stack() == 0
        and _jit_trace() is None
        and all(type(t) in _TENSORS and not t.is_neg() and not _is_batched(t) for t in tensors)
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
    order = _memory_order(a) if all(t.shape == a.shape and t.stride() == a.stride() for t in arrays) else None
    return None if order is None else [t.permute(order).view(-1) for t in arrays]


def _memory_order(a: Tensor) -> list[int] | None:
    """Return the dimensions in the order in which they lie in memory, or None if the elements have gaps or overlap."""
    if not torch.ops.aten.is_non_overlapping_and_dense(a):
        return None
    return sorted(range(a.dim()), key=a.stride, reverse=True)
