"""Sliding windows: unfold, im2col and col2im."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic.unfold import FoldFunction, UnfoldFunction, WindowsFunction
from manualgrad.torch_api.catalogue import answers

_NN: Any = torch._C._nn
T = Tensor


@answers(_NN.im2col)
def im2col(input: Tensor, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    if not _are_pairs(kernel_size, dilation, padding, stride):
        return NotImplemented
    return UnfoldFunction.apply(input, kernel_size, dilation, padding, stride)


@answers(_NN.col2im)
def col2im(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    if not _are_pairs(output_size, kernel_size, dilation, padding, stride):
        return NotImplemented
    return FoldFunction.apply(input, output_size, kernel_size, dilation, padding, stride)


@answers(T.unfold)
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Any:
    if not input.dim() and dimension in (0, -1) and size == 1:
        return input.unsqueeze(0)
    if not isinstance(dimension, int) or not -input.dim() <= dimension < input.dim():
        return NotImplemented
    windows = WindowsFunction.apply(input, dimension % input.dim(), size, step)
    # A compiled function copies its output's gradient to the output's strides, in which these windows overlap.
    return windows.clone() if torch.compiler.is_dynamo_compiling() else windows


def _are_pairs(*values: Any) -> bool:
    return all(isinstance(value, Sequence) and len(value) == 2 for value in values)
