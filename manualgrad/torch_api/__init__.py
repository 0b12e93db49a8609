"""PyTorch's functions by hand: its names, signatures and docstrings over the Functions.

Each module has the calls of a family. `catalogue` enters a call under PyTorch's names, `guard` makes a function of
`nn.functional` of it, and `mode` is `by_hand`, which looks up what is called inside it.
"""

from manualgrad.torch_api import (
    activations,
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
    order,
    pooling,
    repeat,
    rounding,
    scatter,
    statistics,
)
from manualgrad.torch_api.guard import FUNCTIONAL, inside_by_hand
from manualgrad.torch_api.mode import by_hand

__all__ = [
    "FUNCTIONAL",
    "activations",
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
    "order",
    "pooling",
    "repeat",
    "rounding",
    "scatter",
    "statistics",
]
