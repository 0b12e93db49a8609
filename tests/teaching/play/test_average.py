"""Many examples' wishes for a weight, and the cost's sensitivity to each weight."""

import pytest
import torch

from manualgrad import backprop, per_example_grads
from manualgrad.teaching.play.drawing import desired
from manualgrad.teaching.sensitivity import EPSILON

IMAGE, WEIGHT = {"split": "test", "index": 3}, {"l": 3, "j": 2, "k": 5}
ASKED = {"image": IMAGE, "target": 2, "examples": [4, 0, 99], "weight": WEIGHT}


@pytest.fixture
def batch(lesson):
    x = torch.cat([lesson.test.x[3:4], lesson.training.x[[4, 0, 99]]]).double()
    return x, torch.cat([desired(2)[None], lesson.training.y[[4, 0, 99]].double()])


def test_each_examples_wish_is_its_own_gradient_and_the_mean_is_backprops(tab, lesson, batch):
    model, _ = lesson.network("trained")
    shown = tab.post("/api/average", json=ASKED).json()
    wishes = -per_example_grads(model, *batch)["4.weight"][:, 2, 5]
    assert [wish["wish"] for wish in shown["wishes"]] == pytest.approx(wishes.tolist(), rel=1e-7)
    assert [wish["index"] for wish in shown["wishes"]] == [None, 4, 0, 99]
    assert [wish["label"] for wish in shown["wishes"]] == [2, *lesson.training.labels[[4, 0, 99]].tolist()]
    backprop(model, *batch)
    assert shown["mean"] == pytest.approx(-model[4].weight.grad[2, 5].item(), rel=1e-7)
    assert shown["weight"] == WEIGHT


def test_the_largest_component_is_the_gradients(tab, lesson, batch):
    model, _ = lesson.network("trained")
    backprop(model, *batch)
    largest = max(model[l].weight.grad.abs().max().item() for l in (0, 2, 4))
    gradient = tab.post("/api/average", json=ASKED).json()["gradient"]
    assert abs(gradient["largest"]["derivative"]) == pytest.approx(largest, rel=1e-7)
    assert gradient["ratio"] == pytest.approx(
        abs(gradient["largest"]["derivative"] / gradient["small"]["derivative"]), rel=1e-6
    )
    assert 1 < gradient["ratio"] <= 1000


def test_nudges_come_out_as_predicted(tab):
    shown = tab.post("/api/average", json=ASKED).json()
    assert shown["epsilon"] == EPSILON
    assert [nudge["rank"] for nudge in shown["nudges"]][:3] == [1, 2, 3]
    for nudge in shown["nudges"][:3]:
        assert nudge["predicted"] == pytest.approx(EPSILON * nudge["derivative"], rel=1e-6)
        assert nudge["measured"] == pytest.approx(nudge["predicted"], rel=0.1)


def test_without_a_weight_the_most_wanted_is_shown(tab):
    shown = tab.post("/api/average", json={**ASKED, "weight": None}).json()
    again = tab.post("/api/average", json={**ASKED, "weight": shown["weight"]}).json()
    assert again == shown


def test_the_drawing_alone_is_an_average_of_one(tab):
    shown = tab.post("/api/average", json={**ASKED, "examples": []}).json()
    assert [shown["mean"]] == [wish["wish"] for wish in shown["wishes"]]


def test_a_nudge_of_ones_own_is_measured(tab, lesson, batch):
    model, _ = lesson.network("trained")
    shown = tab.post("/api/nudge", json={**ASKED, "epsilon": -0.001}).json()
    cost = backprop(model, *batch).item()
    assert shown["cost"] == pytest.approx(cost, rel=1e-7)
    assert shown["derivative"] == pytest.approx(model[4].weight.grad[2, 5].item(), rel=1e-7)
    assert shown["predicted"] == pytest.approx(-0.001 * shown["derivative"], rel=1e-6)
    with torch.no_grad():
        model[4].weight[2, 5] -= 0.001
    assert shown["measured"] == pytest.approx(backprop(model, *batch).item() - cost, rel=1e-6, abs=1e-12)


def test_looking_at_averages_changes_nothing(tab):
    before = tab.get("/api/network").json()
    tab.post("/api/average", json=ASKED)
    tab.post("/api/nudge", json={**ASKED, "epsilon": 1.0})
    assert tab.get("/api/network").json() == before


@pytest.mark.parametrize("path", ["average", "nudge"])
@pytest.mark.parametrize(
    "fields",
    [
        {"examples": [10_000]},
        {"examples": [-1]},
        {"examples": ["1"]},
        {"examples": list(range(201))},
        {"examples": None},
        {"weight": {"l": 4, "j": 0, "k": 0}},
        {"weight": {"l": 0, "j": 0, "k": 0}},
        {"weight": {"l": 3, "j": 10, "k": 0}},
        {"weight": {"l": 1, "j": 0, "k": 784}},
        {"weight": {"l": 1, "j": 0}},
        {"weight": "W3[2,5]"},
    ],
)
def test_what_there_is_not_is_refused(path, fields, tab):
    body = {**ASKED, **({"epsilon": 0.01} if path == "nudge" else {}), **fields}
    answer = tab.post(f"/api/{path}", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(next(iter(fields)))


@pytest.mark.parametrize("epsilon", [2, -2, "0.1", None])
def test_a_nudge_out_of_range_is_refused(epsilon, tab):
    assert tab.post("/api/nudge", json={**ASKED, "epsilon": epsilon}).status_code == 422
