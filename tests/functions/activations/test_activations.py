"""The activations but sigmoid, ReLU and softmax."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, inside
from torch.testing import assert_close

from manualgrad import audit, by_hand
from manualgrad.functions import _chunked

T, N = torch.Tensor, torch._C._nn
DOUBLE = torch.float64
IN_PLACE = ("silu", "mish", "leaky_relu", "hardtanh", "relu6", "hardsigmoid", "hardswish", "elu", "selu", "celu")
ARGUMENTS = {
    "tanh": (),
    "silu": (),
    "mish": (),
    "gelu": (),
    "leaky_relu": (0.2,),
    "leaky_relu, negative": (-0.3,),
    "leaky_relu, 0": (0,),
    "elu": (),
    "elu, 2": (2.0,),
    "selu": (),
    "celu": (),
    "celu, 2": (2.0,),
    "hardtanh": (),
    "hardtanh, wide": (-2, 6.0),
    "relu6": (),
    "hardsigmoid": (),
    "hardswish": (),
    "softplus": (),
    "softplus, steep": (3.0, 2.0),
    "logsigmoid": (),
    "softsign": (),
}


def call_of(name, *arguments, **more):
    function = getattr(F, name)
    return lambda x: function(x, *arguments, **more)


CALLS = {name: call_of(name.partition(",")[0], *arguments) for name, arguments in ARGUMENTS.items()}
CALLS["gelu, tanh"] = call_of("gelu", approximate="tanh")
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)

KINKS = (-6.0, -3.0, -2.0, -1.0, -0.0, 0.0, 1.0, 2.0, 3.0, 6.0, 20.0)


@pytest.mark.parametrize("in_parts", [False, True])
@each_call
def test_the_derivatives_at_the_kinks_are_torchs(call, in_parts, monkeypatch):
    monkeypatch.setattr(_chunked, "_PART", 1 if in_parts else 1 << 20)
    x = torch.tensor(KINKS * (8 if in_parts else 1), dtype=DOUBLE)
    for t in (x, x.nextafter(x + 1), x.nextafter(x - 1)):
        t.requires_grad_()
        g = torch.randn_like(t)
        assert_close(torch.autograd.grad(inside(call)(t), t, g), torch.autograd.grad(call(t), t, g))


EXTREMES = (-torch.inf, -1e4, -4.0, -3.0, 0.0, 3.0, 4.0, 1e4, torch.inf)


@pytest.mark.parametrize("in_parts", [False, True])
@each_call
def test_what_is_infinite_or_nan_is_as_torch_has_it(call, in_parts, monkeypatch):
    monkeypatch.setattr(_chunked, "_PART", 1 if in_parts else 1 << 20)
    for g in (1.0, torch.inf, torch.nan):
        x = torch.tensor(EXTREMES * 8, requires_grad=True)
        y, expected = inside(call)(x), call(x)
        g = torch.full_like(y, g)
        results = [torch.autograd.grad(value, x, g)[0] for value in (y, expected)]
        free = expected.isnan()  # a value of nan has a derivative as it comes: torch's own has two, by the length of x
        if call is CALLS["softsign"]:
            free |= results[1].isnan()  # as its ∞ − ∞, where ours is ∞
        assert_close(y, expected, equal_nan=True)
        assert_close(*[r.masked_fill(free, 0) for r in results], equal_nan=True)


LAYOUTS = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.to(memory_format=torch.channels_last),
    "strided": lambda x: x.repeat_interleave(2, 1)[:, ::2],
    "expanded": lambda x: x[:1].expand(x.shape),
    "empty": lambda x: x[:, :0],
}


@pytest.mark.few(60)
@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@each_call
def test_large_arrays_in_parts_have_the_same_gradient(call, layout, dtype, monkeypatch):
    written = []
    write = _chunked._write
    monkeypatch.setattr(_chunked, "_PART", 100)
    monkeypatch.setattr(_chunked, "_write", lambda *args: written.append(1) or write(*args))
    x = layout(2 * torch.randn(20, 8, 9, 10, dtype=dtype)).detach().requires_grad_()
    y = inside(call)(x)
    g = torch.randn_like(y)
    (gradient,) = torch.autograd.grad(y, x, g)
    if dtype == torch.bfloat16:
        assert_close(gradient.double(), torch.autograd.grad(call(x.double()), x, g.double())[0].double(), rtol=0.016, atol=0.02)
    else:
        assert_close(gradient, torch.autograd.grad(call(x), x, g)[0])
    assert written or x.numel() < 200 or x.stride() != y.stride() or not torch.ops.aten.is_non_overlapping_and_dense(x)


CHANGES = {name: call_of(name, inplace=True) for name in IN_PLACE}
CHANGES |= {f"{name}_": getattr(F, f"{name}_") for name in ("elu", "leaky_relu", "hardtanh", "selu", "celu")}
CHANGES |= {f"_C.{name}_": getattr(N, f"{name}_") for name in ("silu", "mish", "gelu", "hardswish", "hardsigmoid", "relu6")}
CHANGES |= {"tanh_": T.tanh_, "torch.tanh_": torch.tanh_}


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_activation_in_place_stays_in_place_also_on_a_view(change, view):
    results = []
    for block in (by_hand, nullcontext):
        torch.manual_seed(0)
        x = torch.randn(3, 4, dtype=DOUBLE, requires_grad=True)
        with block():
            whole = x * 1
            changed = whole[1:] if view else whole
            version = changed._version
            assert change(changed) is changed
            assert changed._version == version + 1
            loss = (whole * whole).sum()
        if block is by_hand:
            assert not audit(loss).native
        results.append((whole, *torch.autograd.grad(loss, x)))
    assert_close(*results)


KEEP_NONE = ("relu", "relu6", "hardtanh", "leaky_relu", "rrelu")


@pytest.mark.parametrize("name", [*KEEP_NONE, "silu", "mish", "hardswish", "hardsigmoid"])
def test_an_activation_in_place_keeps_no_more_arrays_than_torchs(name):
    more = []
    for call in (inside(getattr(F, name)), getattr(F, name)):
        kept = set()
        y = torch.randn(3, 4, requires_grad=True) * 1
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.add(t.data_ptr()) or t, lambda t: t):
            call(y, inplace=True)
        more.append(len(kept - {y.data_ptr()}))
    assert more[0] <= more[1]
    assert more[0] == (name not in KEEP_NONE)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
def test_beyond_bounds_that_the_dtype_has_not_nothing_is_passed_on(dtype, inplace):
    """In place, PyTorch's own compares its output, which has them rounded, with what they are, and is at times inside."""
    x = torch.tensor([-1, 0.5, 1], dtype=dtype, requires_grad=True)
    for bound in (0.7, 1 / 3, 0.1):
        y = inside(F.hardtanh)(x * 1, -bound, bound, inplace=inplace)
        assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, bound > 0.5, 0]


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0, 1.7, -0.5])
@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32, *HALF], ids=str)
def test_leaky_relu_has_torchs_gradient_at_0_and_where_the_output_is_too_small_for_its_dtype(slope, dtype):
    z = torch.tensor([-2.0, -1e-300, -1e-44, -6e-8, -0.0, 0.0, 1e-44, 6e-8, torch.inf, -torch.inf, torch.nan], dtype=dtype)
    z, g = z.requires_grad_(), torch.rand(11).to(dtype)
    (expected,) = torch.autograd.grad(F.leaky_relu(z, slope), z, g)
    assert_close(torch.autograd.grad(inside(F.leaky_relu)(z, slope), z, g)[0], expected, rtol=0, atol=0, equal_nan=True)
    if slope >= 0:
        y = inside(F.leaky_relu)(z * 1, slope, inplace=True)
        assert_close(torch.autograd.grad(y, z, g)[0], expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", [name for name in IN_PLACE if name != "hardsigmoid"])
def test_a_leaf_is_refused_as_torch_refuses_it(name):
    errors = []
    for function in (inside(getattr(F, name)), getattr(F, name)):
        with pytest.raises(RuntimeError) as caught:
            function(torch.randn(3, requires_grad=True), inplace=True)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


ERRORS = {
    "celu of 0": lambda x: F.celu(x, 0),
    "hardtanh upside down": lambda x: F.hardtanh(x, 2.0, 1.0),
    "gelu": lambda x: F.gelu(x, approximate="sin"),
    "a slope": lambda x: F.leaky_relu(x, "steep"),
    "out": lambda x: torch.tanh(x, out=torch.empty(3)),
}


@pytest.mark.parametrize("wrong", ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_said_by_torch(wrong):
    x, errors = torch.randn(3, requires_grad=True), []
    for function in (inside(wrong), wrong):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            function(x)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


def elu(x, alpha, scale, c):
    return torch.where(x > 0, scale * x, scale * alpha * (torch.exp(c * x) - 1))


def test_the_slope_of_hardsigmoid_is_a_sixth_in_float64():
    """torch's own is 1/6 in float32, off by 5e-9."""
    x = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(inside(F.hardsigmoid)(x).sum(), x)
    assert torch.equal(gradient, torch.full_like(x, 1 / 6))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALF], ids=str)
def test_the_second_derivative_of_hardswish_is_a_third_where_the_first_is_0(dtype):
    z = torch.tensor([-4, -1.5, 0, 4], dtype=dtype).requires_grad_()
    (delta,) = torch.autograd.grad(inside(F.hardswish)(z).sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(delta.sum(), z)
    assert delta[1] == 0
    assert_close(second, torch.tensor([0, 1 / 3, 1 / 3, 0], dtype=dtype))
