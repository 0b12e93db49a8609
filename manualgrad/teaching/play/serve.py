"""The server's socket and its main loop."""

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

_TRIES = 20  # ports to try


def listen(host: str, port: int, others: bool) -> socket.socket:
    """Open a socket that listens on the port or, with `others`, on the first free port from there on.

    Raises:
        OSError: if no port is free.
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
    # asyncio disables Nagle's algorithm only for sockets that name their protocol, which those of socket.create_server do not;
    # with it, the body of a response waits 40 ms until its head is acknowledged.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if host == "::" and socket.has_dualstack_ipv6():
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # accept IPv4, too
        if sys.platform != "win32":  # on Windows, two servers could share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def run(app: ASGIApp, listener: socket.socket, when_ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C."""
    torch.set_num_threads(1)  # per request: more threads are slower for such a small network
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
        """Exit at once, even while responses are pending, without logging each of them."""
        logging.getLogger("uvicorn.error").disabled = True
        self.force_exit = True
        super().handle_exit(sig, frame)
