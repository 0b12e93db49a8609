"""Second and third derivatives at zeros, ties and the ends of a piece, in every nesting of reverse and forward mode.

What is right is computed by reverse mode alone, through additions, multiplications and a few elementary functions: a product as
multiplications one by one; of a function in pieces, the piece that the first derivative takes; of numbers that tie, the mean or
the one that is selected.
"""

import functools
import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from samples import inside, nested
from torch.func import jacfwd, jacrev, jvp
from torch.testing import assert_close

DOUBLE = torch.float64
LETTERS = {"f": jacfwd, "r": jacrev}
GRID = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0], dtype=DOUBLE)


def vector(*numbers):
    return torch.tensor(numbers, dtype=DOUBLE)


# Products: multiplications one by one.


def product(x):
    return functools.reduce(torch.mul, x.unbind())


def running(x):
    return torch.stack([product(x[: i + 1]) for i in range(len(x))])


def power(x, n):
    return product(torch.stack([x] * n)) if n else torch.ones_like(x)


ZEROS = {
    "no zero": vector(0.7, -1.2, 2.0, 1.5),
    "a zero first": vector(0, -1.2, 2.0, 1.5),
    "a zero last": vector(0.7, -1.2, 2.0, 0),
    "two zeros": vector(0.7, 0, 2.0, 0),
    "three zeros": vector(0, 0, 2.0, 0),
    "zeros alone": vector(0, 0, 0),
    "one number": vector(0),
    "two numbers": vector(0, 1.5),
}
PRODUCTS = {
    "prod": (torch.prod, product),
    "prod along a dimension": (lambda x: x.reshape(1, -1).prod(1, keepdim=True), product),
    "cumprod": (lambda x: x.cumprod(0), running),
    "cumprod along a dimension": (lambda x: torch.stack([x, 2 * x], 1).cumprod(0)[:, 1], lambda x: running(2 * x)),
}

# Powers.

POWERS = {
    **{f"pow {n}": (lambda x, n=n: x**n, lambda x, n=n: power(x, n)) for n in (0, 1, 2, 3, 4, 5)},
    **{
        f"pow of a tensor of {n}": (lambda x, n=n: x ** torch.full_like(x, n), lambda x, n=n: power(x, n))
        for n in (0, 1, 2, 3, 4)
    },
    "pow of a tensor of 0 at 2, by both": (lambda x: (x[3:] + 2) ** x[3:], lambda x: ((x[3:] + 2).log() * x[3:]).exp()),
    "square": (torch.square, lambda x: x * x),
    "pow 3.5": (lambda x: x.abs() ** 3.5, lambda x: torch.where(x == 0, 0, (x * x + (x == 0)) ** 1.75)),
}

# Functions in pieces, which are flat or straight at their ends.


def pieces(*of):
    """The sum of values where the conditions hold, which leave nothing in between."""
    return lambda x: sum(torch.where(condition(x), value(x), 0) for condition, value in of)


def sides(low, high):
    return pieces((lambda x: x <= 0, low), (lambda x: x > 0, high))


def zero(x):
    return 0 * x


def exponential(alpha, c=1, scale=1):
    """At 0, PyTorch takes the exponential's slope, and no curvature."""
    return pieces(
        (lambda x: x < 0, lambda x: scale * alpha * torch.expm1(c * x)),
        (lambda x: x == 0, lambda x: scale * alpha * c * x),
        (lambda x: x > 0, lambda x: scale * x),
    )


def kept(low, high):
    return lambda x: torch.where((x > low) & (x < high), x, x.detach().clamp(low, high))


ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
PIECES = {
    "relu": (F.relu, sides(zero, lambda x: x)),
    "relu in place": (lambda x: F.relu(x.clone(), inplace=True), sides(zero, lambda x: x)),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1), sides(lambda x: 0.1 * x, lambda x: x)),
    "leaky_relu of slope 2": (lambda x: F.leaky_relu(x, 2.0), sides(lambda x: 2 * x, lambda x: x)),
    "rrelu": (lambda x: F.rrelu(x, 0.1, 0.1), sides(lambda x: 0.1 * x, lambda x: x)),
    "elu": (F.elu, exponential(1)),
    "elu of alpha 2": (lambda x: F.elu(x, 2.0), exponential(2)),
    "celu": (lambda x: F.celu(x, 2.0), exponential(2, 0.5)),
    "selu": (F.selu, exponential(ALPHA, scale=SCALE)),
    "hardtanh": (F.hardtanh, kept(-1, 1)),
    "relu6": (lambda x: F.relu6(2 * x), lambda x: kept(0, 6)(2 * x)),
    "hardsigmoid": (F.hardsigmoid, lambda x: kept(-3, 3)(x) / 6 + 0.5),
    "hardswish": (
        F.hardswish,
        pieces(
            (lambda x: x <= -3, zero),
            (lambda x: (x > -3) & (x < 3), lambda x: x * (x + 3) / 6),
            (lambda x: x >= 3, lambda x: x),
        ),
    ),
    "threshold": (
        lambda x: F.threshold(x, 0.5, -2.0),
        pieces((lambda x: x > 0.5, lambda x: x + 2), (lambda x: x == x, lambda x: zero(x) - 2)),
    ),
    "hardshrink": (F.hardshrink, pieces((lambda x: x.abs() > 0.5, lambda x: x))),
    "softshrink": (F.softshrink, pieces((lambda x: x.abs() > 0.5, lambda x: x - 0.5 * x.detach().sign()))),
    "abs": (torch.abs, lambda x: x * x.detach().sign()),
    "sign": (torch.sign, lambda x: x.detach().sign() + zero(x)),
    "floor": (torch.floor, lambda x: x.detach().floor() + zero(x)),
    "frac": (torch.frac, lambda x: x - x.detach().trunc()),
    "remainder": (lambda x: x % 0.5, lambda x: x - 0.5 * (x.detach() / 0.5).floor()),
    "clamp": (lambda x: x.clamp(-1, 1), kept(-1, 1)),
    "clamp at least": (lambda x: x.clamp(min=0), kept(0, math.inf)),
    "clamp_min": (lambda x: torch.clamp_min(x, 0), kept(0, math.inf)),
    "clamp_max": (lambda x: torch.clamp_max(x, 0.5), kept(-math.inf, 0.5)),
    "clamp by tensors": (
        lambda x: x.clamp(torch.full_like(x, -1), torch.full_like(x, 1)),
        lambda x: kept(-1, 1)(x) + torch.where(x.detach().abs() == 1, x - x.detach(), 0) / 2,
    ),
    "where": (lambda x: torch.where(x > 0, x * x, x), sides(lambda x: x, lambda x: x * x)),
    "masked_fill": (lambda x: (x * x).masked_fill(x == 0, 7), lambda x: torch.where(x == 0, 7, x * x)),
    "maximum": (lambda x: torch.maximum(x, x.flip(0)), lambda x: tied(x, x.flip(0), torch.gt)),
    "minimum": (lambda x: torch.minimum(x, x.flip(0)), lambda x: tied(x, x.flip(0), torch.lt)),
    "max of two": (lambda x: torch.max(x, zero(x)), lambda x: tied(x, zero(x), torch.gt)),
    "prelu": (lambda x: F.prelu(x, vector(0.25)), sides(lambda x: 0.25 * x, lambda x: x)),
    "prelu by its weight": (
        lambda x: F.prelu(GRID, x[:1]) * x[:1],
        lambda x: torch.where(GRID > 0, GRID, x[:1] * GRID) * x[:1],
    ),
    "l1_loss": (lambda x: F.l1_loss(x, zero(x), reduction="none"), lambda x: x * x.detach().sign()),
    "smooth_l1_loss": (
        lambda x: F.smooth_l1_loss(x, zero(x), reduction="none"),
        lambda x: torch.where(x.abs() < 1, x * x / 2, x * x.detach().sign() - 0.5),
    ),
    "huber_loss": (
        lambda x: F.huber_loss(x, zero(x), reduction="none", delta=0.5),
        lambda x: torch.where(x.abs() < 0.5, x * x / 2, 0.5 * (x * x.detach().sign() - 0.25)),
    ),
    "mse_loss": (lambda x: F.mse_loss(x, zero(x)), lambda x: (x * x).mean()),
}


def tied(a, b, is_a):
    return torch.where(a == b, (a + b) / 2, torch.where(is_a(a, b), a, b))


# The largest, the middle one, and others, where numbers tie.

TIES = {
    "two largest": vector(0.5, 2.0, -1.0, 2.0),
    "three zeros": vector(0.0, -1.0, 0.0, 0.0),
    "all equal": vector(1.0, 1.0, 1.0),
    "all zero": vector(0.0, 0.0, 0.0),
    "none": vector(0.5, 2.0, -1.0, 0.0),
}


def mean_of(which):
    """The mean of those that are equal to the one that is selected."""

    def value(x):
        is_it = x.detach() == which(x.detach())
        return (x * is_it).sum() / is_it.sum()

    return value


def at_index(which):
    def value(x):
        _, index = which(x.detach())
        return sum(torch.where(index == i, x[i], 0) for i in range(len(x)))

    return value


def values(which):
    return lambda x: which(x)[0]


ALONG = {
    "max along": lambda x: torch.max(x, 0),
    "min along": lambda x: torch.min(x, 0, keepdim=True),
    "median along": lambda x: torch.median(x, 0),
    "nanmedian along": lambda x: torch.nanmedian(x, 0),
    "mode": lambda x: torch.mode(x, 0),
    "kthvalue": lambda x: torch.kthvalue(x, 2),
    "sort": lambda x: torch.sort(x),
    "stable sort": lambda x: torch.sort(x, stable=True, descending=True),
    "topk": lambda x: torch.topk(x, 2),
    "cummax": lambda x: torch.cummax(x, 0),
    "cummin": lambda x: torch.cummin(x, 0),
}
SELECTED = {
    **{
        name: (getattr(torch, name), mean_of(getattr(torch, name)))
        for name in ("max", "min", "median", "nanmedian", "amax", "amin")
    },
    "aminmax": (lambda x: torch.stack(torch.aminmax(x)), lambda x: torch.stack([mean_of(torch.min)(x), mean_of(torch.max)(x)])),
    "amax along": (lambda x: torch.stack([x, x]).amax(1), lambda x: torch.stack([mean_of(torch.max)(x)] * 2)),
    **{name: (values(which), at_index(which)) for name, which in ALONG.items()},
    "max_pool1d": (lambda x: F.max_pool1d(x.reshape(1, 1, -1), 3)[0], lambda x: at_index(lambda x: torch.max(x, 0))(x[:3])),
    "adaptive_max_pool1d": (lambda x: F.adaptive_max_pool1d(x.reshape(1, -1), 1), at_index(lambda x: torch.max(x, 0))),
    "logsumexp": (lambda x: torch.logsumexp(x, 0), lambda x: x.exp().sum().log()),
    "softmax": (lambda x: torch.softmax(x, 0), lambda x: x.exp() / x.exp().sum()),
    "var": (torch.var, lambda x: (x - x.mean()).square().sum() / (len(x) - 1)),
}

# Norms: where |x| has no derivative, 0 is taken; of what is left, a root.


def p_norm(p):
    def value(x):
        size = x * x.detach().sign()
        if math.isinf(p):
            largest = size.detach().max() if p > 0 else size.detach().min()
            return (size * (size == largest)).sum() / (size == largest).sum()
        if not x.detach().any():
            return zero(x).sum()
        is_0 = size == 0
        powers = power(x, p) if p in (2, 4) else torch.where(is_0, 0, torch.where(is_0, 1, size) ** p)
        return powers.sum() ** (1 / p)

    return value


ORDERS = (1, 2, 3, 4, math.inf, -math.inf, 0.5)
ROOTS = {
    "zeros and a tie": vector(1.5, 0.0, -1.5, 0.7),
    "no zero": vector(1.5, -1.5, 0.7),
    "zeros": vector(0.0, 0.0, 0.0),
}
NORMS = {
    **{f"vector_norm {p}": (lambda x, p=p: torch.linalg.vector_norm(x, p), p_norm(p)) for p in ORDERS},
    **{f"norm {p}": (lambda x, p=p: x.norm(p), p_norm(p)) for p in (1, 2, math.inf)},
    **{f"dist {p}": (lambda x, p=p: torch.dist(x, zero(x), p), p_norm(p)) for p in ORDERS},
    "vector_norm 0": (lambda x: torch.linalg.vector_norm(x, 0), lambda x: zero(x).sum() + (x.detach() != 0).sum()),
    **{
        f"normalize {p}": (lambda x, p=p: F.normalize(x, p, 0), lambda x, p=p: x / p_norm(p)(x).clamp_min(1e-12))
        for p in (1, 2, 3)
    },
    "std": (torch.std, lambda x: p_norm(2)(x - x.mean()) / math.sqrt(len(x) - 1)),
    "cosine_similarity": (
        lambda x: F.cosine_similarity(x, x.flip(0) + 1, 0),
        lambda x: (x * (x.flip(0) + 1)).sum() / (p_norm(2)(x).clamp_min(1e-8) * p_norm(2)(x.flip(0) + 1)),
    ),
}

CASES = {
    **{f"{name}, {zeros}": (*pair, x) for name, pair in PRODUCTS.items() for zeros, x in ZEROS.items()},
    **{name: (*pair, GRID) for name, pair in {**POWERS, **PIECES}.items()},
    **{
        f"{name}, {ties}": (*pair, x)
        for name, pair in SELECTED.items()
        for ties, x in TIES.items()
        if name != "max_pool1d" or len(x) >= 3
    },
    **{f"{name}, {zeros}": (*pair, x) for name, pair in NORMS.items() for zeros, x in ROOTS.items()},
}


def of_p(function, at):
    """With other functions before and behind it, so that no derivative is 0 by itself; `at` is where p lies, and stays put."""

    def value(p):
        y = function(p + 0.4 * (p - at) ** 2 + 0.2 * (p - at) ** 3).reshape(-1)
        return (y + 0.5 * y * y + 0.2 * y * y * y) @ torch.linspace(0.5, 1.5, len(y), dtype=DOUBLE)

    return value


@pytest.mark.few(60)
@pytest.mark.parametrize("n", [2, pytest.param(3, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("case", CASES)
def test_every_nesting_of_n_at_a_kink_is_right(case, n):
    ours, composed, x = CASES[case]
    expected = nested(of_p(composed, x), "r" * n, LETTERS)(x)
    assert expected.isfinite().all()
    for word in itertools.product("fr", repeat=n):
        found = nested(of_p(inside(ours), x), word, LETTERS)(x)
        assert_close(found, expected, rtol=1e-9, atol=1e-9 * max(1, expected.abs().max().item()), msg="".join(word))


def test_the_power_of_a_negative_number_has_a_tangent_where_the_exponent_has_none():
    x = vector(-3.0, 2.0)
    _, tangent = jvp(inside(lambda x: x ** torch.tensor(2.0)), (x,), (torch.ones_like(x),))
    assert_close(tangent, 2 * x)
