"""The server's socket, and its run."""

from __future__ import annotations

import logging
import socket
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
    for candidate in range(port, min(port + _TRIES, 65536)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, candidate), family=family, backlog=128)
        except OSError:
            if not others or candidate == min(port + _TRIES, 65536) - 1:
                raise
    raise AssertionError(port)


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
