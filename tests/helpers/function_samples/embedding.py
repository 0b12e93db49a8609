"""Embeddings and bags of them.

What a row without gradient and the mean have (padding_idx, scale_grad_by_freq) is not the derivative, and is not meant to be; a
sparse gradient is not an array."""

import torch
import torch.nn.functional as F

from function_samples.table import (
    M,
    benchmark,
    index,
    normal,
    proof,
    s,
    sample,
    unit,
    weights,
)

sample("Embedding", normal(5, 3), index([0, 2], [2, 4]), -1, False, False)
proof("Embedding", s("W", 3, 2), torch.tensor([[1, 0], [1, 1]]), -1, False, False)
benchmark("Embedding", lambda W, i: F.embedding(i, W), weights(1000, M), constant=lambda n: torch.randint(1000, (n,)))

for _mode, _as, _padding, _w in ((0, "sum", -1, unit(4)), (1, "mean", 1, None), (2, "largest", -1, None)):
    sample("EmbeddingBag", normal(3, 2), index(1, 2, 2, 0), index(0, 3, 3), _w, _mode, False, _padding, False, False, as_=_as)
proof("EmbeddingBag", s("W", 3, 2), torch.tensor([1, 0, 1, 2]), torch.tensor([0, 3]), None, 0, False, -1, False, False)
proof("EmbeddingBag", s("W", 3, 2), torch.tensor([1, 0, 1, 2]), torch.tensor([0, 3, 4]), None, 1, True, 0, False, False)
proof("EmbeddingBag", s("W", 3, 2), torch.tensor([1, 0, 1, 2]), torch.tensor([0, 3]), s("w", 4), 0, False, -1, False, False)
proof(
    "EmbeddingBag",
    s("W", 3, 2, at=(1, 5, 2, 4, 3, 6)),
    torch.tensor([1, 0, 1, 2]),
    torch.tensor([0, 3]),
    None,
    2,
    False,
    -1,
    False,
    False,
)
benchmark(
    "EmbeddingBag",
    lambda W, i: F.embedding_bag(i, W),
    weights(1000, M),
    constant=lambda n: torch.randint(1000, (max(1, n // 4), 4)),
)
