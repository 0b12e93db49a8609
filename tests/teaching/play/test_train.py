"""Live training, and the map of two ways down."""

import json
import threading
import time

import pytest
import torch
from alone import run_alone

from manualgrad import sgd_step
from manualgrad.teaching.descent import average_cost
from manualgrad.teaching.play.batches import _batches, train
from manualgrad.teaching.play.endpoints import map as maps
from manualgrad.teaching.play.endpoints import train as training
from manualgrad.training.loop import accuracy

IMAGE = {"split": "test", "index": 3}


def test_training_lowers_the_cost_and_says_what_it_did(server, lesson):
    server.headers["X-Tab"] = server.post("/api/tabs", json={"start": "random", "seed": 1}).json()["tab"]
    steps, costs = 0, []
    for _ in range(20):
        shown = server.post("/api/train", json={"batch": 10, "rate": 1.0, "milliseconds": 20, "image": IMAGE}).json()
        steps += shown["done"]
        costs.append(shown["cost"])
        assert shown["steps"] == steps
        assert shown["examples"] == 10 * shown["done"]
        assert len(shown["batch_costs"]) == shown["done"] >= 1
    assert costs[-1] < 0.7 * costs[0]
    looked = server.post("/api/look", json={"image": IMAGE}).json()
    assert shown["a"] == looked["layers"][-1]["a"]


def test_cost_and_accuracy_are_those_of_the_first_thousand(tab, lesson):
    shown = tab.post("/api/train", json={"batch": 10, "rate": 0.0, "milliseconds": 1}).json()
    few = lesson.training[:1_000]
    assert shown["cost"] == pytest.approx(average_cost(lesson.trained, few.x, few.y), rel=1e-6)
    assert shown["accuracy"] == pytest.approx(accuracy(lesson.trained, lesson.test[:1_000]), abs=1e-6)
    assert shown["a"] is None


@pytest.mark.parametrize("batch", [1, 10, 100, 0])
def test_so_many_steps_are_so_many(batch, tab, monkeypatch):
    monkeypatch.setattr(training, "_LONGEST", 60_000)  # ms: on a slow machine
    shown = tab.post("/api/train", json={"batch": batch, "rate": 0.1, "steps": 2}).json()
    assert (shown["done"], shown["examples"]) == (2, 2 * (batch or 10_000))


def test_a_request_does_not_train_much_longer_than_it_was_given(tab):
    start = time.perf_counter()
    tab.post("/api/train", json={"batch": 10, "rate": 0.1, "milliseconds": 100})
    assert time.perf_counter() - start < 5


def test_an_epoch_shows_every_example_once_and_the_next_in_another_order(lesson):
    few = lesson.training[:100]
    seen = few.x[:, 0].clone()
    model, _ = lesson.network("trained")
    orders = []
    for epoch in range(2):
        rows = [batch.tolist() for batch in _rows(10, 5, 10 * epoch)]
        assert sorted(row for batch in rows for row in batch) == list(range(100))
        orders.append(rows)
    assert orders[0] != orders[1]
    assert few.x[:, 0].equal(seen)
    assert len(list(train(model, few, 10, 0.1, 5, 0, 20))) == 20


def _rows(batch, seed, steps):
    return _batches(100, batch, seed, steps, 100 // batch)


def test_a_step_on_all_images_is_the_step_of_the_whole_cost(tab, lesson):
    tab.post("/api/train", json={"batch": 0, "rate": 2.0, "steps": 1})
    kept = tab.app.app.state.tabs.get(tab.headers["X-Tab"]).model
    model = lesson.network("trained")[0].float()
    sgd_step(model, lesson.training.x, lesson.training.y, 2.0)
    assert kept[0].weight.equal(model[0].weight.double())


BAD = {
    "batch": [2, -1, "10", 1_000],
    "rate": [-0.1, "1", float("nan")],
    "milliseconds": [0, 101, 2.5],
    "steps": [0, 101],
    "seed": [-1, 2**31, "0"],
    "image": [{}],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_training_out_of_range_is_refused(field, value, tab):
    body = {"batch": 10, "rate": 1.0, "milliseconds": 1, field: value}
    answer = tab.post("/api/train", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(field)


MAP = {"batches": [10, 0], "rate": 1.0, "seed": 0, "start": "random"}


def test_the_map_tells_its_progress_and_ends_with_both_paths(server):
    lines = [json.loads(line) for line in server.post("/api/map", json=MAP).text.splitlines()]
    progress = [line["progress"] for line in lines[:-1]]
    assert progress[0] == 0
    assert progress == sorted(progress)
    assert len(progress) > 3
    found = lines[-1]
    assert [path["batch"] for path in found["paths"]] == [10, 0]
    for path in found["paths"]:
        assert len(path["points"]) == len(path["costs"]) == len(path["examples"]) == len(path["seconds"]) > 90
        assert path["costs"][-1] < path["costs"][0]
        assert path["points"][0] == pytest.approx([0, 0], abs=1e-5)
    assert found["paths"][1]["points"][-1][1] == pytest.approx(0, abs=1e-3)  # the second path's end lies to the right
    assert (len(found["across"]), len(found["up"]), len(found["costs"]), len(found["costs"][0])) == (25, 25, 25, 25)


@pytest.mark.parametrize("rate", [0.0, 1000.0])
def test_a_map_of_a_rate_that_is_of_no_use_is_no_failure(rate, server):
    last = json.loads(server.post("/api/map", json={**MAP, "rate": rate}).text.splitlines()[-1])
    assert set(last) == {"paths", "across", "up", "costs"}


@pytest.mark.parametrize("fields", [{"batches": [10]}, {"batches": [10, 7]}, {"rate": -1}, {"start": "run"}, {"batches": None}])
def test_a_map_out_of_range_is_refused(fields, server):
    assert server.post("/api/map", json={**MAP, **fields}).status_code == 422


def test_the_work_on_a_map_stops_when_the_client_leaves(monkeypatch):
    began, ended, finished = (threading.Event() for _ in range(3))

    def work(asked, lesson, advance):
        try:
            for _ in range(1_000):
                advance()
                began.set()
                time.sleep(0.01)
            finished.set()
        finally:
            ended.set()

    monkeypatch.setattr(maps, "_found", work)

    async def leave():
        lines = maps._lines(maps.Map(batches=[10, 0], rate=1.0), None)
        await anext(lines)
        await anext(lines)
        assert began.wait(5)
        await lines.aclose()

    run_alone(leave)
    assert ended.wait(30)
    assert not finished.is_set()


def test_a_map_that_fails_ends_with_a_sentence(server, monkeypatch):
    def fail(*_):
        raise RuntimeError("no reason")

    monkeypatch.setattr(maps, "_found", fail)
    last = json.loads(server.post("/api/map", json=MAP).text.splitlines()[-1])
    assert last["error"].startswith("The map could not be drawn (RuntimeError")
    assert not torch.is_inference_mode_enabled()
