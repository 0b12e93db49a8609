"""The linear layer, and the table of vectors."""

import torch

from manualgrad.nn.layers._derived import derived

Linear = derived(
    torch.nn.Linear,
    """z = a_prev Wᵀ + b, with W `weight` [out_features, in_features] and b `bias` [out_features].

    Shapes:
        [..., in_features] to [..., out_features]; `weight` [out_features, in_features]; `bias` [out_features].

    Raises:
        RuntimeError: when the input's last dimension is not in_features: `nn.Linear(4, 2)(torch.rand(3))`.
        TypeError: when the input is not a Tensor: `nn.Linear(4, 2)([1.0])`.

    Example:
        >>> nn.Linear(784, 16)(torch.rand(100, 784)).shape
        torch.Size([100, 16])
    """,
)
Embedding = derived(
    torch.nn.Embedding,
    """The rows of `weight` [num_embeddings, embedding_dim] that the input names.

    Shapes:
        [...] of integers to [..., embedding_dim]; `weight` [num_embeddings, embedding_dim].

    Raises:
        IndexError: when an index is not that of a row: `nn.Embedding(3, 2)(torch.tensor([5]))`.
        RuntimeError: when the input holds no integers: `nn.Embedding(3, 2)(torch.tensor([0.5]))`.
        AssertionError: when there is no row `padding_idx`: `nn.Embedding(3, 2, padding_idx=5)`.

    Example:
        >>> nn.Embedding(1000, 64)(torch.tensor([[1, 2, 4], [4, 3, 9]])).shape
        torch.Size([2, 3, 64])
    """,
)
EmbeddingBag = derived(
    torch.nn.EmbeddingBag,
    """The sum, mean or maximum of the rows of `weight` that each bag of the input names.

    Shapes:
        [bags, n] of integers, or [all] and offsets [bags], to [bags, embedding_dim];
        `weight` [num_embeddings, embedding_dim].

    Raises:
        RuntimeError: when an index is not that of a row: `nn.EmbeddingBag(3, 2)(torch.tensor([[5]]))`.
        RuntimeError: when the input holds no integers: `nn.EmbeddingBag(3, 2)(torch.tensor([[0.5]]))`.
        ValueError: when a 1-D input comes without `offsets`: `nn.EmbeddingBag(3, 2)(torch.tensor([0]))`.

    Example:
        >>> nn.EmbeddingBag(1000, 64)(torch.tensor([[1, 2, 4], [4, 3, 9]])).shape
        torch.Size([2, 64])
    """,
)
