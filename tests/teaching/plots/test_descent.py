"""What the picture of the two ways down shows."""

import pytest
import torch
from texts import texts, unreadable

from manualgrad.teaching.descent import descend, plane
from manualgrad.teaching.plots.descent import plot_descent
from manualgrad.training.plots.style import DOWN, SERIES, UP, WIDTH

TITLE = (
    "Two ways down from 784-1000-500-10 of 20260101-120000-fashion-mnist-784-1000-500-10\n300 steps each, at learning rate 0.3"
)


def drawn(model, lr=0.5, title=TITLE):
    x, y = torch.rand(1000, 9).double(), torch.eye(3).double()[torch.randint(3, (1000,))]
    names = {"20 random examples": 20, "all 1,000 examples": 1000}
    paths = {name: descend(model, x, y, steps=40, batch_size=size, lr=lr, record=4) for name, size in names.items()}
    mapped = plane(model, list(paths.values()), x, y, grid=8)
    return paths, mapped, plot_descent(paths, mapped, title)


@pytest.mark.parametrize("lr", [0.5, 50.0, 1e-300], ids=["falls", "climbs", "does not move"])
def test_it_fits_a_page_and_can_be_read(lr, model):
    _, _, figure = drawn(model, lr)
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []


def test_the_curves_begin_with_the_cost_at_the_start(model):
    paths, _, figure = drawn(model)
    by_examples, by_time = figure.axes[:2]
    for axes, quantity in ((by_examples, "examples"), (by_time, "seconds")):
        for name, path in paths.items():
            (line,) = (line for line in axes.lines if line.get_label() == name)
            assert line.get_xdata().tolist() == getattr(path, quantity)
            assert line.get_ydata().tolist() == path.costs
            assert axes.get_xlim()[0] <= 0 < path.examples[1] < by_examples.get_xlim()[1]
            assert axes.get_ylim()[0] < path.costs[0] < axes.get_ylim()[1]
        # 0 and the first step are apart: a log axis would have no 0, a linear one no room for the quick steps.
        places = axes.transData.transform([(getattr(path, quantity)[i], 0) for path in paths.values() for i in (0, 1)])
        assert places[1, 0] - places[0, 0] > 20


def test_the_maps_greys_reach_from_the_start_to_both_ends(model):
    paths, _, figure = drawn(model)
    filled = figure.axes[2].collections[0]
    for path in paths.values():
        assert filled.levels[0] <= min(path.costs[0], path.costs[-1])
        assert filled.levels[-1] >= max(path.costs[0], path.costs[-1])


def test_the_start_and_both_ends_are_labelled_with_their_costs_where_they_are(model):
    paths, mapped, figure = drawn(model)
    labels = {label.get_text(): label.xy for label in figure.axes[2].texts}
    quick, careful = paths.values()
    assert labels == {
        f"start: cost {quick.costs[0]:.4f}": (0, 0),
        f"end: cost {quick.costs[-1]:.4f}": tuple(mapped.paths[0][-1].tolist()),
        f"end: cost {careful.costs[-1]:.4f}": (mapped.paths[1][-1, 0].item(), 0),
    }


def test_the_paths_are_named_once_in_colours_that_do_not_mean_up_or_down(model):
    paths, _, figure = drawn(model)
    (legend,) = figure.legends
    assert [text.get_text().partition(":")[0] for text in legend.get_texts()] == list(paths)
    assert [line.get_color() for line in legend.get_lines()] == list(SERIES[:2])
    used = {line.get_color() for axes in figure.axes for line in axes.lines}
    assert not used & {UP, DOWN, "tab:blue", "tab:orange"}


def test_the_legend_says_how_often_each_path_stumbles(model):
    paths, _, figure = drawn(model)
    quick, careful = paths.values()
    assert quick.rises == sum(quick.costs[i + 1] > quick.costs[i] for i in range(len(quick.costs) - 1)) > careful.rises
    for text, path in zip(figure.legends[0].get_texts(), (quick, careful), strict=True):
        assert text.get_text().endswith(f": the cost rises {path.rises} of {len(path.costs) - 1} times")


def test_it_says_where_the_map_lies(model):
    _, _, figure = drawn(model)
    assert "on the plane through the start and both ends" in " ".join(texts(figure))
