"""What the page starts from, and how it is made."""

import hashlib
import io

import numpy
import pytest
import torch
from datasets import write_idx

from manualgrad.teaching.play import make_start as maker
from manualgrad.teaching.play.lesson import START, load_start
from manualgrad.training.data import DataError, load
from manualgrad.training.loop import accuracy


def test_the_start_holds_so_many_images_of_each_digit_and_a_network_that_knows_them():
    training, test, model = load_start()
    assert training.labels.bincount().tolist() == [1_000] * 10
    assert test.labels.bincount().tolist() == [200] * 10
    assert accuracy(model, test) >= 0.95
    assert START.stat().st_size < 3_500_000


def test_the_images_are_mnists():
    training, _, model = load_start()
    whole, test = load("mnist")
    assert accuracy(model, test) >= 0.95
    rows = maker._balanced(whole.labels, 1_000)
    assert training.x.equal(whole.x[rows])
    assert training.labels.equal(whole.labels[rows])
    assert training.y.equal(whole.y[rows])


def test_the_start_is_made_of_the_same_bytes_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(maker, "_EPOCHS", 1)
    monkeypatch.setattr(maker, "_TRAIN", 5)
    monkeypatch.setattr(maker, "_TEST", 2)
    for name, n in (("train", 200), ("t10k", 50)):
        write_idx(tmp_path / f"FashionMNIST/raw/{name}-images-idx3-ubyte", torch.randint(0, 256, (n, 28, 28)).byte(), False)
        write_idx(tmp_path / f"FashionMNIST/raw/{name}-labels-idx1-ubyte", (torch.arange(n) % 10).byte(), False)
    examples = load("fashion-mnist", tmp_path)
    made = [maker.make_start(*examples)[0] for _ in range(2)]
    assert hashlib.sha256(made[0]).digest() == hashlib.sha256(made[1]).digest()
    (tmp_path / "start.npz").write_bytes(made[0])
    training, test, _ = load_start(tmp_path / "start.npz")
    assert (len(training), len(test)) == (50, 20)


def damaged():
    pickled = io.BytesIO()
    numpy.savez(pickled, **{"train.images": numpy.array([{}], dtype=object)})
    few = io.BytesIO()
    numpy.savez(few, **{"train.images": numpy.zeros((2, 784), dtype=numpy.uint8)})
    return {
        "empty": b"",
        "text": b"no start",
        "half": START.read_bytes()[:100_000],
        "pickle": pickled.getvalue(),
        "few": few.getvalue(),
    }


@pytest.mark.parametrize("kind", ["empty", "text", "half", "pickle", "few", "missing"])
def test_a_damaged_start_is_a_sentence(kind, tmp_path):
    if kind != "missing":
        (tmp_path / "start.npz").write_bytes(damaged()[kind])
    with pytest.raises(DataError, match="is missing or damaged"):
        load_start(tmp_path / "start.npz")
