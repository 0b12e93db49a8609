"""What the network makes of an image: the numbers are trace's, the drawing is prepared as predict does."""

import base64

import numpy
import pytest
import torch
from PIL import Image

from manualgrad import trace
from manualgrad.training.images import read
from manualgrad.training.verdict import verdict


def close(shown, tensor):
    torch.testing.assert_close(torch.tensor(shown, dtype=torch.float64), tensor.double(), rtol=1e-7, atol=0)


def test_z_and_a_are_those_of_trace(tab, lesson):
    for index in (0, 17):
        shown = tab.post("/api/look", json={"image": {"split": "test", "index": index}}).json()
        x = lesson.test.x[index : index + 1].double()
        traced = trace(lesson.network("trained")[0], x, torch.zeros(1, 10).double())
        for layer, found in zip(shown["layers"], traced.layers, strict=True):
            close(layer["z"], found.z[0])
            close(layer["a"], found.a[0])
        close(shown["x"], x[0])
        a = traced.layers[-1].a[0]
        assert shown["prediction"] == int(a.argmax())
        assert shown["verdict"] == verdict(a)
        assert shown["label"] == int(lesson.test.labels[index])


def test_a_drawing_is_what_predict_makes_of_a_file_of_it(tab, drawing, tmp_path):
    grey = numpy.frombuffer(base64.b64decode(drawing["drawing"]), dtype=numpy.uint8).reshape(112, 112)
    Image.fromarray(grey).save(tmp_path / "drawing.png")
    picture = read(tmp_path / "drawing.png")
    shown = tab.post("/api/look", json={"image": drawing}).json()
    torch.testing.assert_close(torch.tensor(shown["x"]), picture.x, rtol=0, atol=1e-6)
    assert shown["done"] == picture.done
    assert shown["label"] is None
    assert shown["prediction"] == 7


def test_nothing_drawn_is_no_fault(tab):
    empty = {"drawing": base64.b64encode(bytes(112 * 112)).decode()}
    shown = tab.post("/api/look", json={"image": empty}).json()
    assert shown["x"] == [0] * 784
    assert (shown["verdict"], shown["done"]) == ("", ["nothing is drawn yet"])
    assert tab.post("/api/wishes", json={"image": empty, "target": 2}).status_code == 200


@pytest.mark.parametrize("row", [0, 50, 111])
@pytest.mark.parametrize("ink", [1, 255])
def test_a_single_dot_anywhere_is_a_drawing(row, ink, tab):
    grey = bytearray(112 * 112)
    grey[row * 112 + row] = ink
    shown = tab.post("/api/look", json={"image": {"drawing": base64.b64encode(grey).decode()}}).json()
    assert max(shown["x"]) == 1


def test_images_are_listed_by_digit(server, lesson):
    shown = server.get("/api/images", params={"split": "train", "digit": 2, "start": 10, "count": 5}).json()
    assert shown["of"] == 1_000
    rows = (lesson.training.labels == 2).nonzero()[10:15, 0].tolist()
    assert [image["index"] for image in shown["images"]] == rows
    pixels = torch.tensor(list(base64.b64decode(shown["images"][0]["pixels"])))
    torch.testing.assert_close(pixels / 255, lesson.training.x[rows[0]])
    assert {image["label"] for image in shown["images"]} == {2}


@pytest.mark.parametrize("query", ["split=both", "digit=10", "digit=x", "start=-1", "count=0", "count=1000"])
def test_a_list_of_images_out_of_range_is_refused(query, server):
    assert server.get(f"/api/images?{query}").status_code == 422
