"""A coroutine's own event loop."""

from concurrent.futures import ThreadPoolExecutor

import anyio


def run_alone(function, *arguments):
    """anyio.run, in a thread of its own: in this one, Playwright's loop may run, from the browser's start to its end."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(anyio.run, function, *arguments).result()
