"""Pooling under by_hand, held against torch's own and against compositions of elementary operations."""

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, assert_same, copy_of, inside
from torch.func import vmap
from torch.testing import assert_close

from manualgrad import audit, by_hand

DOUBLE = torch.float64


def first(value):
    return value[0] if isinstance(value, tuple) else value


def spaced(*shape, dtype=DOUBLE):
    """Numbers far enough apart for finite differences of a maximum."""
    size = torch.Size(shape).numel()
    return (torch.randperm(size).to(dtype) / size).reshape(shape).requires_grad_()


def assert_agrees(function, tree):
    """That the value and the derivatives are torch's, and by hand."""
    value = first(inside(function)(*copy_of(tree)[0], **tree[1]))
    assert not value.requires_grad or not audit(value).native
    assert_same(lambda t: first(inside(function)(*t[0], **t[1])), lambda t: first(function(*t[0], **t[1])), tree)


CALLS = {
    "max of a line": lambda x: F.max_pool1d(x[0], 3, 2, 1),
    "max, overlapping": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max, dilated": lambda x: F.max_pool2d(x, 3, 1, 1, 2, True),
    "max, side by side": lambda x: torch.max_pool2d(x, 2),
    "max of a volume": lambda x: F.max_pool3d(x, (2, 3, 3), 2, 1, ceil_mode=True),
    "max with indices": lambda x: F.max_pool2d(x, (3, 2), return_indices=True)[0],
    "max unbatched": lambda x: F.max_pool2d(x[0], 2),
    "avg of a line": lambda x: F.avg_pool1d(x[0], 3, 2, 1),
    "avg, side by side": lambda x: F.avg_pool2d(x, 2),
    "avg, cut short": lambda x: F.avg_pool2d(x, 2, ceil_mode=True),
    "avg, a rest left out": lambda x: F.avg_pool2d(x, (2, 4), (3, 4)),
    "avg, as many places as windows of three have": lambda x: F.avg_pool2d(x[..., :6, :6], 3, 2),
    "avg, moved by the padding": lambda x: F.avg_pool2d(x[..., :6, :6], 3, 3, 1),
    "avg, one window": lambda x: F.avg_pool2d(x, (8, 7), 1),
    "avg, of stride 1": lambda x: F.avg_pool2d(x, 3, 1, 1),
    "avg, overlapping, without the padding": lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
    "avg, with gaps": lambda x: F.avg_pool2d(x, 2, 3, 1),
    "avg of a side alone": lambda x: F.avg_pool2d(x, (1, 3), (1, 2), (0, 1)),
    "avg by a divisor": lambda x: F.avg_pool2d(x, 3, 2, divisor_override=5),
    "avg of all": lambda x: F.avg_pool2d(x, x.shape[-2:]),
    "avg of a volume": lambda x: F.avg_pool3d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
    "adaptive, of all": lambda x: F.adaptive_avg_pool2d(x, 1),
    "adaptive, side by side": lambda x: F.adaptive_avg_pool2d(x, (4, None)),
    "adaptive, overlapping": lambda x: F.adaptive_avg_pool2d(x, (5, 3)),
    "adaptive, to more": lambda x: F.adaptive_avg_pool2d(x, (20, 9)),
    "adaptive of a line": lambda x: F.adaptive_avg_pool1d(x[0], 3),
    "adaptive of a volume": lambda x: F.adaptive_avg_pool3d(x, (2, 3, None)),
}


def laid_out(layout, dtype=DOUBLE):
    x = spaced(2, 3, 8, 7, dtype=dtype).detach()
    if layout == "channels last":
        x = x.contiguous(memory_format=torch.channels_last)
    if layout == "every other":
        x = torch.stack([x, x], -1)[..., 0]
    if layout == "expanded":
        x = x[:1].expand(2, -1, -1, -1)
    if layout == "no examples":
        x = x[:0]
    return x.requires_grad_()


LAYOUTS = ["contiguous", "channels last", "every other", "expanded"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CALLS)
def test_a_call_agrees_in_each_layout(name, layout):
    if "volume" in name and layout == "channels last":
        pytest.skip("torch.max_pool3d takes none such; channels_last_3d has a test of its own")
    call, x = CALLS[name], laid_out(layout)
    assert_agrees(call, ((x,), {}))
    value, expected = inside(call)(x), call(x)
    assert torch.equal(value, expected)
    assert value.stride() == expected.stride()
    g = torch.ones_like(expected)
    gradients = [torch.autograd.grad(y, x, g)[0] for y in (value, expected)]
    if gradients[1].is_contiguous(memory_format=torch.channels_last) and 0 not in gradients[0].stride():
        assert gradients[0].is_contiguous(memory_format=torch.channels_last)


VOLUMES = {
    "max": lambda x: F.max_pool3d(x, 3, 2, 1),
    "avg": lambda x: F.avg_pool3d(x, 3, 2, 1),
    "avg side by side": lambda x: F.avg_pool3d(x, 2),
    "adaptive": lambda x: F.adaptive_avg_pool3d(x, (3, 2, 2)),
    "adaptive side by side": lambda x: F.adaptive_avg_pool3d(x, (2, 3, 2)),
}


@pytest.mark.parametrize("call", VOLUMES.values(), ids=VOLUMES)
def test_a_volume_agrees_with_its_channels_last(call):
    x = spaced(2, 3, 4, 6, 4).detach().contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    assert_agrees(call, ((x,), {}))
    y, expected = inside(call)(x), call(x)
    gradients = [torch.autograd.grad(value, x, torch.ones_like(value))[0] for value in (y, expected)]
    assert_close(*gradients)
    if gradients[1].is_contiguous(memory_format=torch.channels_last_3d):
        assert gradients[0].is_contiguous(memory_format=torch.channels_last_3d)


PLANES = [call for name, call in CALLS.items() if not any(word in name for word in ("line", "unbatched", "volume"))]


@pytest.mark.parametrize("call", PLANES)
def test_no_examples_are_no_matter(call):
    assert_agrees(call, ((laid_out("no examples"),), {}))


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("call", [c for n, c in CALLS.items() if "volume" not in n])
def test_half_precision_is_added_up_in_float32(call, dtype):
    for layout in ("contiguous", "channels last"):
        assert_agrees(call, ((laid_out(layout, dtype),), {}))


def test_what_many_windows_hear_is_added_up_in_float32():
    """One element is the largest of 25 windows: in bfloat16, 256 + 1 is 256."""
    x = torch.zeros(1, 1, 9, 9, dtype=torch.bfloat16)
    x[..., 4, 4] = 1
    x.requires_grad_()
    y = inside(F.max_pool2d)(x, 5, 1)
    g = torch.ones_like(y)
    g[..., 0, 0] = 256
    (gradient,) = torch.autograd.grad(y, x, g)
    assert gradient[..., 4, 4].item() == 280


def test_to_no_windows_at_all_the_gradient_is_0():
    """Where torch's own backward raises."""
    x = laid_out("contiguous")
    y = inside(F.adaptive_avg_pool2d)(x, (0, 3))
    assert y.shape == (2, 3, 0, 3)
    assert_close(torch.autograd.grad(y.sum(), x)[0], torch.zeros_like(x))


def test_ties_go_to_the_first_and_nan_is_the_largest():
    x = torch.tensor([[[1.0, 1.0, float("nan"), 2.0]]], requires_grad=True)
    y = inside(F.max_pool1d)(x, 2)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert_close(gradient, torch.tensor([[[1.0, 0.0, 1.0, 0.0]]]))


def test_the_indices_are_torchs_and_have_no_gradient():
    x = spaced(2, 3, 8, 7)
    for function in (F.max_pool2d, F.max_pool3d):
        y, index = inside(function)(x, 2, return_indices=True)
        assert torch.equal(index, function(x, 2, return_indices=True)[1])
        assert y.requires_grad
        assert not index.requires_grad
    with by_hand():
        unpooled = F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=x.shape[-2:])
    assert_close(unpooled, F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=x.shape[-2:]))


@pytest.mark.parametrize("g", [float("inf"), float("nan")])
@pytest.mark.parametrize("call", [c for n, c in CALLS.items() if "line" not in n and "unbatched" not in n])
def test_what_comes_back_stays_in_its_windows(call, g):
    x = laid_out("contiguous")
    value = inside(call)(x)
    back = torch.zeros_like(value)
    back[0, 0, 0, 0] = g
    found, expected = (torch.autograd.grad(y, x, back)[0] for y in (value, call(x)))
    assert_close(found, expected, equal_nan=True)


def windows(x, kernel, stride):
    return x.unfold(-2, kernel, stride).unfold(-2, kernel, stride).flatten(-2)


@pytest.mark.parametrize("name", ["max, overlapping", "avg, overlapping, without the padding"])
def test_two_vmaps_and_batched_gradients(name):
    call, x = CALLS[name], spaced(2, 3, 2, 1, 6, 7).detach()
    assert_close(vmap(vmap(inside(call), in_dims=1))(x), vmap(vmap(call, in_dims=1))(x))
    for layout in ("contiguous", "channels last"):
        torch.autograd.gradcheck(inside(call), (laid_out(layout),), check_batched_grad=True, check_forward_ad=True)


@pytest.fixture
def compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("name", ["max, overlapping", "avg, overlapping, without the padding", "avg, side by side"])
@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_compiled_it_is_one_graph(name, layout):
    x = laid_out(layout)
    y = torch.compile(inside(CALLS[name]), backend="aot_eager", fullgraph=True)(x)
    expected = CALLS[name](x)
    assert_close(y, expected)
    g = torch.randn_like(y)
    assert_close(torch.autograd.grad(y, x, g), torch.autograd.grad(expected, x, g))


@pytest.mark.few(1)
@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_an_average_beyond_the_end_has_the_gradient_of_what_it_covers(backend):
    """Inductor's own divides the last window, of which one place is left out, by all of its places (pytorch 198119)."""
    x = torch.arange(5.0)[None].requires_grad_()
    try:
        torch.compile(lambda x: x + 1, backend=backend)(x)
    except Exception as error:
        pytest.skip(f"Inductor has no compiler here: {error}")
    y = torch.compile(inside(lambda x: F.avg_pool1d(x, 3, 3, ceil_mode=True)), backend=backend, fullgraph=True)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert_close(gradient, torch.tensor([[1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2]]))


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("name", ["adaptive, overlapping", "adaptive, of all", "max of a line"])
def test_compiled_with_changing_sizes_it_is_one_graph(name):
    compiled = torch.compile(inside(CALLS[name]), backend="aot_eager", fullgraph=True, dynamic=True)
    for shape in ((2, 3, 8, 7), (3, 3, 10, 9)):
        x = spaced(*shape)
        y, expected = compiled(x), CALLS[name](x)
        g = torch.randn_like(y)
        assert_close(torch.autograd.grad(y, x, g), torch.autograd.grad(expected, x, g))


def test_of_a_class_and_with_odd_arguments():
    x = laid_out("contiguous")
    with by_hand():
        for name, how in (("MaxPool2d", 2), ("AvgPool2d", 2), ("AdaptiveAvgPool2d", (3, None)), ("MaxPool3d", 2)):
            layer = getattr(torch.nn, name)(how)
            assert not audit(layer(x)).native
        for kernel in ([2], (2, 3), torch.Size([2, 2])):
            assert_close(F.max_pool2d(x, kernel, ()), torch.max_pool2d(x, kernel))
        with pytest.raises(RuntimeError, match="zero"):
            F.avg_pool2d(x, 2, divisor_override=0)
