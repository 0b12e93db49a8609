"""The networks that can be trained; the names are those of --network and of a run's config.json."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from manualgrad.training.lenet5 import SIZES, make_lenet5
from manualgrad.training.loop import make_network

__all__ = ["ACTIVATIONS", "NETWORKS", "make", "name_of", "sizes_of"]

NETWORKS = ("mlp", "lenet5")
ACTIVATIONS = ("sigmoid", "relu", "tanh")  # for the hidden layers of an mlp


def make(
    network: str, sizes: Sequence[int], activation: str | None, layers: str = "manualgrad", cost: str = "quadratic"
) -> torch.nn.Sequential:
    """Make a network with random parameters.

    Args:
        network: "mlp", made by `make_network`, or "lenet5".
        sizes: the layer sizes of an mlp; ignored for lenet5.
        activation: the activation of an mlp's hidden layers; ignored for lenet5.
        layers: "manualgrad", or "torch" for torch.nn's layers; the same seed gives both the same parameters.
        cost: the cost to train for, which determines the last activation: see costs.py.
    """
    if network == "lenet5":
        return make_lenet5(layers, cost)
    assert activation is not None
    return make_network(sizes, activation, layers, cost)


def sizes_of(network: str, inputs: int, hidden: Sequence[int] | None, outputs: int) -> list[int]:
    """Return the layer sizes from the inputs to the outputs; for lenet5 only these two.

    Raises:
        ValueError: when the network does not support these inputs and outputs.
    """
    sizes = [inputs, *(hidden or ()), outputs]
    if network == "lenet5" and sizes != SIZES:
        raise ValueError(f"lenet5 requires images of {SIZES[0]} pixels and {SIZES[1]} classes, got {inputs} and {outputs}")
    return sizes


def name_of(network: str, sizes: Sequence[int]) -> str:
    """Return the network's name for display: "784-16-16-10" or "lenet5"."""
    return "-".join(map(str, sizes)) if network == "mlp" else network
