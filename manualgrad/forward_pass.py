"""A model's layers as lists of W, b and activations, and its forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import Flatten, Identity, Module, Parameter, Sequential

from manualgrad import nn, stack

__all__ = ["ForwardPass"]

_ACTIVATIONS: dict[type, str] = {
    torch.nn.Sigmoid: "sigmoid",
    nn.Sigmoid: "sigmoid",
    torch.nn.ReLU: "relu",
    nn.ReLU: "relu",
}


class ForwardPass:
    """The layers of a model, and what they make of x. What it raises is in backprop.py; `caller` is named there.

    Attributes:
        names, W, b, activations: of each layer, a Linear with the activation after it; W and b are None where an activation
            follows another, or stands first.
        a: the activations, from the input, flattened, to the output.
        y: the desired outputs.
        N: what the sum of the squares is divided by in the cost of the batch.
        N_of_one: the same, in the cost of a single example.
    """

    def __init__(self, caller: str, model: Module, x: Tensor, y: Tensor, cost: Module | None) -> None:
        self.names: list[str] = []
        self.W: list[Parameter | None] = []
        self.b: list[Parameter | None] = []
        self.activations: list[str] = []
        reduction = _reduction(caller, cost)
        for name, module in _modules(caller, "", model):
            if type(module) is Flatten and not self.names:
                x = module(x)
            else:
                self._add(caller, name, module)
        _check_x(caller, x, self.W)
        self.a = stack.forward(x, self.W, self.b, self.activations)
        _check_y(caller, y, self.a[-1])
        self.y = y
        n, outputs = y.shape
        self.N, self.N_of_one = {"batchmean": (n, 1), "mean": (n * outputs, outputs), "sum": (1, 1)}[reduction]

    def backward(self, N: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        """l, ∂C/∂a and delta of each layer, from the last to the first, N being the divisor in C."""
        dC_da = stack.cost_gradient(self.a[-1], self.y, N)
        return stack.backward(self.a, self.W, self.activations, dC_da)

    def _add(self, caller: str, name: str, module: Module) -> None:
        if isinstance(module, torch.nn.Linear) and type(module) in (torch.nn.Linear, nn.Linear):
            self._append(name, module.weight, module.bias, "identity")
        elif type(module) in _ACTIVATIONS:
            if self.activations and self.activations[-1] == "identity":
                self.activations[-1] = _ACTIVATIONS[type(module)]
            else:
                self._append(name, None, None, _ACTIVATIONS[type(module)])
        elif type(module) is not Identity:
            place = f"module {name!r} of the model" if name else "the model"
            raise TypeError(
                f"{caller}: {place} is a {type(module).__name__}, and must be a Linear, Sigmoid, ReLU or Identity, "
                "or a Sequential of these, with a Flatten before all others"
            )

    def _append(self, name: str, W: Any, b: Any, activation: str) -> None:
        self.names.append(name)
        self.W.append(W)
        self.b.append(b)
        self.activations.append(activation)


def _modules(caller: str, name: str, module: Module) -> Iterator[tuple[str, Module]]:
    """The layers in order, those inside Sequentials too."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    if any(hooks) or "forward" in module.__dict__:
        place = f"module {name!r} of the model" if name else "the model"
        raise TypeError(f"{caller}: {place} has hooks or a forward of its own, which would not be run")
    if isinstance(module, Sequential) and type(module).forward is Sequential.forward:
        for child_name, child in module._modules.items():  # named_children would leave out a layer's second occurrence
            if child is not None:
                yield from _modules(caller, f"{name}.{child_name}".lstrip("."), child)
    else:
        yield name, module


def _reduction(caller: str, cost: Module | None) -> str:
    if cost is None:
        return "batchmean"
    if type(cost) not in (torch.nn.MSELoss, nn.MSELoss):
        raise TypeError(f"{caller}: cost must be an MSELoss or None, and is {cost!r}")
    reduction = str(cost.reduction)
    if reduction not in ("mean", "sum", "batchmean"):
        raise ValueError(f"{caller}: the cost's reduction must be 'batchmean', 'mean' or 'sum', and is {reduction!r}")
    return reduction


def _check_x(caller: str, x: Tensor, W: list[Parameter | None]) -> None:
    first = next((W_l for W_l in W if W_l is not None), None)
    inputs = x.shape[1] if first is None and x.dim() == 2 else "inputs" if first is None else first.shape[1]
    if x.dim() != 2 or x.shape[1] != inputs:
        raise RuntimeError(f"{caller}: x must be [n, {inputs}], and is {list(x.shape)}")
    if first is not None:
        _check_alike(caller, "x", x, "the model's parameters", first)


def _check_y(caller: str, y: Tensor, output: Tensor) -> None:
    if y.shape != output.shape:
        raise RuntimeError(f"{caller}: y must be {list(output.shape)}, as the model's output is, and is {list(y.shape)}")
    _check_alike(caller, "y", y, "the model's output", output)


def _check_alike(caller: str, name: str, t: Tensor, other: str, like: Tensor) -> None:
    if (t.dtype, t.device) != (like.dtype, like.device):
        raise RuntimeError(
            f"{caller}: {name} must be {like.dtype} on {like.device}, like {other}, and is {t.dtype} on {t.device}"
        )
