"""z = a_prev Wᵀ + b."""

import itertools

import pytest
import torch
from gradients import check, random
from torch.testing import assert_close

from manualgrad.functions import LinearFunction


@pytest.mark.few(10)
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
