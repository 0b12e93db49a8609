"""RReLU in training: the slopes are drawn as torch draws them."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, inside
from torch.testing import assert_close

from manualgrad import by_hand

DOUBLE = torch.float64


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("call", [F.rrelu, torch.rrelu], ids=["F", "torch"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_rrelu_in_training_draws_torchs_slopes(call, inplace, dtype):
    results = []
    for block in (by_hand, nullcontext):
        z = torch.linspace(-2, 2, 9, dtype=dtype, requires_grad=True)
        torch.manual_seed(3)
        with block():
            more = {"inplace": True} if inplace and call is F.rrelu else {}
            a = call(z * 1, 0.1, 0.7, training=True, **more)
        results.append((a, *torch.autograd.grad(a.float().square().sum(), z), torch.rand(1)))
    assert_close(*results)  # torch rounds half precision once, as it does not round the slopes
    assert dtype in HALF or all(map(torch.equal, *results))


def test_rrelu_draws_torchs_slopes_from_the_same_seed():
    results = []
    for call in (inside(F.rrelu), F.rrelu):
        z = torch.linspace(-2, 2, 9, dtype=DOUBLE, requires_grad=True)
        torch.manual_seed(3)
        a = call(z, training=True)
        results.append((a, *torch.autograd.grad(a.square().sum(), z)))
    assert all(map(torch.equal, *results))
