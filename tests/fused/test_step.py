"""The gradients of a small network and its step of descent, as one kernel."""

import copy
import itertools

import pytest
import torch
from networks import COSTS, MODELS, examples
from torch.testing import assert_close

import manualgrad
from manualgrad import MLP, backprop, fused, nn, sgd_step
from manualgrad._fused import kernels
from manualgrad.network import fused_step

HAVE_A_KERNEL = ("sigmoid", "relu", "tanh", "each its own", "logits", "no biases", "torch's layers", "one Linear")


@pytest.fixture
def ran(monkeypatch):
    """The formulas that ran as kernels."""
    formulas, find = [], kernels.find

    def listed(formula, *arguments, **options):
        kernel = find(formula, *arguments, **options)
        if kernel is not None:
            formulas.append(formula.__name__)
        return kernel

    fused_step._kernel.cache_clear()
    monkeypatch.setattr(manualgrad._fused, "find", listed)
    return formulas


def both(network, x, y, cost=None):
    """The cost and the gradients, and the cost and the parameters after a step."""
    network = copy.deepcopy(network)
    found = [backprop(network, x, y, cost)]
    found += [p.grad for p in network.parameters()]
    return [*found, sgd_step(network, x, y, 0.5, cost), *network.parameters()]


def assert_fused_alike(network, x, y, cost=None):
    before = copy.deepcopy(network.state_dict())
    with fused():
        found = both(network, x, y, cost)
    assert_close(found, both(network, x, y, cost))
    assert_close(network.state_dict(), before, rtol=0, atol=0)


@pytest.mark.few(2)
@pytest.mark.parametrize(("name", "cost"), list(zip(MODELS, itertools.cycle(COSTS), strict=False)))
def test_it_computes_what_the_operators_do(name, cost, ran, monkeypatch):
    monkeypatch.setattr(kernels, "_MOST", 1000)
    network, cost = MODELS[name]().to(torch.float64 if "mean" in cost else torch.float32), COSTS[cost]
    x, y = examples(network)
    assert_fused_alike(network, x, y, cost)
    assert ran == (["_gradients", "_sgd_step"] if name in HAVE_A_KERNEL else [])
    if isinstance(cost, torch.nn.CrossEntropyLoss):
        assert_fused_alike(network, x, y.argmax(1), cost)


def test_a_kernel_serves_every_width_and_number_of_examples():
    assert_fused_alike(MLP([6, 5, 4]), torch.rand(7, 6), torch.rand(7, 4))
    before = len(kernels._kernels)
    for n, sizes in ((2, [6, 5, 4]), (300, [17, 16, 15]), (5, [33, 2, 65]), (16, [8, 8, 8])):  # all products inside
        assert_fused_alike(MLP(sizes), torch.rand(n, sizes[0]), torch.rand(n, sizes[-1]))
    assert len(kernels._kernels) == before


@pytest.mark.exhaustive
def test_larger_products_are_called(ran):
    """The first layer's, with 900,000 multiplications; 200,000 are computed inside the kernel."""
    sizes = (True, True), torch.Size([20, 500]), torch.Size([20]), torch.Size([10, 20]), torch.Size([10])
    assert fused_step._which_products_are_inside(torch.Size([20, 500]), *sizes) == (True, True)
    assert fused_step._which_products_are_inside(torch.Size([90, 500]), *sizes) == (False, True)
    assert_fused_alike(MLP([500, 20, 10]), torch.rand(20, 500), torch.rand(20, 10))
    assert_fused_alike(MLP([500, 20, 10]), torch.rand(90, 500), torch.rand(90, 10))
    assert ran == ["_gradients", "_sgd_step"] * 2


def frozen():
    network = MLP([6, 5, 3])
    network[0].bias.requires_grad_(False)
    return network


def tied():
    network = MLP([5, 5, 5])
    network[2].weight = network[0].weight
    return network


def with_gaps():
    network = MLP([6, 5, 3])
    network[0].weight = torch.nn.Parameter(torch.rand(6, 5).t())
    return network


OTHERS = {
    "a frozen parameter": (frozen, 7),
    "a tied one": (tied, 7),
    "one with gaps": (with_gaps, 7),
    "a single example": (lambda: MLP([6, 5, 3]), 1),
    "no example": (lambda: MLP([6, 5, 3]), 0),
    "half precision": (lambda: MLP([6, 5, 3]).bfloat16(), 7),
    "large products": (lambda: MLP([600, 500, 3]), 100),
    "many layers": (lambda: MLP([3] * 9), 7),
}


@pytest.mark.parametrize(("build", "n"), OTHERS.values(), ids=OTHERS)
def test_what_has_no_kernel_runs_as_operators_without_a_warning(build, n, ran):
    network = build()
    x, y = examples(network, n)
    with fused():
        found = [sgd_step(copy.deepcopy(network), x, y, 0.5), backprop(network, x, y)]
    assert ran == []
    assert_close(found, [backprop(network, x, y)] * 2, equal_nan=True)


WRONG = {
    "y's shape": (MLP([6, 5, 3]), torch.rand(7, 6), torch.rand(7, 4), None),
    "x's shape": (MLP([6, 5, 3]), torch.rand(7, 4), torch.rand(7, 3), None),
    "y's dtype": (MLP([6, 5, 3]), torch.rand(7, 6), torch.rand(7, 3).double(), None),
    "layers that do not fit": (torch.nn.Sequential(nn.Linear(6, 5), nn.Linear(4, 3)), torch.rand(7, 6), torch.rand(7, 3), None),
    "a class that is not there": (MLP([6, 5, 3]), torch.rand(7, 6), torch.full((7,), 3), nn.CrossEntropyLoss()),
    "another cost": (MLP([6, 5, 3]), torch.rand(7, 6), torch.rand(7, 3), nn.L1Loss()),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_errors_are_those_of_the_operators(arguments):
    network, x, y, cost = arguments
    with pytest.raises((RuntimeError, IndexError, TypeError)) as expected:
        sgd_step(network, x, y, 0.5, cost)
    with pytest.raises(expected.type) as found, fused():
        sgd_step(network, x, y, 0.5, cost)
    assert str(found.value) == str(expected.value)


def test_a_graph_from_before_a_step_cannot_be_used_after_it():
    network, x, y = MLP([6, 5, 3]), torch.rand(7, 6), torch.rand(7, 3)
    C = network(x).sum()
    with fused():
        sgd_step(network, x, y, 0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        C.backward()


@pytest.mark.parametrize(
    "block", [manualgrad.by_hand, lambda: torch.device("meta"), torch.inference_mode], ids=["by_hand", "meta", "inference"]
)
def test_inside_another_block_it_computes_the_same(block):
    network, x, y = MLP([500, 20, 10]), torch.rand(90, 500), torch.rand(90, 10)
    with block():
        assert_fused_alike(network, x, y)
