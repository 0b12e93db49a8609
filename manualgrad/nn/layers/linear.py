"""The linear layer and the embedding layers."""

import torch

from manualgrad.nn.layers._derived import derived

Linear = derived(
    torch.nn.Linear,
    """Compute z = a_prev Wᵀ + b, with W `weight` [out_features, in_features] and b `bias` [out_features].

    Shapes:
        input [..., in_features]; output [..., out_features]; `weight` [out_features, in_features]; `bias` [out_features].

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
    """Look up the rows of `weight` [num_embeddings, embedding_dim] at the indices in the input.

    Shapes:
        input [...] of integers; output [..., embedding_dim]; `weight` [num_embeddings, embedding_dim].

    Raises:
        IndexError: when an index is out of range: `nn.Embedding(3, 2)(torch.tensor([5]))`.
        RuntimeError: when the indices are not integers: `nn.Embedding(3, 2)(torch.tensor([0.5]))`.
        AssertionError: when `padding_idx` is out of range: `nn.Embedding(3, 2, padding_idx=5)`.

    Example:
        >>> nn.Embedding(1000, 64)(torch.tensor([[1, 2, 4], [4, 3, 9]])).shape
        torch.Size([2, 3, 64])
    """,
)
EmbeddingBag = derived(
    torch.nn.EmbeddingBag,
    """Compute the sum, mean or maximum of the rows of `weight` at the indices in each bag.

    Shapes:
        input [bags, n] of integers, or [all] with offsets [bags]; output [bags, embedding_dim];
        `weight` [num_embeddings, embedding_dim].

    Raises:
        RuntimeError: when an index is out of range: `nn.EmbeddingBag(3, 2)(torch.tensor([[5]]))`.
        RuntimeError: when the indices are not integers: `nn.EmbeddingBag(3, 2)(torch.tensor([[0.5]]))`.
        ValueError: when the input is 1-D and `offsets` is None: `nn.EmbeddingBag(3, 2)(torch.tensor([0]))`.

    Example:
        >>> nn.EmbeddingBag(1000, 64)(torch.tensor([[1, 2, 4], [4, 3, 9]])).shape
        torch.Size([2, 64])
    """,
)
