"""A hand-written training step in NumPy with preallocated arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from problem import LR, examples, parameters


def numpy_by_hand(sizes: list[int], batch: int) -> Callable[[], float]:
    W, b = parameters(sizes)
    x, y = examples(sizes, batch)
    a = [x, *(np.empty((batch, size), np.float32) for size in sizes[1:])]
    delta = [np.empty((batch, size), np.float32) for size in sizes]
    dC_dW = [np.empty_like(W_l) for W_l in W]
    dC_da_factor, L = np.float32(2 / y.size), len(W)

    def step() -> float:
        for l in range(L):
            z = np.matmul(a[l], W[l].T, out=a[l + 1])
            z += b[l]
            # 1 / (1 + e⁻ᶻ)
            np.negative(z, out=z)
            np.exp(z, out=z)
            z += 1
            np.reciprocal(z, out=z)
        error = np.subtract(a[L], y, out=delta[L])
        cost = float(np.vdot(error, error)) / error.size
        error *= dC_da_factor
        for l in reversed(range(L)):
            a_l, delta_l = a[l + 1], delta[l + 1]
            delta_l *= a_l
            delta_l *= np.subtract(1, a_l, out=a_l)
            if l:
                np.matmul(delta_l, W[l], out=delta[l])
            gradient = np.matmul(delta_l.T, a[l], out=dC_dW[l])
            gradient *= LR
            W[l] -= gradient
            b[l] -= LR * delta_l.sum(0)
        return cost

    return step
