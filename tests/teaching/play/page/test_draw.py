"""The first part: a digit is drawn, and named while it is drawn."""

import torch
from pages import TWO, draw, example, is_shown, numbers, rest
from playwright.sync_api import expect

from manualgrad import trace


def verdict(page):
    return page.locator(".verdict")


def test_a_2_drawn_with_the_mouse_is_named(page):
    page.get_by_role("button", name="Clear").click()
    expect(verdict(page)).to_have_text("–")
    draw(page)
    expect(verdict(page)).to_have_text("2")
    assert numbers(page, "draw")["POST look"]["prediction"] == 2


def test_the_answer_comes_before_the_pen_is_lifted(page):
    page.get_by_role("button", name="Clear").click()
    draw(page, lift=False)
    expect(verdict(page)).to_have_text("2")
    page.mouse.up()


def test_the_page_opens_on_a_2_that_the_network_takes_for_a_7_so_that_there_is_something_to_wish(page):
    expect(verdict(page)).to_have_text("7")
    a = torch.tensor(numbers(page, "draw")["POST look"]["layers"][-1]["a"])
    assert a[7] - a[2] > 0.6
    expect(page.locator("#part-wish input[type=radio]:checked").first).to_have_attribute("value", "2")


def test_the_first_stroke_takes_the_place_of_the_2_that_was_there(page):
    expect(verdict(page)).to_have_text("7")
    draw(page, [(0.5, 0.2), (0.5, 0.5), (0.5, 0.8)])
    expect(verdict(page)).to_have_text("1")


def test_the_outputs_shown_are_traces(page):
    draw(page)
    expect(verdict(page)).to_have_text("2")
    rest(page, 300)
    model, x, _ = example(page)
    a = trace(model, x, torch.zeros(1, 10, dtype=torch.float64)).layers[-1].a[0]
    texts = page.locator(".hero .neuron.layer-3 .value").all_text_contents()
    assert len(texts) == 10
    assert all(is_shown(text, value) for text, value in zip(texts, a, strict=True))


def test_what_the_network_sees_is_the_image_beside_it(page):
    draw(page)
    rest(page, 300)
    x = numbers(page, "draw")["POST look"]["x"]
    pixels = page.evaluate(
        """async () => {
            const image = new Image();
            image.src = document.querySelector(".hero image").getAttribute("href");
            await image.decode();
            const canvas = new OffscreenCanvas(28, 28).getContext("2d");
            canvas.drawImage(image, 0, 0);
            return [...canvas.getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0);
        }"""
    )
    assert [round(255 * value) for value in x] == pixels


def test_a_test_image_of_a_digit_is_shown_with_its_label(page):
    page.get_by_role("button", name="A test image of a 7").click()
    expect(page.locator(".done")).to_have_text("This test image is a 7.")
    told = numbers(page, "draw")["POST look"]
    assert told["label"] == 7


def test_an_untrained_network_takes_the_trained_ones_place_and_back(page):
    expect(verdict(page)).to_have_text("7")
    page.get_by_role("radio", name="untrained", exact=True).first.check()
    expect(verdict(page)).to_contain_text("unsure")
    page.get_by_role("radio", name="trained", exact=True).first.check()
    expect(verdict(page)).to_have_text("7")


def test_a_finger_draws(visit):
    page = visit(size={"width": 390, "height": 844}, has_touch=True)
    page.get_by_role("button", name="Clear").click()
    box = page.locator("canvas.paper").bounding_box()
    cdp = page.context.new_cdp_session(page)
    places = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in TWO]
    cdp.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": places[:1]})
    for place in places[1:]:
        cdp.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
    cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(verdict(page)).not_to_have_text("–")
    assert page.evaluate("scrollY") == 0
