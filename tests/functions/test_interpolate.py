"""Interpolation: each mode, layout and size against torch's own, in every nesting, and by every check."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from samples import inside
from torch.testing import assert_close

from manualgrad import audit

DOUBLE = torch.float64
pytestmark = pytest.mark.filterwarnings("ignore:.nn.functional.upsample", "ignore:The default behavior for interpolate")


MODES = {
    "nearest": {},
    "nearest-exact": {},
    "bilinear": {},
    "bilinear, aligned": {"align_corners": True},
    "bicubic": {},
    "bicubic, aligned": {"align_corners": True},
    "bilinear, antialiased": {"antialias": True},
    "bicubic, antialiased": {"antialias": True},
    "lanczos, antialiased": {"antialias": True},
}
SIZES = {
    "size": [(4, 6), (8, 12), (12, 6), (5, 7), (3, 4), (2, 3), (1, 6), (9, 13)],
    "scale_factor": [2, 0.5, 1.7, (2.0, 3.0), (0.3, 1.0), 34],
}


def laid_out(layout):
    x = torch.rand(2, 3, 4, 6, dtype=DOUBLE)
    if layout == "channels last":
        x = x.contiguous(memory_format=torch.channels_last)
    if layout == "every other":
        x = torch.stack([x, x], -1)[..., 0]
    if layout == "no examples":
        x = x[:0]
    return x.requires_grad_()


@pytest.mark.parametrize("layout", ["contiguous", "channels last", "every other", "no examples"])
@pytest.mark.parametrize("mode", MODES)
def test_each_mode_has_torchs_gradients_for_each_size_and_layout(mode, layout):
    x = laid_out(layout)
    for (name, values), recompute in itertools.product(SIZES.items(), (None, True)):
        for value in values if name == "scale_factor" or recompute is None else ():
            kwargs = {name: value, "mode": mode.split(",")[0], "recompute_scale_factor": recompute, **MODES[mode]}
            if value == (0.3, 1.0) and "antialiased" not in mode and layout == "no examples":
                continue
            y, expected = (f(x, **kwargs) for f in (inside(F.interpolate), F.interpolate))
            assert torch.equal(y, expected)
            assert y.stride() == expected.stride()
            assert not audit(y).native
            g = torch.rand_like(expected)
            found, wanted = (torch.autograd.grad(z, x, g)[0] for z in (y, expected))
            assert_close(found, wanted, rtol=1e-11, atol=1e-11)
            if layout == "channels last":
                assert found.is_contiguous(memory_format=torch.channels_last)


def test_whole_factors_beyond_those_of_slices_have_their_places_found():
    x = torch.rand(1, 2, 3, dtype=DOUBLE, requires_grad=True)
    for factor in (32, 33, 40):
        g = torch.rand(1, 2, 3 * factor, dtype=DOUBLE)
        found, wanted = (
            torch.autograd.grad(f(x, scale_factor=factor), x, g)[0] for f in (inside(F.interpolate), F.interpolate)
        )
        assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_an_antialiased_image_of_one_column_is_torchs_own():
    """PyTorch's values are wrong there: it repeats the first row's."""
    x = torch.rand(1, 1, 8, 1, requires_grad=True)
    y = inside(F.interpolate)(x, size=(4, 1), mode="bilinear", antialias=True)
    assert audit(y).native


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: F.interpolate(x, size=3),
        lambda x: F.interpolate(x[None], size=(3, 3), mode="linear"),
        lambda x: F.interpolate(x, size=(0, 0)),
        lambda x: F.interpolate(x, size=2, scale_factor=2),
    ],
)
def test_what_is_wrong_is_said_by_torch(wrong):
    def outcome(call):
        try:
            return type(call(torch.rand(2, 3, requires_grad=True)))
        except Exception as error:
            return type(error), str(error)

    assert outcome(inside(wrong)) == outcome(wrong)


P = torch.linspace(0.3, 1.2, 6, dtype=DOUBLE)


def s(*shape):
    return torch.randn(shape, dtype=DOUBLE)
