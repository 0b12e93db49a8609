"""What the picture of predictions shows."""

import pytest
import torch
from matplotlib.colors import to_hex
from texts import unreadable

from manualgrad.training.images import Picture
from manualgrad.training.plots.predict import plot_predictions
from manualgrad.training.plots.style import SERIES, WIDTH


def predictions(n, title="Predictions of 784-1000-500-10 from 20260101-120000-mnist-784-1000-500-10"):
    shapes = [(400, 300), (28, 28), (100, 400)]
    pictures = [Picture((1, 1), torch.rand(shapes[k % 3]), torch.rand(784), []) for k in range(n)]
    a = torch.rand(n, 10, generator=torch.Generator().manual_seed(0))
    verdicts = ["7", "unsure: 4 or 9", "unsure: 4"] * n
    return a, plot_predictions(["a photograph that bears a long name.jpg"] * n, pictures, a, verdicts[:n], title)


@pytest.mark.parametrize("n", [1, 3, 12])
def test_any_number_of_them_fits_a_page_and_can_be_read(n):
    _, figure = predictions(n)
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []


def test_bars_are_the_activations_and_the_brightest_is_green():
    a, figure = predictions(3)
    assert "Bars: the activations of the outputs, the largest in green." in figure.get_suptitle()
    for row, axes in zip(a, figure.axes[2::3], strict=True):
        assert [bar.get_height() for bar in axes.patches] == row.tolist()
        colors = [to_hex(bar.get_facecolor()) for bar in axes.patches]
        brightest = int(row.argmax())
        assert colors[brightest] == SERIES[0]
        assert {color for j, color in enumerate(colors) if j != brightest} == {to_hex(SERIES[-1])}
        assert [text.get_text() for text in axes.texts] == [f"{value:.2f}" for value in row.tolist()]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("output j", "activation $a_j$")


def test_what_is_unsure_is_not_said_to_be_a_digit():
    _, figure = predictions(3)
    assert [axes.get_title() for axes in figure.axes[2::3]] == ["is a 7", "unsure: 4 or 9", "unsure: 4"]
