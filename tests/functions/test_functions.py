"""The calculus: every derivative against finite differences, in both modes and both orders, and against its formula."""

import itertools

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from manualgrad.functions import LinearFunction, MSELossFunction, ReLUFunction, SigmoidFunction

ELEMENTWISE_SHAPES = [(), (1,), (3,), (4, 3), (0, 3), (2, 3, 1), (2, 0)]
REDUCTIONS = ["none", "mean", "sum", "batchmean"]


def random(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype).requires_grad_()


def check(function, *inputs):
    """First derivatives in both modes, batched and with undefined gradients; second ones, both modes over the backward."""
    assert gradcheck(
        function,
        inputs,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
        check_undefined_grad=True,
    )
    assert gradgradcheck(function, inputs, check_fwd_over_rev=True, check_rev_over_rev=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (1, 3), (5, 3), (0, 3), (2, 5, 3), (2, 0, 3), (2, 1, 2, 3)])
def test_linear_derivatives(shape, bias, dtype):
    check(
        LinearFunction.apply, random(*shape, dtype=dtype), random(4, 3, dtype=dtype), random(4, dtype=dtype) if bias else None
    )


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 1), (1, 3), (3, 0), (0, 3)])
def test_linear_derivatives_of_odd_layers(inputs, outputs):
    check(LinearFunction.apply, random(2, 2, inputs), random(outputs, inputs), random(outputs))


@pytest.mark.parametrize("bias_shape", [(1,), ()])
def test_linear_derivatives_of_a_broadcast_bias(bias_shape):
    check(LinearFunction.apply, random(2, 3), random(4, 3), random(*bias_shape))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shape", ELEMENTWISE_SHAPES)
def test_sigmoid_derivatives(shape, dtype):
    check(SigmoidFunction.apply, random(*shape, dtype=dtype))


@pytest.mark.parametrize("shape", ELEMENTWISE_SHAPES)
def test_relu_derivatives(shape):
    z = random(*shape)
    check(ReLUFunction.apply, (z + 0.1 * z.sign()).detach().requires_grad_())  # finite differences must not meet the kink


MSE_SHAPES = [
    ((), ()),
    ((3,), (3,)),
    ((4, 3), (4, 3)),
    ((2, 3, 2), (2, 3, 2)),
    ((4, 3), (3,)),
    ((3,), (4, 3)),
    ((4, 1), (1, 3)),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("a_shape", "y_shape"), MSE_SHAPES)
def test_mse_loss_derivatives(a_shape, y_shape, reduction, weighted):
    w = (torch.rand(a_shape, dtype=torch.float64) + 0.5).requires_grad_() if weighted else None
    check(lambda a, y, w: MSELossFunction.apply(a, y, reduction, w), random(*a_shape), random(*y_shape), w)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_mse_loss_derivatives_with_integer_targets_and_weights(reduction):
    y, w = torch.tensor([[0, 1, 2]]), torch.tensor([[1, 2, 3]])
    check(lambda a: MSELossFunction.apply(a, y, reduction, w), random(1, 3))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_mse_loss_of_no_examples_has_an_empty_gradient(reduction):
    a = random(0, 3)
    MSELossFunction.apply(a, random(0, 3), reduction, None).sum().backward()
    assert a.grad.shape == (0, 3)


# The formulas, one by one.


def test_weight_gradient_is_the_outer_product_of_delta_and_previous_activation():
    a_prev, W, delta = random(3), random(4, 3), random(4).detach()
    LinearFunction.apply(a_prev, W, None).backward(delta)
    assert_close(W.grad, torch.outer(delta, a_prev.detach()))


def test_bias_gradient_is_the_sum_of_delta_over_the_examples():
    b, delta = random(4), random(5, 4).detach()
    LinearFunction.apply(random(5, 3), random(4, 3), b).backward(delta)
    assert_close(b.grad, delta.sum(0))


def test_previous_activation_hears_from_every_neuron_in_proportion_to_its_weight():
    a_prev, W, delta = random(3), random(4, 3), random(4).detach()
    LinearFunction.apply(a_prev, W, None).backward(delta)
    assert_close(a_prev.grad, sum(delta[j] * W.detach()[j] for j in range(4)))


def test_sigmoid_is_steepest_at_0_with_slope_a_quarter():
    z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    SigmoidFunction.apply(z).backward()
    assert z.grad.item() == 0.25


def test_relu_gradient_at_0_is_0():
    z = torch.tensor([-1.0, -0.0, 0.0, 1.0], requires_grad=True)
    ReLUFunction.apply(z).sum().backward()
    assert z.grad.tolist() == [0, 0, 0, 1]


def test_relu_stops_an_infinite_gradient_where_it_is_0():
    z = torch.tensor([-1.0, 4.0], requires_grad=True)
    ReLUFunction.apply(z).sqrt().sum().backward()
    assert z.grad.tolist() == [0, 0.25]


def test_relu_hands_a_gradient_on_where_the_activation_is_nan():
    z = torch.tensor([torch.nan], requires_grad=True)
    ReLUFunction.apply(z).sum().backward()
    assert z.grad.tolist() == [1]


def test_batchmean_is_the_notes_cost():
    a, y = random(5, 3), random(5, 3)
    C = sum(((a[n] - y[n]) ** 2).sum() for n in range(5)) / 5
    assert_close(MSELossFunction.apply(a, y, "batchmean", None), C)


def test_batchmean_with_weight_divides_by_the_number_of_examples():
    a, y, w = random(5, 3), random(5, 3), random(5, 3)
    assert_close(MSELossFunction.apply(a, y, "batchmean", w), (w * (a - y) ** 2).sum() / 5)


def test_batchmean_of_a_single_number_divides_by_1():
    a, y = random(), random()
    assert_close(MSELossFunction.apply(a, y, "batchmean", None), (a - y) ** 2)


def test_float16_mean_over_many_numbers_has_an_exact_gradient():
    """2/N is below float16's smallest normal number here, and N itself above its largest."""
    n = 100_000
    a = (10_000 * torch.randn(n)).half().requires_grad_()
    MSELossFunction.apply(a, torch.zeros_like(a), "mean", None).backward()
    expected = (a.detach().double() * 2 / n).half()
    assert_close(a.grad, expected)


# What is computed, and what is kept.


@pytest.mark.parametrize("needed", list(itertools.product([False, True], repeat=3)))
def test_linear_computes_and_keeps_only_what_is_asked_for(needed):
    inputs = [random(5, 3).detach(), random(4, 3).detach(), random(4).detach()]
    for tensor, needs_grad in zip(inputs, needed, strict=True):
        tensor.requires_grad_(needs_grad)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(tuple(t.shape)) or t, lambda t: t):
        z = LinearFunction.apply(*inputs)
    a_prev_needed, W_needed, _ = needed
    assert sorted(kept) == [(4, 3)] * a_prev_needed + [(5, 3)] * W_needed
    if any(needed):
        z.sum().backward()
    assert [tensor.grad is not None for tensor in inputs] == list(needed)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (LinearFunction, (random(5, 3), random(4, 3), random(4))),
        (SigmoidFunction, (random(5, 3),)),
        (ReLUFunction, (random(5, 3),)),
        (MSELossFunction, (random(5, 3), random(5, 3), "mean", random(5, 3))),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_backward_runs_no_backward_kernel_of_pytorchs(function, inputs):
    class Names(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, op, types, args=(), kwargs=None):
            names.append(str(op))
            return op(*args, **(kwargs or {}))

    names = []
    output = function.apply(*inputs).sum()
    with Names():
        output.backward()
    assert names
    assert not [name for name in names if "backward" in name]


@pytest.mark.parametrize("function", [LinearFunction, SigmoidFunction, ReLUFunction, MSELossFunction])
def test_a_derivation_stands_in_the_docstring_of_the_file(function):
    docstring = __import__(function.__module__, fromlist=["_"]).__doc__
    for word in ("Backward", "Forward mode", "Shapes", "∂C/∂" if function is not ReLUFunction else "da/dz"):
        assert word in docstring
