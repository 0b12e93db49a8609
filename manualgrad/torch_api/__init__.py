"""PyTorch's functions by hand: its names, signatures and docstrings over the Functions.

Each module has the calls of a family. `catalogue` enters a call under PyTorch's names, `guard` makes a function of
`nn.functional` of it, and `mode` is `by_hand`, which looks up what is called inside it.
"""

from manualgrad.torch_api import (
    activations,
    addcmul,
    arithmetic,
    attention,
    composed_losses,
    compositions,
    convolution,
    dropout,
    einsum,
    embedding,
    interpolate,
    linear,
    losses,
    movement,
    normalization,
    piecewise,
    pooling,
    products,
    repeat,
    rounding,
    scatter,
    selection,
    statistics,
    tril_triu,
    unfold,
    vector_norm,
)
from manualgrad.torch_api.guard import FUNCTIONAL, inside_by_hand
from manualgrad.torch_api.mode import by_hand

__all__ = [
    "FUNCTIONAL",
    "activations",
    "addcmul",
    "arithmetic",
    "attention",
    "by_hand",
    "composed_losses",
    "compositions",
    "convolution",
    "dropout",
    "einsum",
    "embedding",
    "inside_by_hand",
    "interpolate",
    "linear",
    "losses",
    "movement",
    "normalization",
    "piecewise",
    "pooling",
    "products",
    "repeat",
    "rounding",
    "scatter",
    "selection",
    "statistics",
    "tril_triu",
    "unfold",
    "vector_norm",
]
