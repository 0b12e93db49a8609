"""Attention, and the layers of a transformer."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry

__all__ = ["CLASSES", "FUNCTIONS"]

_OF_LAYERS = "[length, n, d_model], or with `batch_first` [n, length, d_model]; the n may be left out"
_HEADS = "AssertionError: when the heads do not divide the embedding"
_EMBEDDING = "AssertionError: when an input has another embedding"
_ACTIVATION = "RuntimeError: when there is no such activation"

FUNCTIONS = {
    "scaled_dot_product_attention": Entry(
        "softmax(q kᵀ · scale + mask) v, with scale = 1 / √e by default; in any order, and in forward mode too.",
        "attention",
        "query [..., l, e]; key [..., s, e]; value [..., s, v]; attn_mask as [..., l, s]; result [..., l, v].",
        (
            "RuntimeError: when query and key do not fit: "
            "`nn.functional.scaled_dot_product_attention(torch.rand(2, 3, 4), torch.rand(2, 3, 5), torch.rand(2, 3, 4))`.",
            "RuntimeError: when one of them is a vector: "
            "`nn.functional.scaled_dot_product_attention(torch.rand(2), torch.rand(2), torch.rand(2))`.",
        ),
        """>>> q, k, v = torch.rand(3, 8, 12, 197, 64)
>>> nn.functional.scaled_dot_product_attention(q, k, v).shape
torch.Size([8, 12, 197, 64])""",
    )
}
CLASSES = {
    "MultiheadAttention": Entry(
        "",
        "attention",
        "query [l, n, embed_dim], key and value [s, n, embed_dim], or with `batch_first` [n, l, embed_dim] and so on;\n"
        "the n may be left out. The output is as the query, the weights [n, l, s], or None without `need_weights`.",
        (
            f"{_HEADS}: `nn.MultiheadAttention(4, 3)`.",
            f"{_EMBEDDING}: `nn.MultiheadAttention(4, 2)(torch.rand(3, 1, 5), torch.rand(3, 1, 5), torch.rand(3, 1, 5))`.",
        ),
        """>>> x = torch.rand(10, 3, 64)
>>> output, weights = nn.MultiheadAttention(64, 8)(x, x, x)
>>> output.shape, weights.shape
(torch.Size([10, 3, 64]), torch.Size([3, 10, 10]))""",
    ),
    "TransformerEncoderLayer": Entry(
        "",
        "attention",
        f"src and result alike, {_OF_LAYERS}.",
        (
            f"{_HEADS}: `nn.TransformerEncoderLayer(4, 3)`.",
            f"{_EMBEDDING}: `nn.TransformerEncoderLayer(4, 2)(torch.rand(3, 1, 5))`.",
            f"{_ACTIVATION}: `nn.TransformerEncoderLayer(4, 2, activation='sine')`.",
        ),
        ">>> nn.TransformerEncoderLayer(64, 8)(torch.rand(10, 3, 64)).shape\ntorch.Size([10, 3, 64])",
    ),
    "TransformerDecoderLayer": Entry(
        "",
        "attention",
        f"tgt, memory and result {_OF_LAYERS};\nthe result is as tgt.",
        (
            f"{_HEADS}: `nn.TransformerDecoderLayer(4, 3)`.",
            f"{_EMBEDDING}: `nn.TransformerDecoderLayer(4, 2)(torch.rand(3, 1, 5), torch.rand(3, 1, 4))`.",
            f"{_ACTIVATION}: `nn.TransformerDecoderLayer(4, 2, activation='sine')`.",
        ),
        ">>> nn.TransformerDecoderLayer(64, 8)(torch.rand(7, 3, 64), torch.rand(10, 3, 64)).shape\ntorch.Size([7, 3, 64])",
    ),
}
