"""What every request passes, and what every answer bears, around the application (pure ASGI).

No other page may drive this server: its own pages alone send a Host and an Origin that are its own. (A page elsewhere whose
name is made to point here, by "DNS rebinding", sends its own name as Host.) Bodies are read whole before anything is done, so
that a slow client holds up nobody.
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

LARGEST = 64 * 1024  # bytes of a body
_PATIENCE = 10.0  # seconds that a body may take to come
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
    """The client is gone."""


class Guards:
    """The application, guarded.

    Args:
        host: at which it listens; with "0.0.0.0" or "::", the address that a client has connected to is its own, too, and so
            are the machine's names.
        port: at which it listens.
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
            raise Fault(400, f"Host should be this server's own, {_listed(own)}, and is {host[:60]!r}.")
        origin = headers.get("origin")
        if origin is not None and origin.lower().removeprefix("http://") not in own:
            raise Fault(403, f"Origin should be this server's own page, and is {origin[:60]!r}.")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not _follows_a_link(scope, headers):
            raise Fault(403, "Sec-Fetch-Site says that another page asks: this server answers its own alone.")
        if "\0" in scope["path"]:
            raise Fault(400, "The path should be that of a file, and has a null character.")
        if scope["method"] == "POST" and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Fault(415, "Content-Type should be application/json.")

    def _own(self, scope: Scope) -> Iterable[str]:
        hosts = self.hosts | ({bracketed(scope["server"][0])} if self.any and scope.get("server") else set())
        for host in hosts:
            yield f"{host}:{self.port}"
            if self.port == 80:
                yield host


def _listed(own: set[str]) -> str:
    return " or ".join(sorted(own))


def _follows_a_link(scope: Scope, headers: Headers) -> bool:
    """Whether somebody follows a link to the page, in a mail, say."""
    is_document = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return is_document and scope["path"] == "/" and scope["method"] == "GET"


async def _whole(scope: Scope, receive: Receive) -> Receive:
    """The body, read to its end, as the application receives it; after it, whatever else comes."""
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdecimal() or int(length) > LARGEST:
        raise Fault(413, f"The body should have {LARGEST:,} bytes at most, and has {length[:20]}.")
    body, more = b"", True
    with anyio.move_on_after(_PATIENCE):
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Left
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > LARGEST:
                raise Fault(413, f"The body should have {LARGEST:,} bytes at most, and has more.")
    if more:
        raise Fault(408, f"The body should come within {_PATIENCE:g} seconds, and did not.")
    waiting: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
