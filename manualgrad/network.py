"""MLP: a network of fully connected layers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch.nn import Sequential

from manualgrad import nn

__all__ = ["MLP"]

_ACTIVATIONS: dict[str, type[torch.nn.Module]] = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU, "identity": torch.nn.Identity}


class MLP(Sequential):
    """Layers of neurons, each fully connected to the layer before: Linear, activation, Linear, activation, ...

    The initial parameters and the state_dict are those of a Sequential of these layers: "0.weight", "0.bias", "2.weight", ...

    Args:
        sizes: the number of neurons in each layer, from the inputs to the outputs: [784, 16, 16, 10].
        activation: "sigmoid", "relu" or "identity" (none) after every layer, or a sequence of these, one for each layer
            after the inputs.
        bias: whether the layers have biases.
        device, dtype: of the parameters.

    Shapes:
        [..., sizes[0]] to [..., sizes[-1]].

    Raises:
        ValueError: when `sizes` or `activation` is not as above.

    Example:
        >>> model = MLP([784, 16, 16, 10])
        >>> model(torch.rand(100, 784)).shape
        torch.Size([100, 10])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Sequence[str] = "sigmoid",
        bias: bool = True,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        sizes = list(sizes)
        if len(sizes) < 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError(f"sizes must be two or more whole numbers above 0, from inputs to outputs, and is {sizes}")
        activations = [activation] * (len(sizes) - 1) if isinstance(activation, str) else list(activation)
        for name in activations:
            if name not in _ACTIVATIONS:
                raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}, or a sequence of them, and is {name!r}")
        if len(activations) != len(sizes) - 1:
            raise ValueError(
                f"activation must have one name for each layer after the inputs, {len(sizes) - 1}, and has {len(activations)}"
            )
        layers: list[torch.nn.Module] = []
        for (inputs, outputs), name in zip(itertools.pairwise(sizes), activations, strict=True):
            layers += [nn.Linear(inputs, outputs, bias, device, dtype), _ACTIVATIONS[name]()]
        super().__init__(*layers)
