"""What one example wants, the chain, sensitivity and descent: the numbers behind the commands."""

import copy
import math

import pytest
import torch
from torch.testing import assert_close

from manualgrad import MLP, backprop, sgd_step
from manualgrad.chain import chain
from manualgrad.descent import descend, plane
from manualgrad.explain import STEP, explain
from manualgrad.sensitivity import EPSILON, Weight, listen_to, predictions, rank, weight, wishes


@pytest.fixture
def model():
    return MLP([9, 5, 4, 3], dtype=torch.float64)


@pytest.fixture
def example():
    return torch.rand(9).double(), torch.tensor([0.0, 1.0, 0.0]).double()


def cost(model, x, y):
    return (model(x) - y).square().sum(-1).mean().item()


# One example.


def test_an_output_is_wished_towards_its_target_in_proportion_to_the_distance(model, example):
    x, y = example
    e = explain(model, x, y, neuron=1)
    a = model(x).detach()
    assert_close(e.output_wishes, 2 * (y - a))
    assert [wish > 0 for wish in e.output_wishes.tolist()] == [False, True, False]


def test_a_neuron_has_three_avenues(model, example):
    e = explain(model, *example, neuron=1)
    delta, a_prev, W = e.outputs.delta[1], e.outputs.a_prev, model[4].weight.detach()
    assert_close(torch.tensor(e.bias_wish).double(), -delta)
    assert_close(e.weight_wishes, -delta * a_prev)  # in proportion to the activations
    assert_close(e.wishes_before(-1)[1], -delta * W[1])  # in proportion to the weights


def test_what_the_neurons_wish_of_the_layer_before_adds_up_to_its_own_wish(model, example):
    e = explain(model, *example, neuron=1)
    for l in (1, 2):
        assert_close(e.wishes_before(l).sum(0), -e.trace.layers[l - 1].dC_da)
    assert e.first_weight_wishes().shape == (5, 9)


def test_the_wishes_are_backprops_negative_gradient(model, example):
    x, y = example
    e = explain(model, x, y, neuron=0)
    backprop(model, x[None], y[None])
    assert_close(e.weight_wishes, -model[4].weight.grad[0])
    assert_close(e.first_weight_wishes(), -model[0].weight.grad)


def test_a_step_does_what_was_predicted(model, example):
    x, y = example
    before = copy.deepcopy(model.state_dict())
    e = explain(model, x, y, neuron=1)
    assert len(e.steps) == 4 + 3 + 1
    for step in e.steps:
        assert step.predicted != 0
        assert step.measured == pytest.approx(step.predicted, rel=0.1)
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    sgd_step(model, x[None], y[None], STEP)
    assert cost(model, x, y) - e.trace.cost.item() == pytest.approx(e.steps[-1].measured, rel=1e-9)
    by_layer = sum(step.predicted for step in e.steps[4:7])
    assert by_layer == pytest.approx(e.steps[-1].predicted)


# The chain.


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


# Sensitivity.


def batch(n=20):
    return torch.rand(n, 9).double(), torch.eye(3).double()[torch.randint(3, (n,))]


def test_weights_are_ranked_by_their_derivatives_size(model):
    x, y = batch()
    everyone = 9 * 5 + 5 * 4 + 4 * 3
    gradients, nudges = rank(model, x, y, [*range(1, everyone + 1), 1000])
    assert len(nudges) == everyone
    sizes = [abs(nudge.derivative) for nudge in nudges]
    assert sizes == sorted(sizes, reverse=True)
    assert len({str(nudge.weight) for nudge in nudges}) == everyone
    for nudge in nudges:
        w = nudge.weight
        assert gradients[w.l - 1][w.j, w.k].item() == nudge.derivative


def test_a_nudge_changes_the_cost_as_predicted(model):
    x, y = batch()
    before = copy.deepcopy(model.state_dict())
    _, nudges = rank(model, x, y, [1, 5, 20])
    for nudge in nudges:
        assert nudge.predicted == EPSILON * nudge.derivative
        assert nudge.measured == pytest.approx(nudge.predicted, rel=0.05)
    assert_close(model.state_dict(), before, rtol=0, atol=0)


def test_the_average_wish_is_the_nudge_that_descent_takes(model):
    x, y = batch()
    found = wishes(model, x, y, Weight(2, 3, 1))
    backprop(model, x, y)
    assert found.shape == (20,)
    assert found.mean().item() == pytest.approx(-model[2].weight.grad[3, 1].item())
    alone = torch.autograd.grad((model(x[4]) - y[4]).square().sum(), model[2].weight)[0][3, 1]
    assert_close(found[4], -alone)


def test_a_weight_is_named_by_layer_neuron_and_neuron_before(model):
    named = weight("W3[2,0]", model)
    assert (named.l, named.j, named.k) == (3, 2, 0)
    assert str(named) == "W3[2,0]"


BAD = {
    "W3": "'W3' is not written like W3[2,5]",
    "W4[0,0]": "the network has the layers 1 to 3, and no W4[0,0]",
    "W0[0,0]": "the network has the layers 1 to 3, and no W0[0,0]",
    "W3[3,0]": "layer 3 has the weights W3[0,0] to W3[2,3], and no W3[3,0]",
    "W3[0,4]": "layer 3 has the weights W3[0,0] to W3[2,3], and no W3[0,4]",
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=BAD)
def test_a_weight_that_is_not_there_is_a_value_error(text, message, model):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        weight(text, model)
    assert message in str(caught.value)


def test_a_network_that_listens_to_one_class_calls_everything_that(model):
    x, _ = batch(200)
    y = torch.tensor([0.0, 0.0, 1.0]).double().expand(200, 3)
    before = copy.deepcopy(model.state_dict())
    trained = listen_to(model, x, y, steps=200, batch_size=20, lr=1.0)
    assert predictions(trained, x).tolist() == [0, 0, 200]
    assert_close(model.state_dict(), before, rtol=0, atol=0)


# Descent.


def test_descent_on_all_examples_is_repeated_sgd_steps(model):
    x, y = batch()
    path = descend(model, x, y, steps=5, batch_size=20, lr=0.5, record=2)
    assert path.examples == [0, 40, 80, 100]
    assert path.points.shape == (4, sum(p.numel() for p in model.parameters()))
    assert path.costs[0] == pytest.approx(cost(model, x, y))
    for _ in range(5):
        sgd_step(model, x, y, 0.5)
    assert path.costs[-1] == pytest.approx(cost(model, x, y))
    assert_close(path.points[-1], torch.nn.utils.parameters_to_vector(model.parameters()).detach())


def test_mini_batches_see_fewer_examples_and_reach_a_lower_cost_too(model):
    x, y = batch()
    path = descend(model, x, y, steps=200, batch_size=4, lr=0.5, record=10)
    assert path.examples[-1] == 800
    assert path.costs[-1] < path.costs[0]
    assert path.seconds == sorted(path.seconds)


def test_the_plane_is_the_paths_own_where_they_lie_in_one(model):
    """Three points lie in a plane: there the map's cost is the paths' cost."""
    x, y = batch()
    paths = [descend(model, x, y, steps=1, batch_size=size, lr=5.0, record=1) for size in (4, 20)]
    found = plane(model, paths, x, y, grid=5)
    assert found.share == pytest.approx(1)
    assert found.costs.shape == (5, 5)
    start, end = paths[0].points
    assert_close((found.paths[0][1] - found.paths[0][0]).norm(), (end - start).norm())
    assert found.across[0] < found.paths[0][:, 0].min()
    assert found.up[-1] > found.paths[1][:, 1].max()


def test_the_map_has_the_cost_of_the_places_on_it(model):
    x, y = batch()
    path = descend(model, x, y, steps=1, batch_size=20, lr=5.0, record=1)
    found = plane(model, [path], x, y, grid=61)
    u, v = found.paths[0][1].tolist()
    nearest = found.costs[(found.up - v).abs().argmin(), (found.across - u).abs().argmin()]
    assert nearest.item() == pytest.approx(path.costs[1], rel=1e-2)
