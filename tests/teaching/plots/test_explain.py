"""What the picture of one example's wishes shows."""

import pytest
import torch
from matplotlib.patches import Ellipse, FancyArrow
from texts import texts, unreadable
from torch.testing import assert_close

from manualgrad import MLP
from manualgrad.teaching.explain import explain
from manualgrad.teaching.number import number
from manualgrad.teaching.plots.explain import panels, plot_explanation
from manualgrad.training.plots.style import DOWN, UP, UP_AND_DOWN, WIDTH

NETWORKS = {
    "no hidden layer": ([784, 10], "sigmoid"),
    "one": ([784, 30, 10], "sigmoid"),
    "large": ([784, 1000, 500, 10], "sigmoid"),
    "deep": ([784, 16, 16, 16, 16, 10], "sigmoid"),
    "very deep": ([784, *[8] * 6, 10], "sigmoid"),
    "relu": ([784, 40, 20, 10], ["relu", "relu", "sigmoid"]),
    "pixels in no square": ([10, 4, 3], "sigmoid"),
}


def drawn(sizes, activation="sigmoid", title="What an image wants"):
    model = MLP(sizes, activation, dtype=torch.float64)
    e = explain(model, torch.rand(sizes[0]).double(), torch.eye(sizes[-1]).double()[2], neuron=2)
    return e, plot_explanation(e, title)


def headings(figure):
    return [panel.get_suptitle() for panel in figure.subfigs if panel.get_suptitle()]


@pytest.mark.few(1)
@pytest.mark.parametrize(("sizes", "activation"), NETWORKS.values(), ids=NETWORKS)
def test_a_network_of_any_size_fits_a_page_and_can_be_read(sizes, activation):
    _, figure = drawn(sizes, activation)
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []


def test_a_long_title_is_broken_and_a_dollar_in_it_is_no_formula():
    title = "What training image 12345, a 2, wants of 784-500-300-10 of a $run with a $name that goes on and on and on"
    _, figure = drawn([9, 4, 3], title=title)
    assert unreadable(figure) == []
    assert title in [text.replace("\n", " ") for text in texts(figure)]


@pytest.mark.parametrize("hidden", [0, 1, 2, 5])
def test_the_panels_are_numbered_one_after_the_other(hidden):
    _, figure = drawn([9, *[4] * hidden, 3])
    assert [heading.split("  ")[0] for heading in headings(figure)] == [str(i + 1) for i in range(5 + hidden)]
    assert UP_AND_DOWN in "\n".join(texts(figure))


@pytest.mark.few(1)
@pytest.mark.parametrize(("sizes", "activation"), NETWORKS.values(), ids=NETWORKS)
def test_each_panel_is_a_figure_of_its_own_that_can_be_read(sizes, activation):
    e, whole = drawn(sizes, activation)
    parts = panels(e)
    assert [panel.heading for panel in parts] == [heading.split("  ", 1)[1] for heading in headings(whole)]
    for panel in parts:
        figure = panel.plot(e)
        assert figure.get_figwidth() == WIDTH
        assert unreadable(figure) == []


def test_of_a_large_layer_16_neurons_are_shown_by_their_numbers_and_the_picture_says_so():
    e, figure = drawn([9, 500, 300, 3])
    shown = "\n".join(texts(figure))
    assert "the 16 of 500 with the strongest wishes" in shown
    assert "the 16 of 300 with the strongest wishes" in shown
    panel = next(panel for panel in figure.subfigs if "from the activations of layer 1" in panel.get_suptitle())
    table, below = panel.axes[0], panel.axes[2]
    js, ks = e.shown(1), e.shown(0)
    assert table.images[0].get_array().shape == (16, 16)
    assert_close(torch.tensor(table.images[0].get_array().data), e.wishes_before(1)[js][:, ks])
    assert [label.get_text() for label in table.get_yticklabels()] == [str(j) for j in js]
    assert [label.get_text() for label in below.get_xticklabels()] == [str(k) for k in ks]
    heights = torch.tensor([bar.get_height() for bar in below.patches]).double()
    assert_close(heights, -e.trace.layers[0].dC_da[ks])  # of all rows, not of those shown alone


def network_panel(figure):
    (axes,) = next(panel for panel in figure.subfigs if panel.get_suptitle().startswith("1  ")).axes
    return axes


def test_the_network_is_drawn_with_its_activations_as_brightness():
    e, figure = drawn([784, 16, 12, 10])
    neurons = [patch for patch in network_panel(figure).patches if isinstance(patch, Ellipse)]
    columns = {}
    for neuron in neurons:
        columns.setdefault(round(neuron.center[0], 3), []).append(neuron.get_facecolor()[0])
    drawn_brightness = [torch.tensor(column).double() for column in columns.values() if len(column) > 1]
    for layer, brightness in zip(e.trace.layers, drawn_brightness, strict=True):
        assert_close(brightness, layer.a)
    assert_close(torch.tensor(network_panel(figure).images[0].get_array().data).flatten(), e.x)


def test_an_arrow_beside_each_neuron_is_its_wish_up_or_down_and_in_proportion():
    e, figure = drawn([784, 16, 10])
    arrows = [patch for patch in network_panel(figure).patches if isinstance(patch, FancyArrow)][: 16 + 10]
    wishes = [-layer.dC_da for layer in e.trace.layers]
    for column, wished in ((arrows[:16], wishes[0]), (arrows[16:], wishes[1])):
        lengths = []
        for arrow, wish in zip(column, wished.tolist(), strict=True):
            tip, ys = arrow.get_xy()[0, 1], arrow.get_xy()[:, 1]
            assert tip == pytest.approx(ys.max() if wish > 0 else ys.min())
            assert arrow.get_facecolor() == pytest.approx(
                FancyArrow(0, 0, 0, 1, color=UP if wish > 0 else DOWN).get_facecolor()
            )
            lengths.append(ys.max() - ys.min())
        lengths = torch.tensor(lengths).double()
        assert_close(lengths / lengths.max(), wished.abs() / wished.abs().max())
        assert number(wished[wished.abs().argmax()].item()) in texts(figure)


def test_the_strongest_weights_are_lines_in_the_colours_of_their_signs():
    _, figure = drawn([784, 16, 16, 10])
    lines = network_panel(figure).lines
    assert {line.get_color() for line in lines} == {UP, DOWN}
    assert len(lines) > 60
    assert max(line.get_linewidth() for line in lines) > 3 * min(line.get_linewidth() for line in lines)


def test_weights_that_are_all_0_are_drawn_too():
    model = MLP([9, 4, 3], dtype=torch.float64)
    for p in model.parameters():
        torch.nn.init.zeros_(p)
    plot_explanation(explain(model, torch.zeros(9).double(), torch.eye(3).double()[2], neuron=2), "zeros")
