"""For everyone: by keyboard alone, on a phone, in both themes, with a screen reader, with less motion."""

import itertools
from pathlib import Path

import pytest
from pages import PHONE, WIDE, draw, rest
from playwright.sync_api import expect

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"


def whole(page):
    """Every part has been near the window."""
    for part in ("wish", "step", "average", "descend", "chain"):
        page.locator(f"#part-{part}").scroll_into_view_if_needed()
    expect(page.locator("#part-average g.example")).to_have_count(1)
    rest(page, 300)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_serious(visit, size, theme):
    page = visit(size=size, theme=theme, bypass_csp=True)
    whole(page)
    page.locator("#part-step .once").click()
    expect(page.locator("#part-step .steps")).to_have_text("1 step from the start")
    page.locator("#part-wish .total .value").focus()
    page.locator("#part-wish .total .value").hover()
    expect(page.locator("aside.card")).to_be_visible()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document).then((result) => result.violations)")
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    assert [(v["id"], [node["target"] for node in v["nodes"]][:4]) for v in serious] == []


def test_a_phone_is_never_scrolled_sideways(visit):
    page = visit(size=PHONE, has_touch=True, is_mobile=True)
    whole(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = page.evaluate(
        """[...document.querySelectorAll("main *")].filter((e) => {
            const box = e.getBoundingClientRect();
            return box.width > 0 && box.right > 391 && !e.closest(".scroll, .travel, svg, .unseen") && !e.matches(".unseen");
        }).map((e) => e.className || e.tagName)"""
    )
    assert wide == []


def test_what_a_finger_touches_is_40_pixels_large(visit):
    page = visit(size=PHONE, has_touch=True, is_mobile=True)
    whole(page)
    small = page.evaluate(
        """[...document.querySelectorAll("button, select, input, nav a, .option")].filter((e) => {
            const box = e.getBoundingClientRect();
            return box.width > 0 && (box.width < 39.5 || box.height < 39.5);
        }).map((e) => [e.className, e.textContent, JSON.stringify(e.getBoundingClientRect())])"""
    )
    assert small == []


def test_the_keyboard_alone_draws_names_and_steps(page):
    def press(key, times=1):
        for _ in range(times):
            page.keyboard.press(key)

    press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    press("Enter")
    for _ in range(12):
        press("Tab")
        if page.evaluate("document.activeElement.matches('canvas.paper')"):
            break
    expect(page.locator("canvas.paper")).to_be_focused()
    press("ArrowUp", 12)  # a 1: a line down
    press("Space")
    press("ArrowDown", 24)
    press("Space")
    expect(page.locator(".verdict")).to_have_text("1")
    _tab_to(page, "#part-wish .digits input")
    while page.evaluate("document.activeElement.value") != "7":
        press("ArrowRight")
    expect(page.locator("#part-wish .cell").nth(7).locator(".aim")).to_have_text("→ 1")
    _tab_to(page, "#part-step .once")
    press("Enter")
    expect(page.locator("#part-step .steps")).to_have_text("1 step from the start")


def _tab_to(page, selector):
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(selector)


def test_a_figure_is_one_tab_stop(page):
    for selector in (".hero .neuron", "#part-wish .matrix .spot", "#part-wish .weights .spot"):
        assert page.locator(selector).evaluate_all("all => all.filter((e) => e.tabIndex === 0).length") == 1


def test_headings_go_down_by_one_and_landmarks_are_there(page):
    levels = [int(level) for level in page.locator("h1, h2, h3, h4").evaluate_all("all => all.map((e) => e.tagName[1])")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1


def test_the_answer_is_spoken_once_the_drawing_rests(page):
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".desk [aria-live]")).to_have_text("Nothing is drawn yet.")
    page.get_by_role("button", name="A test image of a 0").click()
    expect(page.locator(".desk [aria-live]")).to_contain_text("The network sees")


def test_the_theme_is_the_systems_until_another_is_chosen_and_is_kept(visit):
    page = visit(theme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(19, 21, 25)"
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(paper) == "rgb(251, 250, 247)"
    page.reload()
    assert page.evaluate(paper) == "rgb(251, 250, 247)"


def test_nothing_moves_for_those_who_want_less_motion(visit):
    page = visit(reduced_motion="reduce")
    expect(page.locator(".verdict")).to_have_text("7")
    page.locator("#part-wish .film").get_by_role("button", name="Step").click()
    assert page.evaluate("document.getAnimations().length") == 0


def test_the_pages_own_2_is_written_as_by_a_hand(visit):
    page = visit(reduced_motion="no-preference")
    expect(page.locator(".verdict")).to_have_text("7")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_nothing_jumps_while_one_draws(visit, size):

    page = visit(size=size)
    tops = "[...document.querySelectorAll('.hero, .under, #part-wish')].map((e) => e.getBoundingClientRect().top + scrollY)"
    was = page.evaluate(tops)
    page.get_by_role("button", name="Clear").click()
    rest(page, 400)
    assert page.evaluate(tops) == was
    draw(page)
    rest(page, 600)
    assert page.evaluate(tops) == was
