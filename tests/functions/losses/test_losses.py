"""The losses but mse_loss and cross_entropy: reductions, legacy arguments, broadcasting, errors, nestings, autocast."""

import itertools

import mpmath
import pytest
import torch
import torch.nn.functional as F
from samples import assert_same, inside, nested, outcome
from torch.autograd import forward_ad
from torch.func import jacfwd, jacrev
from torch.testing import assert_close

from manualgrad import audit, nn
from manualgrad.torch_api import losses

DOUBLE = torch.float64
IGNORED = ("Using a target size", "reduction. 'mean' divides", "size_average and reduce args")
pytestmark = pytest.mark.filterwarnings(*[f"ignore:{text}" for text in IGNORED])


def s(*shape):
    return torch.randn(shape, dtype=DOUBLE)


def p(*shape):
    return 0.2 + 0.6 * torch.rand(shape, dtype=DOUBLE)


def sides(*shape):
    return 2.0 * torch.randint(2, shape).double() - 1


PAIRS = {  # name: the loss, and its tensors
    "l1": (F.l1_loss, (s(3, 4), s(3, 4))),
    "smooth_l1": (F.smooth_l1_loss, (s(3, 4), s(3, 4))),
    "smooth_l1, beta": (lambda *t, **k: F.smooth_l1_loss(*t, beta=0.4, **k), (s(3, 4), s(3, 4))),
    "smooth_l1, 0": (lambda *t, **k: F.smooth_l1_loss(*t, beta=0.0, **k), (s(3, 4), s(3, 4))),
    "huber": (lambda *t, **k: F.huber_loss(*t, delta=0.4, **k), (s(3, 4), s(3, 4))),
    "kl_div": (F.kl_div, (s(3, 4), p(3, 4))),
    "kl_div, log": (lambda *t, **k: F.kl_div(*t, log_target=True, **k), (s(3, 4), s(3, 4))),
    "bce": (F.binary_cross_entropy, (p(3, 4), p(3, 4))),
    "bce, weight": (lambda *t, **k: F.binary_cross_entropy(*t, weight=WEIGHTS, **k), (p(3, 4), p(3, 4))),
    "logits": (F.binary_cross_entropy_with_logits, (s(3, 4), p(3, 4))),
    "logits, weights": (
        lambda *t, **k: F.binary_cross_entropy_with_logits(*t, weight=WEIGHTS, pos_weight=1 + WEIGHTS, **k),
        (s(3, 4), p(3, 4)),
    ),
    "poisson": (F.poisson_nll_loss, (s(3, 4), 3 * p(3, 4))),
    "poisson, full": (lambda *t, **k: F.poisson_nll_loss(*t, log_input=False, full=True, **k), (p(3, 4), 4 * p(3, 4))),
    "gaussian": (F.gaussian_nll_loss, (s(3, 4), s(3, 4), p(3, 4))),
    "hinge": (lambda x, **k: F.hinge_embedding_loss(x, SIDES, **k), (s(3, 4),)),
    "ranking": (lambda a, b, **k: F.margin_ranking_loss(a, b, SIDES, 0.3, **k), (s(3, 4), s(3, 4))),
    "triplet": (lambda *t, **k: F.triplet_margin_loss(*t, swap=True, **k), (s(3, 4), s(3, 4), s(3, 4))),
    "triplet, 3": (lambda *t, **k: F.triplet_margin_loss(*t, p=3, **k), (s(3, 4), s(3, 4), s(3, 4))),
    "cosine": (lambda a, b, **k: F.cosine_embedding_loss(a, b, SIDES[:, 0], -0.5, **k), (s(3, 4), s(3, 4))),
    "soft margin": (lambda x, **k: F.soft_margin_loss(x, SIDES, **k), (s(3, 4),)),
}
SIDES, WEIGHTS = sides(3, 4), p(4)
HAVE_NO_LEGACY = ("huber", "gaussian")
each_pair = pytest.mark.parametrize("name", PAIRS)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@each_pair
def test_each_tensor_has_torchs_gradients_with_each_reduction(name, reduction):
    call, tensors = PAIRS[name]
    tree = tuple(t.clone().requires_grad_() for t in tensors)
    value = inside(call)(*tree, reduction=reduction)
    assert not audit(value).native
    functions = [lambda t, f=f: f(*t, reduction=reduction) for f in (inside(call), call)]
    if name == "smooth_l1, 0":  # torch's own second derivative is another
        results = [(f(tree), *torch.autograd.grad(f(tree).sum(), tree)) for f in functions]
        assert_close(*results)
    else:
        assert_same(*functions, tree)


@pytest.mark.parametrize("target", [2.5, 0.0, 1.0, -1.0])
def test_a_side_that_is_neither_is_torchs(target):
    a, b, y = s(3, 4).requires_grad_(), s(3, 4), torch.full((3, 4), target, dtype=DOUBLE)
    calls = {
        "hinge": lambda: F.hinge_embedding_loss(a, y, reduction="none"),
        "ranking": lambda: F.margin_ranking_loss(a, b, y, reduction="none"),
        "cosine": lambda: F.cosine_embedding_loss(a, b, y[:, 0], reduction="none"),
        "soft margin": lambda: F.soft_margin_loss(a, y, reduction="none"),
    }
    for call in calls.values():
        assert_close(*[(f(), torch.autograd.grad(f().sum(), a)[0]) for f in (inside(call), call)])


@pytest.mark.parametrize(
    "legacy", [{"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}], ids=str
)
@pytest.mark.parametrize("name", [name for name in PAIRS if not name.startswith(HAVE_NO_LEGACY)])
def test_the_legacy_arguments_are_torchs(name, legacy):
    call, tensors = PAIRS[name]
    tensors = tuple(t.clone().requires_grad_() for t in tensors)
    value = inside(call)(*tensors, **legacy)
    assert not audit(value).native
    assert_close(value, call(*tensors, **legacy))


@pytest.mark.parametrize("function", [F.l1_loss, F.smooth_l1_loss, F.huber_loss], ids=lambda f: f.__name__)
def test_another_size_is_broadcast_with_torchs_warning(function):
    x, y = s(3, 4).requires_grad_(), s(4).requires_grad_()
    results = []
    for f in (inside(function), function):
        with pytest.warns(UserWarning, match="Using a target size") as caught:
            C = f(x, y)
        results.append((C, *torch.autograd.grad(C, (x, y)), str(caught[0].message)))
    assert not audit(inside(function)(x, y)).native
    assert_close(results[0][:-1], results[1][:-1])
    assert results[0][-1] == results[1][-1]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_the_weights_of_hubers_loss_are_torchs(reduction):
    tensors = tuple(t.requires_grad_() for t in (s(3, 4), s(3, 4), p(3, 4)))
    call = lambda t: F.huber_loss(t[0], t[1], weight=t[2], reduction=reduction)  # noqa: E731
    assert not audit(inside(call)(tensors)).native
    assert_same(inside(call), call, tensors)


@pytest.mark.parametrize("options", [{}, {"reduction": "none"}, {"reduction": "sum"}, {"size_average": False}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("broadcast", [False, True])
def test_functional_l1_loss_is_torchs(options, weighted, broadcast):
    tensors = tuple(t.requires_grad_() for t in (s(3, 4), s(4) if broadcast else s(3, 4), p(3, 4))[: 2 + weighted])
    calls = [lambda t, f=f: f(*t[:2], weight=t[2] if weighted else None, **options) for f in (nn.functional.l1_loss, F.l1_loss)]
    assert not audit(calls[0](tensors)).native
    assert_same(*calls, tensors)


def test_functional_l1_loss_leaves_what_is_wrong_to_torch():
    assert losses.l1_loss(s(3, 4), s(3, 4), reduction="max") is NotImplemented
    assert losses.l1_loss(s(3, 4), s(3, 4), weight=p(4)) is NotImplemented
    with pytest.warns(UserWarning, match="Using a target size"):
        nn.functional.l1_loss(s(3, 4), s(4))


@pytest.mark.parametrize("reduction", ["batchmean", "mean", "sum", "none"])
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (5,), ()], ids=str)
def test_every_reduction_of_kl_div_is_torchs(shape, log_target, reduction):
    tensors = (s(*shape).requires_grad_(), p(*shape).requires_grad_())
    call = lambda t: F.kl_div(*t, reduction=reduction, log_target=log_target)  # noqa: E731
    assert not audit(inside(call)(tensors)).native
    assert_same(inside(call), call, tensors)


def test_kl_div_broadcasts_by_hand():
    x, y = s(3, 4).requires_grad_(), p(4).requires_grad_()
    call = lambda t: F.kl_div(*t, reduction="sum")  # noqa: E731
    assert not audit(inside(call)((x, y))).native
    assert_same(inside(call), call, (x, y))


@pytest.mark.parametrize("a", [0.0, 1.0, 1e-30, 0.5])
@pytest.mark.parametrize("y", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_a_logarithm_below_minus_100_counts_as_minus_100(a, y, dtype):
    tensors = [torch.full((2,), v, dtype=dtype) for v in (a, y)]
    tensors[0].requires_grad_()
    results = [
        (f(*tensors), *torch.autograd.grad(f(*tensors), tensors[0]))
        for f in (inside(F.binary_cross_entropy), F.binary_cross_entropy)
    ]
    assert_close(*results)
    with forward_ad.dual_level():  # torch's tangent is nan there
        dual = forward_ad.make_dual(tensors[0].detach(), torch.ones_like(tensors[1]))
        tangent = forward_ad.unpack_dual(inside(F.binary_cross_entropy)(dual, tensors[1])).tangent
    assert_close(tangent, results[0][1].sum())


def bce_derivative(a, y, order):
    """Of −y log a − (1 − y) log(1 − a) by a, by mpmath; a term whose factor is 0 has no logarithm."""
    with mpmath.workdps(60):
        loss = lambda a: -(y * mpmath.log(a) if y else 0) - ((1 - y) * mpmath.log(1 - a) if y != 1 else 0)  # noqa: E731
        return float(mpmath.diff(loss, a, order).real)


# a and y: at the ends, next to them, and between.
PROBABILITIES = [
    (0.0, 0.0),
    (1.0, 1.0),
    (2**-20, 0.0),
    (1 - 2**-20, 1.0),
    (0.25, 0.0),
    (0.25, 1.0),
    (0.25, 0.625),
    (0.75, 0.625),
]
ORDERS = [word for n in (2, 3) for word in itertools.product("fr", repeat=n)]


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("word", ORDERS, ids="".join)
def test_second_and_third_derivatives_of_binary_cross_entropy_are_right_at_the_ends_too(word, reduction, dtype):
    a, y = torch.tensor(PROBABILITIES, dtype=dtype).unbind(1)
    weight = torch.linspace(0.5, 2, len(a), dtype=dtype)
    letters = {"f": jacfwd, "r": jacrev}
    found = nested(lambda a: inside(F.binary_cross_entropy)(a, y, weight, reduction=reduction), word, letters)(a)
    exact = torch.tensor([bce_derivative(*pair, len(word)) for pair in PROBABILITIES], dtype=dtype) * weight
    expected = torch.zeros_like(found)  # where two of them meet
    expected[(torch.arange(len(a)),) * found.dim()] = exact / len(a) if reduction == "mean" else exact
    assert_close(found, expected)


@pytest.mark.parametrize("x", [-1000.0, -30.0, 30.0, 1000.0])
@pytest.mark.parametrize("pos_weight", [None, 3.0])
def test_the_gradient_does_not_cancel_for_large_logits(x, pos_weight):
    for y in (0.0, 1.0, 0.4):
        values = []
        for dtype in (torch.float32, DOUBLE):
            t, target = torch.tensor([x], dtype=dtype, requires_grad=True), torch.tensor([y], dtype=dtype)
            weight = None if pos_weight is None else torch.tensor([pos_weight], dtype=dtype)
            C = inside(F.binary_cross_entropy_with_logits)(t, target, pos_weight=weight)
            values.append(torch.autograd.grad(C, t)[0].double())  # the value is torch's, which cancels
        assert_close(*values, rtol=1e-5, atol=1e-37)


@each_pair
def test_another_reduction_is_refused_by_torch(name):
    call, tensors = PAIRS[name]
    tensors = tuple(t.clone().requires_grad_() for t in tensors)
    found, expected = (outcome(lambda f=f: f(*tensors, reduction="max")) for f in (inside(call), call))
    assert len(expected) == 2
    assert found == expected


WRONG = {
    "a margin of 0": lambda x: F.triplet_margin_loss(x, x, x, margin=0),
    "dimensions of the anchor": lambda x: F.triplet_margin_loss(x, x[0], x),
    "dimensions of the ranked": lambda x: F.margin_ranking_loss(x, x[0], x),
    "dimensions of the side": lambda x: F.cosine_embedding_loss(x, x, x),
    "sizes": lambda x: F.soft_margin_loss(x, x[:, :2]),
    "a beta below 0": lambda x: F.smooth_l1_loss(x, x, beta=-1.0),
    "a weight that requires grad": lambda x: F.binary_cross_entropy(x.sigmoid(), x.sigmoid(), weight=x),
    "a weight of logits that requires grad": lambda x: F.binary_cross_entropy_with_logits(x, x, pos_weight=x),
    "a delta of 0": lambda x: F.huber_loss(x, x, delta=0.0),
    "no probability": lambda x: F.binary_cross_entropy(x + 2, x),
    "another size": lambda x: F.binary_cross_entropy(x, x[0]),
    "another size of logits": lambda x: F.binary_cross_entropy_with_logits(x, x[0]),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_by_torch(wrong):
    x = (3 * torch.eye(3, 4)).requires_grad_()
    found, expected = (outcome(lambda f=f: f(x)) for f in (inside(wrong), wrong))
    assert len(expected) == 2
    assert found == expected


def huber(d, delta):
    return torch.where(d.abs() <= delta, d * d / 2, delta * (d.abs() - delta / 2))
