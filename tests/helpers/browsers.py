"""The browser of the tests of pages."""

import shutil

import pytest


def chromium():
    """Chromium, until it is no longer wanted; where there is none, the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_api.sync_playwright() as playwright:
        try:  # without a path, Playwright's own, which `python -m playwright install chromium` installs
            started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except sync_api.Error:
            pytest.skip("there is no Chromium here")
        yield started
        started.close()
