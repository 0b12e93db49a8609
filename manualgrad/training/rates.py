"""The learning rate of a training that is given none.

The cost of a mini-batch is the average of its examples' costs. Two things limit the rate at which descent may follow its
gradient, and the lower limit holds:

- **Noise.** The gradient of a mini-batch of B examples is a guess at that of all of them, and the better the larger B is: the
  rate may grow with B (Goyal et al., 2017, "Accurate, Large Minibatch SGD", section 2.1). The notes' is 5 for B = 100.
- **Curvature.** In a bowl of curvature λ, descent at a rate above 2/λ climbs. The quadratic cost is steepest along the
  weights of one neuron, where λ is in proportion to Σ_k a_k², the activations that these weights carry, and so to the
  number n of neurons in the layer before. No mini-batch is large enough to help against that.

Under the cross entropy both are as much, but for one thing: its slope a − y has no factor σ′, which is at most 1/4. Plain
descent takes sigmoids' outputs away from where they are flat at a rate of 5, and has no need to do so with softmax.

The factors were tried out on MNIST, a few epochs with each of several rates. benchmarks/settings.py shows what the rule comes
to, for many networks and mini-batches.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["default_rate"]

_FEW = 16  # neurons: fewer allow no higher rate, as the noise of what they say is greater
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
        activation: theirs, "sigmoid" or "relu"; likewise.
        batch_size: the examples of a mini-batch.
        optimizer: "sgd", "momentum" or "adamw".
        network: "mlp" or "lenet5".
    """
    if network == "lenet5":
        return _lenet5(batch_size, optimizer)
    assert hidden is not None
    n = max(*hidden, _FEW) if hidden else _PIXELS
    layers = f"{activation} layers of up to {max(hidden)} neurons" if hidden else "a network without hidden layers"
    batches = f"mini-batches of {batch_size}"
    if optimizer == "adamw":  # It moves each weight by the rate, however long the gradient is: z by n times that.
        return min(max(0.05 / n, 0.001), 0.003), f"{layers} and AdamW"
    if activation == "sigmoid" or not hidden:
        by_noise, by_curvature = 0.05 * batch_size, 80 / n
    else:  # The length of a is the same for every n at the start, by nn.Linear's initial weights; it has no bound later.
        by_noise, by_curvature = 0.01 * batch_size, 0.5
    if optimizer == "momentum":
        # Each step is taken again 0.9, 0.81, ... times as long: ten times, all told. And the first steps, which are the
        # longest, carry it into saturation at a tenth of the other limit.
        return min(by_noise / 10, by_curvature / 40), f"{layers}, {batches} and momentum"
    return min(by_noise, by_curvature), f"{layers} and {batches}"


def _lenet5(batch_size: int, optimizer: str) -> tuple[float, str]:
    """Likewise, from an epoch on 15,000 images with each of several rates, for mini-batches of 10, 100 and 1000.

    Plain descent goes well at 0.5, and at 2 (at 1 with mini-batches of 10) its outputs all end at 0. Momentum goes well at
    0.005 to 0.1, also where the mini-batch is small; AdamW at 0.001 to 0.008.
    """
    if optimizer == "adamw":
        return 0.002, "lenet5 and AdamW"
    rate = min(0.02 * batch_size, 0.5)
    if optimizer == "momentum":
        return rate / 10, f"lenet5, mini-batches of {batch_size} and momentum"
    return rate, f"lenet5 and mini-batches of {batch_size}"
