"""The learning rate of a training that is given none.

The cost of a mini-batch is the average of its examples' costs. Two things limit the rate at which descent may follow its
gradient, and the lower limit holds:

- **Noise.** The gradient of a mini-batch of B examples is a guess at that of all of them, and the better the larger B is: the
  rate may grow with B (Goyal et al., 2017, "Accurate, Large Minibatch SGD", section 2.1). The notes' is 5 for B = 100.
- **Curvature.** In a bowl of curvature λ, descent at a rate above 2/λ climbs. The quadratic cost is steepest along the
  weights of one neuron, where λ is in proportion to Σ_k a_k², the activations that these weights carry, and so to the
  number n of neurons in the layer before. No mini-batch is large enough to help against that.
  The cross entropy of a softmax has the slope a − y by z, without the factor σ′ of the quadratic cost: its outputs do not
  saturate while they are wrong, and the limit does not depend on n. It is higher for sigmoids, which pass on a quarter of a
  nudge at most, than for tanh and relu, which pass on all of it.

The factors were tried out on MNIST, a few epochs with each of several rates. benchmarks/settings.py shows what the rule comes
to, for many networks and mini-batches.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["default_rate"]

_FEW = 16  # neurons: fewer allow no higher rate, as the noise of what they say is greater
_ADAMS = {"adam": "Adam", "adamw": "AdamW"}
_NOISE = {"sigmoid": 0.05, "tanh": 0.02, "relu": 0.01}  # the rate for each example of a mini-batch
_SOFTMAX = {"sigmoid": 1.0, "tanh": 0.3, "relu": 0.3}  # the highest rate under the cross entropy
_PIXELS = 160  # Σ x² of an image is 100 (MNIST) to 160 (Fashion-MNIST), as that of so many active neurons


def default_rate(
    hidden: Sequence[int] | None,
    activation: str | None,
    batch_size: int,
    optimizer: str,
    network: str = "mlp",
    cost: str = "quadratic",
) -> tuple[float, str]:
    """The learning rate, and what it is chosen for, in words.

    Args:
        hidden: the sizes of the hidden layers; None for lenet5.
        activation: theirs, "sigmoid", "relu" or "tanh"; likewise.
        batch_size: the examples of a mini-batch.
        optimizer: "sgd", "momentum", "adam" or "adamw".
        network: "mlp" or "lenet5".
        cost: "quadratic" or "cross-entropy".
    """
    if network == "lenet5":
        return _lenet5(batch_size, optimizer, cost)
    assert hidden is not None
    assert activation is not None
    layers = f"{activation} layers of up to {max(hidden)} neurons" if hidden else "a network without hidden layers"
    if optimizer in _ADAMS:  # It moves each weight by the rate, however long the gradient is: z by n times that.
        return min(max(0.05 / _widest(hidden), 0.001), 0.003), _words(layers, cost, _ADAMS[optimizer])
    kind = activation if hidden else "sigmoid"
    by_noise, by_curvature = _NOISE[kind] * batch_size, _by_curvature(kind, hidden, cost)
    batches = f"mini-batches of {batch_size}"
    if optimizer == "momentum":
        # Each step is taken again 0.9, 0.81, ... times as long: ten times, all told. And the first steps, which are the
        # longest, carry it into saturation at a tenth of the other limit, where outputs can be saturated.
        by_curvature /= 40 if cost == "quadratic" else 4
        return min(by_noise / 10, by_curvature), _words(layers, cost, batches, "momentum")
    return min(by_noise, by_curvature), _words(layers, cost, batches)


def _by_curvature(kind: str, hidden: Sequence[int], cost: str) -> float:
    if cost == "cross-entropy":
        return _SOFTMAX[kind]
    # The length of relu's a is the same for every n at the start, by nn.Linear's initial weights; it has no bound later.
    return {"sigmoid": 80 / _widest(hidden), "tanh": 0.3, "relu": 0.5}[kind]


def _widest(hidden: Sequence[int]) -> int:
    return max(*hidden, _FEW) if hidden else _PIXELS


def _words(layers: str, cost: str, *others: str) -> str:
    """The parts with commas, and "and" before the last: "relu layers of up to 16 neurons, the cross entropy and Adam"."""
    *first, last = [layers, *["the cross entropy"] * (cost == "cross-entropy"), *others]
    return f"{', '.join(first)} and {last}"


def _lenet5(batch_size: int, optimizer: str, cost: str) -> tuple[float, str]:
    """Likewise, from an epoch on 15,000 images with each of several rates, for mini-batches of 10, 100 and 1000.

    Plain descent goes well at 0.5, and at 2 (at 1 with mini-batches of 10) its outputs all end at 0. Momentum goes well at
    0.005 to 0.1, also where the mini-batch is small; AdamW at 0.001 to 0.008.
    """
    if optimizer in _ADAMS:
        return 0.002, _words("lenet5", cost, _ADAMS[optimizer])
    rate = min(0.02 * batch_size, 0.5)
    batches = f"mini-batches of {batch_size}"
    if optimizer == "momentum":
        return rate / 10, _words("lenet5", cost, batches, "momentum")
    return rate, _words("lenet5", cost, batches)
