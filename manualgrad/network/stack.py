"""The forward and backward pass of a stack of layers, given as a list of W and a list of b.

Layer l, for l = 0 .. L−1, maps a[l] to a[l + 1]; a[0] is the input x, a[L] the output. Forward:

    z = a[l] Wᵀ + b        a[l + 1] = σ(z)

Backward, from the last layer to the first. Let delta = ∂C/∂z of the layer:

    ∂C/∂a[L] = (a[L] − y) / (N/2)                  for the quadratic cost C = Σ (a[L] − y)² / N; for cross entropy see costs.py
    delta    = ∂C/∂a[l + 1] · σ′(z)                elementwise
    ∂C/∂W    = deltaᵀ a[l]    ∂C/∂b = Σ_n delta_n  summed over the examples n
    ∂C/∂a[l] = delta W                             summed over the neurons of the next layer, since each affects the cost

σ′ is computed from the activation a = σ(z): (1 − a) a = a − a² for the sigmoid, 1 − a² for tanh; for ReLU, 1 where a > 0, and 0
elsewhere. A layer may have no activation ("identity"), and an activation may have no Linear before it (W is None).

Shapes: a[l] [n, in]; z, delta and a[l + 1] [n, out]; W [out, in]; b [out] or None; y like a[L].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from manualgrad import product

__all__ = ["activate", "backward", "da_dz", "delta_of", "forward", "quadratic_cost", "weighted_input"]


def forward(
    x: Tensor,
    W: Sequence[Tensor | None],
    b: Sequence[Tensor | None],
    activations: Sequence[str],
    into: Sequence[Tensor | None] | None = None,
) -> list[Tensor]:
    """Compute the activations a[0] = x to a[L]; must run without recording a graph.

    Args:
        activations: "sigmoid", "relu", "tanh" or "identity" for each layer.
        into: buffers for a[1] to a[L], each an array of the same shape, or None for a new one.
    """
    a = [x]
    for l, activation in enumerate(activations):
        z = weighted_input(a[l], W[l], b[l], None if into is None else into[l])
        a.append(activate(z.clone() if z is a[l] else z, activation))
    return a


def weighted_input(a_prev: Tensor, W: Tensor | None, b: Tensor | None, into: Tensor | None = None) -> Tensor:
    """Compute z = a_prev Wᵀ + b."""
    return a_prev if W is None else product.linear(a_prev, W, b, into)


def quadratic_cost(error: Tensor, N: float) -> Tensor:
    """Compute C = Σ error² / N, for the error a[L] − y."""
    error = error.reshape(-1)
    return torch.dot(error, error) / N


def backward(
    a: Sequence[Tensor],
    W: Sequence[Tensor | None],
    activations: Sequence[str],
    dC_da: Tensor,
    into: Sequence[Tensor | None] | None = None,
    first: int = 0,
    frugal: bool = False,
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield l, ∂C/∂a[l + 1] and delta of each layer, from the last to the first; after the yield, W[l] may change.

    Args:
        first: the layer to stop at.
        frugal: write delta over ∂C/∂a, and keep both only until the next layer is requested; the caller's `dC_da` is not
            overwritten.
        into: buffers for delta of each layer except the last, or None for new arrays; into[l - 1] may share the memory of
            a[l + 1]. With buffers, `dC_da` and `a[l + 1]` are overwritten too: after layer l is yielded, `dC_da` holds delta.
    """
    for l in reversed(range(first, len(W))):
        if into is not None:
            delta = delta_of(dC_da, a[l + 1], activations[l], over_dC_da=True, over_a=True)
        else:
            delta = delta_of(dC_da, a[l + 1], activations[l], over_dC_da=frugal and l < len(W) - 1)
        dC_da_prev = None if l == first else dC_da_previous(delta, W[l], None if into is None else into[l - 1])
        yield l, dC_da, delta
        if dC_da_prev is not None:
            dC_da = dC_da_prev
        del delta, dC_da_prev


def dC_da_previous(delta: Tensor, W: Tensor | None, into: Tensor | None = None) -> Tensor:
    """Compute ∂C/∂a_prev = delta W."""
    return delta if W is None else product.mm(delta, W, into)


def da_dz(a: Tensor, activation: str) -> Tensor:
    """Compute σ′(z) from a = σ(z)."""
    return delta_of(torch.ones_like(a), a, activation)


def activate(z: Tensor, activation: str) -> Tensor:
    """Compute σ(z) in place."""
    if activation == "sigmoid":
        return z.sigmoid_()
    if activation == "tanh":
        return z.tanh_()
    return z.relu_() if activation == "relu" else z


def delta_of(dC_da: Tensor, a: Tensor, activation: str, over_dC_da: bool = False, over_a: bool = False) -> Tensor:
    """Compute ∂C/∂a · σ′(z), in place of ∂C/∂a if `over_dC_da`; σ′(z) may overwrite a if `over_a`."""
    if activation == "sigmoid":
        da_dz = a.addcmul_(a, a, value=-1) if over_a else torch.addcmul(a, a, a, value=-1)  # a − a²
        return dC_da.mul_(da_dz) if over_dC_da else dC_da * da_dz
    if activation == "tanh":
        da_dz = torch.addcmul(a.new_ones(()), a, a, value=-1, out=a if over_a else None)  # 1 − a²
        return dC_da.mul_(da_dz) if over_dC_da else dC_da * da_dz
    if activation == "relu":
        return dC_da.masked_fill_(a <= 0, 0) if over_dC_da else torch.where(a <= 0, 0, dC_da)
    return dC_da
