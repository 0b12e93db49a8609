"""With create_graph, a gradient depends on what PyTorch's depends on: a derivative of 0 is 0, and not missing.

A piecewise linear function has the second derivative 0. Where PyTorch's graph says so, `.grad` is 0 after a backward through
the gradient, and torch.autograd.grad does not raise; so must it be by hand.
"""

import pytest
import torch
import torch.nn.functional as F
from samples import copy_of, inside, requires_grad
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from manualgrad import audit, nn, swap

OPS = [op for op in op_db if torch.float64 in op.supported_backward_dtypes("cpu")]


def outputs(call, tree):
    torch.manual_seed(0)
    found = call(tree)
    found = found if isinstance(found, tuple | list) else (found,)
    return [t for t in found if requires_grad(t)]


def sum_of(t):
    return t.abs().sum() if t.is_complex() else t.sum()


def second_derivatives(call, tree):
    """Of each input's gradient by each input; None where autograd raises; and whether a derivative in it is by hand."""
    tree = copy_of(tree)
    inputs = [t for t in tree_leaves(tree) if requires_grad(t)]
    values = outputs(call, tree)
    if not values:
        return [], False
    gradients = torch.autograd.grad(list(map(sum_of, values)), inputs, create_graph=True, materialize_grads=True)
    found = []
    for gradient in gradients:
        for x in inputs:
            try:
                found.append(torch.autograd.grad(gradient.sum(), x, retain_graph=True)[0])
            except RuntimeError:
                found.append(None)
    return found, any(value.grad_fn is not None and audit(value).manual for value in values)


def is_zero(t):
    return not t.numel() or t.abs().max() < 1e-9


each = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name + op.variant_test_name)


@pytest.mark.few(120)
@each
def test_a_second_derivative_that_torchs_graph_has_is_not_missing(op):
    assert_none_is_missing(op, samples=1)


@pytest.mark.exhaustive
@each
def test_a_second_derivative_is_not_missing_on_more_samples(op):
    assert_none_is_missing(op, samples=4)


def assert_none_is_missing(op, samples):
    def call(tree):
        return op(*tree[0], **tree[1])

    for _, sample in zip(range(samples), op.sample_inputs("cpu", torch.float64, requires_grad=True), strict=False):
        tree = ((sample.input, *sample.args), sample.kwargs)
        try:
            expected, _ = second_derivatives(call, tree)
        except RuntimeError:
            continue  # torch's own has none
        found, is_by_hand = second_derivatives(inside(call), tree)
        for ours, torchs in zip(found, expected, strict=True):
            if is_by_hand and torchs is not None:
                assert ours is not None
                assert ours.shape == torchs.shape
                assert is_zero(ours) or not is_zero(torchs)


X = torch.tensor([[[-2.0, -0.5, 0.0, 0.7, 3.0, 8.0]]], dtype=torch.float64)
PIECES = {
    "relu": F.relu,
    "relu in place": lambda x: F.relu(x.clone(), inplace=True),
    "relu_": lambda x: x.clone().relu_(),
    "hardtanh": F.hardtanh,
    "hardtanh in place": lambda x: F.hardtanh_(x.clone()),
    "relu6": F.relu6,
    "relu6 in place": lambda x: F.relu6(x.clone(), inplace=True),
    "leaky_relu": F.leaky_relu,
    "leaky_relu in place": lambda x: F.leaky_relu_(x.clone()),
    "rrelu": F.rrelu,
    "rrelu in training": lambda x: F.rrelu(x, training=True),
    "rrelu in training, in place": lambda x: F.rrelu(x.clone(), training=True, inplace=True),
    "threshold": lambda x: F.threshold(x, 0.5, 1),
    "threshold in place": lambda x: F.threshold(x.clone(), 0.5, 1, inplace=True),
    "hardshrink": F.hardshrink,
    "hardshrink that leaves nothing out": lambda x: F.hardshrink(x, -1.0),
    "softshrink": F.softshrink,
    "max_pool1d": lambda x: F.max_pool1d(x, 2),
    "max_pool2d": lambda x: F.max_pool2d(x.expand(1, 2, 6), 2),
    "max_pool2d with its indices": lambda x: F.max_pool2d(x.expand(1, 2, 6), 2, return_indices=True)[0],
    "avg_pool1d": lambda x: F.avg_pool1d(x, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x.expand(1, 2, 6), 2),
    "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x, 4),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x.expand(1, 2, 6), 2),
    "reflection": lambda x: F.pad(x, (1, 1), "reflect"),
    "replication": lambda x: F.pad(x, (1, 1), "replicate"),
    "nll_loss": lambda x: F.nll_loss(x[0], torch.tensor([2])),
}


@pytest.mark.parametrize("wrapped", [lambda f: f, torch.vmap, lambda f: lambda x: checkpoint(f, x, use_reentrant=False)])
@pytest.mark.parametrize("name", PIECES)
def test_the_gradient_of_a_piecewise_linear_function_has_a_derivative_of_0(name, wrapped):
    function = PIECES[name]
    if wrapped is torch.vmap and ("rrelu" in name or "nll" in name):
        pytest.skip("under vmap torch's own rrelu raises, and the loss has no batch")
    results = []
    for call in (inside(function), function):
        x = X.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(wrapped(call)(x).sum(), x, create_graph=True)
        gradient.sum().backward()
        results.append(x.grad)
        gradient.mul_(2)  # what is recorded can be changed in place, as torch's
    ours, torchs = results
    assert torch.equal(torchs, torch.zeros_like(X))
    assert torch.equal(ours, torchs)


def test_a_gradient_penalty_on_a_layer_alone_backpropagates_through_a_swapped_model():
    model = swap(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.MaxPool1d(2), torch.nn.Hardtanh(), torch.nn.ReflectionPad1d(1)))
    x = torch.rand(1, 1, 6, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_without_create_graph_the_gradient_has_no_graph():
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.relu(x).sum(), x)
    assert gradient.grad_fn is None


def test_a_gradient_has_torchs_tangent_where_forward_mode_goes_over_it():
    x = X[0, 0]
    _, tangent = torch.func.jvp(torch.func.grad(lambda x: (nn.functional.relu(x) ** 2).sum()), (x,), (torch.ones_like(x),))
    assert torch.equal(tangent, 2.0 * (x > 0))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x.clone().requires_grad_(), torch.ones_like(x))
        (gradient,) = torch.autograd.grad((nn.functional.relu(dual) ** 2).sum(), dual, create_graph=True)
        assert torch.equal(torch.autograd.forward_ad.unpack_dual(gradient).tangent, 2.0 * (x > 0))
