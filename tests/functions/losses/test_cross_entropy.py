"""cross_entropy and nll_loss."""

import itertools
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from samples import assert_same, inside, nested, outcome
from torch.func import jacfwd, jacrev, vmap
from torch.testing import assert_close

from manualgrad import audit, by_hand
from manualgrad.functions import _chunked

DOUBLE = torch.float64
REDUCTIONS = ("none", "mean", "sum")


SHAPES = [(4,), (3, 4), (3, 4, 2), (2, 4, 3, 2), (0, 4), (1, 1)]


@pytest.mark.few(60)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("of", ["classes", "ignored", "distributions"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cross_entropy_is_torchs(shape, of, weighted, smoothing, reduction):
    K = shape[min(len(shape) - 1, 1)]
    options = {"reduction": reduction, "label_smoothing": smoothing}
    options["weight"] = torch.rand(K, dtype=DOUBLE) if weighted else None
    x = torch.randn(shape, dtype=DOUBLE, requires_grad=True)
    if of == "distributions":
        y = torch.rand(shape, dtype=DOUBLE).requires_grad_()
        options["weight"] = options["weight"].requires_grad_() if weighted else None
    else:
        y = torch.randint(K, shape[:1] + shape[2:] if len(shape) > 1 else ())
        y = y if len(shape) == 1 else torch.where(torch.rand(y.shape) < 0.3, 0, y)
        options["ignore_index"] = 0 if of == "ignored" and K > 1 else -100
    assert_same(lambda t: inside(F.cross_entropy)(*t[0], **t[1]), lambda t: F.cross_entropy(*t[0], **t[1]), ((x, y), options))


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("weighted", [False, True])
def test_where_all_classes_are_ignored_the_gradient_is_torchs(function, weighted):
    x = torch.randn(3, 4, dtype=DOUBLE, requires_grad=True)
    w = torch.rand(4, dtype=DOUBLE) if weighted else None
    y = torch.full((3,), -100)
    results = [(f(x, y, w), *torch.autograd.grad(f(x, y, w), x)) for f in (inside(function), function)]
    assert_close(results[0], results[1], equal_nan=True)


@pytest.mark.filterwarnings("ignore:size_average and reduce args")
@pytest.mark.parametrize(
    "legacy", [{"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}], ids=str
)
@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
def test_the_legacy_arguments_are_torchs(function, legacy):
    x, y = torch.randn(3, 4, requires_grad=True), torch.tensor([0, 1, 3])
    found = inside(function)(x, y, **legacy)
    assert not audit(found).native
    assert_close(found, function(x, y, **legacy))


X, Y = torch.randn(3, 4), torch.tensor([0, 1, 3])
ERRORS = {
    "a class too high": lambda f, x: f(x, Y + 3),
    "a class below 0": lambda f, x: f(x, Y - 1),
    "integers of 32 bits": lambda f, x: f(x, Y.int()),
    "another number of examples": lambda f, x: f(x, Y[:2]),
    "a reduction": lambda f, x: f(x, Y, reduction="max"),
    "too few weights": lambda f, x: f(x, Y, torch.rand(3)),
    "weights in float64": lambda f, x: f(x, Y, torch.rand(4).double()),
    "weights that require grad": lambda f, x: f(x, Y, torch.rand(4, requires_grad=True)),
    "a single number": lambda f, x: f(x.sum(), Y[0]),
    "no classes": lambda f, x: f(x[:, :0], Y),
}


@pytest.mark.parametrize("wrong", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
def test_what_is_wrong_is_said_by_torch(function, wrong):
    found, expected = (outcome(lambda f=f: wrong(f, X.clone().requires_grad_())) for f in (inside(function), function))
    assert len(expected) == 2
    assert found == expected


@pytest.mark.parametrize("options", [{"label_smoothing": 2.0}, {"ignore_index": 1}], ids=str)
def test_what_is_wrong_with_distributions_is_said_by_torch(options):
    x = X.clone().requires_grad_()
    found, expected = (outcome(lambda f=f: f(x, X.softmax(1), **options)) for f in (inside(F.cross_entropy), F.cross_entropy))
    assert len(expected) == 2
    assert found == expected


@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("of", ["classes", "distributions"])
@pytest.mark.parametrize("shape", [(300, 30), (50, 9, 5, 4)], ids=str)
def test_large_arrays_in_parts_have_the_same_value_and_gradient(shape, of, smoothing, dtype, monkeypatch):
    written = []
    write = _chunked._write
    monkeypatch.setattr(_chunked, "_PART", 100)
    monkeypatch.setattr(_chunked, "_write", lambda *args: written.append(1) or write(*args))
    x = torch.randn(shape, dtype=dtype, requires_grad=True)
    y = torch.randint(shape[1], shape[:1] + shape[2:]) if of == "classes" else torch.rand(shape, dtype=dtype)
    w = torch.rand(shape[1], dtype=dtype) if smoothing else None
    C = inside(F.cross_entropy)(x, y, w, label_smoothing=smoothing)
    wide = [t.double() if isinstance(t, torch.Tensor) and t.is_floating_point() else t for t in (x, y, w)]
    expected = F.cross_entropy(*wide, label_smoothing=smoothing)
    assert_close(C, expected.to(dtype))
    assert_close(torch.autograd.grad(C, x), torch.autograd.grad(expected, x))
    assert written


def test_the_gradient_does_not_cancel_where_the_class_is_certain():
    x = torch.tensor([[30.0, 0.0, 1.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(inside(F.cross_entropy)(x, torch.tensor([0])), x)
    (expected,) = torch.autograd.grad(F.cross_entropy(x.double(), torch.tensor([0])), x)
    assert expected[0, 0] < 0
    assert_close(gradient, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("y", [0, 1, 2])
@pytest.mark.parametrize(
    "logits", [(-torch.inf, 1.0, 2.0), (torch.inf, 1.0, 2.0), (torch.nan, 1.0, 2.0), (-torch.inf,) * 3], ids=str
)
def test_infinite_logits_are_as_torch_has_them(logits, y):
    x = torch.tensor([logits], dtype=DOUBLE, requires_grad=True)
    results = [
        (f(x, torch.tensor([y])), *torch.autograd.grad(f(x, torch.tensor([y])), x))
        for f in (inside(F.cross_entropy), F.cross_entropy)
    ]
    assert_close(results[0], results[1], equal_nan=True)


LETTERS = {"f": jacfwd, "r": jacrev, "v": lambda f: lambda x: vmap(f)(torch.stack([x, 2 * x]))}
IN_REVERSE = {**LETTERS, "f": jacrev}
WORDS = ["".join(word) for n in (1, 2) for word in itertools.product("frv", repeat=n)]
CLASSES, DISTRIBUTIONS, WEIGHTS = torch.tensor([2, 0]), torch.rand(2, 3, dtype=DOUBLE), torch.rand(3, dtype=DOUBLE)


def l_of(x):
    return x - x.exp().sum(1, keepdim=True).log()


CASES = {  # the call, and a composition
    "classes": (lambda x: F.cross_entropy(x, CLASSES), lambda x: -l_of(x)[[0, 1], [2, 0]].mean()),
    "smooth": (
        lambda x: F.cross_entropy(x, CLASSES, WEIGHTS, label_smoothing=0.3, reduction="none"),
        lambda x: -0.7 * l_of(x)[[0, 1], [2, 0]] * WEIGHTS[[2, 0]] - 0.1 * (l_of(x) * WEIGHTS).sum(1),
    ),
    "distributions": (
        lambda x: F.cross_entropy(x, DISTRIBUTIONS, WEIGHTS),
        lambda x: -(DISTRIBUTIONS * WEIGHTS * l_of(x)).sum() / 2,
    ),
    "by the distributions": (lambda x: F.cross_entropy(DISTRIBUTIONS, x), lambda x: -(x * l_of(DISTRIBUTIONS)).sum() / 2),
    "by both": (lambda x: F.cross_entropy(x, x), lambda x: -(x * l_of(x)).sum() / 2),
    "nll": (
        lambda x: F.nll_loss(x**2, CLASSES, WEIGHTS),
        lambda x: -(x**2)[[0, 1], [2, 0]] @ WEIGHTS[[2, 0]] / WEIGHTS[[2, 0]].sum(),
    ),
}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_nesting_has_the_derivatives_of_the_composition(case, word):
    call, composition = case
    x = torch.rand(2, 3, dtype=DOUBLE)
    assert_close(nested(inside(call), word, LETTERS)(x), nested(composition, word, IN_REVERSE)(x))


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
def test_classes_may_be_batched_alone(function):
    x, y = torch.randn(3, 4, dtype=DOUBLE), torch.randint(4, (5, 3))
    found = vmap(jacrev(inside(function)), (None, 0))(x, y)
    assert_close(found, torch.stack([jacrev(function)(x, y_i) for y_i in y]))


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("weight_dtype", [None, torch.float32, torch.bfloat16], ids=str)
def test_under_autocast_the_dtypes_are_torchs(function, weight_dtype, device):
    x = torch.randn(3, 4, dtype=torch.bfloat16, device=device, requires_grad=True)
    w = None if weight_dtype is None else torch.rand(4, dtype=weight_dtype, device=device)
    results = []
    for block in (by_hand, nullcontext):
        with torch.autocast(device.type, torch.bfloat16), block():
            C = function(x, Y.to(device), w)
        results.append((C.dtype, torch.autograd.grad(C, x)[0].dtype))
    assert results[0] == results[1]
