"""Answers as JSON, with null for what is no number."""

import json
import math

import pytest
import torch
from starlette.testclient import TestClient

from manualgrad.teaching.play.answer import to_json
from manualgrad.teaching.play.app import make_app
from manualgrad.teaching.play.lesson import Lesson
from manualgrad.training.loop import make_network

IMAGE = {"split": "test", "index": 0}


def test_numbers_have_eight_digits_in_lists_as_deep_as_the_tensor():
    values = torch.tensor([[1 / 3, -2.5e-12], [0.0, 1e20]], dtype=torch.float64)
    assert json.loads(to_json({"é": values, "n": [1, True, None, "σ"]})) == {
        "é": [[0.33333333, -2.5e-12], [0, 1e20]],
        "n": [1, True, None, "σ"],
    }
    assert json.loads(to_json(torch.tensor([1, 2]))) == [1, 2]
    assert to_json(torch.tensor(-0.0)) == to_json(-0.0) == "0"
    assert to_json(-torch.zeros(2)) == "[0,0]"
    assert to_json(torch.empty(0, 3)) == "[]"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_null(value):
    assert to_json(value) == to_json(torch.tensor(value)) == "null"
    assert json.loads(to_json(torch.tensor([1.0, value]))) == [1, None]


@pytest.fixture
def ran_away(lesson):
    """A tab of a network whose training led beyond all numbers."""
    model = make_network([784, 9, 10], "relu")
    with torch.no_grad():
        model[0].weight.fill_(math.nan)
    app = make_app(Lesson(lesson.training, lesson.test, lesson.trained, model, "784-9-10 of a run"), "127.0.0.1", 8765)
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        client.headers["X-Tab"] = client.post("/api/tabs", json={"start": "run"}).json()["tab"]
        yield client


WANTED = {"image": IMAGE, "target": 2}


@pytest.mark.parametrize(
    ("path", "fields"),
    {
        "look": {"image": IMAGE},
        "wishes": WANTED,
        "step": {**WANTED, "rate": 1.0, "take": True},
        "average": {**WANTED, "examples": [1, 2]},
        "nudge": {**WANTED, "weight": {"l": 1, "j": 0, "k": 0}},
        "train": {"batch": 10, "rate": 1.0, "milliseconds": 1},
        "formula": {"of": "delta", "l": 2, **WANTED},
    }.items(),
)
def test_a_network_that_ran_away_is_shown_with_nulls(path, fields, ran_away):
    answer = ran_away.post(f"/api/{path}", json=fields)
    assert answer.status_code == 200
    assert "NaN" not in answer.text.replace("nan", "NaN").partition('"numbers"')[0]
    assert "null" in answer.text
