"""Serving: the app behind a socket, until a block ends or a signal comes.

In: an ASGI app. Out: the address it answers at.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from rlm_core import RLMError

from .app import UVICORN_OPTIONS

if TYPE_CHECKING:
    from starlette.applications import Starlette

STARTUP_SECONDS = 20


@contextmanager
def serving(app: Starlette, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `app` from a thread of its own until the block ends; yield its URL, without a final slash.

    Args:
        port: 0 takes a free one.

    Raises:
        RLMError: the port is taken, or the server did not start within `STARTUP_SECONDS`.
    """
    listener, server = _listener(host, port), _Server(_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    if not server.ready.wait(STARTUP_SECONDS):
        raise RLMError(f"The server did not start within {STARTUP_SECONDS} s.")
    try:
        yield _url(listener)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def serve_until_signal(app: Starlette, *, host: str, port: int, ready: Callable[[str], object]) -> None:
    """Serve `app` from this thread until SIGINT or SIGTERM, then drain; `ready` is told the URL before that.

    Raises:
        RLMError: the port is taken.
    """
    with _listener(host, port) as listener:
        ready(_url(listener))
        uvicorn.Server(_config(app)).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port))
    except OSError as fault:
        raise RLMError(f"Cannot listen on {host}:{port}: {fault.strerror}. Choose another --port.") from fault
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it only on sockets it made itself
    return listener


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(app, log_level="warning", **UVICORN_OPTIONS)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn, with an event instead of a flag to poll, and without signal handlers of its own."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
