"""The server's socket, and its run."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable
from types import FrameType

import torch
import uvicorn
from starlette.types import ASGIApp

__all__ = ["listen", "run"]

_TRIES = 20  # ports


def listen(host: str, port: int, others: bool) -> socket.socket:
    """A socket that listens at the port; with `others`, at the first free one from there on.

    Raises:
        OSError: when there is none.
    """
    last = min(port + _TRIES, 65536) - 1 if others else port
    while True:
        try:
            return _listen(host, port)
        except OSError:
            if port == last:
                raise
        port += 1


def _listen(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off for sockets that name their protocol alone, which socket.create_server's do not: an
    # answer's body then waits for 40 ms until its head is acknowledged.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if host == "::" and socket.has_dualstack_ipv6():
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # for addresses of IPv4, too
        if sys.platform != "win32":  # where it would let two servers have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def run(app: ASGIApp, listener: socket.socket, when_ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C."""
    torch.set_num_threads(1)  # of a request: for so small a network, more are slower
    config = uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False, server_header=False)
    server = _Server(config, when_ready)
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """At once, also where answers are under way, and without a word about each of them."""
        logging.getLogger("uvicorn.error").disabled = True
        self.force_exit = True
        super().handle_exit(sig, frame)
