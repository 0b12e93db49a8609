"""Every operator of PyTorch's own database that the catalogue has, inside by_hand: its samples in every dtype, and its errors.

An operator that is added to the catalogue is here without an edit.
"""

import math

import pytest
import torch
from samples import HALF, assert_as_close, assert_same, copy_of, first_derivatives, inside, outcome, random_like
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves, tree_map

from manualgrad import audit, nn
from manualgrad.torch_api.catalogue import CATALOGUE

DOUBLE = torch.float64
DTYPES = (DOUBLE, torch.complex128, torch.float32, *HALF)

# PyTorch's compositions in Python, each step of which the catalogue has.
COMPOSED = (
    *("cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss"),
    *("multilabel_soft_margin_loss", "poisson_nll_loss", "soft_margin_loss", "triplet_margin_loss"),
    *("triplet_margin_with_distance_loss", "unfold", "upsample_bilinear", "upsample_nearest"),
)
LEFT_OUT = {
    *("nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.rrelu"),  # random
    *("norm nuc", "linalg.norm subgradients_at_zero"),  # of singular values
    "nn.functional.silu complex",  # of which torch has no gradient
}


def key(op):
    return f"{op.name} {op.variant_test_name}".strip()


def is_known(op):
    name = op.name.removeprefix("nn.functional.")
    is_in_functional = name != op.name and (name in nn.functional.__all__ or name in COMPOSED)
    return is_in_functional or op.name == "einsum" or not CATALOGUE.keys().isdisjoint({op.op, op.method_variant} - {None})


OPS = {key(op): op for op in op_db if is_known(op) and op.supported_backward_dtypes("cpu") and key(op) not in LEFT_OUT}

IGNORED = (
    *("Using a target size", "reduction. 'mean' divides", "size_average", "Using padding='same'"),
    *("Casting complex values to real", ".nn.functional.upsample", "The default behavior for interpolate"),
)
pytestmark = pytest.mark.filterwarnings(*(f"ignore:{text}" for text in IGNORED))


# What is left out of the samples, and what is not compared.


def needs_singular_values(op, sample):
    """The norms 2, -2 and nuc of a matrix, which stay torch's."""
    if op.name not in ("linalg.norm", "linalg.matrix_norm"):
        return False
    order = sample.kwargs.get("ord", sample.args[0] if sample.args else None)
    dim = sample.kwargs.get("dim", sample.args[1] if len(sample.args) > 1 else None)
    is_matrix = op.name == "linalg.matrix_norm" or (len(dim) if isinstance(dim, tuple | list) else sample.input.dim()) == 2
    return order in (2, -2, "nuc") and is_matrix


def is_the_input(op, sample):
    """Whether torch returns the input as it is, or a view of it."""
    if op.name == "diff":
        return 0 in (sample.kwargs.get("n"), *sample.args[:1])
    if op.name == "sum_to_size":
        return sample.input.sum_to_size(*sample.args).shape == sample.input.shape
    if op.name == "unfold":
        return not sample.input.dim()
    return op.name == "nn.functional.local_response_norm" and not sample.input.numel()


def is_torchs(op, sample):
    has_weights = op.name == "cov" and any(sample.kwargs.get(name) is not None for name in ("fweights", "aweights"))
    return has_weights or needs_singular_values(op, sample) or is_the_input(op, sample) or bool(sample.kwargs.get("dropout_p"))


def has_torch_no_gradient(op, sample):
    """Of the norm 0, not even one of 0."""
    given = sample.args[-1:] if op.name == "dist" else sample.args[:1]
    return op.name in NORMS and 0 in (sample.kwargs.get("ord"), sample.kwargs.get("p"), *given)


NORMS = ("dist", "norm", "linalg.norm", "linalg.vector_norm", "linalg.matrix_norm", "nn.functional.normalize")


def cancels(op, sample, dtype):
    """Whether the gradient is 0, of terms that are 1/√ε as large: of a single number that is normalized."""
    is_of_one = op.name in ("nn.functional.layer_norm", "nn.functional.rms_norm") and math.prod(sample.args[0]) == 1
    return is_of_one and dtype != DOUBLE


def has_no_second_derivative(op):
    """Whether torch's own has none: fused attention, bags, and what says so."""
    return not op.supports_gradgrad or op.name in ("nn.functional.scaled_dot_product_attention", "nn.functional.embedding_bag")


def differentiable(output):
    """The floating-point tensors of an output, joined where there are several; the indices have no derivative."""
    tensors = [t for t in tree_leaves(output) if isinstance(t, torch.Tensor) and (t.is_floating_point() or t.is_complex())]
    return tensors[0] if len(tensors) == 1 else torch.cat([t.reshape(-1) for t in tensors]) if tensors else output


def run(op, tree):
    """The operator's output for a tree of arguments, with running statistics of its own."""
    args, kwargs = tree_map(lambda t: t.clone() if isinstance(t, torch.Tensor) and not t.requires_grad else t, tree)
    return op(*args, **kwargs)


def tree_of(sample):
    """The arguments; torch.Size would be taken apart as a tree is."""
    return tree_map(
        lambda v: tuple(v) if isinstance(v, torch.Size) else v,
        ((sample.input, *sample.args), sample.kwargs),
        is_leaf=lambda v: isinstance(v, torch.Size),
    )


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


@pytest.mark.parametrize(("name", "dtype"), [(name, dtype) for name, op in OPS.items() for dtype in dtypes_of(op)], ids=str)
def test_an_operator_agrees_on_every_sample_and_is_by_hand(name, dtype, device):
    op = OPS[name]
    if dtype not in op.supported_backward_dtypes(device.type):
        pytest.skip(f"torch's own has no gradient of {dtype} there")
    by_hand_alone = 0
    for sample in op.sample_inputs(device, dtype, requires_grad=True):
        tree = tree_of(sample)
        if is_torchs(op, sample):
            continue
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
