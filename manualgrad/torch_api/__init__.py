"""The PyTorch-facing API: PyTorch's names and signatures, implemented by the hand-written Functions.

Each module covers one family of operators. `catalogue` registers a call under PyTorch's names, `guard` exports it as a function
of `nn.functional`, and `mode` defines `by_hand`, which dispatches to the catalogue.
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
