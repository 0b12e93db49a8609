"""Scattering, assignment, repeats, triangles, shuffles and windows: in place, in every nesting, by every check."""

import itertools
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from samples import inside, outcome
from torch.func import jacfwd, jacrev, vmap
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db

from manualgrad import audit, by_hand
from manualgrad.functions.arithmetic.unfold import WindowsFunction
from manualgrad.testing import check_function

DOUBLE = torch.float64
T = torch.Tensor


def i(*numbers):
    return torch.tensor(numbers)


def put(*index):
    """An assignment to x[index] of what a function makes of y."""
    return lambda of_y: lambda x, y: x.__setitem__(index if len(index) > 1 else index[0], of_y(y))


MASK = torch.arange(12).view(3, 4) % 2 == 0
IN_PLACE = {
    "a slice": put(slice(1, None))(lambda y: y[1:]),
    "a row, repeated": put(slice(None))(lambda y: y[0]),
    "a number": put(0)(lambda y: 2.5),
    "one number of y": put(...)(lambda y: y[0, 0]),
    "more ones in front": put(slice(1, None))(lambda y: y[None, None, 1:]),
    "another dtype": put(slice(1, None))(lambda y: y[1:].float()),
    "a 0-d tensor as the index": put(torch.tensor(1))(lambda y: y[0]),
    "an index": put(i(2, 0))(lambda y: y[1:]),
    "a list": put([2, 0])(lambda y: y[1:]),
    "an index, and a row": put(i(2, 0))(lambda y: y[1]),
    "an index after a slice": put(slice(1, None), i(3, 0))(lambda y: y[1:, :2]),
    "an index after an ellipsis": put(..., i(3, 0))(lambda y: y[:, :2]),
    "a number and an index": put(1, i(3, 0))(lambda y: y[0, :2]),
    "a 0-d tensor and an index": put(torch.tensor(1), i(1, 0))(lambda y: y[0, :2]),
    "two indices": put(i(1, 0), i(3, 0))(lambda y: y[0, :2]),
    "a new dimension": put(None, i(1, 0))(lambda y: y[:2]),
    "a mask": put(MASK)(lambda y: y.flatten()[:6]),
    "a mask of rows": put(MASK[:, 0] | True)(lambda y: y),
    "a mask, and a number": put(MASK)(lambda y: 7),
    "a mask, and one number of y": put(MASK)(lambda y: y[1, 2]),
    "a mask after a slice": put(slice(None), i(True, False, True, False))(lambda y: 1),
    "True": put(True)(lambda y: y),
    "a 0-d mask": put(torch.tensor(True))(lambda y: y[0]),
    "nothing": put(i(False, False, False))(lambda y: 3),
    "copy_": lambda x, y: x.copy_(y[0]),
    "copy_ to a part": lambda x, y: (x[1:].copy_(y[0]), None)[1],
    "fill_": lambda x, y: x.fill_(y[0, 0]),
    "fill_ of a part": lambda x, y: (x[0].fill_(3), None)[1],
    "zero_": lambda x, y: x.zero_(),
    "scatter_": lambda x, y: x.scatter_(1, i([0, 1], [2, 3]), y[:2, :2]),
    "scatter_ of a number": lambda x, y: x.scatter_(1, i([0, 1], [2, 3]), 2),
    "scatter_add_": lambda x, y: x.scatter_add_(1, i([0, 0], [2, 3]), y[:2, :2]),
    "index_add_": lambda x, y: x.index_add_(1, i(0, 0), y[:, :2], alpha=3),
    "index_copy_": lambda x, y: x.index_copy_(1, i(0, 2), y[:, :2]),
    "index_fill_": lambda x, y: x.index_fill_(1, i(0, 2), 4),
    "masked_scatter_": lambda x, y: x.masked_scatter_(MASK, y),
    "index_put_": lambda x, y: x.index_put_((i(1, 1),), y[1:], accumulate=True),
    "tril_": lambda x, y: x.tril_(1),
    "triu_": lambda x, y: x.triu_(1),
}


@pytest.mark.parametrize("view", ["whole", "part", "view of a view"])
@pytest.mark.parametrize("name", IN_PLACE)
def test_a_change_in_place_is_torchs_also_on_a_view(name, view):
    change, results = IN_PLACE[name], []
    for block in (by_hand, nullcontext):
        torch.manual_seed(0)
        x, y = (torch.rand(3, 4, dtype=DOUBLE, requires_grad=True) for _ in range(2))
        with block():
            whole = x * 2 if view != "part" else torch.cat([x * 2, x * x])
            changed = whole.view(-1, 2, 2).view(-1, 4) if view == "view of a view" else whole[:3] if view == "part" else whole
            version = changed._version
            answer = change(changed, y)
            loss = (whole * whole).sum()
            both = loss + (changed * changed * changed).sum()
        assert answer is None or answer is changed
        assert changed._version == version + 1
        results.append([whole, changed, *torch.autograd.grad(both, (x, y), allow_unused=True, materialize_grads=True)])
        if block is by_hand:
            assert not audit(loss if "of a part" in name or "to a part" in name else both).native
    assert_close(*results)


WRONG = {
    "a leaf": lambda: torch.rand(3, requires_grad=True).__setitem__(i(0), 1.0),
    "a part of a leaf": lambda: torch.rand(3, requires_grad=True).__setitem__(0, 1.0),
    "too many": lambda: (torch.rand(3, requires_grad=True) * 1).__setitem__(i(0, 1), torch.rand(3)),
    "too many for a view": lambda: (torch.rand(3, requires_grad=True) * 1).__setitem__(slice(2), torch.rand(3)),
    "too many indices": lambda: (torch.rand(3, requires_grad=True) * 1).__setitem__((i(0), i(1)), 1.0),
    "out of bounds": lambda: (torch.rand(3, requires_grad=True) * 1).__setitem__(i(3), 1.0),
    "a mask of another shape": lambda: (torch.rand(3, requires_grad=True) * 1).__setitem__(i(True, False), 1.0),
    "another dtype": lambda: (torch.rand(3, requires_grad=True) * 1).__setitem__(i(0, 1), torch.rand(2, dtype=DOUBLE)),
    "a complex number": lambda: (torch.rand(3, requires_grad=True) * 1).__setitem__(0, 1j),
    "no number": lambda: (torch.rand(3, requires_grad=True) * 1).__setitem__(0, "a"),
    "a dimension that is not there": lambda: torch.rand(3, requires_grad=True).scatter_add(1, i(0), torch.rand(1)),
    "negative repeats": lambda: torch.rand(3, requires_grad=True).repeat(-1),
    "a factor that does not divide": lambda: F.pixel_shuffle(torch.rand(1, 3, 2, 2, requires_grad=True), 2),
    "a window too long": lambda: torch.rand(3, requires_grad=True).unfold(0, 4, 1),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_by_torch(wrong):
    expected = outcome(wrong)
    assert len(expected) == 2
    assert outcome(inside(wrong)) == expected


SCATTERS = "scatter scatter_add index_add index_copy index_fill masked_scatter index_put masked_select take take_along_dim"
REPEATS = "repeat tile repeat_interleave tril triu"
WINDOWS = "unfold nn.functional.unfold nn.functional.pixel_shuffle nn.functional.pixel_unshuffle nn.functional.channel_shuffle"
OPS = [op for op in op_db if op.name in (SCATTERS + " " + REPEATS + " " + WINDOWS).split()]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_each_sample_has_torchs_strides_and_memory_of_its_own(op, device):
    for sample in itertools.islice(op.sample_inputs(device, DOUBLE, requires_grad=True), 40):
        value, expected = (f(sample.input, *sample.args, **sample.kwargs) for f in (inside(op), op))
        assert value.stride() == expected.stride() or not value.numel()
        assert value._is_view() == expected._is_view() or not expected._is_view()
        storages = [t.untyped_storage().data_ptr() == sample.input.untyped_storage().data_ptr() for t in (value, expected)]
        assert storages[0] == storages[1] or not value.numel()


@pytest.mark.parametrize(
    "shuffle", [lambda x: F.pixel_shuffle(x, 2), lambda x: F.pixel_unshuffle(x, 2), lambda x: F.channel_shuffle(x, 2)]
)
def test_a_shuffle_keeps_channels_last(shuffle):
    x = torch.rand(2, 8, 4, 6, dtype=DOUBLE).contiguous(memory_format=torch.channels_last).requires_grad_()
    y, expected = inside(shuffle)(x), shuffle(x)
    assert torch.equal(y, expected)
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_a_single_number_written_to_one_place_twice_counts_once():
    v = torch.tensor(2.0, dtype=DOUBLE, requires_grad=True)
    x = torch.rand(4, dtype=DOUBLE)
    for call in (lambda v: x.index_fill(0, i(1, 1, 3), v), lambda v: x.index_put((i(1, 1, 3),), v)):
        torch.autograd.gradcheck(inside(call), v, check_forward_ad=True)
        (gradient,) = torch.autograd.grad(inside(call)(v).sum(), v)
        assert gradient == 2  # torch's own says 3


def test_numbers_that_go_nowhere_have_a_gradient_of_0():
    """torch's own raises where the index is smaller than what is scattered."""
    x, v = (torch.rand(3, 4, dtype=DOUBLE, requires_grad=True) for _ in range(2))
    for call in (T.scatter, T.scatter_add):
        torch.autograd.gradcheck(lambda x, v, c=call: inside(c)(x, 1, i([0, 1], [3, 3 - 1]), v), (x, v), check_forward_ad=True)


@pytest.mark.parametrize("name", ["scatter", "scatter_add"])
def test_an_index_smaller_than_its_source_leaves_out_the_rest_of_it(name):
    """torch's own backward raises (pytorch 188843)."""
    x, source = (torch.rand(3, 4, dtype=DOUBLE, requires_grad=True) for _ in range(2))
    index = torch.tensor([[0, 2], [1, 3]])
    y = inside(getattr(torch, name))(x, 1, index, source)
    g = torch.rand(3, 4, dtype=DOUBLE)
    dC_dx, dC_dsource = torch.autograd.grad(y, (x, source), g)
    assert torch.equal(dC_dsource, F.pad(g[:2].gather(1, index), (0, 2, 0, 1)))
    assert torch.equal(dC_dx, g if name == "scatter_add" else g.scatter(1, index, 0))


def test_a_gradient_of_infinity_does_not_spread():
    x, v = torch.rand(3, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    g = torch.tensor([torch.inf, 1.0, torch.nan])
    dC_dx, dC_dv = torch.autograd.grad(inside(torch.index_fill)(x, 0, i(1), v), (x, v), g)
    assert dC_dv == 1
    assert dC_dx[1] == 0


def assigned(index, of_p):
    def f(p):
        x = (p * p).view(2, 3) * 1
        x[index] = of_p(p)
        return x * p.view(2, 3)

    return f


NESTED = {
    "assigned to a view": assigned((slice(None), 1), lambda p: p[:2] ** 2),
    "assigned to an index": assigned((slice(None), i(0, 2)), lambda p: p[:2] ** 2),
    "a number assigned": assigned(0, lambda p: 2),
}
P = torch.linspace(0.3, 1.2, 6, dtype=DOUBLE)
LETTERS = {"f": jacfwd, "r": jacrev, "v": lambda f: lambda x: vmap(f)(x.expand(2, *x.shape))}
WORDS = ["".join(word) for n in (1, 2) for word in itertools.product("frv", repeat=n) if set(word) != {"v"}]


@pytest.mark.parametrize("name", NESTED)
def test_a_nesting_of_an_assignment_is_that_of_torchs_reverse_mode(name):
    p = P.clone().requires_grad_()
    assert not audit(inside(NESTED[name])(p)).native
    for word in WORDS:
        ours, theirs = inside(NESTED[name]), NESTED[name]
        for letter in reversed(word):
            ours, theirs = LETTERS[letter](ours), LETTERS[letter.replace("f", "r")](theirs)
        assert_close(ours(P), theirs(P), rtol=1e-9, atol=1e-9)


def s(*shape):
    return torch.randn(shape, dtype=DOUBLE)


def test_windows_pass_every_check_but_one():
    """Compiled by itself, its output would be a view that overlaps: the call makes a copy there."""
    report = check_function(WindowsFunction.apply, (s(2, 5, 2).requires_grad_(), 1, 3, 2), raise_exception=False)
    failed = {name for name, verdict in report.items() if not verdict.startswith(("SUCCESS", "SKIPPED"))}
    assert failed <= {"compile"}
    x = s(2, 5, 2).requires_grad_()
    g = s(2, 2, 2, 3)
    torch._dynamo.reset()
    y = torch.compile(inside(lambda x: x.unfold(1, 3, 2)), backend="aot_eager")(x)
    assert_close(torch.autograd.grad(y, x, g), torch.autograd.grad(x.unfold(1, 3, 2), x, g))
    assert inside(lambda x: (x * 1).unfold(1, 3, 2))(x)._is_view()  # in eager mode, as torch's


@pytest.mark.parametrize("reduce", ["add", "multiply"])
@pytest.mark.filterwarnings("ignore:The reduce argument of torch.scatter")
def test_a_scatter_that_reduces_is_torchs(reduce):
    x, index = s(2, 3).requires_grad_(), i([0, 2], [1, 1])
    found, expected = (f(lambda: x.scatter(1, index, 2.5, reduce=reduce))() for f in (inside, lambda f: f))
    assert_close(found, expected)


def test_an_image_without_a_batch_is_unshuffled_by_hand():
    x = s(2, 4, 6).requires_grad_()
    y = inside(F.pixel_unshuffle)(x, 2)
    assert not audit(y).native
    assert torch.equal(y, F.pixel_unshuffle(x, 2))
