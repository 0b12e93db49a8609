"""What the tests of `manualgrad play`'s page do on it, and read from it."""

import json
import re

import torch

from manualgrad import MLP

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}

# A 2, in parts of the canvas' side.
TWO = [(0.3, 0.36), (0.34, 0.26), (0.44, 0.21), (0.55, 0.21), (0.64, 0.27), (0.66, 0.37), (0.6, 0.49), (0.5, 0.6), (0.4, 0.71)]
TWO += [(0.31, 0.8), (0.42, 0.8), (0.55, 0.79), (0.72, 0.8)]


def draw(page, points=TWO, lift=True):
    """With the mouse."""
    page.locator("canvas.paper").scroll_into_view_if_needed()
    box = page.locator("canvas.paper").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    if lift:
        page.mouse.up()


def rest(page, ms=300):
    """Wait until the page has asked the server for nothing, and waited for no answer, for so long."""
    quiet = 0
    while quiet < ms:
        page.wait_for_timeout(50)
        quiet = 0 if page.asked else quiet + 50


def numbers(page, part):
    """What a part's JSON button shows."""
    page.locator(f"#part-{part} .json").click()
    text = page.locator("dialog textarea").input_value()
    page.locator("dialog button", has_text="Close").click()
    return json.loads(text)


def network_of(answer):
    """The server's network, as a model of ours."""
    W, b = answer["network"]["W"], answer["network"]["b"]
    model = MLP([len(W[0][0]), *map(len, W)], dtype=torch.float64)
    with torch.no_grad():
        for layer, (weight, bias) in enumerate(zip(W, b, strict=True)):
            model[2 * layer].weight.copy_(torch.tensor(weight, dtype=torch.float64))
            model[2 * layer].bias.copy_(torch.tensor(bias, dtype=torch.float64))
    return model


def example(page, target=None):
    """The network, the drawing and the digit that it should have been, as the server last told the page."""
    told = numbers(page, "draw")
    x = torch.tensor(told["POST look"]["x"], dtype=torch.float64)[None]
    y = None if target is None else torch.nn.functional.one_hot(torch.tensor([target]), 10).double()
    return network_of(told["POST tabs"]), x, y


_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def shown(text):
    """A number as the page writes it, and half of the last digit that it shows."""
    text = text.strip().replace("−", "-").replace("+", "").replace(",", "")
    mantissa, _, exponent = text.partition("×10")
    scale = 10.0 ** int(exponent.translate(_RAISED) or 0) if exponent else 1.0
    decimals = len(mantissa.partition(".")[2])
    return float(mantissa) * scale, 0.5001 * 10.0**-decimals * scale


def is_shown(text, value):
    """Whether the text is this number, to the digits shown."""
    number, half = shown(text)
    return abs(number - float(torch.as_tensor(value).detach())) <= half


def last_number(text):
    return re.findall(r"[+−]?[\d.,]+(?:×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?", text)[-1]
