"""A model's layers as lists of W, b and activations, its forward pass, and the buffers kept between calls."""

from __future__ import annotations

import operator
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import Flatten, Identity, Module, Sequential

from manualgrad import nn, product
from manualgrad.network import costs, stack
from manualgrad.network.mlp import MLP

__all__ = ["ForwardPass", "Layers"]

_LINEAR = (torch.nn.Linear, nn.Linear)
_ACTIVATIONS: dict[type, str] = {
    torch.nn.Sigmoid: "sigmoid",
    nn.Sigmoid: "sigmoid",
    torch.nn.ReLU: "relu",
    nn.ReLU: "relu",
    torch.nn.Tanh: "tanh",
    nn.Tanh: "tanh",
}


class Layers:
    """The layers of a model, and x. network/algorithm.py describes the errors, which name `caller`.

    Attributes:
        names, W, b, activations: one entry per layer, a Linear with the activation after it; W and b are None for an activation
            that does not follow a Linear.
        x: the input, flattened if the model starts with Flatten.
    """

    def __init__(self, caller: str, model: Module, x: Tensor) -> None:
        self.names: list[str] = []
        self.W: list[Any] = []
        self.b: list[Any] = []
        self.activations: list[str] = []
        self.x = self._read(caller, "", model, x)
        _check_x(caller, self.x, self.W)

    def is_tied(self) -> bool:
        """Return whether a trainable parameter occurs in two layers."""
        trainable = [id(p) for p in (*self.W, *self.b) if p is not None and p.requires_grad]
        return len(set(trainable)) < len(trainable)

    def _read(self, caller: str, name: str, module: Module, x: Tensor) -> Tensor:
        """Append the layers of this module in order; return x, flattened if the model starts with Flatten."""
        kind, attributes = type(module), module.__dict__
        if (
            attributes["_forward_hooks"]
            or attributes["_forward_pre_hooks"]
            or attributes["_backward_hooks"]
            or attributes["_backward_pre_hooks"]
            or "forward" in attributes
        ):
            raise TypeError(f"{caller}: {_place(name)} has hooks or its own forward, which would not be run; remove them")
        if kind in _LINEAR:
            parameters = attributes["_parameters"]
            self._append(name, parameters["weight"], parameters["bias"], "identity")
        elif kind in _ACTIVATIONS:
            if self.activations and self.activations[-1] == "identity":
                self.activations[-1] = _ACTIVATIONS[kind]
            else:
                self._append(name, None, None, _ACTIVATIONS[kind])
        elif isinstance(module, Sequential) and kind.forward in (Sequential.forward, MLP.forward):
            for child_name, child in attributes["_modules"].items():  # named_children omits a second occurrence
                x = self._read(caller, f"{name}.{child_name}" if name else child_name, child, x)
        elif kind is Flatten and not self.names:
            return module(x)
        elif kind is not Identity:
            raise TypeError(
                f"{caller}: {_place(name)} is a {kind.__name__}, but must be a Linear, Sigmoid, ReLU, Tanh or Identity, "
                "or a Sequential of these; Flatten is allowed only at the start"
            )
        return x

    def _append(self, name: str, W: Any, b: Any, activation: str) -> None:
        self.names.append(name)
        self.W.append(W)
        self.b.append(b)
        self.activations.append(activation)


class ForwardPass(Layers):
    """The layers of a model and their activations for x.

    Args:
        keep: whether a and delta reuse the buffers of the last such call. They must then not be returned to the user.

    Attributes:
        a: the activations from the input, flattened, to the output.
        cost: the cost of the output; see costs.py.
    """

    def __init__(self, caller: str, model: Module, x: Tensor, y: Tensor, cost: Module | None, keep: bool = False) -> None:
        super().__init__(caller, model, x)
        self.kept = _kept(model, self.x, self.W) if keep else None
        self.a = stack.forward(self.x, self.W, self.b, self.activations, self.kept.a if self.kept else None)
        self.cost = costs.cost_of(caller, cost, self.a[-1], y, self.kept.delta[-1] if self.kept else None)

    def backward(self, divisor: float) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yield l, ∂C/∂a and delta of each layer, from the last to the first, with the cost's divisor; see stack.backward.

        With divisor 1, ∂C/∂a is the error itself, and the division is skipped.
        """
        if self.kept:
            dC_da = self.cost.error if divisor == 1 else self.cost.error.div_(divisor)
            return stack.backward(self.a, self.W, self.activations, dC_da, self.kept.delta)
        return stack.backward(self.a, self.W, self.activations, self.cost.error / divisor)


def _place(name: str) -> str:
    return f"module {name!r} of the model" if name else "the model"


class _Kept:
    """Buffers for a[1] to a[L] and for delta of each layer; None where oneDNN allocates a new array."""

    def __init__(self, x: Tensor, W: list[Tensor]) -> None:
        self.W, self.x = W, (x.shape[0], x.dtype, x.device)

        def array(inputs: int, outputs: int, over: Tensor | None = None) -> Tensor | None:
            """Make a buffer for a product of [n, inputs] and [inputs, outputs], in the memory of `over` if that suffices."""
            if product.onednn_has(x, inputs, outputs):
                return None
            if over is not None and over.shape[1] >= outputs:
                return over.view(-1)[: len(x) * outputs].view(-1, outputs)
            return x.new_empty(len(x), outputs)

        shapes = [W_l.shape for W_l in W]
        self.a = [array(inputs, outputs) for outputs, inputs in shapes]
        # The delta of a layer is computed after the last use of the next layer's activations, so it may share their memory.
        self.delta = [array(outputs, inputs, a) for (outputs, inputs), a in zip(shapes[1:], self.a[1:], strict=True)]
        self.delta.append(x.new_empty(len(x), len(W[-1])))

    def fit(self, x: Tensor, W: list[Tensor]) -> bool:
        same_layers = len(W) == len(self.W) and all(map(operator.is_, W, self.W))
        return same_layers and self.x == (x.shape[0], x.dtype, x.device)


class _KeptByModel(threading.local):
    """The buffers of each model for the last shape; thread-local, so that two threads can train at the same time."""

    def __init__(self) -> None:
        self.of: weakref.WeakKeyDictionary[Module, _Kept] = weakref.WeakKeyDictionary()


_kept_by_model = _KeptByModel()


def _kept(model: Module, x: Tensor, W: list[Any]) -> _Kept | None:
    """Return the model's buffers, reallocated for a new shape; None if an activation does not follow a Linear."""
    if not W or any(W_l is None for W_l in W):
        return None
    kept = _kept_by_model.of.get(model)
    if kept is None or not kept.fit(x, W):
        kept = _kept_by_model.of[model] = _Kept(x, W)
    return kept


def _check_x(caller: str, x: Tensor, W: list[Any]) -> None:
    first = next((W_l for W_l in W if W_l is not None), None)
    inputs = x.shape[1] if first is None and x.dim() == 2 else "inputs" if first is None else first.shape[1]
    if x.dim() != 2 or x.shape[1] != inputs:
        raise RuntimeError(f"{caller}: x must be [n, {inputs}], got {list(x.shape)}")
    if first is not None:
        costs.check_alike(caller, "x", x, "the model's parameters", first)
