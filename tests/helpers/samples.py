"""One of PyTorch's samples, run on two functions: the value, the gradients, the second gradients, forward mode's tangent."""

import pytest
import rounding
import torch
from torch.autograd import forward_ad
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves, tree_map

from manualgrad import audit, by_hand

HALF = (torch.float16, torch.bfloat16)
WIDE = {**dict.fromkeys((*HALF, torch.float32), torch.float64), torch.complex64: torch.complex128}


def inside(function):
    """The function, called inside by_hand."""

    def call(*args, **kwargs):
        with by_hand():
            return function(*args, **kwargs)

    return call


def spread(values, count):
    """`count` of them, evenly spread, of which the first is one; None: all."""
    return values if count is None else values[:: -(-len(values) // count) or 1]


def outcome(call, *args, **kwargs):
    """The type of the value, or the error with its text."""
    try:
        return (type(call(*args, **kwargs)),)
    except Exception as error:
        return type(error), str(error)


def nested(function, word, letters):
    """The function under the transforms that the letters of the word stand for."""
    for letter in reversed(word):
        function = letters[letter](function)
    return function


def requires_grad(value):
    return isinstance(value, torch.Tensor) and value.requires_grad


def copy_of(tree):
    return tree_map(lambda v: v.detach().clone().requires_grad_(v.requires_grad) if isinstance(v, torch.Tensor) else v, tree)


def random_like(t):
    return torch.randn(t.shape, dtype=torch.complex128 if t.is_complex() else torch.float64).to(t)


def derivatives(call, tree, gradient, tangents):
    """The value and its gradients, for the given gradient of the value; the second gradients and forward mode's tangent."""
    value = call(tree)
    if not value.requires_grad:
        return [value], []
    inputs = [t for t in tree_leaves(tree) if requires_grad(t)]
    gradient = gradient.clone().requires_grad_()
    first = torch.autograd.grad(value, inputs, gradient, create_graph=True)
    if not all(g.requires_grad for g in first):
        return [value, *first], []  # torch's own has no second derivative, as cat of a legacy empty tensor
    second = torch.autograd.grad(first, [*inputs, gradient], tangents, allow_unused=True, materialize_grads=True)
    with forward_ad.dual_level():
        primals = iter(tangents)
        dual = tree_map(lambda v: forward_ad.make_dual(v, next(primals)) if requires_grad(v) else v, tree)
        tangent = forward_ad.unpack_dual(call(dual)).tangent
    return [value, *first], [*second, tangent]


def assert_same(ours, theirs, tree, may_know_better=False):
    """That two functions have the same derivatives: within assert_close's tolerances of torch's, in float64.

    In a lower precision the two may round otherwise: what is not within them is as close to float64's as `rounding.Bounds`
    allows.

    Args:
        may_know_better: ours may have a second derivative, a number, where torch's is nan.
    """
    gradient = random_like(theirs(tree).detach())
    tangents = [random_like(t) for t in tree_leaves(tree) if requires_grad(t)]
    first, others = derivatives(ours, copy_of(tree), gradient, tangents)
    expected_first, expected_others = derivatives(theirs, copy_of(tree), gradient, tangents)
    around = [*expected_first, *expected_others]
    compared = [(result, expected, {}) for result, expected in zip(first, expected_first, strict=True)]
    for result, expected in zip(others, expected_others, strict=bool(expected_others)):
        known = torch.where(expected.isnan(), result, expected) if may_know_better else expected
        compared.append((result, known, tolerance(expected, around)))
    bounds = None
    for i, (result, expected, allowed) in enumerate(compared):
        assert result.dtype == expected.dtype
        if expected.dtype not in WIDE or torch.allclose(
            result, expected, equal_nan=True, **(allowed or default_tolerance(expected))
        ):
            assert_close(result, expected, **allowed, equal_nan=True)
        else:
            bounds = bounds or bounds_of(all_derivatives, theirs, tree, gradient, tangents, dtype=gradient.dtype)
            bounds.check(i, result)


def assert_every_sample_is_by_hand(op, dtype, device, leave_out=lambda sample: False, result=lambda output: output):
    """That inside by_hand an operator has torch's derivatives on each of PyTorch's samples, and none of torch's own nodes.

    Args:
        leave_out: whether a sample is.
        result: of the operator's output the tensor that is looked at.
    """
    if dtype not in op.supported_backward_dtypes(device.type):
        pytest.skip(f"torch's own has no gradient of {dtype}")

    def theirs(tree):
        return result(op(*tree[0], **tree[1]))

    ours = inside(theirs)
    for sample in op.sample_inputs(device, dtype, requires_grad=True):
        tree = ((sample.input, *sample.args), sample.kwargs)
        if leave_out(sample):
            continue
        value = ours(tree)
        if value is NotImplemented or not (value.is_floating_point() or value.is_complex()):
            continue  # as Python asks an operator's other operand then; and integers have no gradient
        if value.requires_grad:
            assert not audit(value).native, (sample, audit(value))
        if dtype in HALF:
            assert_as_close(ours, theirs, tree)
        else:
            assert_same(ours, theirs, tree, may_know_better=True)


def assert_as_close(ours, theirs, tree, computed_in=None):
    """That the value and the gradients are as close to those in float64 as `rounding.Bounds` allows.

    Args:
        computed_in: the dtype of what is computed on the way, where that is not the dtype of the value.
    """
    gradient = random_like(theirs(tree).detach())
    results, expected = (first_derivatives(call, copy_of(tree), gradient) for call in (ours, theirs))
    bounds = bounds_of(first_derivatives, theirs, tree, gradient, dtype=computed_in or gradient.dtype)
    for i, (result, other) in enumerate(zip(results, expected, strict=True)):
        assert result.dtype == other.dtype
        bounds.check(i, result)


def bounds_of(differentiate, call, tree, *directions, dtype):
    """On what differentiate(call, tree, *directions) gives."""
    largest = max((t.numel() for t in tree_leaves(tree) if isinstance(t, torch.Tensor)), default=1)
    arguments = (widened(tree), *doubled(directions))
    return rounding.Bounds(lambda *arguments: differentiate(call, *arguments), arguments, dtype, largest)


def all_derivatives(call, *arguments):
    first, others = derivatives(call, *arguments)
    return [*first, *others]


def first_derivatives(call, tree, gradient):
    value = call(tree)
    inputs = [t for t in tree_leaves(tree) if requires_grad(t)]
    return [value, *torch.autograd.grad(value, inputs, gradient)] if value.requires_grad else [value]


def default_tolerance(expected):
    rtol, atol = torch.testing._comparison.default_tolerances(expected)
    return {"rtol": rtol, "atol": atol}


def doubled(tree):
    return tree_map(lambda v: v.to(WIDE.get(v.dtype, v.dtype)) if isinstance(v, torch.Tensor) else v, tree)


def widened(tree):
    """A copy in float64, its leaves requiring grad as before."""
    return tree_map(
        lambda v, wide: wide.detach().requires_grad_(v.requires_grad) if isinstance(v, torch.Tensor) else v, tree, doubled(tree)
    )


def tolerance(expected, results):
    """The default one; for sums in half precision, of terms of either sign, in proportion to the largest number around.

    On CUDA in float32 too: its kernels add in an order of their own.
    """
    if expected.dtype not in HALF and not (expected.is_cuda and expected.dtype == torch.float32):
        return {}
    eps = 2 * torch.finfo(expected.dtype).eps
    largest = max((t.detach().nan_to_num(0, 0, 0).abs().max().item() for t in results if t.numel()), default=0)
    return {"rtol": eps, "atol": eps * largest}
