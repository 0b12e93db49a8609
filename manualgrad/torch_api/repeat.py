"""Functions that repeat or reorder elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions.arithmetic.movement import ExpandFunction, IndexSelectFunction
from manualgrad.functions.pooling._channels_last import channels_are_last, with_channels_last
from manualgrad.torch_api.catalogue import answers

T = Tensor


@answers(T.repeat)
def repeat(input: Tensor, *args: Any, repeats: Any = None) -> Any:
    times = _numbers(args, repeats)
    if times is None or len(times) < input.dim() or any(n < 0 for n in times):
        return NotImplemented
    sizes = [1] * (len(times) - input.dim()) + list(input.shape)
    apart = input.reshape([n for size in sizes for n in (1, size)])
    whole = ExpandFunction.apply(apart, tuple(n for pair in zip(times, sizes, strict=True) for n in pair))
    return _copied(whole, [n * size for n, size in zip(times, sizes, strict=True)])


@answers(torch.tile, T.tile)
def tile(input: Tensor, *args: Any, dims: Any = None) -> Any:
    times = _numbers(args, dims)
    return NotImplemented if times is None else repeat(input, [1] * (input.dim() - len(times)) + times)


@answers(torch.repeat_interleave, T.repeat_interleave)
def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Any:
    if repeats is None:
        return NotImplemented
    if dim is None:
        input, dim = input.reshape(-1), 0
    if not input.dim() or not -input.dim() <= dim < input.dim():
        return NotImplemented
    dim %= input.dim()
    n = input.shape[dim]
    if isinstance(repeats, Tensor):
        if repeats.dim() > 1:
            return NotImplemented
        repeats = repeats.expand(n) if repeats.dim() == 0 or repeats.shape[0] == 1 else repeats
        if repeats.shape[0] != n:
            return NotImplemented
        return IndexSelectFunction.apply(input, dim, torch.repeat_interleave(repeats, output_size=output_size))
    if not isinstance(repeats, int) or repeats < 0 or output_size not in (None, n * repeats):
        return NotImplemented
    before, behind = input.shape[:dim], input.shape[dim + 1 :]
    whole = ExpandFunction.apply(input.unsqueeze(dim + 1), (*before, n, repeats, *behind))
    return _copied(whole, [*before, n * repeats, *behind])


@answers(torch.pixel_shuffle, F.pixel_shuffle)
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Any:
    r = upscale_factor
    if input.dim() < 3 or r <= 0 or input.shape[-3] % r**2:
        return NotImplemented
    *n, C, H, W = input.shape
    C //= r**2
    y = input.reshape(*n, C, r, r, H, W).movedim((-4, -3), (-3, -1))
    return _in_the_order_of(input, _copied(y, [*n, C, H * r, W * r]))


@answers(torch.pixel_unshuffle, F.pixel_unshuffle)
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Any:
    r = downscale_factor
    if input.dim() < 3 or r <= 0 or input.shape[-1] % r or input.shape[-2] % r:
        return NotImplemented
    *n, C, H, W = input.shape
    y = input.reshape(*n, C, H // r, r, W // r, r).movedim((-3, -1), (-4, -3))
    return _in_the_order_of(input, _copied(y, [*n, C * r**2, H // r, W // r]))


@answers(torch.channel_shuffle, F.channel_shuffle, torch.native_channel_shuffle)
def channel_shuffle(input: Tensor, groups: int) -> Any:
    if input.dim() < 3 or groups <= 0 or input.shape[1] % groups:
        return NotImplemented
    N, C, *sides = input.shape
    y = input.reshape(N, groups, C // groups, *sides).transpose(1, 2)
    return _in_the_order_of(input, _copied(y, [N, C, *sides]))


def _numbers(args: tuple[Any, ...], by_name: Any) -> list[int] | None:
    """Return the ints that were passed one by one or as a sequence; None if some are not ints."""
    found = by_name if by_name is not None else args[0] if len(args) == 1 and isinstance(args[0], Sequence) else args
    found = [found] if isinstance(found, int) else list(found)
    return found if all(isinstance(n, int) for n in found) else None


def _copied(t: Tensor, shape: Sequence[int]) -> Tensor:
    """Copy to contiguous memory, as PyTorch does, and reshape."""
    return t.clone(memory_format=torch.contiguous_format).view(shape)


def _in_the_order_of(x: Tensor, y: Tensor) -> Tensor:
    return with_channels_last(Tensor.contiguous, y) if channels_are_last(x, 2) else y
