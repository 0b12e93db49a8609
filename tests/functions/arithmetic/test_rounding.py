"""Rounding, signs and remainders: where the derivative is 0, where it is 1, and where it is −⌊a/b⌋."""

import pytest
import torch
from samples import inside
from torch.testing import assert_close

from manualgrad import audit

DOUBLE = torch.float64


def s(*shape):
    """Numbers that are far from whole ones."""
    return (torch.randint(-4, 4, shape) + 0.2 + 0.6 * torch.rand(shape)).to(DOUBLE)


def far(*shape):
    """Such numbers, none between -1 and 1: divided by 1, none has the quotient 0, with which inf makes nan, in torch too."""
    x = s(*shape)
    return x + x.sign()


IN_PLACE = {
    "floor_": lambda x, y: x.floor_(),
    "round_": lambda x, y: torch.round_(x, decimals=1),
    "frac_": lambda x, y: x.frac_(),
    "sign_": lambda x, y: x.sign_(),
    "%=": lambda x, y: x.__imod__(y),
    "fmod_": lambda x, y: x.fmod_(y),
    "div_": lambda x, y: x.div_(y, rounding_mode="trunc"),
}


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_a_change_in_place_is_torchs(change, view):
    x, y = s(3, 4).requires_grad_(), s(3, 4).requires_grad_()
    results = []
    for call in (inside, lambda f: f):

        def loss(x, y):
            whole = x * 1
            change(whole[1:] if view else whole, y[1:] if view else y)
            return (whole * whole * x).sum()

        value = call(loss)(x, y)
        results.append([value, *torch.autograd.grad(value, (x, y), allow_unused=True, materialize_grads=True)])
        if call is inside:
            assert not audit(value).native
    assert_close(*results)


@pytest.mark.parametrize("call", [lambda x: x // 2.5, lambda x: 7.0 // x, lambda x: torch.floor_divide(x, x.flip(0) + 3)])
def test_floor_divide_has_a_derivative_of_0_where_torch_raises(call):
    x = s(3, 4).requires_grad_()
    y = inside(call)(x)
    assert torch.equal(y, call(x))
    assert not audit(y).native
    assert not torch.autograd.grad(y.sum(), x)[0].any()
    with pytest.raises(RuntimeError):
        torch.autograd.grad(call(x).sum(), x)


def test_the_remainder_of_a_number_has_a_derivative_where_torch_raises():
    x = s(3, 4).requires_grad_()
    torch.autograd.gradcheck(inside(lambda x: 7.3 % x), x, check_forward_ad=True)
