"""What the curves of a run show."""

import math
import warnings

import pytest
from matplotlib.colors import to_hex
from texts import texts, unreadable

from manualgrad.training.loop import EpochResult
from manualgrad.training.plots.curve import plot_curve
from manualgrad.training.plots.style import SERIES, WIDTH

TITLE = "784-1000-500-10 (sigmoid) on fashion-mnist"


def results(epochs, first_new=1, diverged=False):
    """Those before `first_new` are an older version's."""
    made = []
    for e in range(1, epochs + 1):
        new = e >= first_new
        cost = math.nan if diverged else 0.5 / e
        training_accuracy, test_cost = (1 - 0.1 / e, math.nan if diverged else 0.6 / e) if new else (math.nan, math.nan)
        made.append(EpochResult(e, cost, 1 - 0.2 / e, 1.0, 5.0, training_accuracy, test_cost))
    return made


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


RUNS = {
    "one epoch": results(1),
    "five": results(5),
    "a hundred": results(100),
    "begun by an older version": results(7, first_new=4),
    "an older version's": results(7, first_new=8),
    "diverged": results(3, diverged=True),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("those", ["test images", "held-out images"])
def test_a_run_of_any_length_fits_a_page_and_can_be_read(run, those):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot_curve(run, TITLE, those)
        figure.draw_without_rendering()
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []


def test_cost_and_accuracy_are_drawn_of_training_and_of_test_images():
    run = results(5)
    figure = plot_curve(run, TITLE, "test images")
    drawn = [line.get_ydata().tolist() for axes in figure.axes for line in axes.lines]
    assert drawn == [[getattr(r, name) for r in run] for name in ("cost", "test_cost", "training_accuracy", "accuracy")]
    for axes in figure.axes:
        assert [to_hex(line.get_color()) for line in axes.lines] == list(SERIES[:2])
        assert axes.get_xlabel() == "epoch"
    assert [[*lines(axes)] for axes in figure.axes] == [
        ["training images, during the epoch: 0.1000", "test images, after the epoch: 0.1200"],
        ["training images, after the epoch: 98.00%", "test images, after the epoch: 96.00%"],
    ]
    assert set(texts(figure)) >= {label for axes in figure.axes for label in lines(axes)}


def test_a_single_epoch_is_a_point_at_1():
    figure = plot_curve(results(1), TITLE, "test images")
    for axes in figure.axes:
        assert [tick for tick in axes.get_xticks() if 0.5 <= tick <= 1.5] == [1]
        for line in axes.lines:
            assert line.get_marker() != "None"
            assert axes.get_ylim()[0] < line.get_ydata()[0] < axes.get_ylim()[1]


def test_a_legend_hides_no_line():
    figure = plot_curve(results(1), TITLE, "test images")
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert not axes.get_legend().get_window_extent().overlaps(axes.bbox)


def test_what_an_older_version_did_not_measure_is_left_out():
    assert [len(axes.lines) for axes in plot_curve(results(5, first_new=9), TITLE, "test images").axes] == [1, 1]
    left, right = plot_curve(results(5, first_new=3), TITLE, "test images").axes
    for line in (left.lines[1], right.lines[0]):
        assert [math.isnan(y) for y in line.get_ydata()] == [True, True, False, False, False]
