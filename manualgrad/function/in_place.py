"""Results written into an input, as torch's in-place operations do, and copies of inputs that may be changed later."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["are_one", "copy_into", "kept", "kept_as_rows", "kept_beside"]

_dynamo_is_tracing = torch.compiler.is_dynamo_compiling


def copy_into(value: Tensor, into: Tensor) -> Tensor:
    """Copy `value` into `into` and return `into`, with the versions and views that torch's in-place operation leaves."""
    into.copy_(value)
    if not _dynamo_is_tracing() and into._base is not None:
        _remember_as_a_copy(into)
    return into


def kept(x: Tensor) -> Tensor:
    """Return a copy of x to save where torch saves a result instead, so that x may be changed before the backward."""
    return x if _dynamo_is_tracing() else x.clone()


def kept_beside(x: Tensor, other: Tensor) -> Tensor:
    """Return kept(x) if the other tensor needs a gradient and x does not; otherwise return x."""
    return kept(x) if other.requires_grad and not x.requires_grad else x


def kept_as_rows(x: Tensor) -> Tensor:
    """Return x, or a contiguous copy if its rows [..., m] are not one matrix in memory, as torch's products save it."""
    if x.dim() <= 2 or _dynamo_is_tracing() or are_one(x.shape[:-1], x.stride()[:-1]):
        return x
    return x.clone(memory_format=torch.contiguous_format)


def are_one(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Return whether a view can merge these dimensions into one."""
    dims = [(n, stride) for n, stride in zip(sizes, strides, strict=True) if n != 1]
    return all(outer[1] == inner[0] * inner[1] for outer, inner in itertools.pairwise(dims))


def _remember_as_a_copy(view: Any) -> None:
    """Mark the nodes that autograd records for a changed view, CopySlices and the new view, as copies for audit."""
    for node in (view._base.grad_fn, view.grad_fn):
        if node is not None:
            node.metadata["by_hand"] = True
