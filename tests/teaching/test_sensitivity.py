"""Which weights the cost hears most, and what the examples wish on average."""

import copy

import pytest
import torch
from torch.testing import assert_close

from manualgrad import backprop
from manualgrad.teaching.sensitivity import EPSILON, Weight, listen_to, most_wanted, predictions, rank, weight, wishes


def cost(model, x, y):
    return (model(x) - y).square().sum(-1).mean().item()


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


def test_of_the_most_wanted_weight_half_of_the_examples_want_more_than_of_any_other(model):
    x, y = batch()
    named, longest = most_wanted(model, x, y)
    medians = {
        str(Weight(l, j, k)): wishes(model, x, y, Weight(l, j, k)).abs().median().item()
        for l, p in enumerate((p for p in model.parameters() if p.dim() == 2), 1)
        for j in range(p.shape[0])
        for k in range(p.shape[1])
    }
    assert longest == max(medians.values()) == medians[str(named)]
    assert (wishes(model, x, y, named).abs() >= longest).sum() >= 10


def test_a_weight_is_named_by_layer_neuron_and_neuron_before(model):
    named = weight("W3[2,0]", model)
    assert (named.l, named.j, named.k) == (3, 2, 0)
    assert str(named) == "W3[2,0]"


BAD = {
    "W3": "expected a weight such as W3[2,5] (layer 3, to neuron 2, from neuron 5), got 'W3'",
    "W4[0,0]": "expected a layer from 1 to 3, got W4[0,0]",
    "W0[0,0]": "expected a layer from 1 to 3, got W0[0,0]",
    "W3[3,0]": "expected a weight of layer 3 from W3[0,0] to W3[2,3], got W3[3,0]",
    "W3[0,4]": "expected a weight of layer 3 from W3[0,0] to W3[2,3], got W3[0,4]",
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


def test_a_seed_takes_the_same_mini_batches(model):
    x, y = batch()
    first, again, other = (listen_to(model, x, y, steps=5, batch_size=4, lr=1.0, seed=seed)[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
