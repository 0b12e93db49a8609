"""Every operator of the catalogue under torch.func's transforms and under autocast, on samples of PyTorch's own database.

A word is the transforms from the outermost to the innermost: "fr" is jacfwd(jacrev(...)). What is right is computed by plain
reverse mode, one number after another: PyTorch's own vmap is wrong of some operators (prelu of a vector), and its jacrev of
jacrev of others (layer_norm).
"""

import itertools

import pytest
import torch
from operators import (
    DOUBLE,
    OPS,
    differentiable,
    has_a_gradient,
    has_torch_no_gradient,
    is_torchs,
    run,
    their_warnings,
    tree_of,
)
from samples import copy_of, inside, nested, spread
from torch.func import jacfwd, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves, tree_map

pytestmark = their_warnings

P = torch.tensor([0.3, -0.2], dtype=DOUBLE)


def samples_of(op, dtype=DOUBLE, device="cpu"):
    """Up to a dozen of those with gradients, evenly spread; small ones, if there are any."""
    torch.manual_seed(0)
    found = [s for s in op.sample_inputs(device, dtype, requires_grad=True) if not is_torchs(op, s)]
    found = [s for s in found if not has_torch_no_gradient(op, s)]
    found = [s for s in found if size(s) <= 64] or found
    return [s for s in spread(found, 12) if has_a_gradient(op, s)] or [s for s in found if has_a_gradient(op, s)]


def size(sample):
    return sum(t.numel() for t in tree_leaves(tree_of(sample)) if isinstance(t, torch.Tensor))


# Nestings.


def on_a_plane(op, sample):
    """Two numbers of p, two numbers: sums of the operator's output, whose inputs are the sample's where p is P."""
    tree, generator = tree_of(sample), torch.Generator().manual_seed(1)
    directions = {
        id(t): torch.rand((3, *t.shape), generator=generator, dtype=DOUBLE) + 0.5
        for t in tree_leaves(tree)
        if isinstance(t, torch.Tensor) and t.requires_grad
    }

    def function(p):
        u = p * p + p.sin() - (P * P + P.sin())

        def moved(t):
            d = directions.get(id(t))
            return t if d is None else t.detach() + u[0] * d[0] + u[1] * d[1] + u[0] * u[1] * d[2]

        y = differentiable(run(op, tree_map(moved, tree)))
        weights = torch.linspace(0.5, 1.5, y.numel(), dtype=DOUBLE).reshape(y.shape)
        return torch.stack([(weights * y).sum(), (weights**2 * y).sum()])

    return function


def jacobian_in_a_loop(f):
    def jacobian(p):
        p = p if p.requires_grad else p.clone().requires_grad_()
        y = f(p)
        rows = [gradient(number, p) for number in y.reshape(-1)]
        return torch.stack(rows).reshape(*y.shape, *p.shape)

    return jacobian


def gradient(number, p):
    if not number.requires_grad:
        return torch.zeros_like(p)
    return torch.autograd.grad(number, p, create_graph=True, allow_unused=True, materialize_grads=True)[0]


def two(p):
    return torch.stack([p, p + 0.01])


LETTERS = {"f": jacfwd, "r": jacrev, "v": lambda f: lambda p: vmap(f)(two(p))}
IN_A_LOOP = {
    "f": jacobian_in_a_loop,
    "r": jacobian_in_a_loop,
    "v": lambda f: lambda p: torch.stack([f(q) for q in two(p)]),
}


def words(longest):
    every = ("".join(word) for n in range(1, longest + 1) for word in itertools.product("rfv", repeat=n))
    return [word for word in every if set(word) != {"v"}]


OF_THREE = [word for word in words(3) if len(word) == 3]
WITH_V = ["vr", "rv", "vf", "fv"]


def assert_nested(op, sample, word):
    """That inside by_hand the nesting is right, or raises what it raises of PyTorch's own."""
    ours, theirs = on_a_plane(inside(op), sample), on_a_plane(op, sample)
    try:
        found = nested(ours, word, LETTERS)(P)
    except RuntimeError as error:
        with pytest.raises(type(error)):
            nested(theirs, word, LETTERS)(P)
        return
    if op.name in COMPOSITIONS:
        theirs = on_a_plane(COMPOSITIONS[op.name], sample)
    expected = right(ours, theirs if op.supports_gradgrad else ours, word).detach()
    largest = max(1, expected.abs().max().item())
    assert_close(found, expected, rtol=1e-9, atol=1e-9 * largest, equal_nan=True)


def layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
    """In elementary operations: the third derivative of torch's own cancels (0.43 where 6e-6 is right)."""
    dims = tuple(range(-len(shape), 0))
    d = x - x.mean(dims, keepdim=True)
    y = d / (d.square().mean(dims, keepdim=True) + eps).sqrt()
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


COMPOSITIONS = {"nn.functional.layer_norm": layer_norm}


def right(ours, theirs, word):
    """By torch's operator, or by ours where torch's has no such derivative."""
    try:
        with sdpa_kernel(SDPBackend.MATH):  # the other has no second derivative
            return nested(theirs, word, IN_A_LOOP)(P)
    except RuntimeError:
        return nested(ours, word, IN_A_LOOP)(P)


@pytest.mark.parametrize("name", OPS)
def test_nestings_of_two_and_one_of_three_are_right(name):
    """One with vmap, and for every third operator one of three, in turn: their rules are the same for all."""
    op, number = OPS[name], list(OPS).index(name)
    samples = samples_of(op)
    for_vmap = [sample for sample in samples if has_torch_a_rule_for_vmap(op, sample)] or samples
    of_three = [OF_THREE[number // 3 % len(OF_THREE)]] if number % 3 == 0 else []
    for k, word in enumerate(["rr", "rf", "fr", "ff", WITH_V[number % len(WITH_V)], *of_three]):
        among = for_vmap if "v" in word else samples
        assert_nested(op, among[k % len(among)], word)


def has_torch_a_rule_for_vmap(op, sample):
    try:
        vmap(on_a_plane(op, sample))(two(P))
    except RuntimeError:
        return False
    return True


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", OPS)
def test_every_nesting_of_up_to_three_is_right(name):
    """Of one and two on three samples (of some operators there are hundreds); each of three on one of these, in turn."""
    samples = spread(samples_of(OPS[name]), 3)
    for sample, word in itertools.product(samples, words(2)):
        assert_nested(OPS[name], sample, word)
    for sample, word in zip(itertools.cycle(samples), OF_THREE, strict=False):
        assert_nested(OPS[name], sample, word)


# Autocast.


def dtypes_under_autocast(op, sample, device):
    """Of the output and the gradients."""
    tree = copy_of(tree_of(sample))
    with torch.autocast(device.type, torch.bfloat16):
        y = differentiable(run(op, tree))
    inputs = [t for t in tree_leaves(tree) if isinstance(t, torch.Tensor) and t.requires_grad]
    gradients = torch.autograd.grad(y, inputs, torch.ones_like(y), allow_unused=True)
    return [y.dtype, *(None if g is None else g.dtype for g in gradients)]


@pytest.mark.parametrize("name", OPS)
def test_under_autocast_the_dtypes_are_torchs(name, device):
    assert_dtypes_are_torchs(name, device, count=5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", OPS)
def test_under_autocast_the_dtypes_are_torchs_on_more_samples(name, device):
    assert_dtypes_are_torchs(name, device, count=40)


def assert_dtypes_are_torchs(name, device, count):
    op = OPS[name]
    for dtype in (torch.float32, torch.bfloat16):
        if dtype not in op.supported_backward_dtypes(device.type):
            continue
        samples = (s for s in op.sample_inputs(device, dtype, requires_grad=True) if not is_torchs(op, s))
        samples = (s for s in samples if not has_torch_no_gradient(op, s) and has_a_gradient(op, s))
        for sample in itertools.islice(samples, count):
            found, expected = (outcome(dtypes_under_autocast, f, sample, device) for f in (inside(op), op))
            assert found == expected


def outcome(call, *arguments):
    try:
        return call(*arguments)
    except RuntimeError as error:
        return type(error)
