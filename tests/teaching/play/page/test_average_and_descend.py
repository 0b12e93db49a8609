"""The fourth and fifth parts: the wishes of many examples, and descent."""

import re

import torch
from pages import example, is_shown, last_number, network_of, numbers, rest
from playwright.sync_api import expect

from manualgrad import per_example_grads, trace


def average(page):
    page.locator("#part-average").scroll_into_view_if_needed()
    expect(page.locator("#part-average .thumb")).to_have_count(12)
    return page.locator("#part-average")


def examples_of(page, told):
    """The drawing and the training images, as the server has them."""
    model, x, y = example(page, 2)
    indices = [wish["index"] for wish in told["wishes"][1:]]
    labels = torch.tensor([wish["label"] for wish in told["wishes"][1:]])
    images = page.evaluate(
        """async (indices) => Promise.all(indices.map(async (index) => {
            const found = await (await fetch(`/api/images?split=train&start=${index}&count=1`)).json();
            return [...atob(found.images[0].pixels)].map((c) => c.charCodeAt(0) / 255);
        }))""",
        indices,
    )
    more = torch.tensor(images, dtype=torch.float64)
    return model, torch.cat([x, more]), torch.cat([y, torch.nn.functional.one_hot(labels, 10).double()])


def test_each_examples_wish_and_their_mean_are_manualgrads(page):
    part = average(page)
    part.locator(".digits input[value='3']").check()
    part.locator(".thumb").first.click()
    part.get_by_role("button", name="Add 10 random ones").click()
    expect(part.locator("g.example")).to_have_count(12)
    part.get_by_label("layer", exact=True).select_option("3")
    part.get_by_label("to neuron j").select_option("2")
    part.get_by_label("from neuron k").select_option("5")
    expect(part.locator("h3").first).to_contain_text("W(3)2,5")
    expect(part.locator("g.example")).to_have_count(12)
    rest(page, 400)
    told = numbers(page, "average")["POST average"]
    model, x, y = examples_of(page, told)
    wishes = -per_example_grads(model, x, y)["4.weight"][:, 2, 5]
    labels = part.locator("g.example").evaluate_all("all => all.map((e) => e.getAttribute('aria-label'))")
    for label, wish in zip(labels, wishes, strict=True):
        assert is_shown(last_number(label), wish)
    mean = part.locator(".mean").get_attribute("aria-label")
    assert is_shown(last_number(mean), wishes.mean())
    agree = sum(bool(wish * wishes.mean() >= 0) for wish in wishes)
    expect(part.locator(".agree")).to_contain_text(f"{agree} of 12 ")


def test_a_choice_made_while_an_answer_is_on_its_way_is_kept(page):
    part = average(page)
    expect(part.locator("g.example")).to_have_count(1)
    held = []
    page.route("**/api/average", lambda route: held.append(route), times=2)
    part.get_by_label("layer", exact=True).select_option("3")
    part.get_by_label("to neuron j").select_option("2")
    page.wait_for_timeout(100)
    with page.expect_request("**/api/average"):  # the second, once the answer to the first is shown
        held[0].continue_()
    part.get_by_label("from neuron k").select_option("5")
    page.wait_for_timeout(100)
    held[1].continue_()
    expect(part.locator("h3").first).to_contain_text("W(3)2,5")


def test_a_weight_is_chosen_by_its_line(page):
    part = average(page)
    line = part.locator(".network line[data-f^='W 3 ']").last
    _, l, j, k = line.get_attribute("data-f").split()
    line.dispatch_event("click")
    expect(part.get_by_label("layer", exact=True)).to_have_value(l)
    expect(part.get_by_label("to neuron j")).to_have_value(j)
    expect(part.get_by_label("from neuron k")).to_have_value(k)


def test_a_nudge_does_what_its_derivative_foretells(page):
    part = average(page)
    part.locator("input[value='largest']").check()
    part.get_by_role("slider", name="ε").fill("0.01")
    rest(page, 400)
    told = numbers(page, "average")
    largest, nudge = told["POST average"]["gradient"]["largest"], told["POST nudge"]
    predicted, measured = part.locator(".pair-row .value").all_text_contents()
    assert is_shown(predicted, 0.01 * largest["derivative"])
    assert is_shown(measured, nudge["measured"])
    assert abs(nudge["measured"] - nudge["predicted"]) < 0.1 * abs(nudge["predicted"])


def test_the_largest_component_is_so_many_times_a_small_one(page):
    part = average(page)
    expect(part.locator(".ranks li")).to_have_count(9)
    gradient = numbers(page, "average")["POST average"]["gradient"]
    says = part.locator("p.prose").last.text_content()
    ratio = says.split(" times")[0].split()[-1]
    assert is_shown(ratio, abs(gradient["largest"]["derivative"] / gradient["small"]["derivative"]))


def test_a_single_step_is_one_step_and_changes_the_drawings_outputs(page):
    part = page.locator("#part-descend")
    part.locator(".from-nothing").click()
    expect(page.locator(".verdict")).to_contain_text("unsure")
    outputs = part.locator(".outputs .value")
    before = outputs.all_text_contents()
    part.get_by_role("slider", name="Learning rate η").fill("0")
    part.locator(".single").click()
    expect(part.locator("dd.steps")).to_have_text("1")
    expect(part.locator("dd.examples")).to_have_text("10")
    expect(outputs).not_to_have_text(before)


def test_descent_lowers_the_cost_until_it_is_paused(page):
    part = page.locator("#part-descend")
    part.locator(".from-nothing").click()
    expect(page.locator(".verdict")).to_contain_text("unsure")
    part.locator(".start").click()
    expect(part.locator(".start")).to_have_text("Pause")
    expect(part.locator("dd.steps")).to_have_text(re.compile(r"^\d+,\d\d\d$"), timeout=20_000)
    part.locator(".start").click()
    expect(part.locator(".start")).to_have_text("Start")
    steps = part.locator("dd.steps").text_content()
    rest(page, 300)
    assert part.locator("dd.steps").text_content() == steps
    assert float(part.locator("dd.cost").text_content()) < 0.8
    assert part.locator(".curve path").first.get_attribute("d").count("L") > 5
    told = numbers(page, "descend")["POST train"]["a"]
    assert all(is_shown(text, a) for text, a in zip(part.locator(".outputs .value").all_text_contents(), told, strict=True))


def test_after_descent_the_page_shows_the_network_that_was_trained(page):
    part = page.locator("#part-descend")
    part.locator(".single").click()
    expect(part.locator("dd.steps")).to_have_text("1")
    rest(page, 400)
    told = numbers(page, "descend")["GET network"]
    x = torch.tensor(numbers(page, "draw")["POST look"]["x"], dtype=torch.float64)[None]
    a = trace(network_of(told), x, torch.zeros(1, 10, dtype=torch.float64)).layers[-1].a[0]
    page.locator(".hero").scroll_into_view_if_needed()
    rest(page, 200)
    texts = page.locator(".hero .layer-3 .value").all_text_contents()
    assert all(is_shown(text, value) for text, value in zip(texts, a, strict=True))


def test_two_walkers_go_down_the_map(page):
    part = page.locator("#part-descend")
    part.locator(".walk").click()
    expect(part.locator(".walkers li")).to_have_count(2, timeout=60_000)
    expect(part.locator(".hill path")).to_have_count(16)
    told = numbers(page, "descend")["POST map"]
    for path in told["paths"]:
        assert path["costs"][-1] < path["costs"][0]
    ends = part.locator(".paths circle").evaluate_all("all => all.map((e) => e.getAttribute('transform'))")
    assert len(set(ends)) == 2
    assert all("NaN" not in end for end in ends)
