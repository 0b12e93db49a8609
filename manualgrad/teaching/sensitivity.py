"""How sensitive the cost is to each weight, and how the examples' wishes for one weight average out.

The gradient has one component for each weight and bias; comparing them shows what they mean. If ∂C/∂w is 3.2 for one weight
and 0.1 for another, C is 32 times more sensitive to the first: the same small nudge ε changes it by 3.2 ε and by 0.1 ε.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Sequential

from manualgrad.network.algorithm import backprop, per_example_grads, sgd_step
from manualgrad.training import costs

__all__ = ["EPSILON", "Nudge", "Weight", "listen_to", "most_wanted", "nudge", "predictions", "rank", "weight", "wishes"]

EPSILON = 0.01  # nudge that tests the predictions


@dataclass(frozen=True)
class Weight:
    """The weight W⁽ˡ⁾_jk; layers are counted from 1, neurons from 0. str() returns "W1[4,300]"."""

    l: int
    j: int
    k: int

    def __str__(self) -> str:
        return f"W{self.l}[{self.j},{self.k}]"


@dataclass(frozen=True)
class Nudge:
    """A weight nudged by `EPSILON`.

    Attributes:
        rank: 1 for the weight to which the cost is most sensitive.
        derivative: ∂C/∂w.
        predicted: EPSILON · ∂C/∂w.
        measured: C(w + EPSILON) − C(w).
    """

    rank: int
    weight: Weight
    derivative: float
    predicted: float
    measured: float


def weight(text: str, model: Sequential) -> Weight:
    """Parse the name of a weight, such as "W3[2,5]".

    Raises:
        ValueError: if the text does not have this form, or the model does not have this weight.
    """
    found = re.fullmatch(r"W(\d+)\[(\d+),(\d+)\]", text)
    if found is None:
        raise ValueError(f"expected a weight such as W3[2,5] (layer 3, to neuron 2, from neuron 5), got {text!r}")
    named, W = Weight(*map(int, found.groups())), _weights(model)
    if not 1 <= named.l <= len(W):
        raise ValueError(f"expected a layer from 1 to {len(W)}, got {named}")
    rows, columns = W[named.l - 1].shape
    if named.j >= rows or named.k >= columns:
        raise ValueError(
            f"expected a weight of layer {named.l} from W{named.l}[0,0] to W{named.l}[{rows - 1},{columns - 1}], got {named}"
        )
    return named


def rank(
    model: Sequential, x: Tensor, y: Tensor, ranks: list[int], cost: str = "quadratic"
) -> tuple[list[Tensor], list[Nudge]]:
    """Compute ∂C/∂W of each layer over these examples, and nudge the weights of these ranks.

    Args:
        model: Linear layers, each followed by its activation, in float64; its `.grad` is overwritten.
        cost: "quadratic" or "cross-entropy".
    """
    before = backprop(model, x, y, costs.as_module(cost)).item()
    W = _weights(model)
    gradients = [_gradient(p) for p in W]
    order = torch.cat([g.flatten() for g in gradients]).abs().argsort(descending=True)
    nudges = []
    for place in ranks:
        if place <= len(order):
            named = _unflattened(int(order[place - 1]), W)
            derivative = gradients[named.l - 1][named.j, named.k].item()
            predicted = EPSILON * derivative
            measured = _nudged_cost(model, named, x, y, EPSILON, cost) - before
            nudges.append(Nudge(place, named, derivative, predicted, measured))
    return gradients, nudges


def nudge(
    model: Sequential, x: Tensor, y: Tensor, named: Weight, epsilon: float, cost: str = "quadratic"
) -> tuple[float, float, float]:
    """Return ∂C/∂w of this weight over these examples, C, and C(w + epsilon) − C(w).

    Args:
        model: Linear layers, each followed by its activation, in float64; its `.grad` is overwritten.
        cost: "quadratic" or "cross-entropy".
    """
    before = backprop(model, x, y, costs.as_module(cost)).item()
    derivative = _gradient(_weights(model)[named.l - 1])[named.j, named.k].item()
    return derivative, before, _nudged_cost(model, named, x, y, epsilon, cost) - before


def wishes(model: Sequential, x: Tensor, y: Tensor, named: Weight, cost: str = "quadratic") -> Tensor:
    """Return [n], the nudge −∂C_k/∂w that each example k wants for one weight; gradient descent takes their mean."""
    name = [name for name, p in model.named_parameters() if p.dim() == 2][named.l - 1]
    return -per_example_grads(model, x, y, costs.as_module(cost))[name][:, named.j, named.k]


def most_wanted(model: Sequential, x: Tensor, y: Tensor, cost: str = "quadratic") -> tuple[Weight, float]:
    """Return the weight with the largest median |wish| over the examples, and that median.

    Half of the examples want to move this weight further than any other. The weight with the largest mean is often one that a
    few examples want to move far, and the others not at all.
    """
    grads, W = per_example_grads(model, x, y, costs.as_module(cost)), _weights(model)
    # Neuron by neuron: |dC_dW| of a whole layer would take as much memory as all per-example gradients.
    medians = [
        dC_dW_j.abs().median(0).values
        for name, p in model.named_parameters()
        if p.dim() == 2
        for dC_dW_j in grads[name].unbind(1)
    ]
    longest, position = torch.cat(medians).max(0)
    return _unflattened(int(position), W), longest.item()


def listen_to(
    model: Sequential,
    x: Tensor,
    y: Tensor,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    seed: int = 0,
    cost: str = "quadratic",
) -> Sequential:
    """Return a copy of the model, trained for some steps on random mini-batches of these examples alone.

    The same seed draws the same batches, whatever the rate.
    """
    trained, module = copy.deepcopy(model), costs.as_module(cost)
    generator = torch.Generator(x.device).manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(x), (batch_size,), device=x.device, generator=generator)
        sgd_step(trained, x[batch], y[batch], lr, module)
    return trained


@torch.no_grad()
def predictions(model: Sequential, x: Tensor) -> Tensor:
    """Return [outputs], the number of examples classified as each output."""
    a = model(x)
    return a.argmax(1).bincount(minlength=a.shape[1])


def _weights(model: Sequential) -> list[Tensor]:
    return [p for p in model.parameters() if p.dim() == 2]


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _unflattened(position: int, W: list[Tensor]) -> Weight:
    for l, W_l in enumerate(W, 1):
        if position < W_l.numel():
            return Weight(l, *divmod(position, W_l.shape[1]))
        position -= W_l.numel()
    raise IndexError(position)


@torch.no_grad()
def _nudged_cost(model: Sequential, named: Weight, x: Tensor, y: Tensor, epsilon: float, cost: str) -> float:
    W = _weights(model)[named.l - 1]
    before = W[named.j, named.k].clone()
    W[named.j, named.k] += epsilon
    nudged: float = costs.total(cost, model(x), y).item() / len(x)
    W[named.j, named.k] = before
    return nudged
