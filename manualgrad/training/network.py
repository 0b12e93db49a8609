"""The networks that can be trained, as --network and a run's config.json name them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from manualgrad.training.lenet5 import SIZES, make_lenet5
from manualgrad.training.loop import make_network

__all__ = ["ACTIVATIONS", "NETWORKS", "make", "name_of", "sizes_of"]

NETWORKS = ("mlp", "lenet5")
ACTIVATIONS = ("sigmoid", "relu", "tanh")  # of an mlp's hidden layers


def make(
    network: str, sizes: Sequence[int], activation: str | None, layers: str = "manualgrad", cost: str = "quadratic"
) -> torch.nn.Sequential:
    """The network, with random parameters.

    Args:
        network: "mlp", what `make_network` makes, or "lenet5".
        sizes: of an mlp's layers; those of lenet5 are as they are.
        activation: of an mlp's hidden layers; likewise.
        layers: whose: "manualgrad", or "torch" for torch.nn's; the same seed gives both the same parameters.
        cost: what it is trained for, on which its last activation depends: see costs.py.
    """
    if network == "lenet5":
        return make_lenet5(layers, cost)
    assert activation is not None
    return make_network(sizes, activation, layers, cost)


def sizes_of(network: str, inputs: int, hidden: Sequence[int] | None, outputs: int) -> list[int]:
    """From the inputs to the outputs; of lenet5 these two alone, as its layers between are no rows of neurons.

    Raises:
        ValueError: when the network is not for so many inputs and outputs.
    """
    sizes = [inputs, *(hidden or ()), outputs]
    if network == "lenet5" and sizes != SIZES:
        raise ValueError(f"lenet5 is for images of {SIZES[0]} pixels and {SIZES[1]} classes, and not {inputs} and {outputs}")
    return sizes


def name_of(network: str, sizes: Sequence[int]) -> str:
    """What a run is called by: "784-16-16-10", or "lenet5"."""
    return "-".join(map(str, sizes)) if network == "mlp" else network
