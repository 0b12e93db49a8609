"""The plain lines that the lesson and the page quote compute what `trace` and `sgd_step` do."""

import ast
import inspect

import pytest
import torch
from torch.testing import assert_close

from manualgrad import MLP, sgd_step, trace
from manualgrad.teaching import plain
from manualgrad.teaching.chain import chain

ACTIVATIONS = {"sigmoid": (plain.sigmoid, plain.sigmoid_slope), "relu": (plain.relu, plain.relu_slope)}


@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_the_lines_layer_by_layer_give_every_quantity_of_the_trace_and_the_step(hidden):
    model = MLP([7, 5, 4, 3], [hidden, hidden, "sigmoid"], dtype=torch.float64)
    x, y = torch.rand(7).double(), torch.rand(3).double()
    traced = trace(model, x[None], y[None]).average()
    parameters = [p.detach().clone() for p in model.parameters()]
    a, values = x, []
    for l, layer in enumerate(traced.layers):
        z = plain.forward(a, *parameters[2 * l : 2 * l + 2])
        a_prev, a = a, ACTIVATIONS[layer.activation][0](z)
        values.append((a_prev, a))
        assert_close((z, a), (layer.z, layer.a))
    assert_close(plain.cost(a, y), traced.cost)

    dC_da, after = plain.cost_backward(a, y), []
    for l, layer in reversed(list(enumerate(traced.layers))):
        (a_prev, a), (W, b) = values[l], parameters[2 * l : 2 * l + 2]
        da_dz = ACTIVATIONS[layer.activation][1](a)
        assert_close((dC_da, da_dz), (layer.dC_da, layer.da_dz))
        delta, dC_dW, dC_db, dC_da = plain.backward(dC_da, da_dz, a_prev, W)
        assert_close((delta, dC_dW, dC_db, dC_da), (layer.delta, layer.dC_dW, layer.dC_db, layer.dC_da_prev))
        after = [*plain.step(W, b, dC_dW, dC_db, 0.3), *after]
    sgd_step(model, x[None], y[None], lr=0.3)
    assert_close(after, [p.detach() for p in model.parameters()])


def test_the_lines_of_a_single_neuron_give_the_chains_products():
    model = MLP([1, 1, 1], dtype=torch.float64)
    c = chain(model, 0.7, 1.0)
    w, b = model[2].weight.detach()[0, 0], model[2].bias.detach()[0]
    C, dC_dw, dC_db, dC_da_prev = plain.neuron(torch.tensor(c.values["a⁽¹⁾"]).double(), w, b, torch.tensor(1.0).double())
    products = {p.name: p.product for p in c.parameters}
    found = [value.item() for value in (C, dC_dw, dC_db, dC_da_prev)]
    assert found == pytest.approx([c.cost, products["w⁽²⁾"], products["b⁽²⁾"], c.derivatives["a⁽¹⁾"]])


def test_what_a_step_and_a_nudge_do_is_the_gradient_by_the_step():
    gradient, w, v = torch.tensor([0.3, -0.4]), torch.tensor([0.2, -0.6]), torch.tensor(0.5)
    assert plain.fall(gradient, 0.1).item() == pytest.approx(-0.1 * 0.25)
    assert plain.mean_wish(w).item() == pytest.approx(0.2)
    assert plain.nudge(w[1], 0.01).item() == pytest.approx(-0.006)
    assert plain.ratio(w[1], v).item() == pytest.approx(1.2)
    delta, W = torch.rand(3), torch.rand(3, 2)
    assert_close(plain.wishes_before(delta, W).sum(0), -plain.backward(delta, torch.ones(3), torch.rand(2), W)[3])


def test_each_line_is_a_short_formula():
    functions = [node for node in ast.parse(inspect.getsource(plain)).body if isinstance(node, ast.FunctionDef)]
    lines = [ast.unparse(node) for function in functions for node in function.body if isinstance(node, ast.Assign)]
    assert len(lines) > 15
    assert max(map(len, lines)) <= 45
