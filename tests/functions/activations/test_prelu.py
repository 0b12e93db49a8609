"""PReLU: in any shape, whole and in parts, at its kink, under vmap."""

import pytest
import torch
import torch.nn.functional as F
from samples import assert_same, inside
from torch.func import vmap
from torch.testing import assert_close

from manualgrad import audit
from manualgrad.functions import _chunked
from manualgrad.functions.activations import prelu as prelu_page

DOUBLE = torch.float64


def p(*shape):
    return 0.2 + 0.6 * torch.rand(shape, dtype=DOUBLE)


def s(*shape):
    return torch.randn(shape, dtype=DOUBLE)


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


def test_prelu_works_under_vmap_where_torchs_own_raises():
    z, w = s(3, 1, 6), p(1)
    expected = torch.where(z > 0, z, w * z)
    assert_close(vmap(inside(F.prelu), in_dims=(0, None))(z, w), expected)
    gradient = vmap(torch.func.grad(lambda z: inside(F.prelu)(z, w).sum()))(z)
    assert_close(gradient, torch.where(z > 0, 1, w).expand_as(z))
