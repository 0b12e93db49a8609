"""Memory formats of the pooling layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

__all__ = ["channels_are_last", "repeated", "with_channels_last"]


def channels_are_last(t: Tensor, n: int) -> bool:
    """Return whether the channels of t [N, C, n sides] are contiguous in memory."""
    return t.dim() == n + 2 and t.shape[1] > 1 and t.stride(1) == 1


def with_channels_last(formula: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Return formula(*tensors), computed on the tensors as [N, n sides, C]."""
    return formula(*(t.movedim(1, -1) for t in tensors)).movedim(-1, 1)


def repeated(g: Tensor, times: Sequence[int]) -> Tensor:
    """Repeat each element along the last len(times) dimensions, like torch.repeat_interleave."""
    n = len(times)
    if all(side == 1 for side in g.shape[-n:]):
        return g.expand(*g.shape[:-n], *times)
    if channels_are_last(g, n):
        return with_channels_last(lambda g: _repeated(g, 1, times), g)
    return _repeated(g, g.dim() - n, times)


def _repeated(g: Tensor, first: int, times: Sequence[int]) -> Tensor:
    """Repeat each element along the dimensions from `first` on."""
    apart, shape = list(g.shape), list(g.shape)
    for i, k in reversed([*enumerate(times, first)]):
        shape[i] *= k
        apart.insert(i + 1, k)
        g = g.unsqueeze(i + 1)
    return g.expand(apart).reshape(shape)
