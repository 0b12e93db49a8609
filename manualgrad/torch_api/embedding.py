"""Embeddings and embedding bags."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.functions.embedding import EmbeddingBagFunction, EmbeddingFunction
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.guard import functional

_INTEGERS = (torch.int64, torch.int32)
_MODES = ("sum", "mean", "max")


@functional(F.embedding, page="embedding")
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """Look up the rows of `weight` at the indices in the input; the row `padding_idx` receives no gradient.

    Shapes:
        input [...] of integers; weight [rows, vector]; output [..., vector].

    Raises:
        IndexError: when an index is out of range: `nn.functional.embedding(torch.tensor([5]), torch.rand(3, 2))`.
        RuntimeError: when the indices are not integers: `nn.functional.embedding(torch.tensor([0.5]), torch.rand(3, 2))`.
        TypeError: when the input is not a Tensor: `nn.functional.embedding([0], torch.rand(3, 2))`.

    Example:
        >>> weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> nn.functional.embedding(torch.tensor([1, 1]), weight).sum().backward()
        >>> weight.grad
        tensor([[0., 0.],
                [2., 2.]])
    """
    rows = weight.shape[0] if weight.dim() == 2 else -1
    if rows < 0 or (padding_idx is not None and not -rows <= padding_idx < rows):
        return NotImplemented
    padding = -1 if padding_idx is None else padding_idx % rows
    if not _can_look_up(weight, input, scale_grad_by_freq and sparse):
        return NotImplemented
    _renormalize(weight, input, max_norm, norm_type)
    return EmbeddingFunction.apply(weight, input, padding, scale_grad_by_freq, sparse)


@answers(torch.embedding)
def torch_embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Any:
    """Implement torch.embedding, where a negative padding_idx means no padding."""
    if weight.dim() != 2 or not _can_look_up(weight, indices, scale_grad_by_freq and sparse):
        return NotImplemented
    return EmbeddingFunction.apply(weight, indices, max(padding_idx, -1), scale_grad_by_freq, sparse)


def _can_look_up(weight: Tensor, input: Tensor, torch_raises: bool) -> bool:
    return input.dtype in _INTEGERS and input.device == weight.device and not torch_raises


def _renormalize(weight: Tensor, input: Tensor, max_norm: float | None, norm_type: float) -> None:
    """Rescale, in place, the looked-up rows of weight whose norm exceeds max_norm."""
    if max_norm is not None:
        with torch.no_grad():
            torch.embedding_renorm_(weight, input.contiguous(), max_norm, norm_type)


@functional(F.embedding_bag, page="embedding")
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Compute the sum, mean or maximum of the rows of `weight` at the indices in each bag.

    Shapes:
        input [bags, n] of integers, or [all] with offsets [bags]; weight [rows, vector]; output [bags, vector].

    Raises:
        RuntimeError: when an index is out of range: `nn.functional.embedding_bag(torch.tensor([[5]]), torch.rand(3, 2))`.
        RuntimeError: when the indices are not integers: `nn.functional.embedding_bag(torch.tensor([[0.5]]), torch.rand(3, 2))`.
        ValueError: when the input is 1-D and `offsets` is None:
            `nn.functional.embedding_bag(torch.tensor([0]), torch.rand(3, 2))`.

    Example:
        >>> weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> nn.functional.embedding_bag(torch.tensor([[0, 1], [1, 1]]), weight)
        tensor([[2., 3.],
                [3., 4.]])
    """
    w = per_sample_weights
    if mode not in _MODES or (w is not None and (mode != "sum" or w.shape != input.shape)):
        return NotImplemented
    if input.dim() == 2:
        if offsets is not None or not input.shape[1]:
            return NotImplemented
        offsets = torch.arange(0, input.numel(), input.shape[1], dtype=input.dtype, device=input.device)
        include_last_offset = False
        input, w = input.reshape(-1), None if w is None else w.reshape(-1)
    if offsets is None:
        return NotImplemented
    options = (scale_grad_by_freq, _MODES.index(mode), sparse, w, include_last_offset, padding_idx)
    if not _is_a_call(weight, input, offsets, *options):
        return NotImplemented
    _renormalize(weight, input, max_norm, norm_type)
    return torch_embedding_bag(weight, input, offsets, *options)[0]


@answers(torch.embedding_bag)
def torch_embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Implement torch.embedding_bag: return the output, the bag of each index, the bag sizes, and the rows of the maxima."""
    if not _is_a_call(
        weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, padding_idx
    ):
        return NotImplemented
    padding = -1 if padding_idx is None else padding_idx % len(weight)
    return EmbeddingBagFunction.apply(
        weight, indices, offsets, per_sample_weights, mode, include_last_offset, padding, scale_grad_by_freq, sparse
    )


def _is_a_call(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    by_frequency: bool,
    mode: int,
    sparse: bool,
    w: Tensor | None,
    has_end: bool,
    padding: int | None,
) -> bool:
    """Return whether the arguments are valid; for invalid ones, PyTorch raises."""
    if (weight.dim(), indices.dim(), offsets.dim()) != (2, 1, 1) or offsets.dtype not in _INTEGERS:
        return False
    if (mode == 2 and (by_frequency or sparse)) or (w is not None and (mode != 0 or w.dtype != weight.dtype)):
        return False
    rows = weight.shape[0]
    fits = padding is None or -rows <= padding < rows
    has_bags = len(offsets) > has_end or not len(indices)
    return fits and has_bags and offsets.device == weight.device and _can_look_up(weight, indices, by_frequency and sparse)
