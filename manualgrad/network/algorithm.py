"""Backpropagation without autograd: all its quantities, the gradients, a step of descent, and per-example gradients.

    trace                    z, a, delta and every other quantity of the algorithm, layer by layer, for each example
    backprop                 fills .grad, as cost.backward() would
    sgd_step                 moves every parameter along its negative gradient
    per_example_grads        the gradient of each example's own cost
    per_example_grad_norms   the norms of these gradients, without computing the gradients

They share these arguments:

    model   an MLP, or a Sequential of Linear, Sigmoid, ReLU, Tanh and Identity, torch.nn's or manualgrad's, which may start
            with Flatten and contain such Sequentials. Frozen parameters are skipped; the gradients of a parameter that
            occurs twice are summed. The computation uses the parameters' dtype, even under autocast.
    x       [n, inputs], or a shape that Flatten converts to it, in the parameters' dtype and on their device
    y       [n, outputs], the desired outputs, with the same dtype and device; for CrossEntropyLoss also [n] classes, in int64
    cost    an MSELoss or a CrossEntropyLoss, torch.nn's or manualgrad's; None is MSELoss("batchmean"),
            C = 1/n Σ_k Σ_j (a_kj − y_kj)². For a model that ends in a Linear, without an activation, CrossEntropyLoss applies
            a = softmax(z): C = −1/n Σ_k Σ_j y_kj log a_kj, whose delta is a − y (see costs.py). Its reduction must be
            "mean" or "sum"; label_smoothing is supported, weight and ignore_index are not.

Example k's own cost is cost(model(x[k:k+1]), y[k:k+1]). C is the mean of these costs for the reductions "batchmean" and
"mean", and their sum for "sum".

They raise a TypeError for an unsupported module or cost, a ValueError for an unsupported reduction or option of the cost, a
RuntimeError, as PyTorch does, for shapes, dtypes or devices that do not match, and an IndexError for a class without an output.
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

from manualgrad import _fused, product
from manualgrad.network import fused_step, stack
from manualgrad.network.costs import CrossEntropy
from manualgrad.network.forward_pass import ForwardPass, Layers

__all__ = ["LayerTrace", "Trace", "backprop", "per_example_grad_norms", "per_example_grads", "sgd_step", "trace"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class LayerTrace:
    """The quantities of one layer for each of n examples; the derivatives are those of the example's own cost.

    In an average over the examples (`Trace.average`), the shapes do not have n.

    Attributes:
        name: the name of the layer's Linear in the model, such as "0", or of its activation, if it has no Linear.
        activation: "sigmoid", "relu", "tanh" or "identity"; "softmax" for the last layer under CrossEntropyLoss, which uses
            the model's output as z. If the model ends in another activation, softmax is a separate layer, named "softmax".
        W: [out, in]; None for an activation without a Linear.
        b: [out]; None if the layer has no bias.
        a_prev: [n, in], the activations of the layer before; the input x in the first layer.
        z: [n, out], a_prev Wᵀ + b.
        a: [n, out], σ(z).
        dC_da: [n, out].
        da_dz: [n, out], σ′(z); for softmax, where each a_j depends on every z_i, [n, out, out]: ∂a_j/∂z_i.
        delta: [n, out], dC_dz = dC_da · da_dz; for softmax their product is a − y.
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
        """Another name for delta."""
        return self.delta


@dataclass(frozen=True)
class Trace:
    """All quantities of a forward and a backward pass.

    Attributes:
        layers: the layers from the first to the last.
        cost: [n], the cost of each example; in an average, a 0-d tensor.
    """

    layers: tuple[LayerTrace, ...]
    cost: Tensor

    def average(self) -> Trace:
        """Return the mean of every quantity over the examples. Gradient descent follows the means of dC_dW and dC_db."""
        return Trace(tuple(_average(layer) for layer in self.layers), self.cost.mean())


def _average(layer: LayerTrace) -> LayerTrace:
    values = {
        name: getattr(layer, name) for name in ("a_prev", "z", "a", "dC_da", "da_dz", "delta", "dC_dW", "dC_db", "dC_da_prev")
    }
    means: dict[str, Any] = {name: value if value is None else value.mean(0) for name, value in values.items()}
    return dataclasses.replace(layer, **means)


def _without_autograd(function: Callable[Concatenate[Module, Tensor, Tensor, _P], _R]) -> Callable[..., _R]:
    """Wrap a function so that it records no graph and disables autocast, which would affect only the matrix products."""

    @functools.wraps(function)
    def wrapped(model: Module, x: Tensor, y: Tensor, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not (isinstance(model, Module) and isinstance(x, Tensor) and isinstance(y, Tensor)):
            kinds = {"model": (model, Module), "x": (x, Tensor), "y": (y, Tensor)}
            name, (value, wanted) = next((name, pair) for name, pair in kinds.items() if not isinstance(*pair))
            raise TypeError(f"{function.__name__}: {name} must be a {wanted.__name__}, got {type(value).__name__}")
        with torch.no_grad():
            if torch._C._is_any_autocast_enabled() and torch.amp.is_autocast_available(x.device.type):
                with torch.autocast(x.device.type, enabled=False):
                    return function(model, x, y, *args, **kwargs)
            return function(model, x, y, *args, **kwargs)

    return wrapped


@_without_autograd
def trace(model: Module, x: Tensor, y: Tensor, cost: Module | None = None) -> Trace:
    """Compute every quantity of the algorithm for each example, also for frozen parameters, without changing the model.

    This takes n times the memory of the parameters, because dC_dW is [n, out, in].

    Returns:
        a Trace: `.layers[l]` is a LayerTrace, `.cost` is [n]; `.average()` returns the means over the examples.

    Shapes:
        x [n, inputs]; y [n, outputs], like the model's output.

    Raises:
        TypeError: for an unsupported layer or cost: `trace(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3))`.
        ValueError: when `cost` has the reduction "none", which does not return a scalar.
        RuntimeError: when shapes or dtypes do not match: `trace(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2))`.

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
    """Return the layers with a softmax that takes the last one's output as z; its delta is their dC_da."""
    *before, last = layers
    if last.activation != "identity":  # softmax is a separate layer
        before.append(last)
        z, delta = last.a, last.dC_da
        last = dataclasses.replace(last, name="softmax", W=None, b=None, a_prev=z, z=z, delta=delta, dC_da_prev=delta)
        last = dataclasses.replace(last, dC_dW=None, dC_db=None)
    a = cost.a.to(last.z.dtype)
    return [*before, dataclasses.replace(last, activation="softmax", a=a, dC_da=cost.dC_da(), da_dz=cost.da_dz())]


@_without_autograd
def backprop(model: Module, x: Tensor, y: Tensor, cost: Module | None = None) -> Tensor:
    """Set every trainable parameter's `.grad` to the gradient of the cost, without an autograd graph.

    The gradient replaces `.grad` and is not accumulated. Hooks of parameters are not called.

    Returns:
        the cost, a 0-d tensor.

    Shapes:
        x [n, inputs]; y [n, outputs], like the model's output.

    Raises:
        TypeError: for an unsupported layer or cost: `backprop(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3))`.
        ValueError: when `cost` has the reduction "none", which does not return a scalar.
        RuntimeError: when shapes or dtypes do not match: `backprop(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2))`.

    Example:
        >>> model = MLP([784, 16, 16, 10])
        >>> cost = backprop(model, torch.rand(100, 784), torch.rand(100, 10))
        >>> model[0].weight.grad.shape
        torch.Size([16, 784])
    """
    if _fused.is_on() and (found := fused_step.gradients(Layers("backprop", model, x), y, cost)) is not None:
        C, gradients = found
    else:
        forward = ForwardPass("backprop", model, x, y, cost, keep=True)
        C, gradients = forward.cost.of_batch(), _gradients(forward)
    for parameter, gradient in gradients.items():
        parameter.grad = gradient
    return C


@_without_autograd
def sgd_step(model: Module, x: Tensor, y: Tensor, lr: float, cost: Module | None = None) -> Tensor:
    """Take a step of gradient descent in place, p ← p − lr ∂C/∂p for every trainable parameter p; `.grad` is unchanged.

    Returns:
        the cost before the step, a 0-d tensor.

    Shapes:
        x [n, inputs]; y [n, outputs], like the model's output.

    Raises:
        TypeError: for an unsupported layer or cost: `sgd_step(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3), 0.1)`.
        ValueError: when `cost` has the reduction "none", which does not return a scalar.
        RuntimeError: when shapes or dtypes do not match: `sgd_step(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2), 0.1)`.
        ValueError: when lr is negative: `sgd_step(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 3), lr=-1.0)`.

    Example:
        >>> model = MLP([784, 16, 16, 10])
        >>> x, y = torch.rand(100, 784), torch.rand(100, 10)
        >>> sgd_step(model, x, y, lr=0.1) > sgd_step(model, x, y, lr=0.1)  # the cost falls
        tensor(True)
    """
    if not lr >= 0:
        raise ValueError(f"sgd_step: lr must be at least 0, got {lr}")
    if _fused.is_on() and (found := fused_step.sgd_step(Layers("sgd_step", model, x), y, lr, cost)) is not None:
        return found
    forward = ForwardPass("sgd_step", model, x, y, cost, keep=True)
    C = forward.cost.of_batch()
    if forward.is_tied():
        for parameter, gradient in _gradients(forward).items():
            parameter.sub_(gradient, alpha=lr)
        return C
    # The divisor of ∂C/∂a goes into the rate, so that no array is divided by it, except in float16, whose sums would overflow.
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
    """Compute the gradient of each example's own cost with respect to each parameter: name -> [n, *parameter.shape].

    The names are those of the trainable parameters in `model.named_parameters()`, in its order.

    Shapes:
        x [n, inputs]; y [n, outputs], like the model's output.

    Raises:
        TypeError: for an unsupported layer or cost: `per_example_grads(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3))`.
        ValueError: when `cost` has the reduction "none", which does not return a scalar.
        RuntimeError: when shapes or dtypes do not match: `per_example_grads(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2))`.

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
    """Compute the norm of each example's gradient over all trainable parameters, [n], without the gradients themselves.

    Example k's gradient with respect to a layer's W is the outer product delta_k a_prev_kᵀ, whose squared norm is
    ‖delta_k‖² ‖a_prev_k‖², and with respect to b it is delta_k. So the squared norm of the whole gradient is the sum, over the
    layers, of ‖delta_k‖² (‖a_prev_k‖² + 1) (Goodfellow, 2015, "Efficient Per-Example Gradient Computations").

    Shapes:
        x [n, inputs]; y [n, outputs], like the model's output.

    Raises:
        TypeError: for an unsupported layer or cost: `per_example_grad_norms(nn.GELU(), torch.rand(5, 3), torch.rand(5, 3))`.
        ValueError: when `cost` has the reduction "none", which does not return a scalar.
        RuntimeError: when shapes or dtypes mismatch: `per_example_grad_norms(nn.ReLU(), torch.rand(5, 3), torch.rand(5, 2))`.
        ValueError: when a trainable parameter occurs in two layers, because its gradient is then a sum of outer products.

    Example:
        >>> per_example_grad_norms(MLP([3, 2]), torch.rand(5, 3), torch.rand(5, 2)).shape
        torch.Size([5])
    """
    forward = ForwardPass("per_example_grad_norms", model, x, y, cost, keep=True)
    if forward.is_tied():
        raise ValueError("per_example_grad_norms: a parameter of the model occurs in two layers; use per_example_grads")
    squares = forward.cost.error.new_zeros(len(x))
    for l, _, delta in forward.backward(forward.cost.divisor_of_one):
        W, b = forward.W[l], forward.b[l]
        delta_squared = _squared_lengths(delta)
        if W is not None and W.requires_grad:
            squares += delta_squared * _squared_lengths(forward.a[l])
        if b is not None and b.requires_grad:
            squares += delta_squared
    return squares.sqrt()


def _gradients(forward: ForwardPass) -> dict[Parameter, Tensor]:
    """Compute ∂C/∂p for every trainable parameter p."""
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
    """Compute ‖t_k‖² for each row, [n]."""
    return torch.linalg.vector_norm(t, dim=1).square()  # t.square() would allocate an array as large as t


def _outer(delta: Tensor, a_prev: Tensor) -> Tensor:
    """Compute ∂C/∂W_jk = delta_j a_prev_k for each example, [n, out, in]."""
    return delta[:, :, None] * a_prev[:, None, :]
