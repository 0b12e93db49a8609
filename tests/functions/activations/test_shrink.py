"""GLU, PReLU, RReLU, the shrinking activations, tanhshrink, softmin; ReLU's choice without torch.where."""

import itertools
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, assert_same, inside, nested, outcome
from torch.func import jacfwd, jacrev, vmap
from torch.testing import assert_close

from manualgrad import audit, by_hand
from manualgrad.functions import ReLUFunction, _chunked
from manualgrad.functions.activations import prelu as prelu_page
from manualgrad.functions.activations._masks import where_not_0

DOUBLE = torch.float64
W = torch.tensor([0.3, -0.4, 1.5], dtype=DOUBLE)
CASES = {  # a call of x [2, 3, 4], and a composition
    "glu": (lambda x: F.glu(x), lambda x: x[..., :2] / (1 + (-x[..., 2:]).exp())),
    "glu, 0": (lambda x: F.glu(x, 0), lambda x: x[:1] / (1 + (-x[1:]).exp())),
    "prelu": (lambda x: F.prelu(x, W[:1]), lambda x: torch.where(x > 0, x, 0.3 * x)),
    "prelu, channels": (lambda x: F.prelu(x, W), lambda x: torch.where(x > 0, x, W[:, None] * x)),
    "prelu, by its slopes": (lambda x: F.prelu(X, x[0, :, 0]), lambda x: torch.where(X > 0, X, x[0, :, :1] * X)),
    "prelu, by both": (lambda x: F.prelu(x, x[0, :, 0]), lambda x: torch.where(x > 0, x, x[0, :, :1] * x)),
    "rrelu": (lambda x: F.rrelu(x, 0.2, 0.6), lambda x: torch.where(x > 0, x, 0.4 * x)),
    "threshold": (lambda x: F.threshold(x, 0.3, -1.0), lambda x: torch.where(x > 0.3, x, -1.0)),
    "hardshrink": (lambda x: F.hardshrink(x, 0.4), lambda x: torch.where(x.abs() > 0.4, x, 0)),
    "softshrink": (lambda x: F.softshrink(x, 0.4), lambda x: torch.where(x.abs() > 0.4, x - 0.4 * x.sign(), 0)),
    "tanhshrink": (lambda x: F.tanhshrink(x), lambda x: x - ((2 * x).exp() - 1) / ((2 * x).exp() + 1)),
    "softmin": (lambda x: F.softmin(x, 1), lambda x: (-x).exp() / (-x).exp().sum(1, keepdim=True)),
    "relu": (lambda x: F.relu(x), lambda x: torch.where(x > 0, x, 0)),
}
X = torch.randn(2, 3, 4, dtype=DOUBLE)
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)

LETTERS = {"f": jacfwd, "r": jacrev, "v": lambda f: lambda x: vmap(f)(torch.stack([x, 2 * x]))}
IN_REVERSE = {**LETTERS, "f": jacrev}
WORDS = ["".join(word) for n in (1, 2) for word in itertools.product("frv", repeat=n)]


@pytest.mark.parametrize("word", WORDS)
@each_case
def test_every_nesting_has_the_derivatives_of_the_composition(case, word):
    call, composition = case
    x = torch.randn(2, 3, 4, dtype=DOUBLE)
    x = torch.where(x.abs() < 0.01, 0.1, x)
    assert_close(nested(inside(call), word, LETTERS)(x), nested(composition, word, IN_REVERSE)(x))


def test_torch_compile_takes_the_whole_graph():
    calls = [call for call, _ in CASES.values()]
    x = X.clone().requires_grad_()
    both = [
        lambda t, f=f: torch.stack([f(call)(t).square().sum() for call in calls]).sum() for f in (inside, lambda call: call)
    ]
    value = torch.compile(both[0], fullgraph=True, backend="aot_eager")(x)
    assert_close(torch.autograd.grad(value, x), torch.autograd.grad(both[1](x), x))


@each_case
def test_under_autocast_the_dtypes_are_torchs(case, device, monkeypatch):
    call, _ = case
    monkeypatch.setitem(globals(), "W", W.to(device, torch.bfloat16))
    monkeypatch.setitem(globals(), "X", X.to(device, torch.bfloat16))
    x = torch.randn(2, 3, 4, dtype=torch.bfloat16, device=device, requires_grad=True)
    results = []
    for block in (by_hand, nullcontext):
        with torch.autocast(device.type, torch.bfloat16), block():
            y = call(x)
        results.append((y.dtype, torch.autograd.grad(y.float().square().sum(), x)[0].dtype))
    assert results[0] == results[1]


SHAPES = {
    "a number": ((), 1),
    "a vector": ((5,), 1),
    "rows": ((6, 3), 3),
    "images": ((4, 3, 5, 6), 3),
    "images, 1": ((4, 3, 5, 6), 1),
    "none": ((0, 3), 3),
    "many": ((40, 3, 10), 3),
    "many, 1": ((40, 3, 10), 1),
}
LAYOUTS = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.to(memory_format=torch.channels_last) if x.dim() == 4 else x,
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2] if x.dim() else x,
}


@pytest.mark.parametrize("part", [100, 1 << 16])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("shape", "slopes"), SHAPES.values(), ids=SHAPES)
def test_prelu_is_torchs_in_any_shape_whole_and_in_parts(shape, slopes, layout, part, monkeypatch):
    monkeypatch.setattr(_chunked, "_PART", part)
    z = layout(torch.randn(shape, dtype=DOUBLE)).detach().requires_grad_()
    w = torch.randn(slopes, dtype=DOUBLE, requires_grad=True)
    assert not audit(inside(F.prelu)(z, w)).native
    assert_same(lambda t: inside(F.prelu)(*t), lambda t: F.prelu(*t), (z, w))
    g = torch.randn_like(z)
    results = [torch.autograd.grad(f(z, w), (z, w), g) for f in (inside(F.prelu), F.prelu)]  # nothing records it: in parts
    assert_close(*results)
    assert results[0][0].stride() == results[1][0].stride() or not z.numel()


def test_prelu_in_parts_is_in_parts(monkeypatch):
    written = []
    write = _chunked._write
    monkeypatch.setattr(_chunked, "_PART", 100)
    monkeypatch.setattr(_chunked, "_write", lambda *args: written.append(1) or write(*args))
    z, w = torch.randn(40, 3, 10, requires_grad=True), torch.randn(3, requires_grad=True)
    torch.autograd.grad(inside(F.prelu)(z, w).sum(), (z, w))
    assert written


@pytest.mark.parametrize("g", [1.0, torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize("slope", [0.25, 0.0, -2.0])
def test_prelu_has_torchs_derivatives_where_something_is_infinite_or_nan(slope, g):
    z = torch.tensor([-torch.inf, -2.0, -1e-40, -0.0, 0.0, 1e-40, 3.0, torch.inf, torch.nan], requires_grad=True)
    w = torch.tensor([slope], requires_grad=True)
    results = [(f(z, w), *torch.autograd.grad(f(z, w), (z, w), torch.full_like(z, g))) for f in (inside(F.prelu), F.prelu)]
    assert_close(*results, equal_nan=True)


@pytest.mark.parametrize("g", [torch.inf, torch.nan])
def test_prelus_slope_hears_nothing_of_where_z_is_above_0(g):
    z, w = torch.tensor([3.0, -2.0], requires_grad=True), torch.tensor([0.5], requires_grad=True)
    g = torch.tensor([g, 1.0])
    assert torch.autograd.grad(inside(F.prelu)(z, w), w, g)[0].tolist() == [-2]
    assert prelu_page.plain(torch.zeros(1)) is False  # grad mode is on here; in a backward it is off


BITS = {torch.float16: torch.int16, torch.bfloat16: torch.int16, torch.float32: torch.int32, DOUBLE: torch.int64}


@pytest.mark.parametrize(("dtype", "bits"), BITS.items(), ids=str)
def test_the_choice_by_bits_is_that_of_where_bit_by_bit(dtype, bits):
    special = [0.0, -0.0, 1.0, -1.0, torch.inf, -torch.inf, torch.nan, 1e-45, 6e-8, 5e-324, 3e38]
    special = torch.tensor(special, dtype=dtype)
    special = torch.cat([special, special.view(bits).bitwise_or(torch.iinfo(bits).min).view(dtype)])  # and with the other sign
    a, t = special.repeat_interleave(len(special)), special.repeat(len(special))
    with torch.no_grad():
        assert _chunked.plain(a)
        found = where_not_0(a, t)
    assert torch.equal(found.view(bits), torch.where(a == 0, 0, t).view(bits))


@pytest.mark.parametrize("dtype", BITS, ids=str)
@pytest.mark.parametrize("layout", [*LAYOUTS.values(), lambda x: x[:1].expand(x.shape)], ids=[*LAYOUTS, "expanded"])
def test_relu_is_torchs_in_every_layout(layout, dtype):
    z = torch.randn(4, 3, 5, 6, dtype=dtype)
    z[..., 0] = torch.nan
    z[..., 1] = -torch.nan
    z = layout(z).detach().requires_grad_()
    for g in (
        torch.randn(z.shape, dtype=dtype),
        torch.tensor(torch.inf, dtype=dtype).expand(z.shape),
        torch.randn(6, 5, 3, 4, dtype=dtype).mT.permute(1, 3, 2, 0).reshape(z.shape),
    ):
        results = [torch.autograd.grad(f(z), z, g)[0] for f in (ReLUFunction.apply, torch.relu)]
        assert_close(*results, equal_nan=True)
        assert results[0].stride() == results[1].stride() or g.stride() != z.stride()


KINKS = torch.tensor([-torch.inf, -0.4, -0.1, -0.0, 0.0, 0.1, 0.3, 0.4, torch.inf, torch.nan])
SHRINKS = {
    "hardshrink": lambda z: F.hardshrink(z, 0.4),
    "hardshrink, 0": lambda z: F.hardshrink(z, 0),
    "hardshrink, below 0": lambda z: F.hardshrink(z, -0.4),
    "softshrink": lambda z: F.softshrink(z, 0.4),
    "softshrink, 0": lambda z: F.softshrink(z, 0),
    "threshold": lambda z: F.threshold(z, 0.3, 2.0),
    "threshold, torch's": lambda z: torch.threshold(z, -0.1, 0.0),
    "threshold, at 0": lambda z: F.threshold(z, 0, -1),
    "threshold, in place": lambda z: F.threshold(z * 1, 0.3, 2.0, inplace=True),
    "threshold, torch's in place": lambda z: torch.threshold_(z * 1, 0.3, 2.0),
    "rrelu": lambda z: F.rrelu(z),
    "rrelu, torch's": lambda z: torch.rrelu(z, 0.1, 0.2),
    "rrelu, in place": lambda z: F.rrelu(z * 1, inplace=True),
}

HAVE_TWO = [call for name, call in SHRINKS.items() if "shrink" in name]  # derivatives at nan, in torch, by the length of z


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("call", SHRINKS.values(), ids=SHRINKS)
def test_at_the_kinks_and_where_something_is_infinite_shrinking_is_torchs(call, dtype, in_parts, monkeypatch):
    monkeypatch.setattr(_chunked, "_PART", 1 if in_parts else 1 << 20)
    for g in (1.0, torch.inf, torch.nan):
        z = KINKS.to(dtype).repeat(4).requires_grad_()
        y = inside(call)(z)
        assert not audit(y).native
        expected = call(z)
        free = expected.isnan() & (call in HAVE_TWO)
        results = [torch.autograd.grad(value, z, torch.full_like(z, g))[0].masked_fill(free, 0) for value in (y, expected)]
        assert_close(y, expected, equal_nan=True)
        assert_close(*results, equal_nan=True)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("call", [F.rrelu, torch.rrelu], ids=["F", "torch"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_rrelu_in_training_draws_torchs_slopes(call, inplace, dtype):
    results = []
    for block in (by_hand, nullcontext):
        z = torch.linspace(-2, 2, 9, dtype=dtype, requires_grad=True)
        torch.manual_seed(3)
        with block():
            more = {"inplace": True} if inplace and call is F.rrelu else {}
            a = call(z * 1, 0.1, 0.7, training=True, **more)
        results.append((a, *torch.autograd.grad(a.float().square().sum(), z), torch.rand(1)))
    assert_close(*results)  # torch rounds half precision once, as it does not round the slopes
    assert dtype in HALF or all(map(torch.equal, *results))


WRONG = {
    "glu of an odd size": lambda x: F.glu(x[..., :3]),
    "glu's dimension": lambda x: F.glu(x, 5),
    "glu of a number": lambda x: F.glu(x[0, 0, 0]),
    "prelu's slopes": lambda x: F.prelu(x, torch.rand(2)),
    "prelu's slopes in float64": lambda x: F.prelu(x, torch.rand(3, dtype=DOUBLE)),
    "prelu's slopes as a matrix": lambda x: F.prelu(x, torch.rand(1, 3)),
    "rrelu upside down": lambda x: F.rrelu(x, 0.5, 0.2),
    "softshrink below 0": lambda x: F.softshrink(x, -0.1),
    "a bound": lambda x: F.hardshrink(x, "far"),
    "a threshold": lambda x: F.threshold(x, "far", 0),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_by_torch(wrong):
    x = torch.randn(2, 3, 4, requires_grad=True)
    found, expected = (outcome(lambda f=f: f(x)) for f in (inside(wrong), wrong))
    assert len(expected) == 2
    assert found == expected
