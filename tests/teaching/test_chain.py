"""The network of one neuron a layer."""

import math

import pytest
import torch

from manualgrad import MLP, trace
from manualgrad.teaching.chain import chain


@pytest.mark.parametrize("layers", [1, 3, 5])
def test_the_product_of_the_factors_is_the_derivative(layers):
    model = MLP([1] * (layers + 1), dtype=torch.float64)
    c = chain(model, 0.7, 1.0)
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
