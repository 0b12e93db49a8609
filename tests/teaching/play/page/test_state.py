"""The URL holds what the page is about; and the page outlives its tab and its server."""

import pytest
from pages import draw, numbers, rest
from playwright.sync_api import expect


def texts(page):
    return {
        "verdict": page.locator(".verdict").text_content(),
        "outputs": page.locator(".hero .layer-3 .value").all_text_contents(),
        "cost": page.locator("#part-wish .total .value").text_content(),
        "steps": page.locator("#part-step .steps").text_content(),
        "accuracy": page.locator("#part-step .accuracy").text_content(),
    }


def prepared(page):
    """A drawing, a digit, a rate, and ten steps."""
    draw(page)
    page.locator("#part-wish .digits input[value='7']").check()
    page.get_by_role("slider", name="Learning rate η").first.fill("-0.5")
    page.locator("#part-step .ten").click()
    expect(page.locator("#part-step .steps")).to_have_text("10 steps from the start")
    rest(page, 700)
    return texts(page)


@pytest.mark.exhaustive
def test_the_url_restores_the_state_in_a_new_page(visit):
    first = visit()
    was = prepared(first)
    second = visit(fragment="#" + first.url.partition("#")[2])
    rest(second, 500)
    assert texts(second) == was
    assert second.locator("#part-wish .digits input:checked").input_value() == "7"
    assert second.locator("#part-step .slider output").text_content() == "0.316"
    expect(second.locator("#part-step .undo")).to_be_enabled()


def test_a_reload_keeps_everything(visit):
    page = visit()
    was = prepared(page)
    page.reload()
    page.wait_for_selector("html.begun")
    rest(page, 500)
    assert texts(page) == was


def test_training_is_in_the_url_too(visit):
    first = visit()
    first.locator("#part-descend .single").click()
    expect(first.locator("dd.steps")).to_have_text("1")
    first.locator("#part-descend .single").click()
    expect(first.locator("dd.steps")).to_have_text("2")
    rest(first, 700)
    was = texts(first)
    second = visit(fragment="#" + first.url.partition("#")[2])
    rest(second, 500)
    assert texts(second) == was
    assert "t*10*1*2*" in first.url


def test_the_link_that_is_copied_is_the_pages(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.locator("#part-wish .digits input[value='4']").check()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "target=4" in page.evaluate("navigator.clipboard.readText()")


def test_a_link_that_was_cut_short_or_is_nonsense_still_opens(visit):
    for fragment in ("#part=wish&images=ink.AAA&target=99&done=s*7*2*1", "#target=x&chain=1*2&weight=9*9*9", "#%E0%A4%A"):
        page = visit(fragment=fragment)
        expect(page.locator(".verdict")).not_to_have_text("")


def test_a_link_goes_to_its_part(visit):
    page = visit(fragment="#part=chain")
    rest(page, 300)
    assert page.locator("#part-chain h2").evaluate("e => Math.abs(e.getBoundingClientRect().top) < innerHeight / 2")
    expect(page.locator("nav a[aria-current]")).to_have_text("Chain")


def test_a_tab_that_the_server_dropped_is_made_again_unseen(visit):
    page = visit(quiet=False)
    was = prepared(page)
    tabs = []
    page.on("request", lambda request: tabs.append(request.headers.get("x-tab")) if "/api/" in request.url else None)
    page.route("**/api/step", lambda route: route.fulfill(status=404, json={"error": "There is no such tab."}), times=1)
    page.locator("#part-step .once").click()
    expect(page.locator("#part-step .steps")).to_have_text("11 steps from the start")
    assert len({tab for tab in tabs if tab}) == 2
    assert page.locator(".status").text_content() == ""
    page.locator("#part-step .undo").click()
    expect(page.locator("#part-step .steps")).to_have_text("10 steps from the start")
    rest(page, 400)
    assert texts(page) == was


def test_while_the_server_is_gone_a_sentence_says_so_and_all_goes_on_after(visit):
    page = visit(quiet=False)
    page.route("**/api/**", lambda route: route.abort("connectionrefused"))
    draw(page)
    expect(page.locator(".status")).to_contain_text("does not answer")
    page.unroute("**/api/**")
    expect(page.locator(".status")).to_have_text("", timeout=12_000)
    expect(page.locator(".verdict")).to_have_text("2")


def test_a_refusal_is_one_sentence(visit):
    page = visit(quiet=False)
    page.route("**/api/look", lambda route: route.fulfill(status=422, json={"error": "image is not an image."}), times=1)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".status")).to_have_text("image is not an image.")


def test_numbers_of_every_part_are_there_as_json(page):
    page.locator("#part-average").scroll_into_view_if_needed()
    expect(page.locator("#part-average g.example")).to_have_count(1)
    wanted = {"draw": "POST look", "wish": "POST wishes", "step": "POST step", "average": "POST average", "chain": "POST chain"}
    for part, request in wanted.items():
        assert request in numbers(page, part)
