"""The quadratic cost."""

import pytest
import torch
from gradients import check, random
from torch.testing import assert_close

from manualgrad.functions import MSELossFunction

REDUCTIONS = ["none", "mean", "sum", "batchmean"]


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
