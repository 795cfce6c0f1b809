"""Mounting: the whole server as a part of another application, below a prefix.

In: requests that Starlette's or FastAPI's `mount` passes on, or all requests, where another application stands beside.
Out: the responses of `pyodide-rlm serve`, headers included. A mounted application receives no lifespan: the server
starts with its first request, or within `Mounted.lifespan`, and stops with its event loop, or at that lifespan's end.
It does not listen, and has no runs of `/v1`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rlm_core.errors import ConfigError

from ..assets import Assets
from ..setting_kinds import check_prefix
from ..settings import Settings, load_settings
from .app import create_app
from .forwarded import MOUNTED_AT


class Mounted:
    """The server as an ASGI application for a prefix.

    Args:
        prefix: the path below which it answers, such as `/ask`. A `mount` at the same path has taken it off already.
        settings: read from the environment by default. Without a token the server answers this machine alone.
        beside: the application for every other path.
        assets: those of the checkout or the installed wheel by default.

    Raises:
        ConfigError: `prefix` is no path, or as of `create_app`.
    """

    def __init__(
        self,
        prefix: str = "",
        *,
        settings: Settings | None = None,
        beside: ASGIApp | None = None,
        assets: Assets | None = None,
    ) -> None:
        try:
            self.prefix = check_prefix(prefix)
        except ValueError as fault:
            raise ConfigError(f"`prefix` {fault}, not {prefix!r}.") from None
        if beside is not None and not self.prefix:
            raise ConfigError("`beside` needs a `prefix`, such as /ask: without one every path is the server's.")
        self.app = create_app(settings or load_settings(), assets=assets)
        self.beside = beside
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        root, path = _split(scope)
        rest = _below(self.prefix, path)
        if rest is None and self.beside is not None:
            await self.beside(scope, receive, send)
            return
        if rest == "" and scope["type"] == "http":  # relative addresses need the final slash
            redirect = Response(status_code=308, headers={"Location": f"{root}{path}/"})
            await redirect(scope, receive, send)
            return
        await self.start()
        mounted_at = f"{root}{self.prefix}" if rest is not None else root
        inner = {**scope, "path": path if rest is None else rest, "root_path": "", MOUNTED_AT: mounted_at}
        inner["raw_path"] = inner["path"].encode()
        await self.app(inner, receive, send)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """The time in which the server runs: `FastAPI(lifespan=mounted.lifespan)`, or a part of a lifespan."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Start the server in this event loop, where it does not run yet; requests do it by themselves."""
        loop = asyncio.get_running_loop()
        if self._started is None or self._started.get_loop() is not loop:
            self._stopping, self._started = asyncio.Event(), loop.create_future()
            self._running = loop.create_task(self._run(self._stopping, self._started))
        try:
            await asyncio.shield(self._started)
        except Exception:
            self._started = None  # the next request tries again
            raise

    async def stop(self) -> None:
        """Stop the server; a later request starts it anew."""
        running, self._running, self._started = self._running, None, None
        self._stopping.set()
        if running is not None and running.get_loop() is asyncio.get_running_loop():
            await running

    async def _run(self, stopping: asyncio.Event, started: asyncio.Future[None]) -> None:
        """The server's own lifespan, in one task from start to end."""
        try:
            async with self.app.router.lifespan_context(self.app):
                started.set_result(None)
                with suppress(asyncio.CancelledError):  # the loop ends: the server is closed as by `stop`
                    await stopping.wait()
        except Exception as fault:
            if started.done():
                raise
            started.set_exception(fault)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The lifespan of the whole, where a server in front gives one: ours around that of the application beside."""
        first = await receive()
        try:
            await self.start()
        except Exception as fault:
            await send({"type": "lifespan.startup.failed", "message": str(fault)})
            raise
        if self.beside is not None and await self._live_beside(scope, first, receive, send):
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _live_beside(self, scope: Scope, first: Message, receive: Receive, send: Send) -> bool:
        """Whether the application beside has a lifespan; then it is over."""
        assert self.beside is not None
        waiting, has_spoken = [first], False

        async def received() -> Message:
            return waiting.pop() if waiting else await receive()

        async def sent(message: Message) -> None:
            nonlocal has_spoken
            has_spoken = True
            if message["type"] in ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self.stop()
            await send(message)

        try:
            await self.beside(scope, received, sent)
        except Exception:
            if has_spoken:
                await self.stop()
                raise
        return has_spoken


def _split(scope: Scope) -> tuple[str, str]:
    """The paths of the applications in front, and the rest; `root_path` is a part of `path`, or has been taken off."""
    root, path = scope.get("root_path", "").rstrip("/"), scope["path"]
    rest = _below(root, path)
    return root, path if rest is None else rest


def _below(prefix: str, path: str) -> str | None:
    """The part of `path` below `prefix`, with its slash; empty for the prefix itself.

    >>> _below("/ask", "/ask/api/rlm"), _below("/ask", "/ask"), _below("/ask", "/asks")
    ('/api/rlm', '', None)
    """
    rest = path.removeprefix(prefix)
    return rest if path.startswith(prefix) and rest[:1] in ("", "/") else None
