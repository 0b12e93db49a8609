"""ASGI middleware: checks of every request, and security headers for every response.

No other page may drive this server: only its own pages send the Host and the Origin of the server. (A foreign page whose name
resolves to this machine, by DNS rebinding, sends its own name as Host.) Each body is read completely before any work starts, so
that a slow client delays nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manualgrad.teaching.play.addresses import ANY, bracketed, machine_names
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.faults import Fault

__all__ = ["LARGEST", "Guards"]

LARGEST = 64 * 1024  # bytes in a body
_PATIENCE = 10.0  # seconds for a body to arrive
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_POLICY = "; ".join(
    f"{what} {where}"
    for what, where in {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "connect-src": "'self'",
        "font-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }.items()
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class _Left(Exception):
    """The client has disconnected."""


class Guards:
    """The application behind the checks.

    Args:
        app: the application.
        host: the host that the server listens on; with "0.0.0.0" or "::", a request may also name the address that the client
            connected to, or one of the machine's names.
        port: the port that the server listens on.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self.app, self.port, self.any = app, port, host in ANY
        self.hosts = {*_LOOPBACK, *(machine_names() if self.any else [bracketed(host)])}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers["Cache-Control"] = "no-store" if scope["path"].startswith("/api/") else "no-cache"
            await send(message)

        try:
            self._check(scope)
            receive = await _whole(scope, receive)
        except _Left:
            return
        except Fault as fault:
            await Answer({"error": fault.text}, fault.status)(scope, receive, send_guarded)
            return
        await self.app(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        own = set(self._own(scope))
        host = headers.get("host", "").lower()
        if host not in own:
            raise Fault(400, f"Host must be this server's own, {_listed(own)}, got {host[:60]!r}.")
        origin = headers.get("origin")
        if origin is not None and origin.lower().removeprefix("http://") not in own:
            raise Fault(403, f"Origin must be this server's own page, got {origin[:60]!r}.")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not _follows_a_link(scope, headers):
            raise Fault(403, "Sec-Fetch-Site names another page: this server answers only its own pages.")
        if "\0" in scope["path"]:
            raise Fault(400, "The path must not contain a null character.")
        if scope["method"] == "POST" and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Fault(415, "Content-Type must be application/json.")

    def _own(self, scope: Scope) -> Iterable[str]:
        hosts = self.hosts | ({bracketed(scope["server"][0])} if self.any and scope.get("server") else set())
        for host in hosts:
            yield f"{host}:{self.port}"
            if self.port == 80:
                yield host


def _listed(own: set[str]) -> str:
    return " or ".join(sorted(own))


def _follows_a_link(scope: Scope, headers: Headers) -> bool:
    """Return whether the request opens the page from a link, for example in an email."""
    is_document = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return is_document and scope["path"] == "/" and scope["method"] == "GET"


async def _whole(scope: Scope, receive: Receive) -> Receive:
    """Read the whole body; return a `receive` that replays it, then passes on later messages."""
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdecimal() or int(length) > LARGEST:
        raise Fault(413, f"The body must have at most {LARGEST:,} bytes, got {length[:20]}.")
    body, more = b"", True
    with anyio.move_on_after(_PATIENCE):
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Left
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > LARGEST:
                raise Fault(413, f"The body must have at most {LARGEST:,} bytes.")
    if more:
        raise Fault(408, f"The body did not arrive within {_PATIENCE:g} seconds.")
    waiting: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
