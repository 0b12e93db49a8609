"""Images of any kind come to what the network was trained on."""

import numpy
import pytest
import torch
from PIL import Image, ImageChops, ImageDraw, ImageOps

from manualgrad.training import data, images


@pytest.fixture(scope="module")
def sevens():
    """The first test images of a 7, as bytes [n, 28, 28]."""
    _, test = data.load()
    return (test.x[test.labels == 7][:20].view(-1, 28, 28) * 255).round().byte()


@pytest.fixture(scope="module")
def seven(sevens):
    return Image.fromarray(sevens[0].numpy())


def seen(image, tmp_path, name="image.png", strokes=True, length=None, **options):
    image.save(tmp_path / name, **options)
    return images.read(tmp_path / name, strokes, length)


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


def test_all_of_mnists_test_images_look_like_mnists():
    _, test = data.load()
    assert all(images._is_normalized(x.view(28, 28).numpy(), 20) for x in test.x)


def test_an_image_of_mnists_is_taken_as_it_is_from_an_alpha_channel_too(seven, sevens, tmp_path):
    assert torch.equal(seen(transparent(seven), tmp_path).x.view(28, 28), sevens[0] / 255)


def test_images_that_fill_their_28_pixels_are_taken_as_they_are_where_they_are_the_datas(sevens, tmp_path):
    image = Image.fromarray(sevens[0].numpy()).crop((4, 4, 24, 24)).resize((28, 28))
    for strokes in (True, False):  # as KMNIST's, and Fashion-MNIST's
        assert seen(image, tmp_path, strokes=strokes, length=28).done == ["taken as it is"]
        grey = seen(paper(image, 60, 250), tmp_path, strokes=strokes, length=28)
        assert grey.done[0].startswith("the drawing scaled to 2")
        assert grey.x.min() == 0


def test_noise_added_to_an_image_of_mnists_leaves_it_as_it_is(seven, tmp_path):
    noise = numpy.random.default_rng(0).integers(0, 100, (28, 28))
    assert seen(Image.fromarray((numpy.asarray(seven) // 4 + noise).astype(numpy.uint8)), tmp_path).done == ["taken as it is"]


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


def transparent(image, ink=(200, 0, 0), canvas=(200, 0, 0)):
    """Strokes of this colour on a transparent canvas, whose colour nobody sees."""
    drawn = Image.new("RGB", image.size, canvas)
    drawn.paste(ink, (0, 0), image.point(lambda v: 255 * (v > 0)))
    drawn.putalpha(image)
    return drawn


def in_two_colours(image):
    drawn = transparent(image, (250, 230, 60))
    drawn.paste((200, 20, 20), (0, 0, image.width, image.height // 2))
    drawn.putalpha(image)
    return drawn


def in_colour(image, ink, paper):
    drawn = Image.new("RGB", image.size, paper)
    drawn.paste(ink, (0, 0), image)
    return drawn


def erased(image):
    """White paint, and the drawing erased from it."""
    return transparent(ImageOps.invert(image), (255, 255, 255))


def cut_out(image, paper, ink):
    """A sheet with a drawing, whose corners and surroundings are transparent."""
    sheet = Image.new("L", (900, 700), paper)
    sheet.paste(ink, (150, 70), image)
    shape = Image.new("L", sheet.size, 0)
    ImageDraw.Draw(shape).rounded_rectangle((100, 20, 760, 680), 40, fill=255)
    sheet.putalpha(shape)
    return sheet


def with_transparency(image):
    """A palette of two colours, the first of which is transparent."""
    drawn = image.point(lambda v: int(v > 127)).convert("L")
    drawn.putpalette([255, 255, 255, 255, 255, 255])
    drawn.info["transparency"] = 0
    return drawn


def sixteen_bits(image):
    return Image.fromarray(numpy.asarray(image).astype(numpy.uint16) * 100)


def paper(image, light, dark):
    return image.point(lambda v: round(light + (dark - light) * v / 255))


WHITE, BLACK, ALPHA = (255, 255, 255), (0, 0, 0), "read from its alpha channel"
KINDS = {
    "large": (large, "png", []),
    "dark on light": (lambda image: ImageOps.invert(large(image)), "png", ["inverted"]),
    "colour": (lambda image: on_paper(large(image)), "png", ["converted to grey", "inverted"]),
    "JPEG": (lambda image: on_paper(large(image)), "jpg", ["converted to grey", "inverted"]),
    "red on transparent": (lambda image: transparent(large(image)), "png", [ALPHA]),
    "white on transparent": (lambda image: transparent(large(image), WHITE, WHITE), "png", [ALPHA]),
    "white on transparent over black": (lambda image: transparent(large(image), WHITE, BLACK), "png", [ALPHA]),
    "black on transparent": (lambda image: transparent(large(image), BLACK, BLACK), "png", [ALPHA]),
    "grey and alpha": (lambda image: transparent(large(image), WHITE, BLACK).convert("LA"), "png", [ALPHA]),
    "WebP": (lambda image: transparent(large(image), WHITE, BLACK), "webp", [ALPHA]),
    "two colours on transparent": (lambda image: in_two_colours(large(image)), "png", [ALPHA]),
    "erased": (lambda image: erased(large(image)), "png", [ALPHA, "inverted"]),
    "palette with transparency": (lambda image: with_transparency(large(image)), "png", [ALPHA]),
    "yellow on white": (lambda image: in_colour(large(image), (255, 255, 0), WHITE), "png", ["blue channel used", "inverted"]),
    "red on as bright a grey": (lambda image: in_colour(large(image), (255, 0, 0), (76, 76, 76)), "png", ["red channel used"]),
    "opaque RGBA": (lambda image: ImageOps.invert(large(image)).convert("RGBA"), "png", ["inverted"]),
    "CMYK": (lambda image: ImageOps.invert(large(image)).convert("CMYK"), "jpg", ["inverted"]),
    "own size, grey paper": (lambda image: paper(image, 90, 230), "png", []),
    "own size, light paper": (lambda image: paper(image, 200, 20), "png", ["inverted"]),
    "own size, not in the middle": (lambda image: ImageChops.offset(image, 3, -3), "png", []),
    "own size, transparent": (lambda image: ImageChops.offset(transparent(image), 2, -2), "png", [ALPHA]),
    "palette": (lambda image: on_paper(large(image)).quantize(16), "png", ["converted to grey", "inverted"]),
    "black and white": (lambda image: large(image).point(lambda v: 255 * (v > 127)).convert("1"), "png", []),
    "16 bits": (lambda image: sixteen_bits(large(image)), "png", []),
    "with a margin": (lambda image: ImageOps.expand(large(image), 400, fill=0), "png", []),
}


def likeness(a, b):
    """The cosine of the angle between them."""
    return torch.nn.functional.cosine_similarity(a.flatten().float(), b.flatten().float(), dim=0)


def nearer_than_a_shift(picture, image):
    near = likeness(picture.x, image)
    shifted = max(likeness(image.roll(by, axis), image) for by in (-1, 1) for axis in (0, 1))
    return near > shifted


def near_within_a_pixel(picture, image):
    """Alike, but for the pixel that a centre of mass is rounded to."""
    x = picture.x.view(28, 28)
    return max(likeness(x.roll((down, right), (0, 1)), image) for down in (-1, 0, 1) for right in (-1, 0, 1)) > 0.8


@pytest.mark.few(6)
@pytest.mark.parametrize("kind", KINDS)
def test_a_drawing_of_any_kind_comes_nearer_to_the_image_it_was_made_of_than_a_pixels_shift(kind, sevens, tmp_path):
    change, ending, done = KINDS[kind]
    for number, image in enumerate(sevens[:5]):
        picture = seen(change(Image.fromarray(image.numpy())), tmp_path, f"{number}.{ending}")
        assert picture.done[: len(done)] == done
        assert picture.done[-1] == "its centre of mass moved to the middle"
        assert "uneven background removed" not in picture.done
        assert picture.x.min() == 0
        assert nearer_than_a_shift(picture, image), f"image {number}"


@pytest.mark.parametrize(("light", "ink"), [(240, 10), (20, 240)])
def test_on_a_sheet_that_is_cut_out_the_drawing_is_in_the_colours(light, ink, sevens, tmp_path):
    for number, image in enumerate(sevens[:5]):
        picture = seen(cut_out(large(Image.fromarray(image.numpy())), light, ink), tmp_path, f"{number}.png")
        assert picture.done[0] == "placed on the grey of its paper"
        assert near_within_a_pixel(picture, image), f"image {number}"


@pytest.mark.parametrize("corner", [(1, 1), (9, 1), (1, 9)])
def test_a_small_digit_in_an_image_of_mnists_size_is_made_as_large_as_mnists(corner, sevens, tmp_path):
    for number, image in enumerate(sevens[:5]):
        there = Image.new("L", (28, 28), 0)
        there.paste(Image.fromarray(image.numpy()).resize((18, 18), Image.Resampling.BOX), corner)
        assert near_within_a_pixel(seen(there, tmp_path, f"{number}.png"), image), f"image {number}"


down, across = numpy.mgrid[0:1:400j, 0:1:300j]
LIGHT = {
    "from the right": 0.4 + 0.6 * across,
    "from a corner": 0.4 + 0.3 * (across + down),
    "of a lamp": 1 - 1.4 * ((across - 0.5) ** 2 + (down - 0.5) ** 2),
    "with a shadow": numpy.where(across + 0.5 * down > 0.7, 1, 0.5),
    "with a shadow in the corner": numpy.where(across + down > 0.4, 1, 0.5),
}


def on_a_sheet(image, light, paper=0.95, ink=0.1):
    """A drawing of about 180 of 400 pixels, not in the middle, in this light [400, 300]."""
    there = Image.new("L", (300, 400), 0)
    there.paste(large(image, (250, 250)), (40, 120))
    drawn = numpy.asarray(there) / 255
    return Image.fromarray((255 * (paper + (ink - paper) * drawn) * light).astype(numpy.uint8))


@pytest.mark.parametrize("light", LIGHT)
def test_a_drawing_on_a_sheet_in_uneven_light_is_told_from_its_shade(light, sevens, tmp_path):
    for number, image in enumerate(sevens[:5]):
        sheet = on_a_sheet(Image.fromarray(image.numpy()), LIGHT[light])
        picture = seen(sheet, tmp_path, f"{number}.png")
        assert picture.done[:2] == ["inverted", "uneven background removed"]
        assert nearer_than_a_shift(picture, image), f"image {number}"


def test_chalk_on_an_unevenly_lit_board_is_told_from_it(sevens, tmp_path):
    for number, image in enumerate(sevens[:5]):
        board = on_a_sheet(Image.fromarray(image.numpy()), LIGHT["from the right"], paper=0.4, ink=0.95)
        picture = seen(board, tmp_path, f"{number}.png")
        assert picture.done[0] == "uneven background removed"
        # Where chalk is brighter it is heavier: the centre may be a pixel away.
        assert max(likeness(picture.x.view(28, 28).roll(by, 1), image) for by in (-1, 0, 1)) > 0.8, f"image {number}"


@pytest.mark.parametrize(("paper", "ink"), [(0.45, 0.1), (0.45, 0.3), (0.9, 0.55)])
def test_a_dark_or_a_faint_photograph_of_a_drawing_is_dark_on_light_all_the_same(paper, ink, sevens, tmp_path):
    sheet = on_a_sheet(Image.fromarray(sevens[0].numpy()), 1, paper, ink)
    picture = seen(sheet, tmp_path)
    assert picture.done[0] == "inverted"
    assert nearer_than_a_shift(picture, sevens[0])


def noisy(image, sigma):
    values = numpy.asarray(image) + numpy.random.default_rng(0).normal(0, 255 * sigma, image.size[::-1])
    return Image.fromarray(values.round().clip(0, 255).astype(numpy.uint8))


@pytest.mark.parametrize("light", ["evenly", "from the right"])
def test_noise_is_no_part_of_the_drawing(light, sevens, tmp_path):
    for number, image in enumerate(sevens[:5]):
        sheet = on_a_sheet(Image.fromarray(image.numpy()), LIGHT.get(light, 1))
        assert nearer_than_a_shift(seen(noisy(sheet, 0.05), tmp_path, f"{number}.png"), image), f"image {number}"


@pytest.mark.parametrize("inverted", [False, True])
def test_a_drawing_may_be_cut_out_close_to_its_strokes(inverted, sevens, tmp_path):
    for number, image in enumerate(sevens[:5]):
        drawing = large(Image.fromarray(image.numpy()))
        close = drawing.crop(drawing.point(lambda v: 255 * (v > 127)).getbbox())
        picture = seen(ImageOps.invert(close) if inverted else close, tmp_path, f"{number}.png")
        assert nearer_than_a_shift(picture, image), f"image {number}"


@pytest.mark.parametrize("light", [True, False])
def test_a_brush_may_be_enormous(light, tmp_path):
    image = Image.new("L", (560, 560), 0 if light else 255)
    ImageDraw.Draw(image).rectangle((130, 60, 429, 499), fill=255 if light else 0)
    x = seen(image, tmp_path).x.view(28, 28)
    assert int((x > 0.5).sum()) == 20 * 14


def test_the_thinnest_pen_is_as_bright_as_mnists(sevens, tmp_path):
    image = Image.new("L", (560, 560), 255)
    ImageDraw.Draw(image).line([(140, 100), (420, 100), (220, 460)], fill=0, width=2)
    assert seen(image, tmp_path).x.max() == 1


def test_two_digits_side_by_side_are_noticed(sevens, tmp_path):
    for image in sevens[:5]:
        one = large(Image.fromarray(image.numpy()))
        two = Image.new("L", (1200, 560), 0)
        two.paste(one, (0, 0))
        two.paste(one, (600, 0))
        assert seen(two, tmp_path).done[-1] == "it shows 2 parts side by side, but one digit is expected"
        assert "side by side" not in seen(one, tmp_path).done[-1]


def test_of_an_animation_the_first_image_is_read(seven, tmp_path):
    frames = [large(seven), ImageOps.invert(large(seven))]
    picture = seen(frames[0], tmp_path, "image.gif", save_all=True, append_images=frames[1:])
    assert picture.done[0] == "the first of its 2 images"
    assert torch.equal(picture.x, seen(frames[0], tmp_path).x)


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
def test_pixels_that_are_not_numbers_are_named(value, tmp_path):
    numbers = numpy.asarray(Image.new("F", (30, 20), 1)).copy()
    numbers[5, 7] = numbers[6, 1] = value
    with pytest.raises(ValueError, match=rf"finite numbers: 2 of 600, the first, {value}, in row 5, column 7, counted from 0"):
        seen(Image.fromarray(numbers), tmp_path, "image.tiff")


def test_numbers_of_any_size_are_scaled(tmp_path):
    numbers = numpy.full((60, 50), -3e38, dtype=numpy.float32)
    numbers[10:50, 20:30] = 3e38
    assert seen(Image.fromarray(numbers), tmp_path, "image.tiff").x.max() == 1


@pytest.mark.parametrize("colour", [(0, 0, 0, 0), (255, 255, 255, 0), (255, 255, 255, 255), (9, 9, 9, 128)])
def test_a_canvas_on_which_nothing_is_drawn_is_refused(colour, tmp_path):
    with pytest.raises(ValueError, match=r"image.png shows nothing that stands out from its background"):
        seen(Image.new("RGBA", (300, 300), colour), tmp_path)


def test_a_photograph_is_kept_as_small_as_a_picture_shows_it(seven, tmp_path):
    picture = seen(large(seven, (1600, 1200)), tmp_path)
    assert picture.size == (1600, 1200)
    assert picture.original.shape == (300, 400)


def test_what_is_not_drawn_in_strokes_is_28_pixels_long_and_is_no_background(tmp_path):
    image = Image.new("L", (120, 120), 230)
    ImageDraw.Draw(image).rectangle((10, 10, 109, 109), fill=20)
    x = seen(image, tmp_path, strokes=False).x.view(28, 28)
    assert x.min() == 1


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
def test_an_image_of_one_grey_is_refused(value, tmp_path):
    with pytest.raises(ValueError, match=r"image.png shows nothing that stands out from its background"):
        seen(Image.new("L", (50, 40), value), tmp_path)


@pytest.mark.parametrize("light", ["evenly", "from the right", "from a corner", "with a shadow"])
@pytest.mark.parametrize("sigma", [0, 0.01, 0.05])
def test_a_photograph_of_a_blank_sheet_is_refused(light, sigma, tmp_path):
    blank = on_a_sheet(Image.new("L", (28, 28), 0), LIGHT.get(light, numpy.ones((400, 300))))
    with pytest.raises(ValueError, match=r"image.png shows nothing that stands out from its background"):
        seen(noisy(blank, sigma), tmp_path)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 300)])
def test_images_of_odd_sizes_are_read_or_refused_in_a_sentence(size, tmp_path):
    image = Image.new("L", size, 0)
    with pytest.raises(ValueError, match=r"shows nothing"):
        seen(image, tmp_path)
    image.putpixel((size[0] // 2, size[1] // 2), 255)
    if size != (1, 1):
        assert seen(image, tmp_path).x.max() == 1
