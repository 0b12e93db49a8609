"""Losses of pairs, gated and shrinking activations, padding by an input's own numbers: on PyTorch's samples, in every order."""

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, assert_as_close, assert_same
from torch.testing._internal.common_methods_invocations import op_db

from manualgrad import audit, by_hand
from manualgrad.functions.activations.glu import GLUFunction
from manualgrad.functions.activations.prelu import PReLUFunction
from manualgrad.functions.activations.shrink import HardshrinkFunction, SoftshrinkFunction, ThresholdFunction
from manualgrad.functions.losses.binary_cross_entropy import BCELossFunction, BCEWithLogitsLossFunction
from manualgrad.functions.losses.distances import HuberLossFunction, SmoothL1LossFunction
from manualgrad.functions.losses.kl_div import KLDivFunction, LogKLDivFunction
from manualgrad.testing import check_function

DOUBLE = torch.float64
LOSSES = "l1_loss smooth_l1_loss huber_loss kl_div binary_cross_entropy binary_cross_entropy_with_logits"
ACTIVATIONS = "glu prelu hardshrink softshrink threshold tanhshrink softmin"
NAMES = [f"nn.functional.{name}" for name in (*LOSSES.split(), *ACTIVATIONS.split())]
PADS = ("reflect", "replicate", "replicate_negative", "circular")
OPS = [op for op in op_db if op.name in NAMES or (op.name == "nn.functional.pad" and op.variant_test_name in PADS)]

pytestmark = pytest.mark.filterwarnings("ignore:Using a target size", "ignore:reduction. 'mean'", "ignore:size_average")


def inside(function):
    def call(*args, **kwargs):
        with by_hand():
            return function(*args, **kwargs)

    return call


def test_each_name_is_among_torchs_samples():
    assert {op.name for op in OPS} == {*NAMES, "nn.functional.pad"}


@pytest.mark.parametrize("dtype", [DOUBLE, torch.complex128, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name + op.variant_test_name)
def test_an_operator_agrees_on_every_sample_and_is_by_hand(op, dtype, device):
    if dtype not in op.supported_backward_dtypes(device.type):
        pytest.skip(f"torch's own has no gradient of {dtype}")
    for sample in op.sample_inputs(device, dtype, requires_grad=True):
        tree = ((sample.input, *sample.args), sample.kwargs)
        value = inside(op)(*tree[0], **tree[1])
        if value.requires_grad:
            assert not audit(value).native, (sample, audit(value))
        ours, theirs = (lambda t: inside(op)(*t[0], **t[1])), (lambda t: op(*t[0], **t[1]))
        if dtype in HALF:
            assert_as_close(ours, theirs, tree)
        else:
            assert_same(ours, theirs, tree, may_know_better=True)


@pytest.mark.parametrize("op", [op for op in OPS if op.error_inputs_func], ids=lambda op: op.name + op.variant_test_name)
def test_an_operator_raises_torchs_error(op, device):
    for sample in op.error_inputs(device.type):
        with pytest.raises(sample.error_type, match=sample.error_regex):
            inside(op)(sample.sample_input.input, *sample.sample_input.args, **sample.sample_input.kwargs)


def p(*shape):
    return 0.2 + 0.6 * torch.rand(shape, dtype=DOUBLE)


def s(*shape):
    return torch.randn(shape, dtype=DOUBLE)


FUNCTIONS = {
    "SmoothL1": (SmoothL1LossFunction, (s(3, 4), s(3, 4), 0.7)),
    "Huber": (HuberLossFunction, (s(3, 4), s(3, 4), 0.7)),
    "KLDiv": (KLDivFunction, (s(3, 4), p(3, 4))),
    "LogKLDiv": (LogKLDivFunction, (s(3, 4), s(3, 4))),
    "BCE": (BCELossFunction, (p(3, 4), p(3, 4))),
    "BCEWithLogits": (BCEWithLogitsLossFunction, (s(3, 4), p(3, 4), None)),
    "BCEWithLogits weighted": (BCEWithLogitsLossFunction, (s(3, 4), p(3, 4), p(4))),
    "GLU": (GLUFunction, (s(3, 4), 1)),
    "PReLU": (PReLUFunction, (s(3, 4), p(1, 4))),
    "Hardshrink": (HardshrinkFunction, (s(3, 4), 0.4)),
    "Softshrink": (SoftshrinkFunction, (s(3, 4), 0.4)),
    "Threshold": (ThresholdFunction, (s(3, 4), 0.2, -1.0)),
}


@pytest.mark.parametrize(("Function", "inputs"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_check_of_a_function_passes(Function, inputs):
    tensors = tuple(t.clone().requires_grad_() if isinstance(t, torch.Tensor) else t for t in inputs)
    report = check_function(Function.apply, tensors)
    assert all(verdict.startswith(("SUCCESS", "SKIPPED")) for verdict in report.values())


@pytest.mark.parametrize(
    "shrink", [lambda z: F.hardshrink(z, 0.5), lambda z: F.softshrink(z, 0.5), lambda z: F.threshold(z, 0, -1)]
)
def test_an_infinite_gradient_where_nothing_passes_gives_0(shrink):
    z = torch.tensor([0.1, -0.2, 3.0], requires_grad=True)
    a = inside(shrink)(z)
    (gradient,) = torch.autograd.grad(a, z, torch.tensor([torch.inf, torch.nan, 2.0]))
    z2 = z.detach().requires_grad_()
    (expected,) = torch.autograd.grad(shrink(z2), z2, torch.tensor([torch.inf, torch.nan, 2.0]))
    assert torch.equal(gradient.nan_to_num(7), expected.nan_to_num(7))


def test_rrelu_draws_torchs_slopes_from_the_same_seed():
    results = []
    for call in (inside(F.rrelu), F.rrelu):
        z = torch.linspace(-2, 2, 9, dtype=DOUBLE, requires_grad=True)
        torch.manual_seed(3)
        a = call(z, training=True)
        results.append((a, *torch.autograd.grad(a.square().sum(), z)))
    assert all(map(torch.equal, *results))
