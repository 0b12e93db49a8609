"""The linear layer, and the table of vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor

from manualgrad.nn import functional
from manualgrad.nn.layers._hand_written import HandWritten

__all__ = ["Embedding", "EmbeddingBag", "Linear"]


class Linear(HandWritten, torch.nn.Linear):
    """z = a_prev Wᵀ + b, with W `weight` [out_features, in_features] and b `bias` [out_features]."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias)


class Embedding(HandWritten, torch.nn.Embedding):
    """The rows of `weight` [num_embeddings, embedding_dim] that the input names."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )


class EmbeddingBag(HandWritten, torch.nn.EmbeddingBag):
    """The sum, mean or maximum of the rows of `weight` that each bag of the input names."""

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return functional.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
