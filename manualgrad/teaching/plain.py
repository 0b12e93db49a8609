"""Backpropagation in plain code: each line is one formula of the lesson. The documentation and the page quote these lines.

The functions take one example. `manualgrad.trace` and `manualgrad.sgd_step` compute the same for a whole batch, optimized for
speed; tests/teaching/test_plain.py checks that both agree.

Shapes: a_prev [in]; z, a, y, delta and b [out]; W [out, in]. In `neuron`, all of them are scalars.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "backward",
    "cost",
    "cost_backward",
    "fall",
    "forward",
    "mean_wish",
    "neuron",
    "nudge",
    "ratio",
    "relu",
    "relu_slope",
    "sigmoid",
    "sigmoid_slope",
    "step",
    "wishes_before",
]


def neuron(a_prev: Tensor, w: Tensor, b: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute C₀ of a last neuron and its derivatives by w, b and a_prev, each a product of three factors."""
    z = w * a_prev + b
    a = sigmoid(z)
    C = (a - y) ** 2

    dC_da = 2 * (a - y)
    da_dz = (1 - a) * a
    dz_dw = a_prev
    dz_db = 1
    dz_da_prev = w

    dC_dw = dz_dw * da_dz * dC_da
    dC_db = dz_db * da_dz * dC_da
    dC_da_prev = dz_da_prev * da_dz * dC_da
    return C, dC_dw, dC_db, dC_da_prev


def sigmoid(z: Tensor) -> Tensor:
    a = 1 / (1 + torch.exp(-z))
    return a


def relu(z: Tensor) -> Tensor:
    a = torch.relu(z)
    return a


def forward(a_prev: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """Compute the weighted inputs of a layer, before the activation function."""
    z = W @ a_prev + b
    return z


def cost(a: Tensor, y: Tensor) -> Tensor:
    """Compute C₀ from the outputs."""
    C = ((a - y) ** 2).sum()
    return C


def cost_backward(a: Tensor, y: Tensor) -> Tensor:
    """Compute ∂C₀/∂a of the outputs."""
    dC_da = 2 * (a - y)
    return dC_da


def sigmoid_slope(a: Tensor) -> Tensor:
    """Compute σ′(z) from a = σ(z)."""
    da_dz = (1 - a) * a
    return da_dz


def relu_slope(a: Tensor) -> Tensor:
    """Compute the slope of relu at z from a = relu(z)."""
    da_dz = (a > 0).to(a)
    return da_dz


def backward(dC_da: Tensor, da_dz: Tensor, a_prev: Tensor, W: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute delta of a layer and the derivatives by its W, its b and a_prev; the last starts the previous layer."""
    delta = dC_da * da_dz
    dC_dW = torch.outer(delta, a_prev)
    dC_db = delta
    dC_da_prev = W.T @ delta
    return delta, dC_dW, dC_db, dC_da_prev


def wishes_before(delta: Tensor, W: Tensor) -> Tensor:
    """Return [out, in], what each neuron wants from each previous activation; the sum over the neurons is −∂C₀/∂a_prev."""
    wishes = -delta[:, None] * W
    return wishes


def step(W: Tensor, b: Tensor, dC_dW: Tensor, dC_db: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """Take a step of gradient descent; return the new weights and biases of a layer."""
    W = W - rate * dC_dW
    b = b - rate * dC_db
    return W, b


def fall(gradient: Tensor, rate: float) -> Tensor:
    """Predict the change of the cost by a step, to first order; the gradient contains every ∂C₀/∂W and ∂C₀/∂b."""
    dC = -rate * (gradient**2).sum()
    return dC


def mean_wish(dC_dw: Tensor) -> Tensor:
    """Average the wishes of several examples, given ∂C_k/∂w of each."""
    wish = -dC_dw.mean()
    return wish


def nudge(dC_dw: Tensor, epsilon: float) -> Tensor:
    """Predict the change of the cost by a nudge to one weight, to first order."""
    dC = epsilon * dC_dw
    return dC


def ratio(dC_dw: Tensor, dC_dv: Tensor) -> Tensor:
    """Compute how many times more sensitive the cost is to the weight w than to v."""
    times = abs(dC_dw / dC_dv)
    return times
