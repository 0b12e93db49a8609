"""Multi-head attention and transformer layers, whose forward runs inside by_hand.

If nothing is differentiated, torch's own forward runs, with its fast path.
"""

import torch

from manualgrad.nn.layers._derived import derived
from manualgrad.torch_api import inside_by_hand

MultiheadAttention = derived(
    torch.nn.MultiheadAttention,
    """Compute multi-head attention, between linear layers.

    Shapes:
        query [l, n, embed_dim]; key and value [s, n, embed_dim]; with `batch_first` [n, l, embed_dim] and so on; n is
        optional. The output has query's shape; the weights are [n, l, s], or None without `need_weights`.

    Raises:
        AssertionError: when num_heads does not divide embed_dim: `nn.MultiheadAttention(4, 3)`.
        AssertionError: when an input's last dimension is not embed_dim:
            `nn.MultiheadAttention(4, 2)(*3 * [torch.rand(3, 1, 5)])`.

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
    """Apply self-attention and two linear layers, each with a residual connection.

    Shapes:
        src and output [length, n, d_model], or with `batch_first` [n, length, d_model]; n is optional.

    Raises:
        AssertionError: when nhead does not divide d_model: `nn.TransformerEncoderLayer(4, 3)`.
        AssertionError: when the input's last dimension is not d_model:
            `nn.TransformerEncoderLayer(4, 2)(torch.rand(3, 1, 5))`.
        RuntimeError: when the activation is invalid: `nn.TransformerEncoderLayer(4, 2, activation='sine')`.

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
    """Apply self-attention, attention to the encoder's output and two linear layers, each with a residual connection.

    Shapes:
        tgt, memory and output [length, n, d_model], or with `batch_first` [n, length, d_model]; n is optional;
        the output has tgt's shape.

    Raises:
        AssertionError: when nhead does not divide d_model: `nn.TransformerDecoderLayer(4, 3)`.
        AssertionError: when an input's last dimension is not d_model:
            `nn.TransformerDecoderLayer(4, 2)(torch.rand(3, 1, 5), torch.rand(3, 1, 4))`.
        RuntimeError: when the activation is invalid: `nn.TransformerDecoderLayer(4, 2, activation='sine')`.

    Example:
        >>> nn.TransformerDecoderLayer(64, 8)(torch.rand(7, 3, 64), torch.rand(10, 3, 64)).shape
        torch.Size([7, 3, 64])
    """,
    page="attention",
    stays_whole=True,
    around=inside_by_hand,
)
