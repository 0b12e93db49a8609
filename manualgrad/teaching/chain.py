"""The chain rule in the network of the notes: one neuron a layer, every factor with its value.

Such a network is a chain of quantities, each made of the one before: x → z⁽¹⁾ → a⁽¹⁾ → z⁽²⁾ → ... → a⁽ᴸ⁾ → C. The derivative of
C by any of them is the product of the factors between, and by a weight or a bias one factor more.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from manualgrad.network.algorithm import trace
from manualgrad.network.mlp import MLP
from manualgrad.symbolic.notation import superscript

__all__ = ["Chain", "Link", "Parameter", "chain"]

H = 1e-5  # of the central difference


@dataclass(frozen=True)
class Link:
    """A factor of the chain rule: ∂`of`/∂`by`, what it is by its formula, and its value."""

    of: str
    by: str
    formula: str
    value: float


@dataclass(frozen=True)
class Parameter:
    """A weight or a bias: its links, from it to the cost, their product, and the same derivative by a finite difference."""

    name: str
    value: float
    links: list[Link]
    product: float
    difference: float


@dataclass(frozen=True)
class Chain:
    """The network's quantities, from x to a⁽ᴸ⁾, by name; its desired output and cost; and its parameters, w⁽ᴸ⁾ first."""

    values: dict[str, float]
    y: float
    cost: float
    parameters: list[Parameter]

    @property
    def longest(self) -> Parameter:
        """w⁽¹⁾, which is the furthest back."""
        return self.parameters[-2]

    @property
    def derivatives(self) -> dict[str, float]:
        """∂C₀/∂q of the cost and of every quantity back to z⁽¹⁾, in that order: each is the one before times one factor."""
        found = {"C₀": 1.0}
        for link in reversed(self.longest.links[1:]):
            found[link.by] = found[link.of] * link.value
        return found


def chain(model: MLP, x: float, y: float) -> Chain:
    """Every factor of every derivative of the cost C₀ = (a⁽ᴸ⁾ − y)².

    Args:
        model: an MLP([1, 1, ..., 1]) of sigmoids, in float64.
    """
    t = trace(model, *_example(x, y))
    values, parameters = {"a⁽⁰⁾": x}, []
    for l, layer in enumerate(t.layers, 1):
        values |= {f"z{superscript(l)}": layer.z.item(), f"a{superscript(l)}": layer.a.item()}
    last = f"a{superscript(len(t.layers))}"
    after = [Link("C₀", last, f"2 ({last} − y)", t.layers[-1].dC_da.item())]  # what comes after the quantity arrived at
    for l in range(len(t.layers), 0, -1):
        layer, z, a, a_prev = t.layers[l - 1], f"z{superscript(l)}", f"a{superscript(l)}", f"a{superscript(l - 1)}"
        assert layer.W is not None
        assert layer.b is not None
        assert layer.dC_dW is not None
        after = [Link(a, z, f"σ′({z}) = (1 − {a}) {a}", layer.da_dz.item()), *after]
        w, b = f"w{superscript(l)}", f"b{superscript(l)}"
        for link, parameter, product in (
            (Link(z, w, a_prev, layer.a_prev.item()), layer.W, layer.dC_dW),
            (Link(z, b, "1", 1.0), layer.b, layer.delta),
        ):
            difference = _difference(model, parameter, x, y)
            parameters.append(Parameter(link.by, parameter.item(), [link, *after], product.item(), difference))
        after = [Link(z, a_prev, w, layer.W.item()), *after]
    return Chain(values, y, t.cost.item(), parameters)


def _example(x: float, y: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([[x]], dtype=torch.float64), torch.tensor([[y]], dtype=torch.float64)


@torch.no_grad()
def _difference(model: MLP, parameter: torch.Tensor, x: float, y: float) -> float:
    """(C(p + H) − C(p − H)) / 2H."""
    inputs, desired = _example(x, y)
    value = parameter.clone()
    costs = []
    for h in (H, -H):
        parameter.copy_(value + h)
        costs.append((model(inputs) - desired).square().sum().item())
    parameter.copy_(value)
    return (costs[0] - costs[1]) / (2 * H)
