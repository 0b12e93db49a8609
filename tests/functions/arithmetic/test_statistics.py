"""Statistics along dimensions, where PyTorch's samples do not reach."""

import math

import torch

from manualgrad import by_hand


def test_the_gradient_of_a_logsumexp_that_is_infinite_is_0_or_1():
    x = torch.tensor([[-math.inf, -math.inf], [math.inf, 1.0]], requires_grad=True)
    with by_hand():
        y = torch.logsumexp(x, 1)
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0], [1, 0]]
