"""How a nudge travels to the cost in a network with one neuron per layer.

To first order, it changes each quantity by the nudge times the factors of the chain rule in between.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from manualgrad.network.mlp import MLP
from manualgrad.teaching.chain import Chain, Link, cost_of

__all__ = ["Arrival", "input_link", "links_to_cost", "travel"]


@dataclass(frozen=True)
class Arrival:
    """The change that a nudge causes at a quantity: predicted to first order, and measured."""

    name: str
    predicted: float
    measured: float


def input_link(c: Chain) -> Link:
    """Return ∂z⁽¹⁾/∂a⁽⁰⁾, the factor by which the input enters the chain."""
    w = c.parameters[-2]
    return Link(w.links[0].of, "a⁽⁰⁾", w.name, w.value)


def travel(model: MLP, c: Chain, of: str, by: float) -> list[Arrival]:
    """Follow a nudge through every quantity after it, the cost last.

    Args:
        model: the network of the chain.
        of: the nudged quantity: "w⁽¹⁾", "b⁽¹⁾", "z⁽¹⁾", "a⁽⁰⁾", ...
        by: the nudge.

    Raises:
        ValueError: if the chain does not have this quantity.
    """
    links = links_to_cost(c, of)
    before, after = {**c.values, "C₀": c.cost}, _after(model, c, of, by)
    predicted, arrivals = by, []
    for link in links:
        predicted *= link.value
        arrivals.append(Arrival(link.of, predicted, after[link.of] - before[link.of]))
    return arrivals


def links_to_cost(c: Chain, of: str) -> list[Link]:
    """Return the factors from a quantity or parameter to the cost.

    Raises:
        ValueError: if the chain does not have this quantity.
    """
    for parameter in c.parameters:
        if parameter.name == of:
            return parameter.links
    links = [input_link(c), *c.longest.links[1:]]
    first = next((i for i, link in enumerate(links) if link.by == of), None)
    if first is None:
        raise ValueError(f"unknown quantity {of}: expected one of {', '.join([*c.values, *(p.name for p in c.parameters)])}")
    return links[first:]


@torch.no_grad()
def _after(model: MLP, c: Chain, of: str, by: float) -> dict[str, float]:
    """Compute the new values of the quantities after the nudged one, and of the cost."""
    model, names = copy.deepcopy(model), list(c.values)
    if of in names:
        start, value = names.index(of), c.values[of] + by
    else:
        place = next(place for place, parameter in enumerate(reversed(c.parameters)) if parameter.name == of)
        layer = place // 2  # b⁽¹⁾, w⁽¹⁾, b⁽²⁾, w⁽²⁾, ...
        (model[2 * layer].bias if place % 2 == 0 else model[2 * layer].weight).add_(by)
        start = 2 * layer
        value = c.values[names[start]]
    q = torch.tensor([[value]], dtype=torch.float64)
    found = {}
    for name, module in zip(names[start + 1 :], model[start:], strict=True):
        q = module(q)
        found[name] = q.item()
    return {**found, "C₀": cost_of(q, c.y, c.kind).item()}
