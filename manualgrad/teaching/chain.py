"""The chain rule in the network of the notes: one neuron a layer, every factor with its value.

Such a network is a chain of quantities, each made of the one before: x → z⁽¹⁾ → a⁽¹⁾ → z⁽²⁾ → ... → a⁽ᴸ⁾ → C. The derivative of
C by any of them is the product of the factors between, and by a weight or a bias one factor more.
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

H = 1e-5  # of the central difference

_SLOPES = {"sigmoid": "σ′({z}) = (1 − {a}) {a}", "tanh": "tanh′({z}) = 1 − {a}²"}


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
    """The network's quantities, from x to a⁽ᴸ⁾, by name; its desired output and cost; and its parameters, w⁽ᴸ⁾ first.

    Attributes:
        kind: of the cost, "quadratic" or "cross-entropy".
    """

    values: dict[str, float]
    y: float
    cost: float
    parameters: list[Parameter]
    kind: str = "quadratic"

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


def chain(model: MLP, x: float, y: float, cost: str = "quadratic") -> Chain:
    """Every factor of every derivative of the cost C₀.

    Args:
        model: an MLP([1, 1, ..., 1]) of sigmoids or tanh, the last neuron a sigmoid, in float64.
        cost: "quadratic", (a⁽ᴸ⁾ − y)²; or "cross-entropy", −y log a⁽ᴸ⁾ − (1 − y) log(1 − a⁽ᴸ⁾).
    """
    t = _trace(model, x, y, cost)
    values, parameters = {"a⁽⁰⁾": x}, []
    for l, layer in enumerate(t.layers, 1):
        values |= {f"z{superscript(l)}": layer.z.item(), f"a{superscript(l)}": layer.a.item()}
    last = f"a{superscript(len(t.layers))}"
    formula = f"2 ({last} − y)" if cost == "quadratic" else f"({last} − y) / ({last} (1 − {last}))"
    after = [Link("C₀", last, formula, t.layers[-1].dC_da.item())]  # what comes after the quantity arrived at
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
    """C₀ of the output a."""
    return (a - y).square() if kind == "quadratic" else -y * a.log() - (1 - y) * (1 - a).log()


def _trace(model: MLP, x: float, y: float, cost: str) -> Trace:
    """Every quantity; under the cross entropy with those of the two classes that a⁽ᴸ⁾ and 1 − a⁽ᴸ⁾ are for.

    The softmax of z and 0 is e^z / (e^z + 1) = σ(z): a second output, whose z is always 0, makes the last sigmoid a softmax.
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
        dC_da=end.dC_da[:, :1] - end.dC_da[:, 1:],  # as where a moves, 1 − a moves the other way
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
    """(C(p + H) − C(p − H)) / 2H."""
    inputs, _ = _example(x, y)
    value = parameter.clone()
    costs = []
    for h in (H, -H):
        parameter.copy_(value + h)
        costs.append(cost_of(model(inputs), y, cost).item())
    parameter.copy_(value)
    return (costs[0] - costs[1]) / (2 * H)
