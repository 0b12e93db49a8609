"""layer_norm and rms_norm under by_hand, against torch's own, and in every order against the elementary compositions.

torch's own second derivatives of layer_norm in forward mode, and its third ones, are silently wrong (pytorch issues 196700,
175754).
"""

import math
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, assert_as_close, inside
from torch.testing import assert_close

from manualgrad import audit, by_hand
from manualgrad.functions import _chunked
from manualgrad.functions.normalization.layer_norm import LayerNormFunction
from manualgrad.functions.normalization.rms_norm import RMSNormFunction

DOUBLE = torch.float64


def rand(*shape, dtype=DOUBLE):
    return torch.randn(shape, dtype=DOUBLE).to(dtype).requires_grad_()


def layer_composition(x, shape, w=None, b=None, eps=1e-5):
    """The same of sums and products."""
    dims = tuple(range(-len(shape), 0))
    from_m = x - x.mean(dims, keepdim=True)
    y = from_m / (from_m.square().mean(dims, keepdim=True) + eps).sqrt()
    y = y if w is None else y * w
    return y if b is None else y + b


def rms_composition(x, shape, w=None, b=None, eps=1e-5):
    y = x / (x.square().mean(tuple(range(-len(shape), 0)), keepdim=True) + eps).sqrt()
    return y if w is None else y * w


def rms(x, shape, w=None, b=None, eps=1e-5):
    """With the arguments of layer_norm."""
    return F.rms_norm(x, shape, w, eps)


PAIRS = {"layer": (F.layer_norm, layer_composition), "rms": (rms, rms_composition)}
each_norm = pytest.mark.parametrize(("norm", "composition"), PAIRS.values(), ids=PAIRS)


SHAPES = [
    ((5,), 1),
    ((3, 4), 1),
    ((2, 3, 4), 2),
    ((2, 3, 4), 3),
    ((0, 4), 1),
    ((3, 0), 1),
    ((2, 0, 4), 1),
    ((4, 1), 1),
    ((1, 1), 2),
]


@each_norm
@pytest.mark.parametrize("affine", ["wb", "w", "b", ""])
@pytest.mark.parametrize(("shape", "n"), SHAPES, ids=str)
def test_each_shape(norm, composition, shape, n, affine):
    last = shape[-n:]
    inputs = [rand(*shape), *(rand(*last) if name in affine and not (name == "b" and norm is rms) else None for name in "wb")]
    values = [f(inputs[0], last, *inputs[1:], 1e-3) for f in (inside(norm), norm)]
    assert not audit(values[0]).native
    assert_close(*values, rtol=1e-12, atol=1e-12)
    g = torch.randn_like(values[0])
    wanted = [t for t in inputs if t is not None]
    assert_close(*(torch.autograd.grad(y, wanted, g) for y in values), rtol=1e-12, atol=1e-12)


LAYOUTS = {
    "transposed": lambda: torch.randn(6, 7, 5, dtype=DOUBLE).transpose(1, 2),
    "every other": lambda: torch.randn(6, 5, 14, dtype=DOUBLE)[..., ::2],
    "expanded": lambda: torch.randn(6, 5, 1, dtype=DOUBLE).expand(6, 5, 7),
    "examples expanded": lambda: torch.randn(1, 1, 7, dtype=DOUBLE).expand(6, 5, 7),
}


@each_norm
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_layout(norm, composition, layout):
    x, w, b = layout().requires_grad_(), rand(7, 2)[:, 0], rand(7)
    g = layout()
    wanted = (x, w) if norm is rms else (x, w, b)
    y, expected = inside(norm)(x, (7,), w, b), norm(x, (7,), w, b)
    assert y.stride() == expected.stride()
    assert_close(y, expected, rtol=1e-12, atol=1e-12)
    assert_close(torch.autograd.grad(y, wanted, g), torch.autograd.grad(expected, wanted, g), rtol=1e-12, atol=1e-12)


def test_a_single_gradient_is_wanted():
    inputs = rand(5, 4), rand(4), rand(4)
    g = torch.randn(5, 4, dtype=DOUBLE)
    for i in range(3):
        given = [t if i == j else t.detach() for j, t in enumerate(inputs)]
        found, expected = (
            torch.autograd.grad(f(given[0], (4,), *given[1:]), given[i], g) for f in (inside(F.layer_norm), F.layer_norm)
        )
        assert_close(found, expected, rtol=1e-12, atol=1e-12)


@each_norm
@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("affine", [True, False])
def test_large_arrays_are_worked_on_in_parts(norm, composition, affine, dtype, monkeypatch):
    steps = []
    monkeypatch.setattr(_chunked, "_part", lambda: 1 << 10)
    monkeypatch.setattr(_chunked, "_step", lambda a, step=_chunked._step: steps.append(step(a)) or steps[-1])
    given = [
        torch.randn(3, 101, 20).to(dtype),
        *(torch.randn(20) if affine and not (norm is rms and k) else None for k in (0, 1)),
    ]
    g = torch.randn(3, 101, 20).to(dtype)
    results = []
    for f, kind in ((inside(norm), lambda t: t if dtype in HALF else t.to(dtype)), (composition, torch.Tensor.double)):
        inputs = [None if t is None else kind(t).clone().requires_grad_() for t in given]
        y = f(inputs[0], (20,), *inputs[1:])
        results.append([y, *torch.autograd.grad(y, [t for t in inputs if t is not None], g.to(y.dtype))])
    assert steps == [51] * (2 if norm is rms else 1)
    for found, exact in zip(*results, strict=True):
        eps = torch.finfo(found.dtype).eps
        assert_close(found.double(), exact, rtol=eps, atol=max(eps, 1e-6) * 60 if found.dim() == 1 else 16 * eps)


@each_norm
@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("parameters", ["half", "float32", "none"])
def test_half_precision_has_float32_statistics(norm, composition, dtype, parameters):
    """Off by what float32 rounds, and its last rounding; far closer than m in half precision."""
    x = (torch.randn(64, 48, dtype=DOUBLE) + 20).to(dtype).requires_grad_()
    kind = dtype if parameters == "half" else torch.float32
    w, b = (None, None) if parameters == "none" else (rand(48, dtype=kind), None if norm is rms else rand(48, dtype=kind))
    tree = (x, (48,), w, b)
    assert_as_close(lambda t: inside(norm)(*t), lambda t: norm(*t), tree, computed_in=torch.float32)


@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32, *HALF, torch.complex64], ids=str)
def test_an_eps_of_none_is_that_of_the_dtype_that_is_computed_in(dtype):
    x = (torch.randn(3, 4, dtype=DOUBLE) * 1e-4).to(dtype).requires_grad_()
    y, expected = (f(x, (4,)) for f in (inside(F.rms_norm), F.rms_norm))
    assert not audit(y).native
    assert_close(y, expected)
    assert (inside(torch.rms_norm)(x, (4,), None, None) == y).all()


@pytest.mark.parametrize("w_dtype", [DOUBLE, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("x_dtype", [DOUBLE, torch.float32, torch.bfloat16], ids=str)
def test_rms_norm_takes_any_two_dtypes(x_dtype, w_dtype):
    x, w, g = rand(3, 4, dtype=x_dtype), rand(4, dtype=w_dtype), torch.randn(3, 4).to(x_dtype)
    results = [(f(x, (4,), w), *torch.autograd.grad(f(x, (4,), w), (x, w), g)) for f in (inside(F.rms_norm), F.rms_norm)]
    for found, expected in zip(*results, strict=True):
        tolerance = 2e-2 if torch.bfloat16 in (x_dtype, w_dtype) else 1e-5
        assert found.dtype == expected.dtype
        assert_close(found, expected, rtol=tolerance, atol=tolerance)


@each_norm
def test_second_and_third_derivatives_by_autograd(norm, composition):
    inputs = (rand(3, 2, 3), rand(2, 3), rand(2, 3))[: 2 if norm is rms else 3]
    of = lambda f: lambda x, *wb: f(x, (2, 3), *wb)  # noqa: E731
    torch.autograd.gradcheck(of(inside(norm)), inputs, check_forward_ad=True, check_batched_grad=True)
    torch.autograd.gradgradcheck(of(inside(norm)), inputs, check_fwd_over_rev=True)
    directions = [torch.randn_like(t) for t in inputs]
    results = []
    for f in (inside(norm), composition):
        value = (of(f)(*inputs) ** 3).sum()
        for _ in range(3):
            gradients = torch.autograd.grad(value, inputs, create_graph=True, allow_unused=True, materialize_grads=True)
            value = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
        results.append(value)
    assert_close(*results)


def test_what_comes_back_to_the_statistics_is_used():
    x, w, b = rand(5, 3), rand(3), rand(3)
    m = x.mean(1, keepdim=True)
    r = ((x - m).square().mean(1, keepdim=True) + 1e-5).rsqrt()
    q = (x.square().mean(1, keepdim=True) + 1e-5).rsqrt()
    ours = [*LayerNormFunction.apply(x, w, b, (3,), 1e-5), *RMSNormFunction.apply(x, w, (3,), 1e-5)]
    expected = [layer_composition(x, (3,), w, b), m, r, rms_composition(x, (3,), w), q]
    pairs = [
        *zip(ours, expected, strict=True),
        (ours[0] * ours[1] * ours[2], expected[0] * m * r),
        (ours[3] * ours[4], expected[3] * q),
    ]
    for value, other in pairs:
        assert_close(value, other)
        g = torch.randn_like(other)
        assert_close(*(torch.autograd.grad(t, x, g, retain_graph=True) for t in (value, other)))


ERRORS = {
    "a number for the shape": lambda: F.layer_norm(rand(2, 3), 3),
    "no shape": lambda: F.layer_norm(rand(2, 3), ()),
    "a shape that is not the input's": lambda: F.layer_norm(rand(2, 3), (2,)),
    "too long a shape": lambda: F.layer_norm(rand(3), (3, 3)),
    "a weight of another size": lambda: F.layer_norm(rand(2, 3), (3,), rand(4)),
    "a weight of another dtype": lambda: F.layer_norm(rand(2, 3), (3,), rand(3, dtype=torch.float32)),
    "two dtypes": lambda: F.layer_norm(rand(2, 3, dtype=torch.bfloat16), (3,), rand(3, dtype=torch.bfloat16), rand(3).float()),
    "complex": lambda: F.layer_norm(rand(2, 3) + 1j, (3,)),
    "rms: a number for the shape": lambda: F.rms_norm(rand(2, 3), 3),
    "rms: another shape": lambda: F.rms_norm(rand(2, 3), (2,)),
    "rms: a weight of another size": lambda: F.rms_norm(rand(2, 3), (3,), rand(4)),
    "eps is no number": lambda: F.layer_norm(rand(2, 3), (3,), eps="small"),
}


@pytest.mark.parametrize("wrong", ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_said_by_torch(wrong):
    found = []
    for call in (inside(wrong), wrong):
        with pytest.raises(Exception) as error:  # noqa: PT011
            call()
        found.append((error.type, str(error.value)))
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("norm", [F.layer_norm, rms], ids=["layer", "rms"])
@pytest.mark.parametrize("weighted", [True, False])
def test_under_autocast_the_dtypes_are_torchs(norm, dtype, weighted, device):
    x, w = rand(4, 3, dtype=dtype).to(device), rand(3, dtype=torch.float32).to(device) if weighted else None
    found = []
    for block in (by_hand, nullcontext):
        with torch.autocast(device.type, torch.bfloat16), block():
            y = norm(x, (3,), w)
        found.append([y.dtype, *(g.dtype for g in torch.autograd.grad(y.sum(), [x, *([w] if weighted else [])]))])
    assert found[0] == found[1]


def test_numbers_far_from_0():
    x = (rand(4, 50) + 1e6).detach().requires_grad_()
    g = torch.randn(4, 50, dtype=DOUBLE)
    found, expected = (torch.autograd.grad(f(x, (50,)), x, g) for f in (inside(F.layer_norm), layer_composition))
    assert math.isfinite(found[0].sum())
    assert_close(found, expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("number", [1e6 + 0.3, 12_345_678.0, -3e15])
def test_over_one_element_far_from_0_the_gradient_of_the_weight_is_0(number):
    """x − m is 0 however far x is; torch's own says 7.2 and more, as it rounds otherwise (pytorch 188372)."""
    x = torch.tensor([[number], [number / 7]], requires_grad=True)
    w, b = torch.tensor([2.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    y = inside(F.layer_norm)(x, (1,), w, b)
    dC_dx, dC_dw, dC_db = torch.autograd.grad(y.sum(), (x, w, b))
    assert not dC_dx.any()
    assert dC_dw == 0
    assert dC_db == 2


def test_vmap_of_the_weights_gradient_has_the_derivatives_of_the_loop():
    """torch's own vmap of func.grad is off by more than 1 in the derivative by x."""
    x = torch.randn(3, 2, 4, dtype=DOUBLE, requires_grad=True)
    w = torch.linspace(0.5, 1.5, 4, dtype=DOUBLE).requires_grad_()
    by_w = torch.func.grad(lambda w, x: inside(F.layer_norm)(x, (4,), w).square().sum())
    composed = torch.func.grad(lambda w, x: layer_composition(x, (4,), w).square().sum())
    batched = torch.vmap(by_w, (None, 0))(w, x)
    for looped in (torch.stack([by_w(w, each) for each in x]), torch.stack([composed(w, each) for each in x])):
        assert_close(batched, looped)
        assert_close(
            torch.autograd.grad(batched.sin().sum(), (w, x), retain_graph=True), torch.autograd.grad(looped.sin().sum(), (w, x))
        )
