"""What the picture of the chain shows."""

import pytest
import torch
from matplotlib.text import Annotation
from texts import texts, unreadable

from manualgrad import MLP
from manualgrad.teaching.chain import chain
from manualgrad.teaching.number import number
from manualgrad.teaching.plots.chain import plot_chain
from manualgrad.training.plots.style import DOWN, UP, WIDTH


def drawn(layers, cost="quadratic"):
    model = MLP([1] * (layers + 1), dtype=torch.float64)
    c = chain(model, 0.7, 1.0, cost)
    return c, plot_chain(c, "The chain rule")


@pytest.mark.few(3)
@pytest.mark.parametrize("layers", range(1, 9))
def test_a_chain_of_any_length_fits_a_page_and_can_be_read(layers):
    _, figure = drawn(layers)
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []


@pytest.mark.parametrize("layers", [1, 3, 8])
def test_the_cross_entropy_can_be_read_likewise(layers):
    _, figure = drawn(layers, "cross-entropy")
    assert unreadable(figure) == []
    assert "cross entropy,\n$y = 1$" in texts(figure)


@pytest.mark.parametrize("layers", [1, 3, 8])
def test_every_factor_has_its_letters_and_its_number(layers):
    c, figure = drawn(layers)
    shown = "\n".join(texts(figure))
    for l in range(1, layers + 1):
        for letter in "wb":
            assert f"\\dfrac{{\\partial z^{{({l})}}}}{{\\partial {letter}^{{({l})}}}}" in shown
    for parameter in c.parameters:
        assert number(parameter.product) in shown
        for link in parameter.links:
            assert number(link.value) in shown


def test_arrows_lead_back_from_the_cost_through_every_derivative():
    c, figure = drawn(2)  # one row, so that all of them are drawn once
    arrows = [(arrow.xyann, arrow.xy) for arrow in figure.findobj(Annotation)]
    back = [(start, end) for start, end in arrows if start[1] == end[1] and start[0] > end[0]]
    forward = [(start, end) for start, end in arrows if start[1] == end[1] and start[0] < end[0]]
    assert len(back) == len(c.derivatives) - 1
    assert len(forward) == len(c.values)
    line = [text for text in figure.axes[0].texts if text.get_text() and text.get_position()[1] == back[0][0][1]]
    values = [text.get_text().split("\n")[1] for text in sorted(line, key=lambda text: -text.get_position()[0])]
    assert values == [number(value) for value in c.derivatives.values()]


def test_nothing_in_it_is_coloured_as_if_it_went_up_or_down():
    _, figure = drawn(3)
    colors = {text.get_color() for text in figure.axes[0].texts}
    assert not colors & {UP, DOWN, "tab:red", "tab:blue"}
