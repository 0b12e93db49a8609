"""The largest, sorted numbers, products, running sums, norms: on PyTorch's samples, in every order, at ties and zeros."""

import pytest
import torch
from samples import assert_every_sample_is_by_hand, inside
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db

from manualgrad import audit
from manualgrad.functions.arithmetic.extremes import ExtremeFunction
from manualgrad.functions.arithmetic.products import CumsumFunction, ProdFunction
from manualgrad.functions.arithmetic.vector_norm import VectorNormFunction
from manualgrad.testing import check_function

DOUBLE = torch.float64
NAMES = "amax amin max min topk sort prod cumsum linalg.vector_norm norm"
OPS = [op for op in op_db if op.name in NAMES.split() and op.variant_test_name not in ("nuc", "fro")]


def test_each_name_is_among_torchs_samples():
    assert {op.name for op in OPS} == set(NAMES.split())


def values(output):
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("dtype", [DOUBLE, torch.complex128, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name + op.variant_test_name)
def test_an_operator_agrees_on_every_sample_and_is_by_hand(op, dtype, device):
    def leave_out(sample):
        """The count of what is not 0, of which torch's own has no gradient."""
        return "norm" in op.name and 0 in (*sample.args[:1], sample.kwargs.get("ord"), sample.kwargs.get("p"))

    assert_every_sample_is_by_hand(op, dtype, device, leave_out, values)


@pytest.mark.parametrize("op", [op for op in OPS if op.error_inputs_func], ids=lambda op: op.name + op.variant_test_name)
def test_an_operator_raises_torchs_error(op, device):
    for sample in op.error_inputs(device.type):
        with pytest.raises(sample.error_type, match=sample.error_regex):
            inside(op)(sample.sample_input.input, *sample.sample_input.args, **sample.sample_input.kwargs)


def test_the_method_is_by_hand_too():
    x = torch.rand(3, requires_grad=True)
    assert not audit(inside(lambda: x.norm() + x.norm(3, keepdim=True))()).native


@pytest.mark.parametrize("p", [2, 3, 4.5])
def test_a_norm_of_zeros_has_second_derivatives_that_are_numbers(p):
    x = torch.zeros(3, dtype=DOUBLE, requires_grad=True)
    (g,) = torch.autograd.grad(inside(torch.linalg.vector_norm)(x, p), x, create_graph=True)
    assert not torch.autograd.grad(g.sum(), x)[0].isnan().any()


def test_a_count_does_not_move():
    x = torch.rand(3, requires_grad=True)
    assert not torch.autograd.grad(inside(torch.linalg.vector_norm)(x, 0), x)[0].any()


@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_a_product_with_zeros_has_its_derivatives(zeros):
    x = torch.rand(5, dtype=DOUBLE) + 0.5
    x[:zeros] = 0
    x.requires_grad_()
    torch.autograd.gradcheck(inside(torch.prod), x, check_forward_ad=True)
    torch.autograd.gradgradcheck(inside(torch.prod), x, check_fwd_over_rev=True)


def test_numbers_that_are_all_the_largest_share():
    x = torch.tensor([2.0, 1.0, 2.0], requires_grad=True)
    for largest in (torch.amax, torch.max):
        (gradient,) = torch.autograd.grad(inside(largest)(x), x)
        assert_close(gradient, torch.tensor([0.5, 0, 0.5]))


def test_the_named_tuples_are_torchs():
    x = torch.rand(3, 4, requires_grad=True)
    for call in (lambda x: x.max(1), lambda x: x.sort(0), lambda x: torch.topk(x, 2)):
        ours, theirs = inside(call)(x), call(x)
        assert type(ours) is type(theirs)
        assert torch.equal(ours.indices, theirs.indices)


def s(*shape):
    return torch.randn(shape, dtype=DOUBLE)


FUNCTIONS = {
    "Extreme": (ExtremeFunction, (s(3, 4), (1,), False, True)),
    "Prod": (ProdFunction, (s(3, 4), 1, False)),
    "Cumsum": (CumsumFunction, (s(3, 4), 0)),
    **{f"VectorNorm {p}": (VectorNormFunction, (s(3, 4), p, (0, 1), True)) for p in (1, 2, 3.5, torch.inf)},
}


@pytest.mark.parametrize(("Function", "inputs"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_check_of_a_function_passes(Function, inputs):
    report = check_function(Function.apply, (inputs[0].clone().requires_grad_(), *inputs[1:]))
    assert all(verdict.startswith(("SUCCESS", "SKIPPED")) for verdict in report.values())
