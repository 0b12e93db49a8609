"""Distortions: what the numbers drawn do to an image, and that each image has its own."""

import pytest
import torch
from torch.testing import assert_close

from manualgrad.training.distortion import Distortion

SIDE = 9
NONE = torch.tensor([[1.0, 0, 0], [0, 1, 0]])


def distortion(strength=1.0):
    return Distortion(SIDE**2, strength, torch.device("cpu"))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def apply(image, affine):
    """The image [9, 9] under (A, t), with nothing bent."""
    coefficients = torch.cat([torch.as_tensor(affine), torch.zeros(2, 49)], 1)[None]
    return distortion()(image.reshape(1, -1), coefficients)[0].view(SIDE, SIDE)


@pytest.fixture
def image():
    torch.manual_seed(0)
    return torch.nn.functional.pad(torch.rand(5, 5), (2, 2, 2, 2))


def test_the_identity_changes_nothing(image):
    assert_close(apply(image, NONE), image)


def test_strength_0_changes_nothing():
    x = torch.rand(4, SIDE**2)
    still = distortion(0.0)
    assert_close(still(x, still.draw(4, generator())), x)


def test_a_shift_looks_the_original_up_that_many_pixels_away(image):
    shifted = apply(image, [[1, 0, 2.0], [0, 1, -1.0]])
    assert_close(shifted, image.roll((1, -2), (0, 1)))


def test_a_quarter_turn_turns_the_image(image):
    assert_close(apply(image, [[0, -1.0, 0], [1.0, 0, 0]]), image.rot90(1), rtol=0, atol=1e-5)


def test_a_scale_above_1_makes_the_image_smaller(image):
    smaller = apply(image, [[2.0, 0, 0], [0, 2.0, 0]])
    assert_close(smaller[2:7, 2:7], image[::2, ::2])
    assert smaller.sum() == pytest.approx(smaller[2:7, 2:7].sum())


def test_what_is_drawn_is_the_product_of_turn_shear_and_scale():
    """A = R H S: what is left of A after the turn back is a triangle of scales and shear; all are within their bounds."""
    drawn = distortion(0.5).draw(1000, generator())
    assert drawn.shape == (1000, 2, 3 + 49)
    A, t = drawn[:, :, :2], drawn[:, :, 2]
    angle = torch.atan2(A[:, 1, 0], A[:, 0, 0])
    cos, sin = angle.cos(), angle.sin()
    R = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    HS = R.mT @ A
    assert_close(HS[:, 1, 0], torch.zeros(1000), rtol=0, atol=1e-6)
    sx, sy, shear = HS[:, 0, 0], HS[:, 1, 1], HS[:, 0, 1] / HS[:, 1, 1]
    for values, largest in ((angle.rad2deg(), 7.5), (sx - 1, 0.075), (sy - 1, 0.075), (shear, 0.075), (t, 0.75)):
        assert values.abs().max() <= largest + 1e-5
        assert values.abs().max() > 0.95 * largest
        assert values.mean().abs() < 0.1 * largest


def test_the_field_has_its_size_at_each_pixel_and_is_smooth():
    still = distortion(1.0)
    drawn = still.draw(5000, generator())
    d = (drawn[:, :, 3:] @ still.basis[3:]).view(5000, 2, SIDE, SIDE)
    assert_close(d.std(0), torch.full((2, SIDE, SIDE), 0.75), rtol=0.05, atol=0)
    neighbours = (d[..., 1:] * d[..., :-1]).mean() / d.square().mean()
    assert neighbours > 0.95


def test_each_image_is_distorted_in_its_own_way():
    strong = distortion()
    x = torch.rand(1, SIDE**2).expand(3, -1)
    a, b, c = strong(x, strong.draw(3, generator()))
    assert not torch.allclose(a, b)
    assert not torch.allclose(b, c)


def test_the_same_generator_gives_the_same_distortions():
    strong = distortion()
    assert torch.equal(strong.draw(5, generator(1)), strong.draw(5, generator(1)))
    assert not torch.equal(strong.draw(5, generator(1)), strong.draw(5, generator(2)))


def test_images_that_are_not_square_are_refused():
    with pytest.raises(ValueError, match="pixels must be a square number, got 6"):
        Distortion(6, 1.0, torch.device("cpu"))
