"""Scattering, repeating and windows: on PyTorch's samples, and by hand."""

import pytest
import torch
from samples import assert_every_sample_is_by_hand, inside
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db

from manualgrad import audit

DOUBLE = torch.float64
SCATTERS = "scatter scatter_add index_add index_copy index_fill index_put masked_scatter masked_select take take_along_dim"
REPEATS = "repeat tile repeat_interleave tril triu nn.functional.pixel_shuffle nn.functional.pixel_unshuffle unfold"
NAMES = " ".join((SCATTERS, REPEATS, "nn.functional.unfold __rmod__")).split()
OPS = [op for op in op_db if op.name in NAMES]


def test_each_name_is_among_torchs_samples():
    assert {op.name for op in OPS} == set(NAMES)


@pytest.mark.parametrize("dtype", [DOUBLE, torch.complex128, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name + op.variant_test_name)
def test_an_operator_agrees_on_every_sample_and_is_by_hand(op, dtype, device):
    def leave_out(sample):
        """A number's window, which has another shape than any other's, and is torch's own."""
        return op.name == "unfold" and not sample.input.dim()

    assert_every_sample_is_by_hand(op, dtype, device, leave_out)


@pytest.mark.parametrize(
    "op", [op for op in OPS if op.error_inputs_func and op.name != "__rmod__"], ids=lambda op: op.name + op.variant_test_name
)
def test_an_operator_raises_torchs_error(op, device):
    for sample in op.error_inputs(device.type):
        with pytest.raises(sample.error_type, match=sample.error_regex):
            inside(op)(sample.sample_input.input, *sample.sample_input.args, **sample.sample_input.kwargs)


ASSIGNMENTS = {
    "a slice": lambda x, y: x.__setitem__(slice(1, 3), y[:2]),
    "a number": lambda x, y: x.__setitem__(1, 3.0),
    "a mask": lambda x, y: x.__setitem__(y > 0.5, 0.25),
    "an index": lambda x, y: x.__setitem__(torch.tensor([2, 0]), y[:2]),
    "a row, repeated": lambda x, y: x.__setitem__(slice(None, 2), y[0]),
    "with an ellipsis": lambda x, y: x.__setitem__((..., torch.tensor([1, 3])), y[:, :2]),
    "scatter_": lambda x, y: x.scatter_(1, torch.tensor([[0, 2]]), y[:1, :2]),
    "index_add_": lambda x, y: x.index_add_(0, torch.tensor([0, 2]), y[:2]),
    "tril_": lambda x, y: x.tril_(),
}


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("assign", ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_an_assignment_is_by_hand_also_on_a_view(assign, view):
    results = []
    for call in (inside, lambda f: f):
        torch.manual_seed(0)
        x, y = (torch.rand(3, 4, dtype=DOUBLE, requires_grad=True) for _ in range(2))

        def work(x=x, y=y):
            whole = torch.cat([x, x]) * 2
            assign(whole[:3] if view else whole, y if view else torch.cat([y, y]))
            return (whole * whole).sum()

        loss = call(work)()
        results.append((loss, *torch.autograd.grad(loss, (x, y), allow_unused=True, materialize_grads=True)))
        if call is inside:
            assert not audit(loss).native, audit(loss)
    assert_close(*results)
