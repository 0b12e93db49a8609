"""manualgrad predict: images of any kind come to what the network was trained on."""

import numpy
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps
from screens import manualgrad, write_run

from manualgrad.training import data, images
from manualgrad.training.runs import load_network


@pytest.fixture(scope="module")
def sevens():
    """The first test images of a 7, as bytes [n, 28, 28]."""
    _, test = data.load()
    return (test.x[test.labels == 7][:20].view(-1, 28, 28) * 255).round().byte()


@pytest.fixture(scope="module")
def seven(sevens):
    return Image.fromarray(sevens[0].numpy())


def seen(image, tmp_path, name="image.png", **options):
    image.save(tmp_path / name)
    return images.read(tmp_path / name, **options)


def test_the_centre_of_mass_of_mnists_images_is_where_drawings_are_put():
    training, _ = data.load()
    x, places = training.x.view(-1, 28, 28), torch.arange(28.0)
    for axis in (1, 2):  # the sums of the columns, and of the rows
        sums = x.sum(axis)
        centres = (sums * places).sum(1) / sums.sum(1)
        assert centres.mean().item() == pytest.approx(images._CENTRE, abs=0.01)


def test_an_image_of_mnists_is_taken_as_it_is(seven, sevens, tmp_path):
    picture = seen(seven, tmp_path)
    assert torch.equal(picture.x.view(28, 28), sevens[0] / 255)
    assert picture.done == ["taken as it is"]


def test_an_inverted_one_is_inverted_again(seven, sevens, tmp_path):
    picture = seen(ImageOps.invert(seven), tmp_path)
    torch.testing.assert_close(picture.x.view(28, 28), sevens[0] / 255)
    assert picture.done == ["inverted"]


def large(image, size=(560, 560)):
    return image.resize(size, Image.Resampling.BICUBIC)


def on_paper(image):
    """Blue ink on yellowish paper, not in the middle."""
    paper = Image.new("RGB", (900, 700), (235, 228, 205))
    paper.paste((20, 30, 120), (250, 30, 250 + image.width, 30 + image.height), image)
    return paper


def transparent(image):
    ink = Image.new("RGBA", image.size, (200, 0, 0, 0))
    ink.putalpha(image)
    return ink


def sixteen_bits(image):
    return Image.fromarray(numpy.asarray(image).astype(numpy.uint16) * 100)


KINDS = {
    "large": (large, "png", []),
    "dark on light": (lambda image: ImageOps.invert(large(image)), "png", ["inverted"]),
    "colour": (lambda image: on_paper(large(image)), "png", ["turned grey", "inverted"]),
    "JPEG": (lambda image: on_paper(large(image)), "jpg", ["turned grey", "inverted"]),
    "transparent": (lambda image: transparent(large(image)), "png", ["laid on white", "turned grey", "inverted"]),
    "palette": (lambda image: on_paper(large(image)).quantize(16), "png", ["turned grey", "inverted"]),
    "black and white": (lambda image: large(image).point(lambda v: 255 * (v > 127)).convert("1"), "png", []),
    "16 bits": (lambda image: sixteen_bits(large(image)), "png", []),
    "with a margin": (lambda image: ImageOps.expand(large(image), 400, fill=0), "png", []),
}


def likeness(a, b):
    """The cosine of the angle between them."""
    return torch.nn.functional.cosine_similarity(a.flatten().float(), b.flatten().float(), dim=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawing_of_any_kind_comes_nearer_to_the_image_it_was_made_of_than_a_pixels_shift(kind, sevens, tmp_path):
    change, ending, done = KINDS[kind]
    for number, image in enumerate(sevens[:5]):
        picture = seen(change(Image.fromarray(image.numpy())), tmp_path, f"{number}.{ending}")
        assert picture.done[: len(done)] == done
        assert picture.done[-1] == "its centre of mass put in the middle"
        assert picture.x.min() == 0
        near = likeness(picture.x, image)
        shifted = max(likeness(image.roll(by, axis), image) for by in (-1, 1) for axis in (0, 1))
        assert near > shifted, f"image {number}: {near:.2f}, and a shift by one pixel comes to {shifted:.2f}"


def test_a_rotation_that_the_camera_noted_is_undone(seven, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    turned = large(seven).transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    picture = images.read(tmp_path / "turned.jpg")
    upright = seen(large(seven), tmp_path)
    assert likeness(picture.x, upright.x) > 0.99


@pytest.mark.parametrize(("box", "expected"), {(10, 10, 50, 110): (8, 20), (0, 90, 99, 99): (20, 2)}.items())
def test_the_longer_side_becomes_20_pixels_and_the_centre_of_mass_the_middle(box, expected, tmp_path):
    image = Image.new("L", (120, 120), 0)
    ImageDraw.Draw(image).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=255)
    x = seen(image, tmp_path).x.view(28, 28)
    rows, columns = x.nonzero().T
    assert (int(columns.max() - columns.min()) + 1, int(rows.max() - rows.min()) + 1) == expected
    assert abs(rows.float().mean() - 14) <= 0.5
    assert abs(columns.float().mean() - 14) <= 0.5


def test_a_drawing_of_one_pixel_is_one(tmp_path):
    image = Image.new("L", (50, 40), 0)
    image.putpixel((3, 4), 200)
    assert seen(image, tmp_path).x.max() == 1


@pytest.mark.parametrize("value", [0, 90, 255])
def test_an_image_that_shows_nothing_is_refused(value, tmp_path):
    with pytest.raises(ValueError, match=r"image.png shows nothing: all its pixels are alike"):
        seen(Image.new("L", (50, 40), value), tmp_path)


def test_the_command_prints_the_ten_activations_and_what_was_done(seven, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    run = write_run(tmp_path / "run", dataset="mnist")
    seven.save("seven.png")
    on_paper(large(seven)).save("[photo].jpg")
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, "seven.png", "[photo].jpg")
    assert (code, err) == (0, "")
    network, _ = load_network(run)
    a = network(images.read(tmp_path / "seven.png").x[None])[0]
    (row,) = (line.split() for line in out.splitlines() if line.startswith("seven.png  "))
    assert row[1] == str(int(a.argmax()))
    assert row[2:] == [f"{value:.2f}" for value in a.tolist()]
    assert "seven.png, 28×28: taken as it is" in out
    assert "[photo].jpg, 900×700: turned grey, inverted, the drawing of " in out
    assert max(len(line) for line in out.splitlines() if line.startswith(("image", "seven.png  ", "[photo].jpg  "))) <= 80
    assert (tmp_path / "predict.png").read_bytes().startswith(b"\x89PNG")


BAD = {
    "text.png": "text.png is no image that can be read",
    "half.png": "half.png is no image that can be read",
    "nothing.png": "nothing.png cannot be read (No such file or directory)",
    ".": ". cannot be read (Is a directory)",
    "grey.png": "grey.png shows nothing: all its pixels are alike",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_named_in_a_sentence(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = write_run(tmp_path / "run", dataset="mnist")
    (tmp_path / "text.png").write_text("I am no image")
    Image.new("L", (50, 40), 90).save("grey.png")
    noise = Image.fromarray(torch.randint(0, 256, (200, 200), dtype=torch.uint8).numpy())
    noise.save("whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, name)
    assert (code, out, err) == (2, "", f"manualgrad: {BAD[name]}\n")


def test_a_network_for_other_inputs_is_refused(seven, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    seven.save("seven.png")
    run = write_run(tmp_path / "run", sizes=[100, 5, 10], dataset="mnist")
    code, _, err = manualgrad(capsys, "predict", "--checkpoint", run, "seven.png")
    assert code == 2
    assert err == f"manualgrad: the network of {run}, 100-5-10, is not one for images of 28×28\n"
