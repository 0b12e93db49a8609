"""manualgrad predict: what a network takes image files for, how sure it is, and what could not be read."""

import json
import os
import shutil
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image, ImageDraw
from screens import manualgrad, write_run

from manualgrad.training import images
from manualgrad.training.plots import predict as plots
from manualgrad.training.runs import load_network

UNSURE = "unsure: the brightest output is less than 0.5 above the second"


@pytest.fixture(autouse=True)
def _drawings():
    """two.png, 28×28, and two photographs."""
    numbers = numpy.random.default_rng(0)
    Image.fromarray(numbers.integers(0, 100, (28, 28)).astype(numpy.uint8)).save("two.png")
    paper = Image.new("RGB", (900, 700), (235, 228, 205))
    ImageDraw.Draw(paper).line([(300, 200), (500, 200), (400, 500)], fill=(20, 30, 120), width=40)
    paper.save("[photo].jpg")
    paper.save("a photograph that bears a rather long name.jpg")


def write_constant_run(folder, *a):
    """A run whose network has these outputs, whatever the image."""
    run = write_run(folder, sizes=[784, 10], dataset="mnist")
    bias = torch.tensor([*a, *[0.01] * (10 - len(a))]).logit()
    torch.save({"0.weight": torch.zeros(10, 784), "0.bias": bias}, run / "model.pt")
    return run


def test_the_command_prints_the_ten_activations_and_what_was_done(tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="mnist")
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, "two.png", "[photo].jpg")
    assert (code, err) == (0, "")
    network, _ = load_network(run)
    a = network(images.read(tmp_path / "two.png").x[None])[0]
    (row,) = (line.split() for line in out.splitlines() if line.startswith("two.png  "))
    assert row[-10:] == [f"{value:.2f}" for value in a.tolist()]
    assert "two.png, 28×28: taken as it is\n" in out
    assert "[photo].jpg, 900×700: converted to grey, inverted, the drawing scaled to 14×20," in out
    assert (tmp_path / "runs" / "predict.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("a", "verdict"),
    {
        (0.01, 0.01, 0.95): "2",
        (0.56, 0.05): "0",
        (0.5, 0.05): "unsure: 0",
        (0.01, 0.9, 0.45): "unsure: 1 or 2",
        (0.01, 0.3, 0.2, 0.1): "unsure: 1 or 2",
    }.items(),
)
def test_where_the_brightest_output_has_no_lead_of_a_half_the_verdict_is_unsure(a, verdict, tmp_path, capsys, monkeypatch):
    figures = []
    plot = plots.plot_predictions
    monkeypatch.setattr(plots, "plot_predictions", lambda *arguments: figures.append(plot(*arguments)))
    run = write_constant_run(tmp_path / "run", *a)
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, "two.png")
    assert (code, err) == (0, "")
    (row,) = (line for line in out.splitlines() if line.startswith("two.png "))
    assert row.split()[1:-10] == verdict.split()
    unsure = verdict.startswith("unsure")
    assert (UNSURE in out) == unsure
    (figure,) = figures
    assert figure.axes[2].get_title() == (verdict if unsure else f"is a {verdict}")
    assert (UNSURE in figure.get_suptitle()) == unsure


def test_the_screen_is_80_columns_wide_and_names_are_whole(tmp_path, capsys):
    run = write_constant_run(tmp_path / "run", 0.01, 0.3, 0.2)
    long = "a photograph that bears a rather long name.jpg"
    _, out, _ = manualgrad(capsys, "predict", "--checkpoint", run, "two.png", long)
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    activations = " 0.01 0.30 0.20" + 7 * " 0.01"
    rows = [f"two.png unsure: 1 or 2{activations}", long, f"        unsure: 1 or 2{activations}"]
    assert lines[2 : lines.index(UNSURE)] == rows
    assert f"{long}, 900×700: converted" in out


@pytest.mark.parametrize("words", ["a_name_without_spaces_", "a name with spaces, and with hyphens - "])
def test_a_name_longer_than_the_screen_is_whole_too(words, tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="mnist")
    long = f"{words * 4}.png"
    shutil.copy("two.png", long)
    _, out, _ = manualgrad(capsys, "predict", "--checkpoint", run, long)
    assert long in out.splitlines()
    assert f"{long}," in out.splitlines()


def test_images_of_one_name_are_told_apart_by_their_paths(tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="mnist")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy("two.png", folder)
    _, out, _ = manualgrad(capsys, "predict", "--checkpoint", run, "a/two.png", "b/two.png", "[photo].jpg")
    names = [line.split()[0] for line in out.splitlines()[2:5]]
    assert names == [str(Path("a/two.png")), str(Path("b/two.png")), "[photo].jpg"]


@pytest.mark.parametrize("name", ["$x^$.png", "数字.png", "two\nlines.png", os.fsdecode(b"not text \xff.png")])
def test_a_name_of_any_letters_is_printed_and_drawn(name, tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="mnist")
    try:
        shutil.copy("two.png", name)
    except OSError:
        pytest.skip("this file system has no such names")
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, name)
    assert (code, err) == (0, "")
    assert name.replace("\n", "�").replace("\udcff", "�") in out


def test_an_image_is_not_overwritten_by_the_picture(tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="mnist")
    before = (tmp_path / "two.png").read_bytes()
    code, _, err = manualgrad(capsys, "predict", "--checkpoint", run, "[photo].jpg", "two.png", "--out", tmp_path / "two.png")
    assert code == 2
    assert "two.png is one of the images and would be overwritten" in err
    assert (tmp_path / "two.png").read_bytes() == before


def test_a_batch_goes_on_without_what_could_not_be_read_and_ends_with_2(tmp_path, capsys, monkeypatch):
    figures = []
    plot = plots.plot_predictions
    monkeypatch.setattr(plots, "plot_predictions", lambda *arguments: figures.append(plot(*arguments)))
    run = write_run(tmp_path / "run", dataset="mnist")
    Image.new("L", (50, 40), 90).save("grey.png")
    (tmp_path / "text.png").write_text("I am no image")
    files = "grey.png", "two.png", "nothing.png", "[photo].jpg", "text.png"
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, *files)
    assert code == 2
    assert err.splitlines() == [
        "manualgrad: grey.png shows nothing that stands out from its background",
        "manualgrad: nothing.png cannot be read (No such file or directory)",
        "manualgrad: text.png is not an image that can be read",
    ]
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["two.png", "[photo].jpg"]
    (figure,) = figures
    assert [axes.get_title() for axes in figure.axes[::3]] == ["two.png", "[photo].jpg"]


def test_where_nothing_can_be_classified_there_is_no_picture(tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="mnist")
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, "nothing.png", "none.png")
    assert (code, out, len(err.splitlines())) == (2, "", 2)
    assert not (tmp_path / "runs" / "predict.png").exists()


BAD = {
    "text.png": "text.png is not an image that can be read",
    "half.png": "half.png is not an image that can be read",
    "damaged.ppm": "damaged.ppm is not an image that can be read",
    "nothing.png": "nothing.png cannot be read (No such file or directory)",
    ".": ". cannot be read (Is a directory)",
    "grey.png": "grey.png shows nothing that stands out from its background",
    "empty.png": "empty.png is empty, not an image",
    "large.png": "large.png is too large: an image may have at most 178,956,970 pixels, such as 13,377×13,377; scale it down",
    "nan.tiff": "nan.tiff has pixels that are not finite numbers: 2 of 120, the first, nan, in row 3, column 4, counted from 0",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_named_in_a_sentence(name, tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="mnist")
    (tmp_path / "text.png").write_text("I am no image")
    (tmp_path / "damaged.ppm").write_text("P5 6. 50 255 ")
    Image.new("L", (50, 40), 90).save("grey.png")
    (tmp_path / "empty.png").touch()
    Image.new("1", (20_000, 10_000)).save("large.png")
    numbers = numpy.ones((10, 12), dtype=numpy.float32)
    numbers[3, 4], numbers[5, 6] = numpy.nan, numpy.inf
    Image.fromarray(numbers).save("nan.tiff")
    noise = Image.fromarray(torch.randint(0, 256, (200, 200), dtype=torch.uint8).numpy())
    noise.save("whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, name)
    assert (code, out, err) == (2, "", f"manualgrad: {BAD[name]}\n")


def test_clothes_are_scaled_to_the_whole_image(tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="fashion-mnist")
    _, out, _ = manualgrad(capsys, "predict", "--checkpoint", run, "[photo].jpg")
    assert "the drawing scaled to 19×28" in out


def test_a_network_for_other_inputs_is_refused(tmp_path, capsys):
    run = write_run(tmp_path / "run", sizes=[100, 5, 10], dataset="mnist")
    code, _, err = manualgrad(capsys, "predict", "--checkpoint", run, "two.png")
    assert code == 2
    assert err == f"manualgrad: --checkpoint: {run} is 100-5-10, which does not take images of 28×28\n"


def test_a_damaged_run_is_refused(tmp_path, capsys):
    run = write_run(tmp_path / "run", dataset="mnist")
    (run / "config.json").write_text(json.dumps({"sizes": "many"}))
    code, _, err = manualgrad(capsys, "predict", "--checkpoint", run, "two.png")
    assert code == 2
    assert err.startswith("manualgrad: ")
    assert len(err.splitlines()) == 1
