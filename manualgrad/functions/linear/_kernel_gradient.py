"""The gradient of a convolution's kernel, and the ways to it: one sum, of which the size says how it is best added up.

    D[o,c,k] = Σ_n Σ_p small[n,o,p] large[n,c, s p + d k − P]

for every output o, channel c of its group and place k of the kernel; n counts the examples and p the stops of the kernel. s, d
and P are the stride, the dilation and the padding. `large` is the array that the kernel moves over, `small` the one that has a
number for each stop: of a convolution x and delta, of a transposed one delta and x.

Shapes: large [N, C, *places]; small [N, O, *stops]; D [O, C / groups, *kernel].
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad import product
from manualgrad.functions._in_parts import plain
from manualgrad.functions._precision import wide

__all__ = ["convolve", "kernel_gradient", "spread"]

_Sizes = tuple[int, ...]

_CONVOLUTIONS: dict[int, Any] = {1: torch.conv1d, 2: torch.conv2d, 3: torch.conv3d}
_TRANSPOSED: dict[int, Any] = {1: torch.conv_transpose1d, 2: torch.conv_transpose2d, 3: torch.conv_transpose3d}


def convolve(x: Tensor, K: Tensor, b: Tensor | None, stride: _Sizes, padding: _Sizes, dilation: _Sizes, groups: int) -> Tensor:
    """torch's convolution, of as many dimensions as there are strides."""
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
    """torch's transposed convolution, likewise."""
    y: Tensor = _TRANSPOSED[len(stride)](x, K, b, stride, padding, output_padding, groups, dilation)
    return y


def kernel_gradient(
    large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes, groups: int
) -> Tensor:
    """D, of a kernel with these places."""
    if not large.numel() or not small.numel():
        nothing = large.sum() * small.sum()  # of which there is a derivative, too
        return nothing.expand(small.shape[1], large.shape[1] // groups, *kernel)
    # The dilation of one place means nothing. As a stride, it would meet oneDNN's fault with bfloat16 (pytorch issue 169688).
    dilation = tuple([d if k > 1 else 1 for d, k in zip(dilation, kernel, strict=True)])
    if math.prod(kernel) == 1 and not any(padding):
        return _of_one_place(large, small, kernel, stride, groups)
    if groups > 1 and groups == large.shape[1]:
        return _of_each_channel(large, small, kernel, stride, padding, dilation)
    if _windows_suit(large, small, kernel, stride, groups):
        each = zip(large.chunk(groups, 1), small.chunk(groups, 1), strict=True)
        return torch.cat([_by_windows(*group, kernel, stride, padding, dilation) for group in each])
    return _exchanged(large, small, kernel, stride, padding, dilation, groups)


# As a convolution. Everywhere, and as often differentiable as one likes.


def _exchanged(
    large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes, groups: int
) -> Tensor:
    """The convolution of `large` by `small`: n is summed over as channels are, c is an example, p a place of the kernel.

    k is where the kernel stops, so that stride and dilation change places. It may stop beyond the last k: that is cut off.
    """
    N, C, *places = large.shape
    X = large.reshape(N, groups, C // groups, *places).transpose(0, 2).reshape(C // groups, groups * N, *places)
    D = convolve(X, small.transpose(0, 1), None, dilation, padding, stride, groups)
    return _cut(D, kernel).transpose(0, 1)


def _of_each_channel(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes) -> Tensor:
    """Where each channel is a group (depthwise): likewise, with each channel of each example as a group."""
    N, C, *places = large.shape
    _, O, *stops = small.shape
    X, small = wide(large).reshape(1, N * C, *places), wide(small).reshape(N * O, 1, *stops)  # to be summed over n afterwards
    D = convolve(X, small, None, dilation, padding, stride, N * C)
    return _cut(D, kernel).reshape(N, O, 1, *kernel).sum(0).to(large.dtype)


def _cut(D: Tensor, kernel: _Sizes) -> Tensor:
    for dim, k in enumerate(kernel, 2):
        D = D.narrow(dim, 0, k)
    return D


# As products of matrices.


def _of_one_place(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, groups: int) -> Tensor:
    """Of a kernel of one place, without padding: of `large` only what the kernel stops at; Σ_n small_n large_nᵀ."""
    N, O = small.shape[:2]
    for dim, (s, p) in enumerate(zip(stride, small.shape[2:], strict=True), 2):
        large = large.narrow(dim, 0, (p - 1) * s + 1)[(slice(None),) * dim + (slice(None, None, s),)]
    C, p = large.shape[1], math.prod(small.shape[2:])
    if groups == 1 and (large.stride(1) == 1 or large.dtype in (torch.float16, torch.bfloat16)):  # which rounds once, then
        rows = small.movedim(1, -1).reshape(N * p, O), large.movedim(1, -1).reshape(N * p, C)
        D = product.mm(rows[0].t(), rows[1])
    else:
        each = wide(small).reshape(N * groups, O // groups, p), wide(large).reshape(N * groups, C // groups, p)
        D = torch.bmm(each[0], each[1].mT).reshape(N, O, C // groups).sum(0).to(large.dtype)
    return D.reshape(O, C // groups, *kernel)


def _by_windows(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, padding: _Sizes, dilation: _Sizes) -> Tensor:
    """What the kernel sees at each stop is a window. The windows of a block of stops, some rows of an example or some examples,
    are written out as a matrix and multiplied by `small`; and so on with the next.
    """
    N, C, *_ = large.shape
    O, rows, *row = small.shape[1:]
    channels_last = large.stride(1) == 1 and C > 1  # they are last in a window too, then
    if any(padding):
        large = F.pad(large, [p for P in reversed(padding) for p in (P, P)])
    if channels_last:
        large, small = large.movedim(1, -1).contiguous(), small.movedim(1, -1).reshape(N, -1, O)
        of_example, *of_place, of_channel = large.stride()
    else:
        large, small = large.contiguous(), small.reshape(N, O, -1)
        of_example, of_channel, *of_place = large.stride()
    of_stop = [c * s for c, s in zip(of_place, stride, strict=True)]
    of_kernel = [c * d for c, d in zip(of_place, dilation, strict=True)]
    seen, length = C * math.prod(kernel), math.prod(row)
    block = max(_BLOCK // seen, _STOPS)
    several, some = max(1, block // (rows * length)), max(1, block // length)
    D = small.new_zeros(O, seen)
    for n, first in itertools.product(range(0, N, several), range(0, rows, some)):
        e, r = min(several, N - n), min(some, rows - first)
        start, stops = large.storage_offset() + n * of_example + first * of_stop[0], slice(first * length, (first + r) * length)
        if channels_last:
            deltas = small[n : n + e, stops].reshape(-1, O).t()
            windows = large.as_strided((e, r, *row, *kernel, C), (of_example, *of_stop, *of_kernel, of_channel), start)
            windows = windows.reshape(-1, seen)
        else:
            deltas = small[n : n + e, :, stops].transpose(0, 1).reshape(O, -1).contiguous()
            windows = large.as_strided((C, *kernel, e, r, *row), (of_channel, *of_kernel, of_example, *of_stop), start)
            windows = windows.reshape(seen, -1).t()
        product.addmm_(D, deltas, windows, 1.0)
    return D.view(O, *kernel, C).movedim(-1, 1) if channels_last else D.view(O, C, *kernel)


_BLOCK = 1 << 18  # numbers in a block of windows: 1 MB, which stays in the cache
_STOPS = 256  # but at least so many stops in a block, as each product goes through all of D
_OUTPUTS = 64  # for fewer, writing the windows out is more work than the product
_FEWER = 16  # but with a stride, or with channels last, the other way is the slower
_LEAST = 1 << 20  # multiplications; for fewer, what a product costs by itself is the most


def _windows_suit(large: Tensor, small: Tensor, kernel: _Sizes, stride: _Sizes, groups: int) -> bool:
    """Whether they are the quicker way, of plain arrays: as_strided is about memory."""
    outputs, slow = small.shape[1] // groups, max(stride) > 1 or large.stride(1) == 1
    return (
        large.dtype in (torch.float32, torch.float64)
        and outputs >= (_FEWER if slow else _OUTPUTS)
        and small.numel() * large.shape[1] // groups * math.prod(kernel) >= _LEAST * groups
        and plain(large)
        and plain(small)
    )
