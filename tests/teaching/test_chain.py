"""The network of one neuron a layer."""

import math

import pytest
import torch

from manualgrad import MLP, trace
from manualgrad.teaching.chain import chain


def one_neuron_a_layer(layers, activation):
    return MLP([1] * (layers + 1), [activation] * (layers - 1) + ["sigmoid"], dtype=torch.float64)


COSTS = {
    "quadratic": lambda a, y: (a - y).square().sum(),
    "cross-entropy": lambda a, y: torch.nn.functional.binary_cross_entropy(a, torch.full_like(a, y), reduction="sum"),
}


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_every_factor_is_autograds(activation, cost, y):
    model = one_neuron_a_layer(3, activation)
    c = chain(model, 0.7, y, cost)
    q = [torch.tensor([[0.7]], dtype=torch.float64)]
    for module in model:
        q.append(module(q[-1]))
    C = COSTS[cost](q[-1], y)
    names = [*c.values, "C₀"]
    assert c.cost == pytest.approx(C.item())
    quantities = dict(zip(names, [*q, C], strict=True))
    for link in c.longest.links[1:]:
        slope = torch.autograd.grad(quantities[link.of], quantities[link.by], retain_graph=True)[0].item()
        assert link.value == pytest.approx(slope, rel=1e-9), f"∂{link.of}/∂{link.by}"
    C.backward()
    expected = [p.grad.item() for layer in (model[4], model[2], model[0]) for p in (layer.weight, layer.bias)]
    assert [p.product for p in c.parameters] == pytest.approx(expected)
    if cost == "cross-entropy":
        assert c.derivatives["z⁽³⁾"] == pytest.approx(c.values["a⁽³⁾"] - y)


@pytest.mark.parametrize("cost", ["quadratic", "cross-entropy"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("layers", [1, 3, 5])
def test_the_product_of_the_factors_is_the_derivative(layers, activation, cost):
    model = one_neuron_a_layer(layers, activation)
    c = chain(model, 0.7, 1.0, cost)
    assert len(c.parameters) == 2 * layers
    for parameter in c.parameters:
        assert math.prod(link.value for link in parameter.links) == pytest.approx(parameter.product, rel=1e-12)
        assert parameter.difference == pytest.approx(parameter.product, rel=1e-6, abs=1e-9)
    assert [len(p.links) for p in c.parameters[::2]] == [3 + 2 * back for back in range(layers)]


def test_the_links_of_a_chain_join():
    c = chain(MLP([1, 1, 1], dtype=torch.float64), 0.7, 1.0)
    for parameter in c.parameters:
        assert parameter.links[0].by == parameter.name
        assert [link.of for link in parameter.links[:-1]] == [link.by for link in parameter.links[1:]]
        assert parameter.links[-1].of == "C₀"
    assert list(c.values) == ["a⁽⁰⁾", "z⁽¹⁾", "a⁽¹⁾", "z⁽²⁾", "a⁽²⁾"]
    assert c.cost == pytest.approx((c.values["a⁽²⁾"] - 1) ** 2)


def test_every_derivative_is_the_one_before_times_a_factor():
    model = MLP([1, 1, 1, 1], dtype=torch.float64)
    c = chain(model, 0.7, 1.0)
    assert c.longest.name == "w⁽¹⁾"
    assert list(c.derivatives) == ["C₀", "a⁽³⁾", "z⁽³⁾", "a⁽²⁾", "z⁽²⁾", "a⁽¹⁾", "z⁽¹⁾"]
    layers = trace(model, torch.tensor([[0.7]]).double(), torch.tensor([[1.0]]).double()).layers
    for layer, a, z in zip(layers, ("a⁽¹⁾", "a⁽²⁾", "a⁽³⁾"), ("z⁽¹⁾", "z⁽²⁾", "z⁽³⁾"), strict=True):
        assert c.derivatives[a] == pytest.approx(layer.dC_da.item())
        assert c.derivatives[z] == pytest.approx(layer.delta.item())
