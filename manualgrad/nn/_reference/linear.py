"""The linear layer, and the table of vectors."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry

__all__ = ["CLASSES", "FUNCTIONS"]

_NO_ROW = "when an index is not that of a row"
_NOT_INTEGERS = "RuntimeError: when the input does not hold integers"
_NO_OFFSETS = "ValueError: when the input has one dimension and there are no `offsets`"

FUNCTIONS = {
    "embedding": Entry(
        "The rows of `weight` that the input names; the row `padding_idx` gets no gradient.",
        "linear.embedding",
        "input [...] of integers; weight [rows, vector]; result [..., vector].",
        (
            f"IndexError: {_NO_ROW}: `nn.functional.embedding(torch.tensor([5]), torch.rand(3, 2))`.",
            f"{_NOT_INTEGERS}: `nn.functional.embedding(torch.tensor([0.5]), torch.rand(3, 2))`.",
            "TypeError: when the input is no tensor: `nn.functional.embedding([0], torch.rand(3, 2))`.",
        ),
        """>>> weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
>>> nn.functional.embedding(torch.tensor([1, 1]), weight).sum().backward()
>>> weight.grad
tensor([[0., 0.],
        [2., 2.]])""",
    ),
    "embedding_bag": Entry(
        "The sum, mean or largest of the rows of `weight` that each bag of the input names.",
        "linear.embedding",
        "input [bags, n] of integers, or [all] and offsets [bags]; weight [rows, vector]; result [bags, vector].",
        (
            f"RuntimeError: {_NO_ROW}: `nn.functional.embedding_bag(torch.tensor([[5]]), torch.rand(3, 2))`.",
            f"{_NOT_INTEGERS}: `nn.functional.embedding_bag(torch.tensor([[0.5]]), torch.rand(3, 2))`.",
            f"{_NO_OFFSETS}: `nn.functional.embedding_bag(torch.tensor([0]), torch.rand(3, 2))`.",
        ),
        """>>> weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
>>> nn.functional.embedding_bag(torch.tensor([[0, 1], [1, 1]]), weight)
tensor([[2., 3.],
        [3., 4.]])""",
    ),
}
CLASSES = {
    "Linear": Entry(
        "",
        "linear.linear",
        "[..., in_features] to [..., out_features]; `weight` [out_features, in_features]; `bias` [out_features].",
        (
            "RuntimeError: when the input's last dimension is not in_features: `nn.Linear(4, 2)(torch.rand(3))`.",
            "TypeError: when the input is no tensor: `nn.Linear(4, 2)([1.0])`.",
        ),
        ">>> nn.Linear(784, 16)(torch.rand(100, 784)).shape\ntorch.Size([100, 16])",
    ),
    "Embedding": Entry(
        "",
        "linear.embedding",
        "[...] of integers to [..., embedding_dim]; `weight` [num_embeddings, embedding_dim].",
        (
            f"IndexError: {_NO_ROW}: `nn.Embedding(3, 2)(torch.tensor([5]))`.",
            f"{_NOT_INTEGERS}: `nn.Embedding(3, 2)(torch.tensor([0.5]))`.",
            "AssertionError: when there is no row `padding_idx`: `nn.Embedding(3, 2, padding_idx=5)`.",
        ),
        ">>> nn.Embedding(1000, 64)(torch.tensor([[1, 2, 4], [4, 3, 9]])).shape\ntorch.Size([2, 3, 64])",
    ),
    "EmbeddingBag": Entry(
        "",
        "linear.embedding",
        "[bags, n] of integers, or [all] and offsets [bags], to [bags, embedding_dim];\n"
        "`weight` [num_embeddings, embedding_dim].",
        (
            f"RuntimeError: {_NO_ROW}: `nn.EmbeddingBag(3, 2)(torch.tensor([[5]]))`.",
            f"{_NOT_INTEGERS}: `nn.EmbeddingBag(3, 2)(torch.tensor([[0.5]]))`.",
            f"{_NO_OFFSETS}: `nn.EmbeddingBag(3, 2)(torch.tensor([0]))`.",
        ),
        ">>> nn.EmbeddingBag(1000, 64)(torch.tensor([[1, 2, 4], [4, 3, 9]])).shape\ntorch.Size([2, 64])",
    ),
}
