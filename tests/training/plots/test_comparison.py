"""What the picture of two trainings side by side shows."""

import pytest
from matplotlib.colors import to_hex
from texts import texts, unreadable

from manualgrad.training.loop import EpochResult
from manualgrad.training.plots.comparison import plot_comparison
from manualgrad.training.plots.style import SERIES, WIDTH


def results(epochs, seconds):
    return [EpochResult(e, 0.5 / e, 1 - 0.2 / e, seconds, 5.0, 1.0, 0.0) for e in range(1, epochs + 1)]


@pytest.mark.parametrize("epochs", [1, 5, 100])
def test_a_comparison_of_any_length_fits_a_page_and_can_be_read(epochs):
    figure = plot_comparison(results(epochs, 1.0), results(epochs, 2.0), "784-1000-500-10 (sigmoid) on fashion-mnist")
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []


def test_cost_accuracy_and_time_of_both_are_drawn_and_named():
    ours, theirs = results(5, 1.0), results(5, 2.0)
    figure = plot_comparison(ours, theirs, "title")
    for axes, name in zip(figure.axes, ("cost", "accuracy", "seconds"), strict=True):
        assert [line.get_ydata().tolist() for line in axes.lines] == [[getattr(r, name) for r in run] for run in (ours, theirs)]
        assert [to_hex(line.get_color()) for line in axes.lines] == list(SERIES[:2])
        assert axes.get_xlabel() == "epoch"
        assert axes.get_ylabel()
    assert {"manualgrad", "torch.nn"} <= set(texts(figure))
