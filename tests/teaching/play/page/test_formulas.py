"""Point at anything: its formula, its numbers, and the line that computes it."""

from pathlib import Path

import pytest
from pages import is_shown, rest
from playwright.sync_api import expect

import manualgrad

HOME = Path(manualgrad.__file__).parents[1]

PLACES = {
    "a neuron": ".hero .layer-2",
    "a line": ".hero line.up",
    "an output's wish": "#part-wish .cell",
    "the cost": "#part-wish .total .value",
    "a bias's wish": "#part-wish .bias .of-wish",
    "a weight's wish": "#part-wish .weights .of-wish",
    "a wish for an activation": "#part-wish .before .of-wish",
    "a weight": "#part-wish .before .of-source",
    "one of many wishes": "#part-wish .matrix .each",
    "their sum": "#part-wish .matrix .total",
    "an image's wish": "#part-wish .gallery button",
    "an output": "#part-step .outputs li",
    "what was foretold": "#part-step .pair-row",
    "an example's wish": "#part-average g.example",
    "a mean": "#part-average .mean",
    "a ratio": "#part-average p[data-f=ratio]",
    "a nudge": "#part-average .pair-row",
    "a factor": "#part-chain .tile",
    "a product": "#part-chain .product",
    "a quantity of the chain": "#part-chain .line.made .name",
}


def card(page):
    return page.locator("aside.card")


def holds(page):
    """The card has letters, numbers, and a line that stands in the repository as it is shown."""
    expect(card(page)).to_be_visible()
    assert card(page).locator(".letters").text_content()
    assert card(page).locator(".numbers").text_content()
    name, _, line = card(page).locator(".where span").text_content().rpartition(":")
    there = (HOME / name).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert there.strip() == card(page).locator(".where code").text_content()


@pytest.mark.parametrize("place", PLACES)
def test_pointing_shows_the_formula_of(page, place):
    page.locator("#part-average").scroll_into_view_if_needed()
    expect(page.locator("#part-average g.example")).to_have_count(1)
    element = page.locator(PLACES[place]).first
    element.scroll_into_view_if_needed()
    rest(page, 100)
    if place == "a line":  # the middle of its box is not on it
        element.dispatch_event("pointerover", {"pointerType": "mouse"})
    else:
        element.hover(force=True)
    holds(page)


def test_the_numbers_are_those_of_the_page(page):
    page.locator("#part-wish .cell").nth(3).hover()
    expect(card(page)).to_be_visible()
    a = page.locator("#part-wish .cell .value").nth(3).text_content()
    page.mouse.move(5, 5)
    expect(card(page)).to_be_hidden()
    page.locator(".hero .layer-3").nth(3).focus()
    expect(card(page).locator(".letters")).to_contain_text("σ")
    assert is_shown(a, float(card(page).locator(".numbers").text_content().split("=")[-1].strip()))


def test_the_keyboard_goes_from_neuron_to_neuron_and_sees_each(page):
    page.locator(".hero .neuron[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.f") == "a 1 1"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.f").startswith("a 2 ")
    holds(page)
    page.keyboard.press("Escape")
    expect(card(page)).to_be_hidden()


def test_a_formula_is_told_anew_when_the_network_is_another(page):
    page.locator(".hero .layer-3 .body").first.hover()
    expect(card(page)).to_be_visible()
    before = card(page).locator(".numbers").text_content()
    page.mouse.move(5, 5)
    page.get_by_role("radio", name="untrained", exact=True).first.check()
    expect(page.locator(".verdict")).to_contain_text("unsure")
    rest(page, 300)
    page.locator(".hero .layer-3 .body").first.hover()
    expect(card(page).locator(".numbers")).not_to_have_text(before)


def test_the_keyboard_goes_to_a_neurons_weights_and_back(page):
    page.locator(".hero .layer-2").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.f") == "W 2 0 0"
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.f") == "W 2 0 1"
    holds(page)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.f") == "a 2 0"
