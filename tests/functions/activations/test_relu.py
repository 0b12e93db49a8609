"""a = max(z, 0)."""

import pytest
import torch
from gradients import ELEMENTWISE_SHAPES, check, random

from manualgrad.functions import ReLUFunction


@pytest.mark.parametrize("shape", ELEMENTWISE_SHAPES)
def test_relu_derivatives(shape):
    z = random(*shape)
    check(ReLUFunction.apply, (z + 0.1 * z.sign()).detach().requires_grad_())  # finite differences must not meet the kink


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
