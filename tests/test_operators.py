"""Every operator of PyTorch's own database that the catalogue has, inside by_hand: its samples in every dtype, and its errors.

An operator that is added to the catalogue is here without an edit.
"""

import math

import pytest
import torch
from operators import (
    COMPOSED,
    DOUBLE,
    OPS,
    differentiable,
    has_torch_no_gradient,
    is_torchs,
    run,
    their_warnings,
    tree_of,
)
from samples import HALF, assert_as_close, assert_same, copy_of, first_derivatives, inside, outcome, random_like, spread
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

from manualgrad import audit

DTYPES = (DOUBLE, torch.complex128, torch.float32, *HALF)
pytestmark = their_warnings


# What is not compared.


def cancels(op, sample, dtype):
    """Whether the gradient is 0, of terms that are 1/√ε as large: of a single number that is normalized."""
    is_of_one = op.name in ("nn.functional.layer_norm", "nn.functional.rms_norm") and math.prod(sample.args[0]) == 1
    return is_of_one and dtype != DOUBLE


def has_no_second_derivative(op):
    """Whether torch's own has none: fused attention, bags, and what says so."""
    return not op.supports_gradgrad or op.name in ("nn.functional.scaled_dot_product_attention", "nn.functional.embedding_bag")


def detach_what_has_no_gradient(call, tree):
    """Such as the side of hinge_embedding_loss, which chooses."""
    tensors = [t for t in tree_leaves(tree) if isinstance(t, torch.Tensor) and t.requires_grad]
    value = call(tree)
    found = torch.autograd.grad(value, tensors, torch.ones_like(value), allow_unused=True)
    for t, gradient in zip(tensors, found, strict=True):
        t.requires_grad_(gradient is not None)


# The samples.


def dtypes_of(op):
    """Those that torch's own has a gradient of; the sign of complex numbers is torch's."""
    wanted = (
        {*DTYPES, torch.complex64} if "conv" in op.name else {*DTYPES} - {torch.complex128} if op.name == "sgn" else {*DTYPES}
    )
    return sorted(wanted & op.supported_backward_dtypes("cpu"), key=str)


def in_each(*dtypes):
    pairs = [(name, dtype) for name, op in OPS.items() for dtype in dtypes_of(op) if dtype in dtypes]
    return pytest.mark.parametrize(("name", "dtype"), pairs, ids=str)


@in_each(DOUBLE, torch.float32, torch.bfloat16)
def test_an_operator_agrees_on_samples_and_is_by_hand(name, dtype, device):
    assert_agrees_and_is_by_hand(name, dtype, device, count=5 if dtype == DOUBLE else 1)


@pytest.mark.exhaustive
@in_each(*DTYPES, torch.complex64)
def test_an_operator_agrees_on_every_sample_and_is_by_hand(name, dtype, device):
    assert_agrees_and_is_by_hand(name, dtype, device, count=None)


def assert_agrees_and_is_by_hand(name, dtype, device, count):
    op = OPS[name]
    if dtype not in op.supported_backward_dtypes(device.type):
        pytest.skip(f"torch's own has no gradient of {dtype} there")
    by_hand_alone = 0
    samples = [s for s in op.sample_inputs(device, dtype, requires_grad=True) if not is_torchs(op, s)]
    for sample in spread(samples, count):
        tree = tree_of(sample)
        outputs = [t for t in tree_leaves(run(inside(op), copy_of(tree))) if isinstance(t, torch.Tensor) and t.requires_grad]
        for output in outputs:
            assert not audit(output).native, (sample, audit(output))
        by_hand_alone += len(outputs)
        if not outputs or has_torch_no_gradient(op, sample) or cancels(op, sample, dtype):
            continue  # an operator may be NotImplemented, as Python asks its other operand then
        ours, theirs = (lambda tree, f=f: differentiable(run(f, tree)) for f in (inside(op), op))
        if op.name.removeprefix("nn.functional.") in COMPOSED:
            detach_what_has_no_gradient(theirs, tree)
        if has_no_second_derivative(op) and dtype == DOUBLE:
            gradient = random_like(theirs(tree))
            assert_close(*(first_derivatives(call, copy_of(tree), gradient) for call in (ours, theirs)), equal_nan=True)
        elif has_no_second_derivative(op) or is_rounded_otherwise(op, dtype):
            assert_as_close(ours, theirs, tree)
        else:
            assert_same(ours, theirs, tree, may_know_better=op.name == "linalg.norm")
    assert by_hand_alone


def is_rounded_otherwise(op, dtype):
    """Whether only the first derivatives are compared, within the bounds on rounding."""
    if "conv" in op.name:
        return dtype not in (DOUBLE, torch.complex128)
    if dtype in HALF:
        return op.name.removeprefix("nn.functional.") not in SECOND_IN_HALF and op.variant_test_name != "constant"
    return (op.name, dtype) == ("nn.functional.normalize", torch.float32)


# Operators whose second derivatives are compared in half precision, too.
ARITHMETIC = "add sub rsub mul div true_divide pow __radd__ __rsub__ __rmul__ __rdiv__ __rpow__ neg sum mean cat stack"
ELEMENTARY = "exp expm1 log log1p sqrt rsqrt reciprocal square sin cos erf var std logsumexp addcmul addcdiv lerp"
PRODUCTS = "matmul __rmatmul__ mm bmm mv dot addmm baddbmm addmv linear mse_loss cross_entropy nll_loss"
CHOICES = "abs clamp clamp_min clamp_max maximum minimum where masked_fill"
MOVEMENTS = "expand expand_as flip roll gather index_select __getitem__"
ACTIVATIONS = "relu sigmoid tanh silu mish leaky_relu hardtanh relu6 hardsigmoid hardswish elu selu celu gelu softplus"
OTHERS = "logsigmoid softsign softmax log_softmax softmin layer_norm rms_norm batch_norm group_norm instance_norm"
SECOND_IN_HALF = {*" ".join((ARITHMETIC, ELEMENTARY, PRODUCTS, CHOICES, MOVEMENTS, ACTIVATIONS, OTHERS)).split()}


@pytest.mark.few(40)
@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.error_inputs_func])
def test_an_operator_raises_torchs_error_on_every_error_sample(name, device):
    op = OPS[name]
    for sample in op.error_inputs(device.type):
        arguments, kwargs = (sample.sample_input.input, *sample.sample_input.args), sample.sample_input.kwargs
        if "out" not in kwargs:
            arguments = [a.requires_grad_() if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in arguments]
        found, expected = (outcome(f, *arguments, **kwargs) for f in (inside(op), op))
        assert found == expected if name not in NAME_THE_ARGUMENT else found[0] == expected[0]


NAME_THE_ARGUMENT = ("nn.functional.linear", "nn.functional.relu", "sigmoid", "nn.functional.mse_loss")
