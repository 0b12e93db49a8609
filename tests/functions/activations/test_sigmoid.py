"""a = σ(z)."""

import pytest
import torch
from gradients import ELEMENTWISE_SHAPES, check, random

from manualgrad.functions import SigmoidFunction


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shape", ELEMENTWISE_SHAPES)
def test_sigmoid_derivatives(shape, dtype):
    check(SigmoidFunction.apply, random(*shape, dtype=dtype))


def test_sigmoid_is_steepest_at_0_with_slope_a_quarter():
    z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    SigmoidFunction.apply(z).backward()
    assert z.grad.item() == 0.25
