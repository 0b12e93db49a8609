"""The same network and batch for every contestant, independent of its library."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LR = 1.0  # on the cost 1/(n·outputs) Σ (a[L] − y)²

Array = NDArray[np.float32]


def parameters(sizes: list[int]) -> tuple[list[Array], list[Array]]:
    """Return W and b of each layer, initialized as in torch.nn.Linear: uniform between ±1/√inputs."""
    random = np.random.default_rng(0)

    def uniform(inputs: int, *shape: int) -> Array:
        return (random.uniform(-1, 1, shape) / np.sqrt(inputs)).astype(np.float32)

    pairs = list(pairwise(sizes))
    return [uniform(a, b, a) for a, b in pairs], [uniform(a, b) for a, b in pairs]


def examples(sizes: list[int], batch: int) -> tuple[Array, Array]:
    """Return x [batch, inputs] and y [batch, outputs], from 0 to 1."""
    random = np.random.default_rng(1)
    return random.random((batch, sizes[0]), np.float32), random.random((batch, sizes[-1]), np.float32)
