"""The site, built once for all tests, and a browser that has no network but it."""

import functools
import http.server
import os
import subprocess
import sys
import threading
import time

import pytest
from pages import PHONE, WIDE
from paths import ROOT

PATIENCE = 30_000  # ms: other tests take the cores meanwhile


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Its folder. Of several processes of pytest-xdist, the first builds it and the others wait."""
    for package in ("sphinx", "furo", "myst_parser", "sphinx-mathjax-offline"):
        pytest.importorskip(package, reason='pip install "manualgrad[docs]"')
    shared = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp().parent if shared else tmp_path_factory.mktemp("docs")
    said, folder = base / "site.txt", base / "site"
    try:
        (base / "site-is-built").mkdir()
    except FileExistsError:
        while not said.is_file():
            time.sleep(0.5)
    else:
        line = ["-m", "sphinx", "-W", "--keep-going", "-b", "html", "-d", str(base / "doctrees"), "docs", str(folder)]
        ran = subprocess.run([sys.executable, *line], cwd=ROOT, capture_output=True, text=True)
        told = base / "site.part"
        told.write_text("" if ran.returncode == 0 else ran.stdout + ran.stderr, encoding="utf-8")
        told.rename(said)
    problems = said.read_text(encoding="utf-8")
    assert not problems, problems
    return folder


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address(site):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Silent, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(params=[WIDE, PHONE], ids=["wide", "phone"])
def visit(request, browser, address):
    """Open a page of the site in a window of this size. Afterwards, nobody else was asked, and the console was silent."""
    context = browser.new_context(viewport=request.param, reduced_motion="reduce")
    asked, said = [], []

    def answer(route):
        asked.append(route.request.url)
        if route.request.url.startswith(address):
            route.continue_()
        else:
            route.abort()

    context.route("**/*", answer)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: said.append(str(error)))

    def visit(path):
        page.goto(address + path)
        page.evaluate("window.MathJax ? MathJax.startup.promise : null")
        return page

    yield visit
    context.close()
    assert [url for url in asked if not url.startswith(address)] == []
    assert said == []
