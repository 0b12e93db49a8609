"""The embedding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.linear.embedding import EmbeddingFunction


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """torch.nn.functional's."""
    if input.dtype not in (torch.int64, torch.int32) or weight.dim() != 2:
        return NotImplemented
    padding = -1 if padding_idx is None else padding_idx
    if not -len(weight) <= padding < len(weight):
        return NotImplemented
    if padding_idx is not None:
        padding %= len(weight)
    if max_norm is not None:
        with torch.no_grad():  # changes W itself: of its rows those that are too long
            torch.embedding_renorm_(weight.detach(), input.contiguous(), max_norm, norm_type)
    return EmbeddingFunction.apply(weight, input, padding, scale_grad_by_freq, sparse)


def torch_embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Any:
    """torch.embedding, with its order of arguments."""
    return embedding(indices, weight, None if padding_idx == -1 else padding_idx, None, 2.0, scale_grad_by_freq, sparse)
