"""The embedding and its bags, on PyTorch's samples, in every order, and with each of torch's options."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, inside
from torch.func import grad, jacfwd, jacrev, vmap
from torch.testing import assert_close

from manualgrad import audit, by_hand

DOUBLE = torch.float64


def rand(*shape, dtype=DOUBLE):
    return torch.randn(shape, dtype=DOUBLE).to(dtype).requires_grad_()


I = torch.tensor([[0, 2, 2], [4, 2, 1]])
OPTIONS = [{}, {"padding_idx": 2}, {"padding_idx": -1}, {"scale_grad_by_freq": True}, {"max_norm": 0.5, "norm_type": 1.0}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("i", [I, I.int(), I[0, 0], I[:0], I.t()], ids=lambda i: f"{tuple(i.shape)} {i.dtype}")
def test_an_embedding_has_torchs_gradient_for_each_option(i, options, sparse):
    if sparse and options.get("scale_grad_by_freq"):
        pytest.skip("torch's own raises in the backward, and so does ours, which is torch's")
    if sparse and not i.dim() and "padding_idx" in options:
        pytest.skip("torch's own raises in the backward")
    start, results = torch.randn(5, 3, dtype=DOUBLE), []
    for call in (inside(F.embedding), F.embedding):
        W = start.clone().requires_grad_()
        y = call(i, W, sparse=sparse, **options)
        (gradient,) = torch.autograd.grad(y.pow(3).sum(), W)
        assert gradient.is_sparse == sparse
        results.append((y, W.detach(), gradient.to_dense(), W._version))
    assert_close(*results)


def test_a_sparse_gradient_is_torchs_entry_by_entry():
    W, results = rand(5, 3), []
    for call in (inside(F.embedding), F.embedding):
        (gradient,) = torch.autograd.grad(call(I, W, padding_idx=4, sparse=True).square().sum(), W)
        results.append((gradient._indices(), gradient._values(), gradient.is_coalesced()))
    assert_close(*results)
    optimizer = torch.optim.SparseAdam([W])
    inside(F.embedding)(I, W, sparse=True).sum().backward()
    optimizer.step()


def test_an_infinite_gradient_at_the_padding_is_left_out():
    W = rand(3, 2)
    y = inside(F.embedding)(torch.tensor([0, 1]), W, padding_idx=1)
    (gradient,) = torch.autograd.grad(y, W, torch.tensor([[1.0, 2.0], [torch.inf, torch.nan]], dtype=DOUBLE))
    assert_close(gradient, torch.tensor([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]], dtype=DOUBLE))


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_many_terms_of_half_precision_are_added_up_in_float32(dtype):
    W, g = rand(3, 4, dtype=dtype), torch.rand(5000, 4, dtype=DOUBLE).to(dtype)
    i = torch.randint(3, (5000,))
    (gradient,) = torch.autograd.grad(inside(F.embedding)(i, W), W, g)
    exact = torch.zeros(3, 4, dtype=DOUBLE).index_add(0, i, g.double())
    assert_close(gradient.double(), exact, rtol=torch.finfo(dtype).eps, atol=0)


def test_the_gradient_is_the_same_each_time():
    W, i, g = rand(7, 40, dtype=torch.float32), torch.randint(7, (900,)), torch.randn(900, 40)
    found = [torch.autograd.grad(inside(F.embedding)(i, W), W, g)[0] for _ in range(3)]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


BAGS = {
    "with empty ones": (torch.tensor([1, 2, 2, 4, 0]), torch.tensor([0, 2, 2, 5])),
    "int": (torch.tensor([1, 2, 2, 4, 0]).int(), torch.tensor([0, 1, 5]).int()),
    "two dimensions": (I, None),
    "nothing at all": (torch.zeros(0, dtype=torch.int64), torch.tensor([0, 0])),
}
BAG_OPTIONS = [
    {"mode": mode, **options}
    for mode in ("sum", "mean", "max")
    for options in (
        {},
        {"padding_idx": 2},
        {"max_norm": 0.5},
        *(() if mode == "max" else ({"scale_grad_by_freq": True}, {"sparse": True}, {"sparse": True, "padding_idx": -3})),
        *(({"w": True}, {"w": True, "padding_idx": 2}, {"w": True, "sparse": True}) if mode == "sum" else ()),
    )
]


@pytest.mark.parametrize("options", BAG_OPTIONS, ids=str)
@pytest.mark.parametrize("bags", BAGS)
@pytest.mark.parametrize("has_end", [False, True])
def test_a_bag_has_torchs_gradient_for_each_option(bags, options, has_end):
    i, offsets = BAGS[bags]
    if has_end and offsets is None:
        pytest.skip("there are no offsets")
    start, w = torch.randn(5, 3, dtype=DOUBLE), rand(*i.shape) if options.get("w") else None
    named = {name: value for name, value in options.items() if name != "w"}
    results = []
    for call in (inside(F.embedding_bag), F.embedding_bag):
        W = start.clone().requires_grad_()
        y = call(i, W, offsets, per_sample_weights=w, include_last_offset=has_end, **named)
        assert call is F.embedding_bag or not audit(y).native
        found = torch.autograd.grad(y.pow(3).sum(), [W] if w is None else [W, w])
        assert found[0].is_sparse == options.get("sparse", False)
        results.append((y, W.detach(), [t.to_dense() for t in found]))
    assert_close(*results)


def test_torchs_operator_has_its_four_results():
    i, offsets = BAGS["with empty ones"]
    for mode in range(3):
        W = rand(5, 3)
        found, expected = (f(W, i, offsets, False, mode) for f in (inside(torch.embedding_bag), torch.embedding_bag))
        assert len(found) == 4
        assert_close(found[0], expected[0])
        if mode:  # of a sum torch says nothing in the others
            assert_close(found[1], expected[1])
            assert_close(found[2], expected[2])
            rows = expected[2] > 0
            assert_close(found[3][rows], expected[3][rows])


LETTERS = {
    "f": lambda f, i: jacfwd(f, i),
    "r": lambda f, i: jacrev(f, i),
    "v": lambda f, i: (
        lambda *a: vmap(f, tuple(0 if j == i else None for j in range(2)))(
            *(torch.stack([t, t * t + 1]) if j == i else t for j, t in enumerate(a))
        )
    ),
}
WORDS = ["".join(word) for n in (1, 2) for word in itertools.product("frv", repeat=n)]
INDEX, FIRST = torch.tensor([1, 2, 2, 0]), torch.tensor([0, 3, 3])
NESTED = {
    "embedding": (lambda W, w: F.embedding(INDEX, W, 0), lambda W, w: W[INDEX] * 1),
    "sum": (
        lambda W, w: F.embedding_bag(INDEX, W, FIRST, mode="sum", per_sample_weights=w),
        lambda W, w: torch.stack([(w[:3, None] * W[INDEX[:3]]).sum(0), 0 * W[0], w[3] * W[INDEX[3]]]),
    ),
    "mean": (
        lambda W, w: F.embedding_bag(INDEX, W, FIRST),
        lambda W, w: torch.stack([W[INDEX[:3]].mean(0), 0 * W[0], W[INDEX[3]]]),
    ),
    "max": (
        lambda W, w: F.embedding_bag(INDEX, W, FIRST, mode="max"),
        lambda W, w: torch.stack([W[INDEX[:3]].amax(0), 0 * W[0], W[INDEX[3]]]),
    ),
}


@pytest.mark.few(20)
@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("argument", [0, 1])
@pytest.mark.parametrize("word", [*WORDS, "fff", "rfr"])
@pytest.mark.parametrize("name", NESTED)
def test_nestings_are_those_of_the_elementary_composition(name, word, argument):
    ours, theirs = NESTED[name]
    if argument and name != "sum":
        pytest.skip("w has no part in it")

    def nested(f, word):
        cost = lambda *a: (f(*a) ** 3).sin().sum(-1)  # noqa: E731
        for letter in reversed(word):
            cost = LETTERS[letter](cost, argument)
        return cost

    torch.manual_seed(0)
    W, w = (t.detach() for t in (rand(3, 2), rand(4)))
    expected = nested(theirs, word.replace("f", "r"))(W, w)
    found = nested(inside(ours), word)(W, w)
    if name == "embedding" and set(word) & {"f", "r"}:  # row 0 is the padding, of which the gradient is 0 by reverse mode
        return assert_close(found[..., 1:, :], expected[..., 1:, :]) if word in ("r", "f") else None
    return assert_close(found, expected)


def test_gradients_of_each_example():
    W, i = rand(5, 3).detach(), I

    def cost(f):
        return lambda W, i: f(i, W, padding_idx=2).pow(3).sum()

    found = vmap(grad(cost(inside(F.embedding))), (None, 0))(W, i)
    assert_close(found, torch.stack([grad(cost(F.embedding))(W, row) for row in i]))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_second_derivatives_by_autograd(mode):
    w = (rand(4),) if mode == "sum" else ()
    call = lambda W, *w: inside(F.embedding_bag)(INDEX, W, FIRST, mode=mode, per_sample_weights=w[0] if w else None)  # noqa: E731
    torch.autograd.gradcheck(call, (rand(3, 2), *w), check_forward_ad=True)
    torch.autograd.gradgradcheck(call, (rand(3, 2), *w), check_fwd_over_rev=True)


@pytest.mark.parametrize("call", ["embedding", "sum", "mean", "max"])
def test_compiled_it_is_one_graph(call):
    torch._dynamo.reset()
    W, w, function = rand(3, 2), rand(4), NESTED[call][0]
    compiled = torch.compile(inside(function), backend="aot_eager", fullgraph=True)
    inputs = [W, w] if call == "sum" else [W]
    results = [torch.autograd.grad(f(W, w).pow(3).sum(), inputs) for f in (compiled, function)]
    assert_close(*results)
    torch._dynamo.reset()


ERRORS = {
    "a number too high": lambda W: F.embedding(I + 3, W),
    "a number below 0": lambda W: F.embedding(I - 3, W),
    "no integers": lambda W: F.embedding(I.double(), W),
    "a line": lambda W: F.embedding(I, W[0]),
    "padding": lambda W: F.embedding(I, W, padding_idx=5),
    "no offsets": lambda W: F.embedding_bag(I[0], W),
    "offsets of a table": lambda W: F.embedding_bag(I, W, torch.tensor([0])),
    "offsets that begin late": lambda W: F.embedding_bag(I[0], W, torch.tensor([1])),
    "offsets beyond": lambda W: F.embedding_bag(I[0], W, torch.tensor([0, 9])),
    "a mode": lambda W: F.embedding_bag(I, W, mode="min"),
    "weights of a mean": lambda W: F.embedding_bag(I, W, per_sample_weights=rand(2, 3)),
    "too few weights": lambda W: F.embedding_bag(I, W, mode="sum", per_sample_weights=rand(2)),
    "weights in float32": lambda W: F.embedding_bag(I, W, mode="sum", per_sample_weights=torch.rand(2, 3)),
    "the largest, sparse": lambda W: F.embedding_bag(I, W, mode="max", sparse=True),
}


@pytest.mark.parametrize("wrong", ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_said_by_torch(wrong):
    found = []
    for call in (inside(wrong), wrong):
        with pytest.raises(Exception) as error:  # noqa: PT011
            call(rand(5, 3))
        found.append((error.type, str(error.value)))
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_under_autocast_the_dtype_is_the_tables(dtype):
    W = rand(5, 3, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for function in (F.embedding, F.embedding_bag):
            assert inside(function)(I, W).dtype == function(I, W).dtype == dtype


def test_numbers_of_classes_have_no_gradient():
    with by_hand():
        assert not F.one_hot(I, 5).requires_grad
