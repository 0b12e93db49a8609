"""A nudge in the network of one neuron a layer."""

import pytest
import torch

from manualgrad import MLP
from manualgrad.teaching.chain import chain
from manualgrad.teaching.travel import input_link, links_to_cost, travel


@pytest.fixture
def model():
    return MLP([1, 1, 1], dtype=torch.float64)


def test_what_is_foretold_is_the_product_of_the_factors_passed(model):
    c = chain(model, 0.7, 1.0)
    links = links_to_cost(c, "w⁽¹⁾")
    arrivals = travel(model, c, "w⁽¹⁾", 0.01)
    assert [arrival.name for arrival in arrivals] == ["z⁽¹⁾", "a⁽¹⁾", "z⁽²⁾", "a⁽²⁾", "C₀"]
    assert arrivals[0].predicted == pytest.approx(0.01 * 0.7)
    assert arrivals[2].predicted == pytest.approx(0.01 * links[0].value * links[1].value * links[2].value)


def test_what_happens_is_measured_and_the_model_stays(model):
    before = [p.clone() for p in model.parameters()]
    c = chain(model, 0.7, 1.0)
    arrivals = travel(model, c, "b⁽²⁾", 2.0)
    assert all(p.equal(q) for p, q in zip(model.parameters(), before, strict=True))
    with torch.no_grad():
        model[2].bias += 2.0
    nudged = chain(model, 0.7, 1.0)
    assert arrivals[-1].measured == pytest.approx(nudged.cost - c.cost)
    assert arrivals[0].measured == pytest.approx(2.0)


def test_the_input_enters_by_the_first_weight(model):
    c = chain(model, 0.7, 1.0)
    assert input_link(c).value == model[0].weight.item()
    assert links_to_cost(c, "a⁽⁰⁾")[0] == input_link(c)


def test_a_quantity_that_is_none_is_an_error(model):
    with pytest.raises(ValueError, match="unknown quantity w⁽³⁾: expected one of a⁽⁰⁾, z⁽¹⁾"):
        travel(model, chain(model, 0.7, 1.0), "w⁽³⁾", 1.0)
