"""What the picture of the sensitivities shows."""

import pytest
import torch
from texts import texts, unreadable

from manualgrad import MLP
from manualgrad.teaching.plots.sensitivity import plot_sensitivity
from manualgrad.teaching.sensitivity import Nudge, Weight, rank
from manualgrad.training.plots.style import WIDTH

TITLE = "The cost of the first 1,000 training examples\n784-1000-500-10 of 20260101-120000-fashion-mnist-784-1000-500-10"


def drawn(sizes, x=None):
    model = MLP(sizes, dtype=torch.float64)
    x = torch.rand(20, sizes[0]).double() if x is None else x
    gradients, nudges = rank(model, x, torch.eye(sizes[-1]).double()[torch.arange(20) % sizes[-1]], [1, 2, 3, 10, 30, 100])
    return gradients, nudges, plot_sensitivity(gradients, nudges, TITLE)


def bars(figure):
    """Range -> number of weights."""
    axes = figure.axes[0]
    return {label.get_text(): round(bar.get_width()) for label, bar in zip(axes.get_yticklabels(), axes.patches, strict=True)}


SIZES = [[784, 10], [784, 30, 10], [784, 200, 50, 10], [784, 16, 16, 16, 16, 10], [9, 1, 3], [10, 3]]


@pytest.mark.few(2)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "-".join(map(str, sizes)))
def test_networks_of_any_shape_fit_a_page_and_can_be_read(sizes):
    _, _, figure = drawn(sizes)
    assert figure.get_figwidth() == WIDTH
    assert unreadable(figure) == []


def test_it_counts_the_weights_to_which_the_cost_is_so_many_times_less_sensitive():
    gradient = torch.tensor([[3.2, -3.2, 1.5, 0.0999, -0.0999, 0.0], [0.09, 0.001, 1e-9, 0.0, 0.0, -3.0]]).double()
    nudges = [Nudge(1, Weight(1, 0, 0), 3.2, 0.032, 0.032)]
    counted = bars(plot_sensitivity([gradient], nudges, TITLE))
    assert {name: n for name, n in counted.items() if n} == {
        "1 to 2 times": 3,
        "2 to 4 times": 1,
        "32 to 64 times": 3,
        "more than 128 times": 2,
        "not at all: $\\partial C/\\partial w$ is 0": 3,
    }


def test_it_counts_every_weight_of_the_network_once():
    gradients, nudges, figure = drawn([784, 30, 10], x=torch.rand(20, 784).double() * (torch.arange(784) > 100))
    assert sum(bars(figure).values()) == sum(g.numel() for g in gradients)
    assert f"than to {nudges[0].weight}?" in " ".join(texts(figure))


def test_a_network_without_any_sensitivity_is_drawn_too():
    zeros = [torch.zeros(10, 784).double()]
    figure = plot_sensitivity(zeros, [Nudge(1, Weight(1, 0, 0), 0.0, 0.0, 0.0)], TITLE)
    assert unreadable(figure) == []
    assert bars(figure)["not at all: $\\partial C/\\partial w$ is 0"] == 7840


def test_measured_changes_are_drawn_over_predicted_ones():
    _, nudges, figure = drawn([784, 30, 10])
    (points,) = (line for line in figure.axes[1].lines if line.get_label() == "measured")
    assert points.get_xdata().tolist() == [n.predicted for n in nudges]
    assert points.get_ydata().tolist() == [n.measured for n in nudges]


def test_a_selection_of_the_first_layers_neurons_is_said_to_be_one():
    gradients, _, figure = drawn([784, 30, 10])
    shown = texts(figure)
    assert "(the 16 of 30 neurons whose weights have the largest derivatives in total)" in "\n".join(shown)
    strongest = gradients[0].abs().sum(1).topk(16).indices.tolist()
    assert {f"neuron {j}" for j in strongest} == {text for text in shown if text.startswith("neuron ")}
    assert " of " not in "\n".join(texts(drawn([784, 16, 10])[2])).split("pixel\n")[1].splitlines()[0]
