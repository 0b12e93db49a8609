"""The sixth part: the network of single neurons."""

import math

import torch
from pages import is_shown, numbers, rest
from playwright.sync_api import expect

from manualgrad import MLP, trace


def chain_of(page):
    """The network that the sliders make."""
    values = [float(slider.input_value()) for slider in page.locator("#part-chain .line.set input").all()]
    x, y, *parameters = values
    model = MLP([1] * (len(parameters) // 2 + 1), dtype=torch.float64)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), parameters, strict=True):
            parameter.fill_(value)
    return trace(model, torch.tensor([[x]], dtype=torch.float64), torch.tensor([[y]], dtype=torch.float64))


def line(page, letters):
    return page.locator("#part-chain .line").filter(has=page.locator(f"[aria-label='{letters}']").first)


def test_every_quantity_is_traces(page):
    page.locator("#part-chain").scroll_into_view_if_needed()
    expect(line(page, "z⁽¹⁾").locator("output")).not_to_have_text("0.000")
    t = chain_of(page)
    for l, layer in enumerate(t.layers, 1):
        above = "⁽" + "⁰¹²³"[l] + "⁾"
        assert is_shown(line(page, f"z{above}").locator("output").text_content(), layer.z)
        assert is_shown(line(page, f"a{above}").locator("output").text_content(), layer.a)
        derivative = line(page, f"w{above}").locator(".derivative").text_content().split(" = ")[1]
        assert is_shown(derivative, layer.dC_dW)
    assert is_shown(line(page, "C₀").locator("output").text_content(), t.cost)


def test_a_slider_changes_what_comes_after_it(page):
    page.locator("#part-chain").scroll_into_view_if_needed()
    page.get_by_role("slider", name="Set w⁽²⁾").fill("2.5")
    rest(page, 300)
    t = chain_of(page)
    assert is_shown(line(page, "a⁽³⁾").locator("output").text_content(), t.layers[-1].a)


def test_the_factors_product_is_the_derivative(page):
    page.locator("#part-chain").scroll_into_view_if_needed()
    factors = page.locator("#part-chain .factors")
    for name, count in (("w1", 7), ("b3", 3)):
        factors.locator(f"input[value='{name}']").check()
        expect(factors.locator(".tile")).to_have_count(count + 1)
        told = next(p for p in numbers(page, "chain")["POST chain"]["parameters"] if p["name"] == name)
        assert is_shown(factors.locator(".product .value").text_content(), told["derivative"])
        assert math.isclose(math.prod(link["value"] for link in told["links"]), told["derivative"], rel_tol=1e-4)
        tiles = factors.locator(".tile:not(.product) .value").all_text_contents()
        assert all(is_shown(text, link["value"]) for text, link in zip(tiles, told["links"], strict=True))


def test_a_nudge_travels_as_foretold(page):
    page.locator("#part-chain").scroll_into_view_if_needed()
    page.get_by_label("Nudge", exact=True).select_option("w2")
    page.get_by_role("slider", name="by", exact=True).fill("0.01")
    rest(page, 300)
    table = page.locator("#part-chain .travel")
    assert table.locator("thead th").all_text_contents() == ["quantity", "z(2)", "a(2)", "z(3)", "a(3)", "C0"]
    told = numbers(page, "chain")["POST chain"]["travel"]
    predicted, actual = (row.locator("td").all_text_contents() for row in table.locator("tbody tr").all())
    assert all(is_shown(text, each["predicted"]) for text, each in zip(predicted, told, strict=True))
    assert all(is_shown(text, each["measured"]) for text, each in zip(actual, told, strict=True))
    t = chain_of(page)
    assert is_shown(predicted[-1], 0.01 * t.layers[1].dC_dW)


def test_an_activation_is_grabbed(page):
    page.locator("#part-chain").scroll_into_view_if_needed()
    handle = page.get_by_role("slider", name="Nudge z⁽²⁾")
    handle.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Nudge", exact=True)).to_have_value("z2")
    expect(page.locator("#part-chain .travel thead th")).to_have_count(5)
    page.get_by_role("button", name="Let go").click()
    expect(page.locator("#part-chain .travel thead th")).to_have_count(1)


def test_the_chain_may_have_one_neuron_or_four(page):
    part = page.locator("#part-chain")
    part.scroll_into_view_if_needed()
    for n in (1, 4):
        part.get_by_role("group", name="Neurons").locator(f"input[value='{n}']").check()
        expect(part.locator(".quantity")).to_have_count(2 * n + 2)
        expect(part.locator(".lines .layer")).to_have_count(n + 1)
