"""What a tab starts from, and how its history is done again."""

import base64
import zlib

import pytest
import torch

from manualgrad.teaching.play.history import LIMITS
from manualgrad.teaching.play.lesson import Lesson, load_start
from manualgrad.training.loop import make_network

IMAGE = {"split": "train", "index": 5}


def kept(client):
    """The tab's own."""
    return client.app.app.state.tabs.get(client.headers["X-Tab"])


def test_about_says_what_there_is(server, lesson):
    about = server.get("/api/about").json()
    assert about["sizes"] == [784, 16, 16, 10]
    assert about["activations"] == ["sigmoid"] * 3
    assert (about["train"], about["test"]) == (10_000, 2_000)
    assert about["accuracy"] >= 0.95
    assert about["starts"] == ["trained", "random"]


def test_a_tab_starts_with_the_networks_own_parameters(tab, lesson):
    shown = tab.get("/api/network").json()
    for l in range(3):
        torch.testing.assert_close(torch.tensor(shown["network"]["W"][l]), lesson.trained[2 * l].weight.detach())
        torch.testing.assert_close(torch.tensor(shown["network"]["b"][l]), lesson.trained[2 * l].bias.detach())
    assert shown["accuracy"] >= 0.95
    assert sum(shown["predictions"]) == pytest.approx(1)


def test_a_random_network_is_that_of_its_seed(server):
    one, again, other = (server.post("/api/tabs", json={"start": "random", "seed": seed}).json() for seed in (3, 3, 4))
    assert one["network"] == again["network"] != other["network"]
    torch.manual_seed(3)
    torch.testing.assert_close(torch.tensor(one["network"]["W"][0]), make_network([784, 16, 16, 10])[0].weight.detach())
    assert one["accuracy"] < 0.4


def test_a_run_that_was_not_given_is_refused(server):
    answer = server.post("/api/tabs", json={"start": "run"})
    assert answer.status_code == 422
    assert "--checkpoint" in answer.json()["error"]


def test_reset_takes_the_tab_back_to_a_start(tab):
    tab.post("/api/step", json={"image": IMAGE, "target": 2, "rate": 1.0, "take": True})
    again = tab.post("/api/reset", json={"start": "trained"}).json()
    assert (again["steps"], again["undo"]) == (0, 0)
    assert again["network"] == tab.get("/api/network").json()["network"]


def live(client, drawing):
    """Steps and training, and the history that says what was done."""
    history = []
    for image, times in ((IMAGE, 3), (drawing, 2)):
        client.post("/api/step", json={"image": image, "target": 2, "rate": 0.5, "times": times, "take": True})
        history.append({"op": "step", "image": image, "target": 2, "rate": 0.5, "times": times})
    for batch, rate in ((10, 1.0), (1, 0.1), (100, 3.0), (0, 2.0)):
        done = sum(
            client.post("/api/train", json={"batch": batch, "rate": rate, "seed": 7, "milliseconds": 5}).json()["done"]
            for _ in range(3)
        )
        history.append({"op": "train", "batch": batch, "rate": rate, "seed": 7, "steps": done})
    return history


def test_a_history_replays_to_the_same_parameters_bit_for_bit(tab, drawing):
    history = live(tab, drawing)
    first = kept(tab)
    tab.headers["X-Tab"] = tab.post("/api/tabs", json={"history": history}).json()["tab"]
    again = kept(tab)
    assert again.steps == first.steps
    assert all(p.equal(q) for p, q in zip(first.model.parameters(), again.model.parameters(), strict=True))


def test_undo_goes_back_through_a_replayed_history(server):
    step = {"op": "step", "image": IMAGE, "target": 2, "rate": 1.0, "times": 1}
    answer = server.post("/api/tabs", json={"history": [step, step, {**step, "target": 3}]}).json()
    assert answer["undo"] == 3
    server.headers["X-Tab"] = answer["tab"]
    assert [server.post("/api/undo", json={}).json()["steps"] for _ in range(3)] == [2, 1, 0]


def test_an_image_of_the_history_may_be_sent_once(server, drawing):
    step = {"op": "step", "target": 2, "rate": 1.0, "times": 1}
    whole = server.post("/api/tabs", json={"history": [{**step, "image": drawing}] * 2}).json()
    once = server.post("/api/tabs", json={"history": [{**step, "image": 0}] * 2, "images": [drawing]}).json()
    assert whole["network"] == once["network"]
    assert server.post("/api/tabs", json={"history": [{**step, "image": 1}], "images": [drawing]}).status_code == 422


STEP = {"op": "step", "image": IMAGE, "target": 2, "rate": 1.0, "times": 1}
TRAIN = {"op": "train", "batch": 10, "rate": 1.0, "steps": 1, "seed": 0}


@pytest.mark.parametrize(
    "history",
    [
        [STEP] * 201,
        [{**TRAIN, "steps": LIMITS["steps"] + 1}],
        [{**TRAIN, "steps": LIMITS["steps"]}, STEP],
        [{**TRAIN, "batch": 0, "steps": 101}],
        [{**TRAIN, "steps": 10**12}],
        [{**TRAIN, "batch": 7}],
        [{**STEP, "times": 0}],
        [{**STEP, "op": "stop"}],
        [{}],
        {"op": "step"},
    ],
)
def test_a_history_that_is_too_long_or_none_is_refused_at_once(history, server):
    answer = server.post("/api/tabs", json={"history": history})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("history")


def test_a_run_of_ones_own_can_be_started_from():
    torch.manual_seed(0)
    own = make_network([784, 30, 10], "relu")
    lesson = Lesson(*load_start(), own, "784-30-10 of mine")
    model, name = lesson.network("run")
    assert name == "784-30-10 of mine"
    assert lesson.starts == ["trained", "random", "run"]
    assert model[0].weight.equal(own[0].weight.double())


def deflated(drawing):
    return {"drawing": base64.b64encode(zlib.compress(base64.b64decode(drawing["drawing"]))).decode()}


def test_a_drawing_may_be_deflated(tab, drawing):
    whole, small = (tab.post("/api/look", json={"image": image}).json() for image in (drawing, deflated(drawing)))
    assert whole == small


def test_what_is_inflated_is_bounded(tab):
    bomb = {"drawing": base64.b64encode(zlib.compress(bytes(40_000_000))).decode()}
    answer = tab.post("/api/look", json={"image": bomb})
    assert answer.status_code == 422
    assert answer.json()["error"] == "image.drawing must have 112×112 = 12544 bytes, got 12545 or more."
