"""Backpropagation without autograd: every quantity of it, the gradients, a step of descent, the gradients of single examples.

    trace                    z, a, delta and all else that the algorithm computes, layer by layer, for each example
    backprop                 fills .grad, as cost.backward() would
    sgd_step                 moves every parameter along its negative gradient
    per_example_grads        the gradient of each example's own cost
    per_example_grad_norms   their lengths, without the gradients

What they have in common:

    model   an MLP, or a Sequential of Linear, Sigmoid, ReLU, Tanh and Identity, torch.nn's or manualgrad's, which may start
            with Flatten and contain further such Sequentials. Frozen parameters are skipped; the gradients of a parameter that
            occurs twice add up. It runs in the parameters' own dtype, under autocast too.
    x       [n, inputs], or what Flatten makes that of, in the parameters' dtype and on their device
    y       [n, outputs], the desired outputs, likewise; for CrossEntropyLoss also [n], the classes, in int64
    cost    an MSELoss or a CrossEntropyLoss, torch.nn's or manualgrad's; None is MSELoss("batchmean"),
            C = 1/n Σ_k Σ_j (a_kj − y_kj)². The CrossEntropyLoss of a model that ends in a Linear, without an activation, is
            that of a = softmax(z): C = −1/n Σ_k Σ_j y_kj log a_kj, whose delta is a − y (see costs.py). Its reductions are
            "mean" and "sum"; it may have label_smoothing, and neither weight nor ignore_index.

Example k's own cost is cost(model(x[k:k+1]), y[k:k+1]). The mean of these over the examples is C for the reductions
"batchmean" and "mean"; for "sum", C is their sum.

They raise a TypeError for another module or cost, naming it, a ValueError for a reduction that leaves no single number or an
option of the cost that is not supported, a RuntimeError, as PyTorch does, where shapes, dtypes or devices do not fit, and an
IndexError for a class that the model has no output for.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from manualgrad import product
from manualgrad.network import stack
from manualgrad.network.costs import CrossEntropy
from manualgrad.network.forward_pass import ForwardPass

__all__ = ["LayerTrace", "Trace", "backprop", "per_example_grad_norms", "per_example_grads", "sgd_step", "trace"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class LayerTrace:
    """What the algorithm knows of one layer, for each of n examples: the derivatives are of the example's own cost.

    Of a layer's average over the examples (`Trace.average`), all the shapes are without n.

    Attributes:
        name: of its Linear in the model, "0"; of the activation, where that stands alone.
        activation: "sigmoid", "relu", "tanh" or "identity"; "softmax" of the last layer under CrossEntropyLoss, which takes
            the model's output for z. Where the model ends in another activation, softmax is a further layer, named "softmax".
        W: [out, in], None for an activation that stands alone.
        b: [out], None where there is none.
        a_prev: [n, in], the activations of the layer before; the input x in the first layer.
        z: [n, out], a_prev Wᵀ + b.
        a: [n, out], σ(z).
        dC_da: [n, out].
        da_dz: [n, out], σ′(z); of softmax, where each a_j depends on every z_i, [n, out, out]: ∂a_j/∂z_i.
        delta: [n, out], dC_dz = dC_da · da_dz; of softmax their product is a − y.
        dC_dW: [n, out, in], delta_j a_prev_k; None without a W.
        dC_db: [n, out], delta; None without a b.
        dC_da_prev: [n, in], delta W.
    """

    name: str
    activation: str
    W: Tensor | None
    b: Tensor | None
    a_prev: Tensor
    z: Tensor
    a: Tensor
    dC_da: Tensor
    da_dz: Tensor
    delta: Tensor
    dC_dW: Tensor | None
    dC_db: Tensor | None
    dC_da_prev: Tensor

    @property
    def dC_dz(self) -> Tensor:
        """delta, by its other name."""
        return self.delta


@dataclass(frozen=True)
class Trace:
    """A forward and a backward pass, whole.

    Attributes:
        layers: from the first to the last.
        cost: [n], the cost of each example; of the average, a 0-d tensor.
    """

    layers: tuple[LayerTrace, ...]
    cost: Tensor

    def average(self) -> Trace:
        """Every quantity's mean over the examples. That of dC_dW and dC_db is what gradient descent follows."""
        return Trace(tuple(_average(layer) for layer in self.layers), self.cost.mean())


def _average(layer: LayerTrace) -> LayerTrace:
    values = {
        name: getattr(layer, name) for name in ("a_prev", "z", "a", "dC_da", "da_dz", "delta", "dC_dW", "dC_db", "dC_da_prev")
    }
    means: dict[str, Any] = {name: value if value is None else value.mean(0) for name, value in values.items()}
    return dataclasses.replace(layer, **means)


def _without_autograd(function: Callable[Concatenate[Module, Tensor, Tensor, _P], _R]) -> Callable[..., _R]:
    """No graph is recorded; and autocast, which would lower the matrix products alone, is off."""

    @functools.wraps(function)
    def wrapped(model: Module, x: Tensor, y: Tensor, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not (isinstance(model, Module) and isinstance(x, Tensor) and isinstance(y, Tensor)):
            kinds = {"model": (model, Module), "x": (x, Tensor), "y": (y, Tensor)}
            name, (value, wanted) = next((name, pair) for name, pair in kinds.items() if not isinstance(*pair))
            raise TypeError(f"{function.__name__}: {name} must be a {wanted.__name__}, and is a {type(value).__name__}")
        with torch.no_grad():
            if torch._C._is_any_autocast_enabled() and torch.amp.is_autocast_available(x.device.type):
                with torch.autocast(x.device.type, enabled=False):
                    return function(model, x, y, *args, **kwargs)
            return function(model, x, y, *args, **kwargs)

    return wrapped


@_without_autograd
def trace(model: Module, x: Tensor, y: Tensor, cost: Module | None = None) -> Trace:
    """Every quantity of the algorithm, for each example, of frozen parameters too; the model stays as it is.

    Takes n times the memory of the parameters, dC_dW being [n, out, in].

    Returns:
        a Trace: `.layers[l]` is a LayerTrace, `.cost` [n]; `.average()` for the means over the examples.

    Shapes:
        x [n, inputs]; y as the model's output, [n, outputs].

    Raises:
        TypeError: for another kind of layer or cost: `trace(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3))`.
        ValueError: when `cost` has the reduction "none", which leaves no single number.
        RuntimeError: when shapes or dtypes do not fit: `trace(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2))`.

    Example:
        >>> model = MLP([3, 2])
        >>> trace(model, torch.rand(5, 3), torch.rand(5, 2)).layers[0].dC_dW.shape
        torch.Size([5, 2, 3])
    """
    forward = ForwardPass("trace", model, x, y, cost)
    layers = []
    for l, dC_da, delta in forward.backward(forward.cost.divisor_of_one):
        name, W, b, activation = forward.names[l], forward.W[l], forward.b[l], forward.activations[l]
        a_prev, a = forward.a[l], forward.a[l + 1]
        layers.append(
            LayerTrace(
                name=name,
                activation=activation,
                W=W,
                b=b,
                a_prev=a_prev,
                z=stack.weighted_input(a_prev, W, b),
                a=a,
                dC_da=dC_da,
                da_dz=stack.da_dz(a, activation),
                delta=delta,
                dC_dW=None if W is None else _outer(delta, a_prev),
                dC_db=None if b is None else delta,
                dC_da_prev=stack.dC_da_previous(delta, W),
            )
        )
    layers.reverse()
    if isinstance(forward.cost, CrossEntropy):
        layers = _with_softmax(layers, forward.cost)
    return Trace(tuple(layers), forward.cost.of_each())


def _with_softmax(layers: list[LayerTrace], cost: CrossEntropy) -> list[LayerTrace]:
    """The layers, the output of the last one being the z of a softmax, and their dC_da its delta."""
    *before, last = layers
    if last.activation != "identity":  # softmax stands alone
        before.append(last)
        z, delta = last.a, last.dC_da
        last = dataclasses.replace(last, name="softmax", W=None, b=None, a_prev=z, z=z, delta=delta, dC_da_prev=delta)
        last = dataclasses.replace(last, dC_dW=None, dC_db=None)
    a = cost.a.to(last.z.dtype)
    return [*before, dataclasses.replace(last, activation="softmax", a=a, dC_da=cost.dC_da(), da_dz=cost.da_dz())]


@_without_autograd
def backprop(model: Module, x: Tensor, y: Tensor, cost: Module | None = None) -> Tensor:
    """Replace every trainable parameter's `.grad` by the gradient of the cost, without an autograd graph.

    Nothing is accumulated: what `.grad` was before is dropped. Hooks of parameters are not called.

    Returns:
        the cost, a 0-d tensor.

    Shapes:
        x [n, inputs]; y as the model's output, [n, outputs].

    Raises:
        TypeError: for another kind of layer or cost: `backprop(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3))`.
        ValueError: when `cost` has the reduction "none", which leaves no single number.
        RuntimeError: when shapes or dtypes do not fit: `backprop(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2))`.

    Example:
        >>> model = MLP([784, 16, 16, 10])
        >>> cost = backprop(model, torch.rand(100, 784), torch.rand(100, 10))
        >>> model[0].weight.grad.shape
        torch.Size([16, 784])
    """
    forward = ForwardPass("backprop", model, x, y, cost, keep=True)
    C = forward.cost.of_batch()
    for parameter, gradient in _gradients(forward).items():
        parameter.grad = gradient
    return C


@_without_autograd
def sgd_step(model: Module, x: Tensor, y: Tensor, lr: float, cost: Module | None = None) -> Tensor:
    """One step of gradient descent, p ← p − lr ∂C/∂p for every trainable parameter p, in place; `.grad` stays as it is.

    Returns:
        the cost before the step, a 0-d tensor.

    Shapes:
        x [n, inputs]; y as the model's output, [n, outputs].

    Raises:
        TypeError: for another kind of layer or cost: `sgd_step(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3), 0.1)`.
        ValueError: when `cost` has the reduction "none", which leaves no single number.
        RuntimeError: when shapes or dtypes do not fit: `sgd_step(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2), 0.1)`.
        ValueError: when lr is below 0: `sgd_step(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 3), lr=-1.0)`.

    Example:
        >>> model = MLP([784, 16, 16, 10])
        >>> x, y = torch.rand(100, 784), torch.rand(100, 10)
        >>> sgd_step(model, x, y, lr=0.1) > sgd_step(model, x, y, lr=0.1)  # the cost falls
        tensor(True)
    """
    if not lr >= 0:
        raise ValueError(f"sgd_step: lr must be 0 or more, and is {lr}")
    forward = ForwardPass("sgd_step", model, x, y, cost, keep=True)
    C = forward.cost.of_batch()
    if _is_tied(forward):
        for parameter, gradient in _gradients(forward).items():
            parameter.sub_(gradient, alpha=lr)
        return C
    # The divisor of ∂C/∂a stands in the rate, so that no array is divided by it; but for float16, whose sums would overflow.
    divisor = forward.cost.divisor if x.dtype == torch.float16 else 1
    rate = lr * divisor / (forward.cost.divisor or 1)
    for l, _, delta in forward.backward(divisor):
        W, b = forward.W[l], forward.b[l]
        if W is not None and W.requires_grad:
            product.addmm_(W, delta.t(), forward.a[l], alpha=-rate)
        if b is not None and b.requires_grad:
            b.sub_(delta.sum(0), alpha=rate)
    return C


@_without_autograd
def per_example_grads(model: Module, x: Tensor, y: Tensor, cost: Module | None = None) -> dict[str, Tensor]:
    """The gradient of each example's own cost by each trainable parameter: name -> [n, *parameter.shape].

    The names are those of `model.named_parameters()`, in its order.

    Shapes:
        x [n, inputs]; y as the model's output, [n, outputs].

    Raises:
        TypeError: for another kind of layer or cost: `per_example_grads(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3))`.
        ValueError: when `cost` has the reduction "none", which leaves no single number.
        RuntimeError: when shapes or dtypes do not fit: `per_example_grads(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2))`.

    Example:
        >>> grads = per_example_grads(MLP([3, 2]), torch.rand(5, 3), torch.rand(5, 2))
        >>> grads["0.weight"].shape
        torch.Size([5, 2, 3])
    """
    forward = ForwardPass("per_example_grads", model, x, y, cost)
    found: dict[Parameter, Tensor] = {}
    for l, _, delta in forward.backward(forward.cost.divisor_of_one):
        W, b = forward.W[l], forward.b[l]
        if W is not None and W.requires_grad:
            _add(found, W, _outer(delta, forward.a[l]))
        if b is not None and b.requires_grad:
            _add(found, b, delta)
    return {name: found[parameter] for name, parameter in model.named_parameters() if parameter in found}


@_without_autograd
def per_example_grad_norms(model: Module, x: Tensor, y: Tensor, cost: Module | None = None) -> Tensor:
    """The length of each example's gradient over all trainable parameters, [n]; the gradients are never formed.

    Example k's gradient by a layer's W is the outer product delta_k a_prev_kᵀ, whose entries' squares add up to
    ‖delta_k‖² ‖a_prev_k‖², and by b it is delta_k. So its squared length is the sum, over the layers, of
    ‖delta_k‖² (‖a_prev_k‖² + 1) (Goodfellow, 2015, "Efficient Per-Example Gradient Computations").

    Shapes:
        x [n, inputs]; y as the model's output, [n, outputs].

    Raises:
        TypeError: for another kind of layer or cost: `per_example_grad_norms(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3))`.
        ValueError: when `cost` has the reduction "none", which leaves no single number.
        RuntimeError: when shapes or dtypes do not fit: `per_example_grad_norms(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2))`.
        ValueError: when a trainable parameter occurs in two layers, as its gradient is no single outer product then.

    Example:
        >>> per_example_grad_norms(MLP([3, 2]), torch.rand(5, 3), torch.rand(5, 2)).shape
        torch.Size([5])
    """
    forward = ForwardPass("per_example_grad_norms", model, x, y, cost, keep=True)
    if _is_tied(forward):
        raise ValueError("per_example_grad_norms: a parameter of the model occurs in two layers; take per_example_grads")
    squares = forward.cost.error.new_zeros(len(x))
    for l, _, delta in forward.backward(forward.cost.divisor_of_one):
        W, b = forward.W[l], forward.b[l]
        delta_squared = _squared_lengths(delta)
        if W is not None and W.requires_grad:
            squares += delta_squared * _squared_lengths(forward.a[l])
        if b is not None and b.requires_grad:
            squares += delta_squared
    return squares.sqrt()


def _is_tied(forward: ForwardPass) -> bool:
    """Whether a trainable parameter occurs in two layers."""
    trainable = [id(p) for p in (*forward.W, *forward.b) if p is not None and p.requires_grad]
    return len(set(trainable)) < len(trainable)


def _gradients(forward: ForwardPass) -> dict[Parameter, Tensor]:
    """∂C/∂p of every trainable parameter p."""
    found: dict[Parameter, Tensor] = {}
    for l, _, delta in forward.backward(forward.cost.divisor):
        W, b = forward.W[l], forward.b[l]
        if W is not None and W.requires_grad:
            _add(found, W, product.mm(delta.t(), forward.a[l]))
        if b is not None and b.requires_grad:
            _add(found, b, delta.sum(0))
    return found


def _add(found: dict[Parameter, Tensor], parameter: Parameter, gradient: Tensor) -> None:
    found[parameter] = found[parameter] + gradient if parameter in found else gradient


def _squared_lengths(t: Tensor) -> Tensor:
    """‖t_k‖² of each example's row: [n]."""
    return torch.linalg.vector_norm(t, dim=1).square()  # one pass over t; t.square() would be an array as large


def _outer(delta: Tensor, a_prev: Tensor) -> Tensor:
    """∂C/∂W_jk = delta_j a_prev_k of each example: [n, out, in]."""
    return delta[:, :, None] * a_prev[:, None, :]
