"""One gradient, found in five ways that share no code.

1. autograd through the hand-written layers;
2. autograd through torch.nn's;
3. `backprop`, without autograd;
4. SymPy's derivative of the whole cost, which is an expression in the one parameter looked at;
5. central differences.
"""

import math

import pytest
import sympy
import torch
from torch.testing import assert_close

from manualgrad import MLP, backprop, nn, unswap
from manualgrad.symbolic.expression import cost_expression

SIZES = [(1, 1, 1, 1), (2, 3), (4, 3, 2), (5, 1, 4), (3, 4, 4, 4, 2), (784, 30, 10), (784, 16, 16, 10)]
SEED = 6  # with which no ReLU is dead
ENTRIES = 2  # looked at in each W and b by SymPy and by differences; 1 where there are three layers or more


@pytest.fixture(params=SIZES, ids=lambda sizes: "-".join(map(str, sizes)))
def sizes(request):
    return request.param


@pytest.fixture(params=["quadratic", "cross-entropy"])
def cost(request):
    return request.param


@pytest.fixture(params=["sigmoid", "relu", "tanh"])
def network(request, sizes, cost):
    """A model with its examples: in each, most of the inputs are 0, as the pixels of a digit are."""
    if cost == "cross-entropy" and sizes[-1] == 1:
        pytest.skip("the softmax of a single output is 1, whatever the parameters")
    torch.manual_seed(SEED)
    last = request.param if cost == "quadratic" else "identity"
    model = MLP(sizes, [request.param] * (len(sizes) - 2) + [last], dtype=torch.float64)
    x = torch.rand(2, sizes[0]).double() * (torch.rand(2, sizes[0]) < (0.2 if sizes[0] > 9 else 1))
    y = torch.rand(2, sizes[-1]).double()
    return model, request.param, x, y if cost == "quadratic" else y / y.sum(1, keepdim=True)


OURS = {"quadratic": nn.MSELoss(reduction="batchmean"), "cross-entropy": nn.CrossEntropyLoss()}
THEIRS = {
    "quadratic": lambda a, y: torch.nn.functional.mse_loss(a, y, reduction="sum") / len(y),
    "cross-entropy": torch.nn.functional.cross_entropy,
}
IN_ELEMENTARY_OPERATORS = {
    "quadratic": lambda a, y: (a - y).square().sum().item() / len(y),
    "cross-entropy": lambda z, y: -(y * (z.exp() / z.exp().sum(1, keepdim=True)).log()).sum().item() / len(y),
}


def by_autograd(model, cost, x, y):
    return torch.autograd.grad(cost(model(x), y), list(model.parameters()))


def test_three_ways_agree_on_every_parameter(network, cost):
    model, _, x, y = network
    ours = by_autograd(model, OURS[cost], x, y)
    theirs = by_autograd(unswap(model), THEIRS[cost], x, y)
    backprop(model, x, y, OURS[cost])
    assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert_close([p.grad for p in model.parameters()], list(ours), rtol=1e-12, atol=1e-12)


def entries(model):
    """Some entries of each parameter: its name, and their indices."""
    for name, p in model.named_parameters():
        for i in torch.randperm(p.numel())[: 1 if len(model) > 4 else ENTRIES].tolist():
            yield name, tuple(int(k) for k in torch.unravel_index(torch.tensor(i), p.shape))


def by_sympy(model, activation, cost, x, y, name, index):
    values = {name: p.tolist() for name, p in model.named_parameters()}
    value, symbol = model.get_parameter(name)[index].item(), sympy.Symbol("p")
    row = values[name]
    for i in index[:-1]:
        row = row[i]
    row[index[-1]] = symbol
    layers = range(0, len(values), 2)
    W, b = [values[f"{l}.weight"] for l in layers], [values[f"{l}.bias"] for l in layers]
    C = cost_expression(W, b, x.tolist(), y.tolist(), activation, cost)
    functions = {"Heaviside": lambda z, *_: float(z > 0), "exp": math.exp}
    return sympy.lambdify(symbol, C.diff(symbol), modules=[functions, "math"], cse=True)(value)


def by_differences(model, cost, x, y, name, index, h=1e-5):
    parameter, costs = model.get_parameter(name), []
    with torch.no_grad():
        value = parameter[index].item()
        for step in (h, -h):
            parameter[index] = value + step
            costs.append(IN_ELEMENTARY_OPERATORS[cost](model(x), y))
        parameter[index] = value
    return (costs[0] - costs[1]) / (2 * h)


@pytest.mark.few(2)
def test_sympy_and_differences_agree_with_backprop(network, cost):
    model, activation, x, y = network
    if len(x[0]) > 9:  # one example of a digit's size is a cost of some thousand terms
        x, y = x[:1], y[:1]
    backprop(model, x, y, OURS[cost])
    for name, index in entries(model):
        expected = model.get_parameter(name).grad[index].item()
        assert by_sympy(model, activation, cost, x, y, name, index) == pytest.approx(expected, rel=1e-10, abs=1e-12)
        assert by_differences(model, cost, x, y, name, index) == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_the_examples_reach_every_kind_of_parameter(network, cost):
    """The gradients that are compared are not all 0."""
    model, _, x, y = network
    backprop(model, x, y, OURS[cost])
    assert all((p.grad != 0).any() for p in model.parameters())
