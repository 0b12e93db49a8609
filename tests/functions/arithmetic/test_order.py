"""The largest, sorted numbers, products, running sums, norms: on PyTorch's samples, in every order, at ties and zeros."""

import math

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, assert_same, inside, outcome
from torch.func import jacrev
from torch.testing import assert_close

from manualgrad.functions.arithmetic import products

DOUBLE = torch.float64
X = torch.randn(3, 4, dtype=DOUBLE, requires_grad=True)
WRONG = {
    "a dimension": lambda: X.sort(2),
    "a name that is no argument": lambda: torch.max(X, foo=1),
    "keepdim of two": lambda: torch.max(X, X, True),
    "keepdim of all": lambda: X.median(keepdim=True),
    "k": lambda: X.topk(5),
    "k of the smallest": lambda: X.kthvalue(0),
    "two dimensions of max": lambda: X.max((0, 1)),
    "the largest of none": lambda: X[:0].max(),
    "the largest along none": lambda: X[:0].amax(0),
    "a norm of none": lambda: torch.linalg.vector_norm(X[:0], math.inf),
    "a complex norm of real numbers": lambda: torch.linalg.vector_norm(X, dtype=torch.complex128),
    "a real norm of complex numbers": lambda: torch.linalg.vector_norm(X * 1j, dtype=DOUBLE),
    "a narrower norm": lambda: torch.linalg.vector_norm(X, dtype=torch.float32),
    "a norm by name": lambda: torch.linalg.norm(X, "abc"),
    "fro of a vector": lambda: torch.linalg.norm(X[0], "fro"),
    "fro over three dimensions": lambda: torch.norm(X.view(1, 3, 4), "fro", (0, 1, 2)),
    "a matrix norm over a dimension twice": lambda: torch.linalg.matrix_norm(X, 1, (0, -2)),
    "angles of what does not broadcast": lambda: F.cosine_similarity(X, X[:, :3]),
    "angles over no dimension": lambda: F.cosine_similarity(X, X, 3),
    "out": lambda: torch.prod(X, 1, out=torch.empty(3, dtype=DOUBLE)),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_by_torch(wrong):
    found, expected = outcome(inside(wrong)), outcome(wrong)
    assert len(expected) == 2
    assert found == expected


RETURNED = {
    "max": lambda x: x.max(1),
    "min": lambda x: torch.min(x, dim=0, keepdim=True),
    "median": lambda x: x.median(1),
    "nanmedian": lambda x: x.nanmedian(1),
    "topk": lambda x: torch.topk(x, 2, 0, largest=False),
    "sort": lambda x: x.sort(0, True),
    "stable sort": lambda x: x.sort(stable=True, dim=0),
    "kthvalue": lambda x: x.kthvalue(2),
    "mode": lambda x: x.mode(0),
    "cummax": lambda x: x.cummax(0),
    "cummin": lambda x: x.cummin(1),
}


@pytest.mark.parametrize("call", RETURNED.values(), ids=RETURNED)
@pytest.mark.parametrize("nan", [False, True])
def test_values_and_indices_are_torchs_also_among_equals_and_nan(call, nan):
    x = torch.tensor([[2.0, 1.0, 2.0, 1.0, 3.0], [4.0, 1.0, 4.0, math.nan if nan else 0.0, 4.0]], requires_grad=True)
    ours, theirs = inside(call)(x), call(x)
    assert type(ours) is type(theirs)
    assert_close(ours.values, theirs.values, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(ours.indices, theirs.indices)
    g = torch.rand_like(ours.values)
    assert torch.equal(torch.autograd.grad(ours.values, x, g)[0], torch.autograd.grad(theirs.values, x, g)[0])


OF_ALL = {"max": torch.max, "min": torch.min, "median": torch.median, "nanmedian": torch.nanmedian}
OVER_ALL = {"amax": torch.amax, "amin": torch.amin}


@pytest.mark.parametrize("function", [*OF_ALL.values(), *OVER_ALL.values()], ids=[*OF_ALL, *OVER_ALL])
@pytest.mark.parametrize("dtype", [DOUBLE, torch.bfloat16], ids=str)
def test_numbers_that_are_all_it_share_the_gradient(function, dtype):
    x = torch.full((300,), 2, dtype=dtype)  # more than bfloat16 counts
    x[:10] = torch.rand(10)
    x[-8:] = 3
    x.requires_grad_()
    (found,), (expected,) = (torch.autograd.grad(f(x), x) for f in (inside(function), function))
    assert torch.equal(found, expected)
    assert (found != 0).sum() > 0


@pytest.mark.parametrize("function", [*OF_ALL.values(), *OVER_ALL.values()], ids=[*OF_ALL, *OVER_ALL])
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_more_numbers_that_tie_than_half_precision_counts_share_the_gradient(function, dtype):
    n = 70_000  # float16 ends at 65,504
    x = torch.ones(n, dtype=dtype, requires_grad=True)
    (gradient,) = torch.autograd.grad(inside(function)(x), x)
    assert torch.equal(gradient, torch.full_like(x, 1 / n))
    _, tangent = torch.func.jvp(inside(function), (x.detach(),), (torch.ones_like(x),))
    assert tangent == 1


@pytest.mark.parametrize("numbers", [(1, math.nan, 2), (math.nan,) * 2, (math.inf, 1, math.inf), (-math.inf, 0)], ids=str)
@pytest.mark.parametrize("function", OF_ALL.values(), ids=OF_ALL)
def test_nan_and_infinite_numbers_share_as_torchs(function, numbers):
    x = torch.tensor(numbers, dtype=DOUBLE, requires_grad=True)
    (found,), (expected,) = (torch.autograd.grad(f(x), x) for f in (inside(function), function))
    assert_close(found, expected, equal_nan=True)


def test_a_count_does_not_move():
    x = torch.rand(3, requires_grad=True)
    assert not torch.autograd.grad(inside(torch.linalg.vector_norm)(x, 0), x)[0].any()


def with_zeros(n, zeros):
    x = torch.rand(n, dtype=DOUBLE) + 0.5
    x[list(zeros)] = 0
    return x.requires_grad_()


@pytest.mark.parametrize("zeros", [(), (0,), (4,), (1, 3), (0, 2, 4)], ids=str)
@pytest.mark.parametrize("function", [torch.prod, lambda x: x.cumprod(0)], ids=["prod", "cumprod"])
def test_a_product_with_zeros_has_its_derivatives(function, zeros):
    x = with_zeros(5, zeros)
    torch.autograd.gradcheck(inside(function), x, check_forward_ad=True)
    torch.autograd.gradgradcheck(inside(function), x, check_fwd_over_rev=True)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 9, 100])
@pytest.mark.parametrize("dtype", [DOUBLE, torch.complex128], ids=str)
@pytest.mark.parametrize("divided", [False, True])
def test_a_running_product_of_any_length_has_torchs_derivatives(n, dtype, divided, monkeypatch):
    monkeypatch.setattr(products, "plain", lambda t: divided)
    x = torch.randn(3, n, 2, dtype=dtype, requires_grad=True)
    for dim in (1, -2):
        assert_same(lambda t: inside(torch.cumprod)(t, dim), lambda t: torch.cumprod(t, dim), x)  # noqa: B023


def test_a_product_that_overflows_has_the_gradient_of_what_does_not():
    x = torch.tensor([1e30, 1e30, 0.0], requires_grad=True)
    (found,) = torch.autograd.grad(inside(torch.prod)(x), x)
    assert torch.equal(found, torch.tensor([0, 0, torch.inf]))


@pytest.mark.parametrize("dtype", [DOUBLE, torch.complex128, torch.bfloat16], ids=str)
@pytest.mark.parametrize("numbers", [(2, -3, 0.5), (0, 3, 2), (0, 0, 1), (1e-5, 1e20, 1e-20)], ids=str)
@pytest.mark.parametrize("name", ["prod", "cumprod"])
def test_a_product_has_the_same_gradient_divided_or_not(name, numbers, dtype, monkeypatch):
    x = torch.tensor(numbers, dtype=dtype, requires_grad=True)
    may_be_divided, divided, gradients = products._may_be_divided, [], []
    for answer in (lambda y: False, lambda y: divided.append(may_be_divided(y)) or divided[-1]):
        monkeypatch.setattr(products, "_may_be_divided", answer)
        y = inside(getattr(torch, name))(x, 0)
        gradients += torch.autograd.grad(y, x, torch.ones_like(y))
    assert_close(*gradients)
    assert divided == [0 not in numbers]


def test_the_hessian_of_a_product_does_not_overflow_where_its_entries_do_not():
    """torch's divides by 0.03 twice on the way to 4,000, and says inf and nan (pytorch 193012)."""
    x = torch.tensor([0.03, 1, 1, 1], dtype=torch.float16)
    expected = torch.tensor([[0, 4000, 4000, 4000], [4000, 0, 120, 120], [4000, 120, 0, 120], [4000, 120, 120, 0]])

    def function(x):
        return 4000 * inside(torch.prod)(x)

    assert_close(torch.autograd.functional.hessian(function, x), expected.half())
    assert_close(torch.func.hessian(function)(x), expected.half())
    small = torch.tensor([1e-30, 1.0, 1e-25], requires_grad=True)  # 1 / 1e-30 / 1e-25 is beyond float32
    hessian = torch.autograd.functional.hessian(lambda x: 1e30 * inside(torch.prod)(x), small)
    assert_close(hessian, torch.tensor([[0, 1e5, 1e30], [1e5, 0, 1.0], [1e30, 1.0, 0]]))


def test_a_product_that_lost_its_digits_near_0_is_not_divided():
    x = torch.tensor([1e-30, 1e-30, 1e20], requires_grad=True)
    for product in (torch.prod, lambda x: x.cumprod(0)):
        (found,) = torch.autograd.grad(inside(product)(x).sum(), x)
        (expected,) = torch.autograd.grad(product(x.double()).sum(), x)
        assert_close(found, expected.float(), rtol=1e-5, atol=0)


ORDERS = [0, 0.5, 1, 1.5, 2, 2.5, 3, math.inf, -math.inf, -1, -2.5]


@pytest.mark.parametrize("dtype", [DOUBLE, torch.complex128], ids=str)
@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("numbers", [(0, 0), (0, 3), (3, -3), (0, math.nan), (1, math.inf)], ids=str)
def test_a_norm_at_zeros_ties_and_nan_has_torchs_gradient(numbers, p, dtype):
    x = torch.tensor(numbers, dtype=dtype, requires_grad=True)
    (found,) = torch.autograd.grad(inside(torch.linalg.vector_norm)(x, p), x)
    expected = torch.autograd.grad(torch.linalg.vector_norm(x, p), x, allow_unused=True, materialize_grads=True)[0]
    if not expected.isnan().any() or math.nan in numbers:
        assert_close(found, expected, equal_nan=True)


@pytest.mark.parametrize("p", [p for p in ORDERS if p != 0])
@pytest.mark.parametrize("dtype", [DOUBLE, torch.complex128], ids=str)
def test_a_norm_has_its_derivatives(p, dtype):
    x = torch.randn(2, 3, dtype=dtype, requires_grad=True)

    def norm(x):
        return inside(torch.linalg.vector_norm)(x, p, 1)

    torch.autograd.gradcheck(norm, x, check_forward_ad=True)
    torch.autograd.gradgradcheck(norm, x)


@pytest.mark.parametrize("p", [2, 3, 4.5])
def test_a_norm_of_zeros_has_second_derivatives_that_are_numbers(p):
    x = torch.zeros(3, dtype=DOUBLE, requires_grad=True)
    (g,) = torch.autograd.grad(inside(torch.linalg.vector_norm)(x, p), x, create_graph=True)
    assert not torch.autograd.grad(g.sum(), x)[0].isnan().any()


def test_the_second_derivative_of_the_length_of_nothing_is_a_number():
    x = torch.zeros(3, dtype=DOUBLE)
    assert not jacrev(jacrev(inside(lambda x: x.norm())))(x).isnan().any()


def test_a_short_vector_has_torchs_angle():
    a, b = torch.tensor([[1e-3, 2e-3], [0, 0]], dtype=DOUBLE, requires_grad=True), torch.tensor([3.0, -1.0], dtype=DOUBLE)
    (found,), (expected,) = (
        torch.autograd.grad(f(a, b, 1, 0.1).sum(), a) for f in (inside(F.cosine_similarity), F.cosine_similarity)
    )
    assert_close(found, expected)


P = torch.tensor([[0.3, -1.2, 0.8], [0.6, 0.5, -0.9]], dtype=DOUBLE)
