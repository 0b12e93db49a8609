"""A browser, and a server for it: the page as a person has it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("fastapi", reason='pip install "manualgrad[play]"')

from pages import WIDE, rest  # noqa: E402

PATIENCE = 30_000  # ms: other tests take the cores meanwhile
BY_DEFAULT = {  # what a person does on the page, from the drawing to a link; the others are exhaustive
    "test_a_2_drawn_with_the_mouse_is_named",
    "test_wishes_shown_are_traces",
    "test_the_steps_fall_is_foretold_and_happens_as_manualgrad_says",
    "test_each_examples_wish_and_their_mean_are_manualgrads",
    "test_every_quantity_is_traces",
    "test_the_numbers_are_those_of_the_page",
    "test_the_keyboard_alone_draws_names_and_steps",
    "test_the_url_restores_the_state_in_a_new_page",
}
sync_api.expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == Path(__file__).parent and item.originalname not in BY_DEFAULT:
            item.add_marker("exhaustive")


@pytest.fixture(scope="session")
def address():
    """Of a server in a process of its own."""
    yield from serve()


def serve(*options):
    command = [sys.executable, "-m", "manualgrad", "play", "--no-browser", *map(str, options)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = ""
        while "http://" not in line:
            line = server.stdout.readline()
            assert line, "the server ended"
        yield re.search(r"http://\S+/", line)[0]
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def visit(browser, address):
    """Open the page; afterwards, its console was silent, and it asked nobody but its server."""
    contexts, said, asked = [], [], []

    def visit(fragment="", size=WIDE, theme="light", quiet=True, at=address, **options):
        options.setdefault("reduced_motion", "reduce")
        context = browser.new_context(viewport=size, color_scheme=theme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.asked = set()  # what has no answer yet
        page.on("request", lambda request: page.asked.add(request))
        for end in ("requestfinished", "requestfailed"):
            page.on(end, lambda request: page.asked.discard(request))
        context.on("request", lambda request: asked.append(request.url))
        if quiet:
            page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(at + fragment)
        page.wait_for_selector("html.begun")
        rest(page)  # every part has its numbers
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []
    assert {url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))} == set()


@pytest.fixture
def page(visit):
    return visit()
