"""The losses of pairs with each of their arguments, broadcast, and under vmap."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from samples import inside
from torch.func import vmap
from torch.testing import assert_close

from manualgrad import audit, by_hand, nn

DOUBLE = torch.float64

pytestmark = pytest.mark.filterwarnings("ignore:Using a target size", "ignore:reduction. 'mean'", "ignore:size_average")


def p(*shape):
    return 0.2 + 0.6 * torch.rand(shape, dtype=DOUBLE)


def s(*shape):
    return torch.randn(shape, dtype=DOUBLE)


W = torch.linspace(0.5, 2, 12, dtype=DOUBLE).view(3, 4)


ALL_ARGUMENTS = {
    "l1_loss": {"weight": W, "reduction": "mean"},
    "smooth_l1_loss": {"beta": 0.3, "reduction": "sum"},
    "huber_loss": {"delta": 0.3, "reduction": "sum", "weight": W},
    "kl_div": {"reduction": "batchmean", "log_target": True},
    "binary_cross_entropy": {"weight": W, "reduction": "sum"},
    "binary_cross_entropy_with_logits": {"weight": W, "pos_weight": W[0], "reduction": "sum"},
    "mse_loss": {"weight": W, "reduction": "sum"},
}


@pytest.mark.parametrize("block", [by_hand, nullcontext])
@pytest.mark.parametrize("name", ALL_ARGUMENTS)
def test_no_argument_of_a_loss_is_lost(name, block):
    kwargs = ALL_ARGUMENTS[name]
    results = []
    for module in (nn.functional, F):
        a, y = p(3, 4).requires_grad_(), W / 3
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(1)
            a.copy_(p(3, 4))
        with block() if module is nn.functional else nullcontext():
            C = getattr(module, name)(a, y, **kwargs)
        if module is nn.functional:
            assert not audit(C).native
        results.append((C, *torch.autograd.grad(C, a)))
    assert_close(*results)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_a_weight_that_requires_grad_is_refused_as_by_torch(name):
    for call in (getattr(F, name), getattr(nn.functional, name)):
        with pytest.raises(RuntimeError, match="not differentiable with respect to argument 'weight'"):
            call(p(3, 4).requires_grad_(), p(3, 4), weight=p(3, 4).requires_grad_())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_l1_is_computed_in_float32_under_autocast(dtype):
    a, y = torch.rand(3, requires_grad=True), torch.rand(3).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        assert inside(F.l1_loss)(a.to(dtype), y).dtype == F.l1_loss(a.to(dtype), y).dtype == torch.float32


def test_a_divergence_is_broadcast_by_hand():
    a, y = s(3, 1).requires_grad_(), p(3, 4)
    C = inside(F.kl_div)(a, y, reduction="sum")
    assert not audit(C).native
    assert_close(torch.autograd.grad(C, a), torch.autograd.grad(F.kl_div(a, y, reduction="sum"), a))


@pytest.mark.parametrize("loss", [F.l1_loss, F.smooth_l1_loss, F.huber_loss])
def test_a_loss_works_under_two_vmaps_that_have_an_input_each(loss):
    a, y = s(2, 4), s(3, 4)
    call = inside(lambda a, y: loss(a, y))
    found = vmap(lambda a: vmap(lambda y: torch.func.grad(call)(a, y))(y))(a)
    assert_close(found, torch.stack([torch.stack([torch.func.grad(loss)(u, v) for v in y]) for u in a]))
