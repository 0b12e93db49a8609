"""What the pictures of mistakes show."""

import colorsys

import pytest
import torch
from texts import texts, unreadable

from manualgrad.training.data import Examples
from manualgrad.training.plots.mistakes import confusion, plot_confusion, plot_worst, worst
from manualgrad.training.plots.style import WIDTH


def examples(labels):
    labels = torch.tensor(labels)
    return Examples(torch.rand(len(labels), 784), torch.nn.functional.one_hot(labels, 10).float(), labels)


def outputs(*brightest):
    return torch.nn.functional.one_hot(torch.tensor(brightest), 10) * 0.9


def test_a_row_of_the_confusion_is_what_a_class_is_taken_for():
    counts = confusion(examples([3, 3, 3, 7, 0]), outputs(3, 5, 5, 7, 0))
    assert counts[3].tolist() == [0, 0, 0, 1, 0, 2, 0, 0, 0, 0]
    assert counts[7, 7] == counts[0, 0] == 1
    assert counts.sum() == 5


def test_the_worst_are_those_of_the_highest_cost_in_order():
    costs = torch.rand(50)
    shown = worst(costs)
    assert len(shown) == 36
    assert costs[shown].tolist() == sorted(costs.tolist(), reverse=True)[:36]


def test_fewer_examples_than_places_are_all_shown(tmp_path):
    data, a = examples([1, 2, 3]), outputs(1, 2, 4)
    costs = torch.tensor([0.2, 0.1, 1.5])
    figure = plot_worst(data, a, costs, "three", tmp_path / "worst.png")
    plot_confusion(data, a, "three", tmp_path / "confusion.png")
    assert {path.read_bytes()[:4] for path in tmp_path.iterdir()} == {b"\x89PNG"}
    assert worst(costs) == [2, 0, 1]
    assert "3, predicted 4\ncost 1.50" in texts(figure)


TITLE = "784-1000-500-10 (sigmoid) on fashion-mnist"


@pytest.mark.parametrize("n", [1, 36, 10_000])
def test_pictures_fit_a_page_and_can_be_read(n):
    labels = torch.arange(n) % 10
    data, a = examples(labels.tolist()), torch.rand(n, 10)
    count = f"{n:,} held-out images"
    for figure in (
        plot_confusion(data, a, f"{TITLE}: {count}"),
        plot_worst(data, a, torch.rand(n), f"{TITLE}: the highest costs among {count}"),
    ):
        assert figure.get_figwidth() <= WIDTH
        assert unreadable(figure) == []


def test_mistakes_are_neither_blue_nor_orange_which_mean_up_and_down():
    figure = plot_confusion(examples([3, 3, 4]), outputs(5, 3, 9), "title")
    (image,) = figure.axes[0].images
    hues = [colorsys.rgb_to_hsv(*image.to_rgba(image.get_array())[row, column, :3])[0] for row, column in ((3, 5), (4, 9))]
    assert all(300 / 360 < hue < 340 / 360 for hue in hues)
    assert "Darker means more mistakes. The diagonal counts correct predictions." in "\n".join(texts(figure))
