"""The default learning rate.

The cost of a mini-batch is the average of its examples' costs. Two effects limit the learning rate, and the lower limit holds:

- **Noise.** The gradient of a mini-batch of B examples estimates the full gradient, and the estimate improves with B, so the
  rate may grow with B (Goyal et al., 2017, "Accurate, Large Minibatch SGD", section 2.1). In the notes it is 5 for B = 100.
- **Curvature.** In a bowl of curvature λ, descent at a rate above 2/λ climbs. The quadratic cost is steepest along the
  weights of one neuron, where λ is proportional to Σ_k a_k², over the activations that these weights multiply, and so to the
  number n of neurons in the layer before. A larger mini-batch does not raise this limit.
  The cross entropy of a softmax has the slope a − y with respect to z, without the factor σ′ of the quadratic cost: its
  outputs do not saturate while they are wrong, and the limit does not depend on n. It is higher for sigmoids, which pass on at
  most a quarter of a nudge, than for tanh and relu, which pass on all of it.

The constants were found on MNIST, by a few epochs with each of several rates. benchmarks/settings.py shows the resulting rates
for many networks and mini-batches.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["default_rate"]

_FEW = 16  # neurons: fewer do not allow a higher rate, because their output is noisier
_ADAMS = {"adam": "Adam", "adamw": "AdamW"}
_NOISE = {"sigmoid": 0.05, "tanh": 0.02, "relu": 0.01}  # the rate per example of a mini-batch
_SOFTMAX = {"sigmoid": 1.0, "tanh": 0.3, "relu": 0.3}  # the highest rate under the cross entropy
_PIXELS = 160  # Σ x² of an image is 100 (MNIST) to 160 (Fashion-MNIST), like that of 160 active neurons


def default_rate(
    hidden: Sequence[int] | None,
    activation: str | None,
    batch_size: int,
    optimizer: str,
    network: str = "mlp",
    cost: str = "quadratic",
) -> tuple[float, str]:
    """Return the default learning rate and, in words, the settings that determine it.

    Args:
        hidden: the sizes of the hidden layers; None for lenet5.
        activation: the activation of the hidden layers, "sigmoid", "relu" or "tanh"; None for lenet5.
        batch_size: the number of examples in a mini-batch.
        optimizer: "sgd", "momentum", "adam" or "adamw".
        network: "mlp" or "lenet5".
        cost: "quadratic" or "cross-entropy".
    """
    if network == "lenet5":
        return _lenet5(batch_size, optimizer, cost)
    assert hidden is not None
    assert activation is not None
    layers = f"{activation} layers of up to {max(hidden)} neurons" if hidden else "a network without hidden layers"
    if optimizer in _ADAMS:  # Adam moves each weight by about the rate, whatever the gradient's norm: z by n times that.
        return min(max(0.05 / _widest(hidden), 0.001), 0.003), _words(layers, cost, _ADAMS[optimizer])
    kind = activation if hidden else "sigmoid"
    by_noise, by_curvature = _NOISE[kind] * batch_size, _by_curvature(kind, hidden, cost)
    batches = f"mini-batches of {batch_size}"
    if optimizer == "momentum":
        # Each step is repeated 0.9, 0.81, ... times as long, ten times in total. Where outputs can saturate, the first steps,
        # which are the longest, saturate them at a tenth of the curvature limit.
        by_curvature /= 40 if cost == "quadratic" else 4
        return min(by_noise / 10, by_curvature), _words(layers, cost, batches, "momentum")
    return min(by_noise, by_curvature), _words(layers, cost, batches)


def _by_curvature(kind: str, hidden: Sequence[int], cost: str) -> float:
    if cost == "cross-entropy":
        return _SOFTMAX[kind]
    # With nn.Linear's initial weights, the norm of relu's a does not depend on n at the start; later it is unbounded.
    return {"sigmoid": 80 / _widest(hidden), "tanh": 0.3, "relu": 0.5}[kind]


def _widest(hidden: Sequence[int]) -> int:
    return max(*hidden, _FEW) if hidden else _PIXELS


def _words(layers: str, cost: str, *others: str) -> str:
    """Join the parts: "relu layers of up to 16 neurons, the cross entropy and Adam"."""
    *first, last = [layers, *["the cross entropy"] * (cost == "cross-entropy"), *others]
    return f"{', '.join(first)} and {last}"


def _lenet5(batch_size: int, optimizer: str, cost: str) -> tuple[float, str]:
    """Return the rate for lenet5, found by one epoch on 15,000 images per rate, for mini-batches of 10, 100 and 1000.

    Plain SGD trains well at 0.5; at 2 (at 1 with mini-batches of 10) all outputs end at 0. Momentum trains well at 0.005 to
    0.1, also with small mini-batches; AdamW at 0.001 to 0.008.
    """
    if optimizer in _ADAMS:
        return 0.002, _words("lenet5", cost, _ADAMS[optimizer])
    rate = min(0.02 * batch_size, 0.5)
    batches = f"mini-batches of {batch_size}"
    if optimizer == "momentum":
        return rate / 10, _words("lenet5", cost, batches, "momentum")
    return rate, _words("lenet5", cost, batches)
