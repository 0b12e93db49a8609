"""Multi-head attention and the layers of a transformer, whose forward runs inside by_hand.

Where nothing is differentiated they are torch's own, with what it has to be quick there.
"""

import torch

from manualgrad.nn.layers._derived import derived
from manualgrad.torch_api import inside_by_hand

MultiheadAttention = derived(
    torch.nn.MultiheadAttention,
    """Attention in several heads, between linear layers.

    Shapes:
        query [l, n, embed_dim], key and value [s, n, embed_dim], or with `batch_first` [n, l, embed_dim] and so on;
        the n may be left out. The output is as the query, the weights [n, l, s], or None without `need_weights`.

    Raises:
        AssertionError: when the heads do not divide the embedding: `nn.MultiheadAttention(4, 3)`.
        AssertionError: when an input has another embedding: `nn.MultiheadAttention(4, 2)(*3 * [torch.rand(3, 1, 5)])`.

    Example:
        >>> x = torch.rand(10, 3, 64)
        >>> output, weights = nn.MultiheadAttention(64, 8)(x, x, x)
        >>> output.shape, weights.shape
        (torch.Size([10, 3, 64]), torch.Size([3, 10, 10]))
    """,
    page="attention",
    stays_whole=True,
    around=inside_by_hand,
)
TransformerEncoderLayer = derived(
    torch.nn.TransformerEncoderLayer,
    """Self-attention and two linear layers, each added to its input.

    Shapes:
        src and result alike, [length, n, d_model], or with `batch_first` [n, length, d_model]; the n may be left out.

    Raises:
        AssertionError: when the heads do not divide the embedding: `nn.TransformerEncoderLayer(4, 3)`.
        AssertionError: when an input has another embedding: `nn.TransformerEncoderLayer(4, 2)(torch.rand(3, 1, 5))`.
        RuntimeError: when there is no such activation: `nn.TransformerEncoderLayer(4, 2, activation='sine')`.

    Example:
        >>> nn.TransformerEncoderLayer(64, 8)(torch.rand(10, 3, 64)).shape
        torch.Size([10, 3, 64])
    """,
    page="attention",
    stays_whole=True,
    around=inside_by_hand,
)
TransformerDecoderLayer = derived(
    torch.nn.TransformerDecoderLayer,
    """An encoder layer that also attends to what the encoder made.

    Shapes:
        tgt, memory and result [length, n, d_model], or with `batch_first` [n, length, d_model]; the n may be left out;
        the result is as tgt.

    Raises:
        AssertionError: when the heads do not divide the embedding: `nn.TransformerDecoderLayer(4, 3)`.
        AssertionError: when an input has another embedding:
            `nn.TransformerDecoderLayer(4, 2)(torch.rand(3, 1, 5), torch.rand(3, 1, 4))`.
        RuntimeError: when there is no such activation: `nn.TransformerDecoderLayer(4, 2, activation='sine')`.

    Example:
        >>> nn.TransformerDecoderLayer(64, 8)(torch.rand(7, 3, 64), torch.rand(10, 3, 64)).shape
        torch.Size([7, 3, 64])
    """,
    page="attention",
    stays_whole=True,
    around=inside_by_hand,
)
