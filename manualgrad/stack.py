"""A whole stack of layers, forward and backward, over a list of W and a list of b: backpropagation itself.

Layer l, of l = 0 .. L−1, takes a[l] to a[l + 1]; a[0] is the input x, a[L] the output. Forward:

    z = a[l] Wᵀ + b        a[l + 1] = σ(z)

Backward, from the last layer to the first. Let delta = ∂C/∂z of the layer:

    ∂C/∂a[L] = 2 (a[L] − y) / N                    of the quadratic cost C = Σ (a[L] − y)² / N
    delta    = ∂C/∂a[l + 1] · σ′(z)                element by element
    ∂C/∂W    = deltaᵀ a[l]    ∂C/∂b = Σ_n delta_n  summed over the examples n
    ∂C/∂a[l] = delta W                             a neuron reaches the cost over every neuron of the next layer: sum over them

σ′ is written in the activation a = σ(z) that is there already: (1 − a) a for the sigmoid; 1 where a > 0, and 0 elsewhere,
for ReLU. A layer may have no activation ("identity"), and an activation may stand without a Linear before it (W is None).

Shapes: a[l] [n, in]; z, delta and a[l + 1] [n, out]; W [out, in]; b [out] or None; y like a[L].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

__all__ = ["backward", "cost_gradient", "da_dz", "forward", "quadratic_cost", "weighted_input"]


def forward(x: Tensor, W: Sequence[Tensor | None], b: Sequence[Tensor | None], activations: Sequence[str]) -> list[Tensor]:
    """The activations a[0] = x to a[L]; each of `activations` is "sigmoid", "relu" or "identity"."""
    a = [x]
    for W_l, b_l, activation in zip(W, b, activations, strict=True):
        a.append(_activate(weighted_input(a[-1], W_l, b_l), activation))
    return a


def weighted_input(a_prev: Tensor, W: Tensor | None, b: Tensor | None) -> Tensor:
    """z = a_prev Wᵀ + b."""
    return a_prev if W is None else linear(a_prev, W, b)


def quadratic_cost(a: Tensor, y: Tensor, N: float) -> Tensor:
    """C = Σ (a − y)² / N."""
    return (a - y).square().sum() / N


def cost_gradient(a: Tensor, y: Tensor, N: float) -> Tensor:
    """∂C/∂a = 2 (a − y) / N."""
    return (a - y) / (N / 2)


def backward(
    a: Sequence[Tensor], W: Sequence[Tensor | None], activations: Sequence[str], dC_da: Tensor
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield l, ∂C/∂a[l + 1] and delta of each layer, from the last to the first; once it is yielded, W[l] may change."""
    for l in reversed(range(len(W))):
        delta = _delta(dC_da, a[l + 1], activations[l])
        dC_da_prev = dC_da_previous(delta, W[l]) if l > 0 else None
        yield l, dC_da, delta
        if dC_da_prev is not None:
            dC_da = dC_da_prev


def dC_da_previous(delta: Tensor, W: Tensor | None) -> Tensor:
    """∂C/∂a_prev = delta W."""
    return delta if W is None else delta @ W


def da_dz(a: Tensor, activation: str) -> Tensor:
    """σ′(z), from a = σ(z)."""
    return _delta(torch.ones_like(a), a, activation)


def _activate(z: Tensor, activation: str) -> Tensor:
    if activation == "sigmoid":
        return torch.sigmoid(z)
    return torch.relu(z) if activation == "relu" else z


def _delta(dC_da: Tensor, a: Tensor, activation: str) -> Tensor:
    """∂C/∂a · σ′(z)."""
    if activation == "sigmoid":
        return dC_da * ((1 - a) * a)
    return torch.where(a <= 0, 0, dC_da) if activation == "relu" else dC_da
