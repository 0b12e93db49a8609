"""The chain rule in a network with one neuron per layer: every factor, with its value.

Such a network is a chain of quantities, each computed from the one before: x → z⁽¹⁾ → a⁽¹⁾ → z⁽²⁾ → ... → a⁽ᴸ⁾ → C. The
derivative of C with respect to any of them is the product of the factors in between; a weight or a bias adds one more factor.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from manualgrad.network.algorithm import Trace, trace
from manualgrad.network.mlp import MLP
from manualgrad.symbolic.notation import superscript

__all__ = ["Chain", "Link", "Parameter", "chain", "cost_of"]

H = 1e-5  # step size of the central difference

_SLOPES = {"sigmoid": "σ′({z}) = (1 − {a}) {a}", "tanh": "tanh′({z}) = 1 − {a}²"}


@dataclass(frozen=True)
class Link:
    """A factor of the chain rule, ∂`of`/∂`by`, with its formula and its value."""

    of: str
    by: str
    formula: str
    value: float


@dataclass(frozen=True)
class Parameter:
    """A weight or a bias: the links from it to the cost, their product, and the same derivative by a finite difference."""

    name: str
    value: float
    links: list[Link]
    product: float
    difference: float


@dataclass(frozen=True)
class Chain:
    """The chain rule, written out for one example.

    Attributes:
        values: name -> value of each quantity, from x (called a⁽⁰⁾) to a⁽ᴸ⁾.
        y: the desired output.
        cost: C₀.
        parameters: the weights and biases, w⁽ᴸ⁾ first.
        kind: the kind of cost, "quadratic" or "cross-entropy".
    """

    values: dict[str, float]
    y: float
    cost: float
    parameters: list[Parameter]
    kind: str = "quadratic"

    @property
    def longest(self) -> Parameter:
        """Return the parameter with the most links, w⁽¹⁾."""
        return self.parameters[-2]

    @property
    def derivatives(self) -> dict[str, float]:
        """Return ∂C₀/∂q of the cost and of every quantity back to z⁽¹⁾; each is the one before times one factor."""
        found = {"C₀": 1.0}
        for link in reversed(self.longest.links[1:]):
            found[link.by] = found[link.of] * link.value
        return found


def chain(model: MLP, x: float, y: float, cost: str = "quadratic") -> Chain:
    """Compute every factor of every derivative of the cost C₀.

    Args:
        model: an MLP([1, 1, ..., 1]) in float64, with sigmoid or tanh activations, a sigmoid last.
        cost: "quadratic", (a⁽ᴸ⁾ − y)²; or "cross-entropy", −y log a⁽ᴸ⁾ − (1 − y) log(1 − a⁽ᴸ⁾).
    """
    t = _trace(model, x, y, cost)
    values, parameters = {"a⁽⁰⁾": x}, []
    for l, layer in enumerate(t.layers, 1):
        values |= {f"z{superscript(l)}": layer.z.item(), f"a{superscript(l)}": layer.a.item()}
    last = f"a{superscript(len(t.layers))}"
    formula = f"2 ({last} − y)" if cost == "quadratic" else f"({last} − y) / ({last} (1 − {last}))"
    after = [Link("C₀", last, formula, t.layers[-1].dC_da.item())]  # links from the current quantity to the cost
    for l in range(len(t.layers), 0, -1):
        layer, z, a, a_prev = t.layers[l - 1], f"z{superscript(l)}", f"a{superscript(l)}", f"a{superscript(l - 1)}"
        assert layer.W is not None
        assert layer.b is not None
        assert layer.dC_dW is not None
        after = [Link(a, z, _SLOPES[layer.activation].format(z=z, a=a), layer.da_dz.item()), *after]
        w, b = f"w{superscript(l)}", f"b{superscript(l)}"
        for link, parameter, product in (
            (Link(z, w, a_prev, layer.a_prev.item()), layer.W, layer.dC_dW),
            (Link(z, b, "1", 1.0), layer.b, layer.delta),
        ):
            difference = _difference(model, parameter, x, y, cost)
            parameters.append(Parameter(link.by, parameter.item(), [link, *after], product.item(), difference))
        after = [Link(z, a_prev, w, layer.W.item()), *after]
    return Chain(values, y, t.cost.item(), parameters, cost)


def cost_of(a: Tensor, y: float, kind: str) -> Tensor:
    """Compute C₀ from the output a."""
    return (a - y).square() if kind == "quadratic" else -y * a.log() - (1 - y) * (1 - a).log()


def _trace(model: MLP, x: float, y: float, cost: str) -> Trace:
    """Trace every quantity; for the cross entropy, with a softmax over two classes in place of the last sigmoid.

    The softmax of z and 0 is e^z / (e^z + 1) = σ(z), so a second output whose z is always 0 has the activation 1 − a⁽ᴸ⁾.
    """
    inputs, desired = _example(x, y)
    if cost == "quadratic":
        return trace(model, inputs, desired)
    *before, last, _ = model
    W, b = last.get_parameter("weight"), last.get_parameter("bias")
    both = torch.nn.Linear(1, 2, dtype=torch.float64)
    with torch.no_grad():
        both.weight.copy_(torch.cat([W, torch.zeros_like(W)]))
        both.bias.copy_(torch.cat([b, torch.zeros_like(b)]))
    t = trace(torch.nn.Sequential(*before, both), inputs, torch.cat([desired, 1 - desired], 1), torch.nn.CrossEntropyLoss())
    *layers, end = t.layers
    assert end.dC_dW is not None
    sigmoid = dataclasses.replace(
        end,
        activation="sigmoid",
        W=W,
        b=b,
        z=end.z[:, :1],
        a=end.a[:, :1],
        dC_da=end.dC_da[:, :1] - end.dC_da[:, 1:],  # when a rises, 1 − a falls
        da_dz=end.da_dz[:, :1, 0],
        delta=end.delta[:, :1],
        dC_dW=end.dC_dW[:, :1],
        dC_db=end.delta[:, :1],
    )
    return Trace((*layers, sigmoid), t.cost)


def _example(x: float, y: float) -> tuple[Tensor, Tensor]:
    return torch.tensor([[x]], dtype=torch.float64), torch.tensor([[y]], dtype=torch.float64)


@torch.no_grad()
def _difference(model: MLP, parameter: Tensor, x: float, y: float, cost: str) -> float:
    """Compute (C(p + H) − C(p − H)) / 2H."""
    inputs, _ = _example(x, y)
    value = parameter.clone()
    costs = []
    for h in (H, -H):
        parameter.copy_(value + h)
        costs.append(cost_of(model(inputs), y, cost).item())
    parameter.copy_(value)
    return (costs[0] - costs[1]) / (2 * H)
