"""Functions that move elements: broadcasting, padding, flips, rolls and indexing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions.arithmetic.movement import (
    ExpandFunction,
    FlipFunction,
    GatherFunction,
    IndexFunction,
    IndexSelectFunction,
    PadByIndexFunction,
    PadFunction,
    RollFunction,
)
from manualgrad.torch_api.autocast import in_float32_on_the_cpu
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.guard import functional
from manualgrad.torch_api.indexing import places

_NN: Any = torch._C._nn
T = Tensor


@answers(T.expand)
def expand(input: Tensor, *sizes: Any, implicit: bool = False) -> Any:
    shape = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], Sequence) else sizes
    new = len(shape) - input.dim()
    if new < 0 or any(n == -1 for n in shape[:new]):
        return NotImplemented
    whole = tuple(input.shape[i - new] if n == -1 else n for i, n in enumerate(shape))
    return ExpandFunction.apply(input, whole)


@answers(T.expand_as)
def expand_as(input: Tensor, other: Tensor) -> Any:
    return expand(input, tuple(other.shape))


@answers(torch.broadcast_tensors)
def broadcast_tensors(*tensors: Any) -> Any:
    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], Sequence) else tensors
    shape = torch.broadcast_shapes(*(t.shape for t in tensors))
    return tuple(t.view_as(t) if t.shape == shape else expand(t, shape) for t in tensors)


@functional(F.pad, _NN.pad, page="arithmetic.movement")
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Pad the input with `value`, its reflection, its edge elements, or the elements of its opposite side.

    Shapes:
        for example, input [..., h, w] and `pad` (left, right, top, bottom); output [..., top + h + bottom, left + w + right].
        `pad` starts with the last dimension; negative numbers crop.

    Raises:
        RuntimeError: when `pad` has an odd length: `nn.functional.pad(torch.rand(1, 3), (1,))`.
        RuntimeError: when the reflection is too long: `nn.functional.pad(torch.rand(1, 3), (4, 4), mode='reflect')`.
        NotImplementedError: when the mode is invalid: `nn.functional.pad(torch.rand(1, 3), (1, 1), mode='wrap')`.

    Example:
        >>> nn.functional.pad(torch.tensor([[1.0, 2.0, 3.0]]), (1, 2))
        tensor([[0., 1., 2., 3., 0., 0.]])
        >>> nn.functional.pad(torch.tensor([[1.0, 2.0, 3.0]]), (1, 2), mode='reflect')
        tensor([[2., 1., 2., 3., 2., 1.]])
    """
    if len(pad) % 2 or len(pad) > 2 * input.dim():
        return NotImplemented
    if mode != "constant":
        return _padded_by_itself(input, pad, mode) if value is None else NotImplemented
    return PadFunction.apply(input, tuple(pad), 0 if value is None else value)


def _padded_by_itself(x: Tensor, pad: Sequence[int], mode: str) -> Any:
    """Pad with copies of the input's own elements: in each dimension, index the positions that they come from."""
    if mode not in _PLACES or x.dim() not in (len(pad) // 2 + 1, len(pad) // 2 + 2) or not len(pad):
        return NotImplemented
    if mode == "replicate" or (mode == "reflect" and len(pad) < 6):
        return in_float32_on_the_cpu(x, lambda x: _indexed(x, pad, mode))
    return _indexed(x, pad, mode)


def _indexed(x: Tensor, pad: Sequence[int], mode: str) -> Any:
    for i in range(len(pad) // 2):
        dim, n, (before, after) = x.dim() - 1 - i, x.shape[-1 - i], pad[2 * i : 2 * i + 2]
        if mode == "circular" and min(before, after) < 0:  # crop first, then wrap around
            cut = max(-before, 0), max(-after, 0)
            if sum(cut) >= n:
                return NotImplemented
            n, before, after = n - sum(cut), max(before, 0), max(after, 0)
            x = x.narrow(dim, cut[0], n)
        most = {"reflect": n - 1, "circular": n}.get(mode, math.inf)
        if n + before + after <= 0 or not n or max(before, after) > max(most, 0):
            return NotImplemented  # PyTorch raises
        if before or after:
            places = torch.arange(-before, n + after, device=x.device)
            Function = IndexSelectFunction if mode == "circular" else PadByIndexFunction  # PyTorch saves x unless circular
            x = Function.apply(x, dim, _PLACES[mode](places, n))
    return x


_PLACES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "circular": lambda i, n: i % n,
    "replicate": lambda i, n: i.clamp(0, n - 1),
    "reflect": lambda i, n: n - 1 - (n - 1 - i.abs()).abs(),
}


@answers(torch.flip, T.flip)
def flip(input: Tensor, *args: Any, dims: Any = None) -> Any:
    wanted = dims if dims is not None else args[0] if len(args) == 1 and isinstance(args[0], Sequence) else args
    return FlipFunction.apply(input, (wanted,) if isinstance(wanted, int) else tuple(wanted))


@answers(torch.roll, T.roll)
def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Any:
    shifts, dims = ((n,) if isinstance(n, int) else tuple(n) for n in (shifts, dims if dims is not None else ()))
    return RollFunction.apply(input, shifts, dims)


@answers(torch.gather, T.gather)
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Any:
    if sparse_grad:
        return NotImplemented
    return GatherFunction.apply(input, dim, index)


@answers(torch.index_select, T.index_select)
def index_select(input: Tensor, dim: int, index: Tensor) -> Any:
    return IndexSelectFunction.apply(input, dim, index)


@answers(T.__getitem__)
def getitem(input: Tensor, index: Any) -> Any:
    """Index with tensors; the other parts of the index first make a view."""
    found = None if _makes_a_view(index) else places(input, index)
    if found is None or not found.indices:
        return NotImplemented
    view = input if all(part == slice(None) for part in found.view) else input[found.view]
    return IndexFunction.apply(view, *found.indices)


def _makes_a_view(index: Any) -> bool:
    """Return whether an index obviously makes only a view, as most do."""
    parts = index if type(index) is tuple else (index,)
    return all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts)
