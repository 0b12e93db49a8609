"""Every derivative of a Function against finite differences."""

import torch
from torch.autograd import gradcheck, gradgradcheck

ELEMENTWISE_SHAPES = [(), (1,), (3,), (4, 3), (0, 3), (2, 3, 1), (2, 0)]


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
