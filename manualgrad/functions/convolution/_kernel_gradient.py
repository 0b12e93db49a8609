"""The gradient of a convolution's kernel: one sum, which is computed in the way that suits its size.

    D[o,c,k] = Σ_n Σ_p small[n,o,p] large[n,c, s p + d k − P]

for every output channel o, input channel c of its group and place k of the kernel; n counts the examples and p the stops, the
positions of the kernel. s, d and P are the stride, the dilation and the padding. The kernel moves over `large`; `small` has one
element per stop. They are x and delta in a convolution, delta and x in a transposed one.

Shapes: large [N, C, *places]; small [N, O, *stops]; D [O, C / groups, *kernel].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad import product
from manualgrad.functions._chunked import unrecorded
from manualgrad.functions._upcast import upcast_half

__all__ = ["convolve", "kernel_gradient", "spread"]

_Sizes = tuple[int, ...]

_dynamo_is_tracing = torch.compiler.is_dynamo_compiling

_CONVOLUTIONS: dict[int, Any] = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}
_TRANSPOSED: dict[int, Any] = {1: torch.conv_transpose1d, 2: torch.conv_transpose2d, 3: torch.conv_transpose3d}


def convolve(x: Tensor, K: Tensor, b: Tensor | None, stride: _Sizes, padding: _Sizes, dilation: _Sizes, groups: int) -> Tensor:
    """Return torch's convolution; the number of strides gives the number of dimensions."""
    y: Tensor = _CONVOLUTIONS[len(stride)](x, K, b, stride, padding, dilation, groups)
    return y


def spread(
    x: Tensor,
    K: Tensor,
    b: Tensor | None,
    stride: _Sizes,
    padding: _Sizes,
    output_padding: _Sizes,
    groups: int,
    dilation: _Sizes,
) -> Tensor:
    """Return torch's transposed convolution; the number of strides gives the number of dimensions."""
    y: Tensor = _TRANSPOSED[len(stride)](x, K, b, stride, padding, output_padding, groups, dilation)
    return y


def kernel_gradient(
    large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes, groups: int
) -> Tensor:
    """Return D for a kernel of this size."""
    if not large.numel() or not small.numel():
        nothing = large.sum() * small.sum()  # 0, but differentiable
        return nothing.expand(small.shape[1], large.shape[1] // groups, *kernel)
    # The dilation of one place has no effect. As a stride, it would hit oneDNN's bfloat16 bug (pytorch issue 169688).
    dilation = tuple([d if k > 1 else 1 for d, k in zip(dilation, kernel, strict=True)])
    if math.prod(kernel) == 1 and not any(padding):
        return _of_one_place(large, small, kernel, stride, groups)
    if groups > 1 and groups == large.shape[1]:
        return _of_each_channel(large, small, kernel, stride, padding, dilation)
    way = _as_products(large, small, kernel, stride, groups)
    if way is not None:
        each = zip(large.chunk(groups, 1), small.chunk(groups, 1), strict=True)
        found = [way(*group, kernel, stride, padding, dilation) for group in each]
        return found[0] if groups == 1 else torch.cat(found)
    return _exchanged(large, small, kernel, stride, padding, dilation, groups)


# As a convolution. This works everywhere, and is differentiable any number of times.


def _exchanged(
    large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes, groups: int
) -> Tensor:
    """Convolve `large` with `small`, with n as the channels, c as the examples and p as the places of the kernel.

    k are the stops, so stride and dilation are exchanged. Stops beyond the last k are cut off.
    """
    N, C, *places = large.shape
    X = large.reshape(N, groups, C // groups, *places).transpose(0, 2).reshape(C // groups, groups * N, *places)
    D = convolve(X, small.transpose(0, 1), None, dilation, padding, stride, groups)
    return _cut(D, kernel).transpose(0, 1)


def _of_each_channel(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes) -> Tensor:
    """Do the same for a depthwise convolution, with each channel of each example as a group."""
    N, C, *places = large.shape
    _, O, *stops = small.shape
    X = upcast_half(large).reshape(1, N * C, *places)
    small = upcast_half(small).reshape(N * O, 1, *stops)  # summed over n below
    D = convolve(X, small, None, dilation, padding, stride, N * C)
    return _cut(D, kernel).reshape(N, O, 1, *kernel).sum(0).to(large.dtype)


def _cut(D: Tensor, kernel: _Sizes) -> Tensor:
    for dim, k in enumerate(kernel, 2):
        D = D.narrow(dim, 0, k)
    return D


# As matrix products.


def _of_one_place(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, groups: int) -> Tensor:
    """Return D for a kernel of one place, without padding: Σ_n small_n large_nᵀ over the stops."""
    N, O = small.shape[:2]
    for dim, (s, p) in enumerate(zip(stride, small.shape[2:], strict=True), 2):
        large = large.narrow(dim, 0, (p - 1) * s + 1)[(slice(None),) * dim + (slice(None, None, s),)]
    C, p = large.shape[1], math.prod(small.shape[2:])
    if groups == 1 and (large.stride(1) == 1 or large.dtype in (torch.float16, torch.bfloat16)):  # half precision rounds once
        rows = small.movedim(1, -1).reshape(N * p, O), large.movedim(1, -1).reshape(N * p, C)
        D = product.mm(rows[0].t(), rows[1])
    else:
        each = upcast_half(small).reshape(N * groups, O // groups, p), upcast_half(large).reshape(N * groups, C // groups, p)
        D = torch.bmm(each[0], each[1].mT).reshape(N, O, C // groups).sum(0).to(large.dtype)
    return D.reshape(O, C // groups, *kernel)


# The windows of the kernel's stops are copied into a matrix, which is multiplied by `small`.


def _by_windows(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes) -> Tensor:
    """Return D from a matrix with the window of one stop per row, for a chunk of examples at a time."""
    N, C, *_ = large.shape
    O, *stops = small.shape[1:]
    large, small = _padded(large, padding).movedim(1, -1).contiguous(), small.movedim(1, -1).reshape(N, -1, O)
    seen = math.prod(kernel) * C
    D = None
    for some_large, some_small in _some(large, small, seen * math.prod(stops)):
        windows = _windows(some_large, 1, stops, kernel, stride, dilation).movedim(len(stops) + 1, -1).reshape(-1, seen)
        deltas = some_small.reshape(-1, O).t()
        if D is None:
            D = upcast_half(product.mm(deltas, windows))
        elif D.dtype == windows.dtype:
            product.addmm_(D, deltas, windows, 1.0)
        else:
            D += product.mm(deltas, windows)
    assert D is not None
    return D.to(large.dtype).view(O, *kernel, C).movedim(-1, 1)


def _by_rows(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes) -> Tensor:
    """Return D from a matrix with the windows of a kernel of a single row. A row is a place in the first dimension.

    At the stop (p, ...), row k of the kernel covers row s p + d k = s (p + turn) + phase of `large`, where turn and phase are
    the quotient and the remainder of d k by s. So one matrix has the windows of every k at all p, each k from another line on.
    """
    C, (O, rows, *row) = large.shape[1], small.shape[1:]
    (k, *others), (s, *_), (d, *_) = kernel, stride, dilation
    length, seen = math.prod(row), math.prod(others) * C
    small = small.flatten(2)
    channels_last = _channels_are_last(large) or product.onednn_has(small[0], rows * length, seen)  # it takes no gaps
    large = _padded(large, padding, -(large.shape[2] + 2 * padding[0]) % s)
    large = large.movedim(1, -1).contiguous().movedim(-1, 1) if channels_last else large.contiguous()
    turns = large.shape[2] // s
    D: list[Tensor] = []  # one per row of the kernel
    for some_large, some_small in _some(large, small, s * turns * length * seen):
        some_large = some_large.unflatten(2, (turns, s))
        windows = _windows(some_large, 4, row, others, stride[1:], dilation[1:])  # [N, C, turn, phase, *row, *others]
        of_row, of_others = range(4, 4 + len(row)), range(4 + len(row), windows.dim())
        if channels_last:
            windows = windows.permute(0, 3, 2, *of_row, *of_others, 1).reshape(-1, s, turns * length, seen)
        else:
            windows = windows.permute(0, 3, 1, *of_others, 2, *of_row).reshape(-1, s, seen, turns * length).mT
        found = []
        for i in range(k):
            turn, phase = divmod(d * i, s)
            found.append(product.sum_of_products(some_small, windows[:, phase, turn * length : (turn + rows) * length]))
        D = [one.add_(other) for one, other in zip(D, found, strict=True)] if D else found
    if channels_last:
        return torch.stack([one.view(O, *others, C) for one in D], 1).movedim(-1, 1)
    return torch.stack([one.view(O, C, *others) for one in D], 2)


def _windows(
    t: Tensor, dim: int, stops: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Tensor:
    """Return a view of t: its dimensions from `dim` on become stops, and the places of the kernel are appended."""
    for p, k, s, d in zip(stops, kernel, stride, dilation, strict=True):
        t = t.unfold(dim, d * (k - 1) + 1, s).narrow(dim, 0, p)[..., ::d]
        dim += 1
    return t


def _some(large: Tensor, small: Tensor, seen: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Return chunks of the examples, each of which takes `seen` elements of the matrix; one chunk if a graph is traced."""
    if _dynamo_is_tracing():
        return iter([(large, small)])
    some = max(1, (_BLOCK_ON_A_GPU if large.is_cuda else _BLOCK) // seen)
    return zip(large.split(some), small.split(some), strict=True)


def _padded(large: Tensor, padding: _Sizes, more_rows: int = 0) -> Tensor:
    pads = [p for P in reversed(padding) for p in (P, P)]
    pads[-1] += more_rows
    return F.pad(large, pads) if any(pads) else large


def _channels_are_last(t: Tensor) -> bool:
    return t.stride(1) == 1 and t.shape[1] > 1


_BLOCK = 1 << 23  # elements of the matrix for a chunk: 32 MB
_BLOCK_ON_A_GPU = 1 << 27  # 512 MB: smaller chunks are up to four times as slow (measured on an H200)
_STOPS, _STOPS_ON_A_GPU = 128, 512  # with fewer stops per example, the products of `_by_rows` are too small
_OUTPUTS = 64  # with fewer, copying the windows costs more than the product
_FEWER = 16  # the same with a stride or with channels last, where the convolution is slower
_LEAST = 1 << 20  # multiplications; with fewer, the overhead of a product dominates


def _as_products(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, groups: int) -> Callable[..., Tensor] | None:
    """Return the fastest of these functions, or None if the convolution is faster."""
    outputs, channels, stops = small.shape[1] // groups, large.shape[1] // groups, math.prod(small.shape[2:])
    if (
        small.numel() * channels * math.prod(kernel) < _LEAST * groups
        or not (large.is_cpu or large.is_cuda)
        or not (_dynamo_is_tracing() or (unrecorded(large) and unrecorded(small)))
    ):
        return None
    is_whole = large.dtype in (torch.float32, torch.float64)  # in half precision, each product rounds
    if large.is_cuda:  # a convolution with a kernel as large as `small` takes up to twenty times as long
        if groups > 1 or (is_whole and stops < _STOPS_ON_A_GPU):
            return None
        return _by_rows if is_whole and channels > 4 else _by_windows
    if not is_whole:
        return None
    steps, channels_last = max(stride) > 1, _channels_are_last(large)
    if stops < _STOPS:
        return _by_windows if outputs >= (_FEWER if steps or channels_last else _OUTPUTS) else None
    if max(kernel) > 7 or (max(kernel) > 3 and channels > 4 and not steps):
        return None
    return _by_rows if outputs >= min(channels, _OUTPUTS) or channels_last else None
