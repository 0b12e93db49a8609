"""Losses of pairs, gated and shrinking activations, padding by an input's own numbers: on PyTorch's samples, in every order."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from samples import assert_every_sample_is_by_hand, inside
from torch.func import vmap
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db

from manualgrad import audit, by_hand, nn
from manualgrad.functions.activations.glu import GLUFunction
from manualgrad.functions.activations.prelu import PReLUFunction
from manualgrad.functions.activations.shrink import HardshrinkFunction, SoftshrinkFunction, ThresholdFunction
from manualgrad.functions.losses.binary_cross_entropy import BCELossFunction, BCESlopeFunction, BCEWithLogitsLossFunction
from manualgrad.functions.losses.distances import HuberLossFunction, L1LossFunction, SmoothL1LossFunction
from manualgrad.functions.losses.kl_div import KLDivFunction, LogKLDivFunction
from manualgrad.testing import check_function

DOUBLE = torch.float64
LOSSES = "l1_loss smooth_l1_loss huber_loss kl_div binary_cross_entropy binary_cross_entropy_with_logits"
ACTIVATIONS = "glu prelu hardshrink softshrink threshold tanhshrink softmin"
NAMES = [f"nn.functional.{name}" for name in (*LOSSES.split(), *ACTIVATIONS.split())]
PADS = ("reflect", "replicate", "replicate_negative", "circular")
OPS = [op for op in op_db if op.name in NAMES or (op.name == "nn.functional.pad" and op.variant_test_name in PADS)]

pytestmark = pytest.mark.filterwarnings("ignore:Using a target size", "ignore:reduction. 'mean'", "ignore:size_average")


def test_each_name_is_among_torchs_samples():
    assert {op.name for op in OPS} == {*NAMES, "nn.functional.pad"}


@pytest.mark.parametrize("dtype", [DOUBLE, torch.complex128, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name + op.variant_test_name)
def test_an_operator_agrees_on_every_sample_and_is_by_hand(op, dtype, device):
    assert_every_sample_is_by_hand(op, dtype, device)


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
    "L1": (L1LossFunction, (s(3, 4), s(3, 4))),
    "SmoothL1": (SmoothL1LossFunction, (s(3, 4), s(3, 4), 0.7)),
    "Huber": (HuberLossFunction, (s(3, 4), s(3, 4), 0.7)),
    "KLDiv": (KLDivFunction, (s(3, 4), p(3, 4))),
    "LogKLDiv": (LogKLDivFunction, (s(3, 4), s(3, 4))),
    "BCE": (BCELossFunction, (p(3, 4), p(3, 4))),
    "BCE slope": (BCESlopeFunction, (p(3, 4), p(3, 4))),
    "BCEWithLogits": (BCEWithLogitsLossFunction, (s(3, 4), p(3, 4), None)),
    "BCEWithLogits weighted": (BCEWithLogitsLossFunction, (s(3, 4), p(3, 4), p(4))),
    "GLU": (GLUFunction, (s(3, 4), 1)),
    "PReLU": (PReLUFunction, (s(3, 4), p(1, 4))),
    "Hardshrink": (HardshrinkFunction, (s(3, 4), 0.4)),
    "Softshrink": (SoftshrinkFunction, (s(3, 4), 0.4)),
    "Threshold": (ThresholdFunction, (s(3, 4), 0.2, -1.0)),
}


@pytest.mark.long
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


def test_prelu_works_under_vmap_where_torchs_own_raises():
    z, w = s(3, 1, 6), p(1)
    expected = torch.where(z > 0, z, w * z)
    assert_close(vmap(inside(F.prelu), in_dims=(0, None))(z, w), expected)
    gradient = vmap(torch.func.grad(lambda z: inside(F.prelu)(z, w).sum()))(z)
    assert_close(gradient, torch.where(z > 0, 1, w).expand_as(z))


def test_hardshrink_with_a_bound_below_0_leaves_nothing_out():
    z = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    assert_close(inside(F.hardshrink)(z, -0.5), F.hardshrink(z, -0.5))
    assert torch.autograd.grad(inside(F.hardshrink)(z, -0.5).sum(), z)[0].tolist() == [1, 1, 1]


def test_rrelu_draws_torchs_slopes_from_the_same_seed():
    results = []
    for call in (inside(F.rrelu), F.rrelu):
        z = torch.linspace(-2, 2, 9, dtype=DOUBLE, requires_grad=True)
        torch.manual_seed(3)
        a = call(z, training=True)
        results.append((a, *torch.autograd.grad(a.square().sum(), z)))
    assert all(map(torch.equal, *results))
