"""The colours of the pictures and of the page: one scheme, which can be read with any kind of colour blindness."""

import itertools
import math
import re

import pytest
import torch
from matplotlib.colors import to_hex, to_rgb
from paths import ROOT

from manualgrad.training.plots.style import DOWN, SERIES, UP, UP_AND_DOWN, signed

CSS = (ROOT / "manualgrad/teaching/play/page/css/base.css").read_text(encoding="utf-8")
THEMES = re.findall(r"\{([^{}]*--paper: #[^{}]*)\}", CSS)
LIGHT, DARK, CHOSEN_DARK = (dict(re.findall(r"--([\w-]+): (#\w{6})", theme)) for theme in THEMES)

# What is left of linear RGB without one kind of cones, and with all (Machado, Oliveira and Fernandes, 2009).
SIGHT = {
    "normal": [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
XYZ = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = torch.tensor([0.9505, 1.0, 1.089])


def linear(color):
    return torch.tensor([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)])


def contrast(one, other):
    """WCAG's ratio, from 1 to 21."""
    dark, light = sorted((XYZ[1] @ linear(color)).item() for color in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(color, sight):
    t = XYZ @ (torch.tensor(SIGHT[sight]) @ linear(color)).clamp(0, 1) / WHITE
    x, y, z = torch.where(t > 0.008856, t ** (1 / 3), 7.787 * t + 16 / 116).tolist()
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def test_the_page_has_the_colours_of_the_pictures():
    assert (LIGHT["up"], LIGHT["down"], LIGHT["series"]) == (UP, DOWN, SERIES[0])
    assert CHOSEN_DARK == DARK


def test_the_names_in_legends_are_those_of_the_colours():
    (red, _, blue), (orange_red, _, orange_blue) = to_rgb(UP), to_rgb(DOWN)
    assert blue > red
    assert orange_red > orange_blue
    assert UP_AND_DOWN == "Blue: up. Orange: down."
    cmap, norm = signed(torch.tensor([-2.0, 1.0])).values()
    assert [to_hex(cmap(norm(value))) for value in (-2, 2)] == [DOWN, UP]
    assert min(cmap(norm(0))) > 0.99


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(
    "colors",
    [(UP, DOWN), SERIES[:2], (DARK["up"], DARK["down"]), (LIGHT["walker-0"], LIGHT["walker-1"])],
    ids=["signs", "series", "signs in the dark", "walkers"],
)
def test_two_colours_that_are_told_apart_by_eye_differ_with_any_colour_blindness(colors, sight):
    """By 15 in CIELAB at least, of which 2.3 are just noticed."""
    assert math.dist(*(lab(color, sight) for color in colors)) > 15


def test_a_sign_is_not_taken_for_a_series():
    for sign, series in itertools.product((UP, DOWN), SERIES):
        assert math.dist(lab(sign, "normal"), lab(series, "normal")) > 40


@pytest.mark.parametrize(
    ("theme", "backgrounds"), [(LIGHT, ("paper", "sheet")), (DARK, ("paper", "sheet"))], ids=["light", "dark"]
)
def test_signs_can_be_read_as_text_and_curves_seen_on_the_page(theme, backgrounds):
    for background in backgrounds:
        assert contrast(theme["up"], theme[background]) >= 4.5
        assert contrast(theme["down"], theme[background]) >= 4.5
        assert contrast(theme["series"], theme[background]) >= 3


def test_text_in_the_pictures_can_be_read():
    for color in (UP, DOWN, SERIES[1], SERIES[-1]):
        assert contrast(color, "white") >= 4.5
    assert contrast(SERIES[0], "white") >= 3  # of bars and lines
