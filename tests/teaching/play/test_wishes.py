"""What one image wishes: the negative derivatives of trace; and what a step does."""

import json

import pytest
import torch

from manualgrad import per_example_grad_norms, sgd_step, trace
from manualgrad.teaching.play.drawing import desired

IMAGE, TARGET = {"split": "test", "index": 3}, 2


@pytest.fixture
def traced(lesson):
    x, y = lesson.test.x[3:4].double(), desired(TARGET)[None]
    return trace(lesson.network("trained")[0], x, y).average()


def close(shown, tensor):
    torch.testing.assert_close(torch.tensor(shown, dtype=torch.float64), tensor.detach().double(), rtol=1e-7, atol=1e-300)


def test_every_wish_is_a_negative_derivative_of_trace(tab, traced):
    shown = tab.post("/api/wishes", json={"image": IMAGE, "target": TARGET}).json()
    close(shown["cost"], traced.cost)
    assert shown["y"] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    for layer, found in zip(shown["layers"], traced.layers, strict=True):
        for name in ("z", "a", "dC_da", "da_dz", "delta"):
            close(layer[name], getattr(found, name))
        close(layer["wish_a"], -found.dC_da)
        close(layer["wish_b"], -found.dC_db)
        close(layer["wish_W"], -found.dC_dW)
    assert "wish_before" not in shown["layers"][0]
    for layer, found in zip(shown["layers"][1:], traced.layers[1:], strict=True):
        close(layer["wish_before"], -found.delta[:, None] * found.W)
        close(layer["wish_before_sum"], -found.dC_da_prev)


def step(client, **fields):
    return client.post("/api/step", json={"image": IMAGE, "target": TARGET, "rate": 1.0, "times": 1, "take": False, **fields})


def test_a_small_steps_fall_is_what_the_derivatives_foretold(tab, lesson, traced):
    shown = step(tab, rate=1e-4).json()
    length = per_example_grad_norms(lesson.network("trained")[0], traced.layers[0].a_prev[None], desired(TARGET)[None]).item()
    assert shown["gradient_length"] == pytest.approx(length, rel=1e-6)
    assert shown["foretold"] == pytest.approx(-1e-4 * length**2, rel=1e-6)
    assert shown["happened"] == pytest.approx(shown["foretold"], rel=1e-3)
    assert shown["happened"] != shown["foretold"]


def test_a_step_is_sgd_step_so_many_times(tab, lesson):
    model, _ = lesson.network("trained")
    x, y = lesson.test.x[3:4].double(), desired(TARGET)[None]
    shown = step(tab, rate=0.5, times=3, take=True).json()
    for _ in range(3):
        sgd_step(model, x, y, 0.5)
    for l in range(3):
        close(shown["network"]["W"][l], model[2 * l].weight)
    close(shown["after"]["a"], trace(model, x, y).layers[-1].a[0])
    assert shown["steps"] == 3


def test_a_step_that_is_tried_changes_nothing(tab):
    before = tab.get("/api/network").json()
    shown = step(tab, rate=5.0, times=50).json()
    assert "network" not in shown
    assert shown["after"]["cost"] < shown["before"]["cost"]
    assert tab.get("/api/network").json() == before


def test_a_network_that_listens_to_one_image_calls_everything_by_its_digit(tab):
    for _ in range(8):
        shown = step(tab, rate=5.0, times=50, take=True).json()
    assert shown["predictions"][TARGET] > 0.5
    assert shown["accuracy"] < 0.6


BAD = {
    "target": [10, -1, "2", 2.5, None, True],
    "rate": ["1", -1, 1e9, None, float("nan"), float("inf")],
    "times": [0, 51, 1.5, "1"],
    "take": ["yes", 1],
    "image": [
        None,
        {},
        [],
        "drawing",
        {"split": "test"},
        {"index": 3},
        {"split": "both", "index": 3},
        {"split": "test", "index": -1},
        {"split": "test", "index": 2_000},
        {"split": "test", "index": 3, "drawing": "AAAA"},
        {"drawing": ""},
        {"drawing": "AAAA"},
        {"drawing": "no base64!"},
        {"drawing": 3},
        {"drawing": None},
    ],
    "other": [1],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_bad_field_is_a_sentence_that_names_it(field, value, tab):
    body = {"image": IMAGE, "target": TARGET, "rate": 1.0, "times": 1, "take": False, field: value}
    answer = tab.post("/api/step", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    text = answer.json()["error"]
    assert text.startswith(field)
    assert text.endswith(".")
    assert len(text) < 300
    assert "\n" not in text


@pytest.mark.parametrize("field", ["image", "target", "rate"])
def test_a_missing_field_is_named(field, tab):
    body = {"image": IMAGE, "target": TARGET, "rate": 1.0}
    del body[field]
    answer = tab.post("/api/step", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, f"{field} is missing.")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b'{"image":' * 5_000])
def test_what_is_no_json_object_is_a_sentence(body, tab):
    answer = tab.post("/api/step", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error"}


def test_a_field_that_there_is_not_is_named(tab):
    answer = tab.post("/api/look", json={"image": IMAGE, "other": 1})
    assert (answer.status_code, answer.json()["error"]) == (422, "other is not a known field.")
