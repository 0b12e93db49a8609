"""What one example wants."""

import copy

import pytest
import torch
from torch.testing import assert_close

from manualgrad import MLP, backprop, sgd_step
from manualgrad.teaching.explain import STEP, explain, most_to_see


@pytest.fixture
def example():
    return torch.rand(9).double(), torch.tensor([0.0, 1.0, 0.0]).double()


def cost(model, x, y):
    return (model(x) - y).square().sum(-1).mean().item()


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


def test_under_the_cross_entropy_an_output_is_wished_towards_its_target_by_the_distance(with_softmax, example):
    x, y = example
    e = explain(with_softmax, x, y, neuron=1, cost="cross-entropy")
    z = with_softmax(x).detach().requires_grad_()
    (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(z[None], y[None]), z)
    assert_close(e.output_wishes, -slope)
    assert_close(e.output_wishes, y - z.detach().softmax(0))
    assert_close(e.outputs.a, z.detach().softmax(0))


def test_under_the_cross_entropy_every_wish_is_autograds(with_softmax, example):
    x, y = example
    e = explain(with_softmax, x, y, neuron=1, cost="cross-entropy")
    a = [x]
    for module in with_softmax:
        a.append(module(a[-1]))
        a[-1].retain_grad()
    C = torch.nn.functional.cross_entropy(a[-1][None], y[None])
    C.backward()
    z, a = a[1::2], [x, *a[2::2]]
    assert_close(e.trace.cost, C.detach())
    assert e.bias_wish == pytest.approx(-with_softmax[4].bias.grad[1].item())
    assert_close(e.weight_wishes, -with_softmax[4].weight.grad[1])
    assert_close(e.first_weight_wishes(), -with_softmax[0].weight.grad)
    for l in range(3):
        assert_close(e.trace.layers[l].delta, z[l].grad)
    for l in (1, 2):
        assert_close(e.wishes_before(l).sum(0), -a[l].grad)
        assert_close(-e.trace.layers[l - 1].dC_da, -a[l].grad)


def test_under_the_cross_entropy_a_step_does_what_was_predicted(with_softmax, example):
    x, y = example
    e = explain(with_softmax, x, y, neuron=1, cost="cross-entropy")
    for step in e.steps:
        assert step.predicted < 0
        assert step.measured == pytest.approx(step.predicted, rel=0.1)
    sgd_step(with_softmax, x[None], y[None], STEP, torch.nn.CrossEntropyLoss())
    after = torch.nn.functional.cross_entropy(with_softmax(x[None]), y[None]).item()
    assert after - e.trace.cost.item() == pytest.approx(e.steps[-1].measured, rel=1e-9)


def test_of_many_neurons_the_16_with_the_strongest_wishes_are_shown_and_every_output():
    model = MLP([9, 40, 5, 20], dtype=torch.float64)
    e = explain(model, torch.rand(9).double(), torch.eye(20).double()[3], neuron=3)
    shown, delta = e.shown(0), e.trace.layers[0].delta.abs()
    assert len(shown) == 16
    assert shown == sorted(shown)
    assert delta[shown].min() >= max(delta[k] for k in range(40) if k not in shown)
    assert e.shown(1) == list(range(5))
    assert e.shown(2) == list(range(20))


def test_the_example_with_most_to_see_has_outputs_that_are_wrong_and_can_still_be_moved():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Sigmoid()).double()
    torch.nn.init.eye_(model[0].weight)
    torch.nn.init.zeros_(model[0].bias)
    right, flat, undecided = [9.0, -9.0, -9.0], [-9.0, 9.0, 9.0], [-1.0, 1.0, 0.0]
    x, y = torch.tensor([right, flat, undecided, right]).double(), torch.tensor([[1.0, 0.0, 0.0]]).double().expand(4, 3)
    row, wishes = most_to_see(model, x, y)
    assert row == 2
    assert wishes == pytest.approx(explain(model, x[2], y[2], neuron=0).outputs.delta.abs().sum().item())
