"""Serving: the app behind a socket, until a block ends or a signal comes.

In: the application. Out: the address it answers at.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from rlm_core import ConfigError, RLMError

from ..settings import Settings
from .app import UVICORN_OPTIONS, App, UvicornOptions
from .connection import SocketConnection, connection_class

logger = logging.getLogger("rlm_server")
STARTUP_SECONDS = 20


@contextmanager
def serving(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, drain_seconds: int | None = None) -> Iterator[str]:
    """Serve `app` from its own thread until the block ends; yield its URL, without a final slash.

    Args:
        port: 0 takes a free one.
        drain_seconds: longest wait at the end for open requests and calls under way, that of the settings by default;
            0 cuts them off.

    Raises:
        RLMError: the port is taken, or the server did not start within `STARTUP_SECONDS`.
    """
    listener, server = _listener(host, port), _Server(app, drain_seconds)
    _tell_address(app, listener)
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


def serve_until_signal(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    ready: Callable[[str], object],
    drain_seconds: int | None = None,
    reload: Callable[[], Settings] | None = None,
) -> None:
    """Serve `app` from this thread until SIGINT or SIGTERM, then drain; `ready` gets the URL before that.

    Args:
        reload: reads the settings anew, on SIGHUP.

    Raises:
        RLMError: the port is taken.
    """
    with _listener(host, port) as listener:
        ready(_url(listener))
        _tell_address(app, listener)
        _Server(app, drain_seconds, reload).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port))
    except OSError as fault:
        raise RLMError(f"Cannot listen on {host}:{port}: {fault.strerror}. Choose another --port.") from fault
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it only on sockets it made itself
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def _tell_address(app: ASGIApp, listener: socket.socket) -> None:
    """The address at which `app` reaches itself."""
    if isinstance(app, App):
        host, port = listener.getsockname()[:2]
        app.state.own_url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn, with an event instead of a flag to poll; it tells `app` how long the calls under way may still take.

    An application that is wrapped in another is served with the default deadlines, and its calls are not waited for.
    """

    def __init__(self, app: ASGIApp, drain_seconds: int | None, reload: Callable[[], Settings] | None = None) -> None:
        settings = app.state.settings if isinstance(app, App) else Settings.model_construct()
        drain_seconds = settings.drain_seconds if drain_seconds is None else drain_seconds
        options: UvicornOptions = {**UVICORN_OPTIONS, "timeout_graceful_shutdown": drain_seconds}
        super().__init__(uvicorn.Config(app, http=connection_class(settings), ws=SocketConnection, **options))
        self.app = app
        self.drain_seconds = drain_seconds
        self.reload = reload
        self._reloading: set[asyncio.Task[None]] = set()
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.reload is not None and hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._begin_reload, self.reload)
        self.ready.set()

    def _begin_reload(self, reload: Callable[[], Settings]) -> None:
        task = asyncio.create_task(self._take_anew(reload))
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)

    async def _take_anew(self, reload: Callable[[], Settings]) -> None:
        """Settings that cannot be used change nothing but the log."""
        try:
            assert isinstance(self.app, App)
            await self.app.take_settings(reload())
        except ConfigError as fault:
            logger.error(json.dumps({"settings": "not read again", "reason": str(fault)}))
        else:
            logger.info(json.dumps({"settings": "read again"}))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if isinstance(self.app, App):
            self.app.begin_drain(self.drain_seconds)
        await super().shutdown(sockets)
