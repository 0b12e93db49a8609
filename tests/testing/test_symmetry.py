"""Gradients that vanish by cancellation or symmetry are not accused, and wrong entries beside zeros are found."""

import pytest
import torch
from symmetric import NAIVE, SYMMETRIC

from manualgrad.testing import CHECKS, check_function

DERIVATIVES = [
    "backward",
    "double_backward",
    "third_derivative",
    "forward_ad",
    "forward_over_forward",
    "func_transforms",
]


def accusations(function, make, seed, checks):
    torch.manual_seed(seed)
    report = check_function(function, make(), checks=checks, raise_exception=False)
    return {name: report[name] for name in [*report.failures, *report.not_checked]}


@pytest.mark.few(5)
@pytest.mark.parametrize(("function", "make"), (SYMMETRIC | NAIVE).values(), ids=SYMMETRIC | NAIVE)
def test_derivatives_that_vanish_are_not_accused(function, make):
    for seed in range(2):
        assert not accusations(function, make, seed, DERIVATIVES)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("function", "make"), (SYMMETRIC | NAIVE).values(), ids=SYMMETRIC | NAIVE)
def test_derivatives_that_vanish_are_not_accused_whatever_the_numbers(function, make):
    for seed in range(2, 8):
        assert not accusations(function, make, seed, DERIVATIVES)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("function", "make"), SYMMETRIC.values(), ids=SYMMETRIC)
def test_no_check_accuses_a_function_whose_gradient_vanishes(function, make):
    assert not accusations(function, make, 0, CHECKS)


def off_by_a_millionth(function, k, entry, factor):
    """The function, with a gradient that is wrong in one entry of input k."""

    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return function(*inputs)

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            with torch.enable_grad():
                inputs = [t.detach().requires_grad_(t.is_floating_point()) for t in ctx.saved_tensors]
                wanted = [t for t in inputs if t.requires_grad]
                found = torch.autograd.grad(function(*inputs), wanted, g, allow_unused=True, materialize_grads=True)
            found = [t.clone() for t in found]
            found[k].view(-1)[entry] *= factor
            return *found, *[None] * (len(inputs) - len(wanted))

    return Off


SHARP = [  # of which differences tell a millionth in every entry that is not 0, and where zeros stand beside it
    "softmax(x + b)",
    "log_softmax(x + b)",
    "cross_entropy(x + b)",
    "attention, shifted scores",
    "logsumexp(x + b) - b",
    "layer_norm(x + b)",
    "batch_norm(x + b)",
    "var(x + b)",
    "pairwise distances",
    "cosine, scaled",
    "normalize(a x)",
    "correlation",
    "determinant",
    "masked",
    "0 x",
    "matmul of integers",
    "cubes of integers",
]
SCALED = {  # at any scale
    "matmul": (lambda x, y: x @ y, ((3, 4), (4, 2))),
    "cubes": (lambda x: x**3, ((6,),)),
    "centered": (lambda x, b: ((x + b) - (x + b).mean(0)) ** 2, ((4, 3), (3,))),
    "var(x + b)": (lambda x, b: (x + b).var(0), ((4, 3), (3,))),
    "determinant": (SYMMETRIC["determinant"][0], ((3, 3),)),
    "products": (lambda x, y, z: x * y * z, ((3,), (3,), (3,))),
    "relu": (lambda x, w: torch.relu(x @ w), ((3, 4), (4, 2))),
}


def missed(function, inputs, few):
    """The entries, as large as a thousandth of the largest, in which a millionth is not found."""
    leaves = [t.clone().requires_grad_(t.is_floating_point()) for t in inputs]
    wanted = [t for t in leaves if t.requires_grad]
    output = function(*leaves)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=output.dtype)
    gradients = torch.autograd.grad(output, wanted, weights, allow_unused=True, materialize_grads=True)
    largest = max((g.abs().max() * t.abs().max()).item() for g, t in zip(gradients, wanted, strict=True))
    found, tried = [], 0
    for k, gradient in enumerate(gradients):
        if gradient.abs().max() * wanted[k].abs().max() < 1e-9 * largest:
            continue  # 0 by cancellation
        large = (gradient.abs().flatten() > 1e-3 * gradient.abs().max()).nonzero().flatten().tolist()
        for e in large[:: max(1, len(large) // 2)] if few else large:
            factor = 1 + 1e-6 if e % 2 else 1 - 1e-6
            tried += 1
            report = check_function(
                off_by_a_millionth(function, k, e, factor), inputs, checks="backward", raise_exception=False
            )
            if not report.failures:
                found.append((k, e, report["backward"]))
    assert tried
    return found


@pytest.mark.few(6)
@pytest.mark.parametrize("name", SHARP)
def test_a_millionth_in_an_entry_beside_zeros_is_found(name):
    function, make = SYMMETRIC[name]
    torch.manual_seed(0)
    assert not missed(function, make(), few=True)


@pytest.mark.few(7)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(("function", "shapes"), SCALED.values(), ids=SCALED)
def test_a_millionth_in_an_entry_is_found_at_any_scale(function, shapes, scale):
    torch.manual_seed(0)
    assert not missed(function, tuple(scale * torch.randn(s, dtype=torch.float64) for s in shapes), few=True)


@pytest.mark.few(4)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(("function", "shapes"), SCALED.values(), ids=SCALED)
def test_a_millionth_in_any_entry_is_found(function, shapes, scale, seed):
    torch.manual_seed(seed)
    assert not missed(function, tuple(scale * torch.randn(s, dtype=torch.float64) for s in shapes), few=False)
