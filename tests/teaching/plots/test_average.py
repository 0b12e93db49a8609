"""What the pictures of single examples' wishes and of a network that listens to one digit show."""

import pytest
import torch
from matplotlib.colors import to_hex
from texts import texts, unreadable

from manualgrad.teaching.number import number
from manualgrad.teaching.plots.average import plot_only, plot_wishes
from manualgrad.training.plots.style import DOWN, SERIES, UP, UP_AND_DOWN, WIDTH

TITLE = "What 100 examples want of W3[2,126]\n784-1000-500-10 of 20260101-120000-fashion-mnist-784-1000-500-10"
LABELS = torch.arange(100) % 10
SPREAD = torch.randn(100, generator=torch.Generator().manual_seed(0)).double()
WISHES = {
    "spread": SPREAD * torch.logspace(-6, -1, 100).double(),
    "alike": torch.full((100,), -0.25).double(),
    "tiny": SPREAD * 1e-88,
    "none": torch.zeros(100).double(),
}


def of(digit):
    return LABELS.eq(digit)


def points(figure):
    """(wish, colour), digit by digit."""
    return [
        [(y, to_hex(color)) for (_, y), color in zip(dots.get_offsets().tolist(), dots.get_facecolors(), strict=True)]
        for dots in figure.axes[0].collections
    ]


@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES)
def test_wishes_of_any_size_fit_a_page_and_can_be_read(wishes):
    figure = plot_wishes(wishes, LABELS, TITLE)
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []


def test_each_digits_wishes_are_sorted_blue_up_orange_down_grey_neither():
    wishes = WISHES["spread"].clone()
    wishes[5] = 0
    figure = plot_wishes(wishes, LABELS, TITLE)
    for digit, dots in enumerate(points(figure)):
        assert [y for y, _ in dots] == pytest.approx(sorted(wishes[of(digit)].tolist()))
        for y, color in dots:
            assert color == (UP if y > 0 else DOWN if y < 0 else to_hex(SERIES[-1]))
    assert UP_AND_DOWN in figure.axes[0].get_xlabel()


def test_wishes_a_thousand_times_smaller_than_the_largest_are_told_from_0():
    wishes = WISHES["spread"]
    figure = plot_wishes(wishes, LABELS, TITLE)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    largest = wishes.abs().max().item()
    height = axes.transData.transform([(0, 0), (0, largest / 1000), (0, largest)])[:, 1]
    assert height[1] - height[0] > 0.05 * (height[2] - height[0])


def test_the_mean_of_each_digit_and_of_all_are_drawn():
    wishes = WISHES["spread"]
    figure = plot_wishes(wishes, LABELS, TITLE)
    heights = [line.get_ydata()[0] for line in figure.axes[0].lines]
    for digit in range(10):
        assert any(y == pytest.approx(wishes[of(digit)].mean().item()) for y in heights)
    assert any(y == pytest.approx(wishes.mean().item()) for y in heights)
    assert f"mean of all, {number(wishes.mean().item())}: the nudge that descent takes" in texts(figure)


def test_the_digit_listened_to_stands_out_without_the_colours_of_up_and_down():
    before, after = torch.full((10,), 1000), torch.zeros(10, dtype=torch.long)
    after[3] = 10_000
    name = "after 500 steps on 3s alone"
    figure = plot_only(3, {"before": (before, 0.9), "all": (before, 0.91), name: (after, 0.1)}, TITLE)
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []
    assert f"{name}\n10.0% right" in texts(figure)
    for axes in figure.axes:
        used = [to_hex(bar.get_facecolor()) for bar in axes.patches]
        assert used == [SERIES[0] if d == 3 else to_hex(SERIES[-1]) for d in range(10)]
