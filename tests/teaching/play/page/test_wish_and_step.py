"""The second and third parts: wishes, and the step that grants them."""

import re

import pytest
from pages import draw, example, is_shown, last_number, network_of, numbers, rest, shown
from playwright.sync_api import expect

from manualgrad import sgd_step, trace
from manualgrad.network.algorithm import per_example_grad_norms


def say_it_was_a(page, digit):
    page.locator(f"#part-wish .digits input[value='{digit}']").check()
    expect(page.locator(f"#part-wish .cell:nth-child({digit + 1}) .aim")).to_have_text("→ 1")
    rest(page, 400)


@pytest.mark.exhaustive
def test_wishes_shown_are_traces(page):
    draw(page)
    say_it_was_a(page, 7)
    t = trace(*example(page, 7)).average()
    assert is_shown(page.locator("#part-wish .total .value").text_content(), t.cost)
    last = t.layers[-1]
    texts = page.locator("#part-wish .cell .value").all_text_contents()
    assert all(is_shown(text, a) for text, a in zip(texts, last.a, strict=True))
    for kind, wishes in (("bias", [-last.delta[7]]), ("weights", -last.dC_dW[7]), ("before", -last.delta[7] * last.W[7])):
        labels = page.locator(f"#part-wish .panel.{kind} .of-wish").evaluate_all("all => all.map((e) => e.ariaLabel)")
        assert len(labels) == len(wishes)
        assert all(is_shown(last_number(label), wish) for label, wish in zip(labels, wishes, strict=True))


def test_arrows_point_to_where_the_output_should_be(page):
    say_it_was_a(page, 7)
    classes = page.locator("#part-wish .cell .arrow").evaluate_all("all => all.map((e) => e.className.baseVal)")
    assert [name.split()[1] for name in classes] == ["up" if j == 7 else "down" for j in range(10)]


def test_an_outputs_avenues_are_chosen_by_a_click(page):
    page.locator("#part-wish .cell").nth(4).click()
    expect(page.get_by_role("heading", name="Three avenues for output 4")).to_be_visible()


def test_wishes_for_the_layer_before_are_added_one_by_one(page):
    say_it_was_a(page, 7)
    layers = trace(*example(page, 7)).average().layers
    matrix = page.locator("#part-wish .matrix")
    for l, button in ((3, "One layer back"), (2, "Back to the outputs")):
        matrix.get_by_role("button", name="From the start").click()
        expect(matrix.locator(".each")).to_have_count(0)
        matrix.get_by_role("button", name="Add one").click()
        matrix.get_by_role("button", name="Add one").click()
        expect(matrix.locator(".each")).to_have_count(32)
        wishes = -layers[l - 1].delta[:, None] * layers[l - 1].W
        two = _labels(matrix, ".total")
        assert all(is_shown(last_number(text), wish) for text, wish in zip(two, wishes[:2].sum(0), strict=True))
        matrix.get_by_role("button", name="All").click()
        every = _labels(matrix, ".total")
        assert all(is_shown(last_number(text), w) for text, w in zip(every, -layers[l - 1].dC_da_prev, strict=True))
        matrix.get_by_role("button", name=button).click()


def _labels(box, selector):
    return box.locator(selector).evaluate_all("all => all.map((e) => e.getAttribute('aria-label'))")


def test_the_first_layers_wish_is_the_drawing_in_the_colour_of_its_sign(page):
    say_it_was_a(page, 7)
    first = trace(*example(page, 7)).average().layers[0]
    for j in (0, 5):
        page.locator("#part-wish .gallery button").nth(j).click()
        assert is_shown(last_number(page.locator("#part-wish .firsts .value").text_content()), -first.delta[j])


def test_forward_and_backward_are_stepped_and_played(page):
    say_it_was_a(page, 7)
    film = page.locator("#part-wish .film")
    caption = film.locator(".film-caption")
    expect(caption).to_contain_text("784 numbers")
    seen = []
    for _ in range(7):
        film.get_by_role("button", name="Step").click()
        seen.append(caption.text_content().split(":")[0])
    assert [text.split()[0] for text in seen] == ["Forward"] * 3 + ["The"] + ["Backward"] * 3
    assert film.locator("path.wish[d]").count() > 30  # of 42: a wish of nothing has no arrow
    film.get_by_role("button", name="Play").click()
    expect(caption).to_contain_text("layer 1")
    film.get_by_role("button", name="Pause").click()


def test_the_steps_fall_is_foretold_and_happens_as_manualgrad_says(page):
    draw(page)
    say_it_was_a(page, 7)
    model, x, y = example(page, 7)
    length = per_example_grad_norms(model, x, y).item()
    before = trace(model, x, y).cost.item()
    page.locator("#part-step .once").click()
    expect(page.locator("#part-step .steps")).to_have_text("1 step from the start")
    sgd_step(model, x, y, 1.0)
    after = trace(model, x, y).cost.item()
    foretold, happened = page.locator("#part-step .pair-row .value").all_text_contents()
    assert is_shown(foretold, -(length**2))
    assert is_shown(happened, after - before)
    assert is_shown(page.locator("#part-step .before-cost").text_content(), before)
    assert is_shown(page.locator("#part-step .after-cost").text_content(), after)
    told = numbers(page, "step")["POST step"]
    assert all(
        (ours - theirs).abs().max() < 1e-5
        for ours, theirs in zip(model.parameters(), network_of(told).parameters(), strict=True)
    )


def test_undo_brings_back_what_was_before(page):
    say_it_was_a(page, 7)
    step = page.locator("#part-step")
    before = step.locator(".before-cost").text_content()
    accuracy = step.locator(".accuracy").text_content()
    expect(step.locator(".undo")).to_be_disabled()
    step.locator(".ten").click()
    expect(step.locator(".steps")).to_have_text("10 steps from the start")
    assert step.locator(".accuracy").text_content() != accuracy
    step.locator(".undo").click()
    expect(step.locator(".steps")).to_have_text("0 steps from the start")
    expect(step.locator(".before-cost")).to_have_text(before)
    expect(step.locator(".accuracy")).to_have_text(accuracy)
    expect(step.locator(".undo")).to_be_disabled()
    rest(page, 400)
    assert "done=" not in page.url


def test_a_network_that_listens_to_one_example_calls_everything_the_same(page):
    say_it_was_a(page, 2)
    page.get_by_role("slider", name="Learning rate η").first.fill("1")
    step = page.locator("#part-step")
    for count in (10, 20, 30):
        step.locator(".ten").click()
        expect(step.locator(".steps")).to_have_text(f"{count} steps from the start")
    share = step.locator(".shares li").nth(2).locator(".value").text_content()
    assert int(share.removesuffix("%")) > 80
    assert shown(re.sub(" %", "", step.locator(".accuracy").text_content()))[0] < 35


def test_the_rate_is_tried_before_it_is_taken(page):
    say_it_was_a(page, 7)
    page.get_by_role("slider", name="Learning rate η").first.fill("-2")
    model, x, y = example(page, 7)
    rest(page, 400)
    foretold = page.locator("#part-step .pair-row .value").first.text_content()
    assert is_shown(foretold, -0.01 * per_example_grad_norms(model, x, y).item() ** 2)
    expect(page.locator("#part-step .steps")).to_have_text("0 steps from the start")
