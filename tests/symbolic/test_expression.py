"""The derivation of whole networks by computer algebra."""

import itertools

import pytest
import sympy
import torch
from torch.testing import assert_close

from manualgrad import MLP, backprop
from manualgrad.symbolic.expression import cost_expression, derive, sigma, sigma_prime, vanishing

SMALL = [(1, 1), (1, 1, 1, 1), (3, 1), (1, 3), (2, 2, 2), (2, 3, 2), (1, 2, 2, 1)]
ACTIVATIONS = ["sigma", "sigmoid", "relu", "tanh"]


@pytest.mark.few(4)
@pytest.mark.parametrize("examples", [1, 2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SMALL)
def test_the_chain_rule_gives_sympys_derivative_of_the_whole_cost(sizes, activation, examples):
    d = derive(sizes, activation, examples)
    assert len(d.parameters) == sum(here * before + here for before, here in itertools.pairwise(sizes))
    assert [d.difference(p) for p in d.parameters] == [0] * len(d.parameters)
    assert all(d.by_chain_rule[p] != 0 for p in d.parameters)


def test_one_neuron_has_the_three_factors_of_the_notes():
    d = derive((1, 1))
    (path,) = d.paths[d.W[0][0][0]]
    a_prev, y, z, a = d.x[0][0], d.y[0][0], sympy.Symbol("z⁽¹⁾", real=True), sympy.Symbol("a⁽¹⁾", real=True)
    assert [factor.value for factor in path] == [a_prev, sigma_prime(z), sympy.Mul(2, a - y, evaluate=False)]
    assert [(str(factor.of), str(factor.by)) for factor in path] == [("z⁽¹⁾", "w⁽¹⁾"), ("a⁽¹⁾", "z⁽¹⁾"), ("C₀", "a⁽¹⁾")]
    (path,) = d.paths[d.b[0][0]]
    assert path[0].value == 1
    assert d.cost == (sigma(a_prev * d.W[0][0][0] + d.b[0][0]) - y) ** 2


def test_each_layer_back_adds_two_factors():
    d = derive((1, 1, 1, 1))
    assert [len(d.paths[W[0][0]][0]) for W in d.W] == [7, 5, 3]


def test_a_neuron_reaches_the_cost_over_every_path():
    d = derive((2, 3, 2, 2))
    assert [len(d.paths[W[0][0]]) for W in d.W] == [2 * 2, 2, 1]


def test_the_gradient_of_several_examples_is_their_average():
    d, one = derive((1, 2), "sigmoid", examples=2), derive((1, 2), "sigmoid")
    for p in d.parameters:
        alone = []
        for e in range(2):
            own = {**dict(zip(one.x[0], d.x[e], strict=True)), **dict(zip(one.y[0], d.y[e], strict=True))}
            alone.append(one.by_sympy[p].subs(own))
        assert vanishing(d.by_chain_rule[p] - (alone[0] + alone[1]) / 2) == 0


@pytest.mark.few(6)
@pytest.mark.parametrize("examples", [1, 2])
@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh"])
@pytest.mark.parametrize("sizes", SMALL)
def test_in_numbers_it_is_what_backprop_computes(sizes, activation, examples):
    model = MLP(sizes, activation, dtype=torch.float64)
    x, y = torch.rand(examples, sizes[0]).double(), torch.rand(examples, sizes[-1]).double()
    backprop(model, x, y)
    parameters = torch.cat([p.detach().flatten() for p in model.parameters()])
    found = derive(sizes, activation, examples).lambdify()(parameters.tolist(), x.flatten().tolist(), y.flatten().tolist())
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert_close(torch.tensor(found, dtype=torch.float64), expected, rtol=1e-12, atol=1e-12)


def test_at_the_kink_of_relu_the_derivative_is_0_as_pytorchs():
    d = derive((1, 1), "relu")
    assert d.lambdify()([1.0, 0.0], [0.0], [1.0]) == [0, 0]
    assert d.lambdify()([1.0, 0.5], [0.0], [1.0]) == [0, -1]


def test_a_wrong_derivative_does_not_vanish():
    d = derive((1, 1), "sigmoid")
    w = d.W[0][0][0]
    assert vanishing(d.by_chain_rule[w] * 3 / 2 - d.by_sympy[w]) != 0


def test_the_cost_may_be_an_expression_in_a_few_of_the_parameters():
    w = sympy.Symbol("w")
    assert cost_expression([[[w, 2.0]]], [[1.0]], [[3.0, 4.0]], [[5.0]], "sigma") == (sigma(3.0 * w + 9.0) - 5.0) ** 2


BAD = {
    "one size": (((1,),), "sizes must be two or more positive integers, got (1,)"),
    "activation": (((1, 1), "gelu"), "activation must be one of sigma, sigmoid, relu, tanh, got 'gelu'"),
    "no example": (((1, 1), "relu", 0), "examples must be at least 1, got 0"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_a_derivation_of_nothing_is_a_value_error(arguments, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        derive(*arguments)
    assert message in str(caught.value)
