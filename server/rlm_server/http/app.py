"""App: the Starlette application, its routes, its middleware and its one HTTP client.

In: `Settings` and where the files lie. Out: an ASGI application. It does not listen; see `__main__.py` and `cli.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rlm_core.errors import ConfigError

from ..assets import Assets, find_assets, packages_folder
from ..calls.audit_log import check_audit_log
from ..calls.budgets import Budgets
from ..calls.call_record import CallWatch
from ..calls.day_usage import DayUsage
from ..calls.in_flight import InFlight
from ..calls.model_call import Backend
from ..calls.reply_store import Store, check_store
from ..calls.spans import Spans
from ..settings import Settings, load_settings
from .access import AccessLog
from .api import answer_call, api_routes
from .attendance import Happening
from .call_socket import MESSAGE_BYTES
from .forwarded import Forwarded
from .openai import openai_routes
from .own_pages import own_page_routes
from .own_runs import check_runs, opened_runs
from .problems import Problem, internal_problem, problem_response
from .security import Gate, SecurityHeaders, check_address
from .static import static_routes

if TYPE_CHECKING:
    from ..calls.registry import Registry
    from ..providers.upstream import Upstream


logger = logging.getLogger("rlm_server")


class UvicornOptions(TypedDict):
    """Keyword arguments for `uvicorn.Config`."""

    lifespan: Literal["on"]
    log_config: None
    ws_max_size: int
    ws_per_message_deflate: bool
    access_log: bool
    server_header: bool
    proxy_headers: bool
    timeout_keep_alive: int
    timeout_graceful_shutdown: int
    h11_max_incomplete_event_size: int


LAST_WORD_SECONDS = 0.5
"""How long before the end of the drain the clients that still wait get their problem."""
UVICORN_OPTIONS: UvicornOptions = {
    "lifespan": "on",
    "log_config": None,
    "ws_max_size": MESSAGE_BYTES,
    "ws_per_message_deflate": False,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "timeout_keep_alive": 5,
    "timeout_graceful_shutdown": 9,
    "h11_max_incomplete_event_size": 64 * 1024,
}
"""How every server of this application is run: our own log, no compression, no trust in proxies, bounded waits."""


class App(Starlette):
    """Starlette with the security headers and the log around everything, its own error pages included.

    Attributes:
        drain_until: monotonic time at which calls in flight are cancelled; set by whoever stops the server.
    """

    drain_until = 0.0
    _call_stack: ASGIApp | None = None

    def begin_drain(self, seconds: float) -> None:
        """Let the calls under way continue for `seconds`; then those that are left end with a problem."""
        self.drain_until = time.monotonic() + seconds
        stopping: Happening = self.state.stopping
        draining: asyncio.Event = self.state.draining
        draining.set()
        asyncio.get_running_loop().call_later(max(0.0, seconds - LAST_WORD_SECONDS), stopping.happen)

    async def take_settings(self, settings: Settings) -> None:
        """Go by `settings` from the next request on; the calls under way end as they began.

        Raises:
            ConfigError: the address needs a token, or the audit log cannot be written.
        """
        check_address(settings)
        backend: Backend = self.state.backend
        backend.watch.audit.open(settings)
        registry = await self.state.open_registry(settings)
        budgets = backend.budgets.with_limits_of(settings)
        self.state.backend = Backend(
            registry,
            budgets,
            backend.in_flight,
            settings.concurrency,
            settings.retries,
            backend.watch,
            backend.askers,
        )
        self.state.settings = settings
        self.user_middleware = [Middleware(Gate, settings=settings)]
        self.middleware_stack = self._call_stack = None  # they are built anew for the next request

    async def answer_call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request over a call socket; its scope has what the handshake's had behind `Forwarded`."""
        if self._call_stack is None:
            self._call_stack = self._build_call_stack()
        await self._call_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        settings: Settings = self.state.settings
        inner = Forwarded(super().build_middleware_stack(), settings=settings)
        return self._traced(SecurityHeaders(AccessLog(inner), frame_ancestors=settings.frame_ancestors))

    def _build_call_stack(self) -> ASGIApp:
        expected = {kind: say for kind, say in self.exception_handlers.items() if kind is not Exception}
        calls = ExceptionMiddleware(answer_call, handlers=expected)
        whole = ServerErrorMiddleware(calls, handler=_say_internal_error)
        return self._traced(AccessLog(Gate(whole, settings=self.state.settings)))

    def _traced(self, app: ASGIApp) -> ASGIApp:
        spans: Spans | None = self.state.spans
        return app if spans is None else spans.around(app)


def create_app(
    settings: Settings | None = None,
    *,
    assets: Assets | None = None,
    runs: int = 0,
    providers: Sequence[Upstream] = (),
    pages: Path | None = None,
) -> App:
    """Make the application.

    Args:
        settings: read from the environment by default.
        assets: those of the checkout or the installed wheel by default.
        runs: most runs of `/v1` at once, each in a page of a headless browser; 0 has none.
        providers: of this process, beside the configured ones.
        pages: folder of further pages, served at the root.

    Raises:
        ConfigError: a setting is impossible or unknown, the address needs a token, the assets are not built, or the
            file of the store or of the audit log cannot be used.
    """
    settings = settings or load_settings()
    check_address(settings)
    check_store(settings.store_path)
    check_audit_log(settings)
    check_runs(settings, runs)
    if pages is not None and not pages.is_dir():
        raise ConfigError(f"{pages} is no folder. Name one that holds your pages.")
    assets = assets or find_assets()
    app = App(
        routes=[
            *api_routes(),
            *openai_routes(),
            *static_routes(assets, packages_folder(settings.packages_path), pages),
            *own_page_routes(pages, frame_ancestors=settings.frame_ancestors),
        ],
        middleware=[Middleware(Gate, settings=settings)],
        exception_handlers={
            Problem: _say_problem,
            HTTPException: _say_http_error,
            ClientDisconnect: _say_nothing,
            Exception: _say_internal_error,
        },
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.settings = settings
    app.state.spans = Spans.of(os.environ)
    app.state.runs = runs
    app.state.providers = providers
    app.state.own_url = ""
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    from ..calls.registry import open_registry  # httpx2 is needed from here on only

    assert isinstance(app, App)
    settings: Settings = app.state.settings
    store = Store(settings.store_path, max_bytes=settings.store_bytes, max_seconds=settings.store_seconds)
    days = DayUsage(settings.store_path)
    spans: Spans | None = app.state.spans
    in_flight, watch = InFlight(store), CallWatch(spans=spans)
    watch.audit.open(settings)
    app.state.stopping, app.state.draining = Happening(), asyncio.Event()
    with closing(watch.audit), closing(store), closing(days):
        async with AsyncExitStack() as later, open_registry(settings, app.state.providers) as registry:
            app.state.backend = Backend(
                registry, Budgets.of(settings, days), in_flight, settings.concurrency, settings.retries, watch
            )
            app.state.open_registry = lambda changed: later.enter_async_context(
                open_registry(changed, app.state.providers)
            )
            checking = asyncio.create_task(_check_default(registry))
            await later.enter_async_context(opened_runs(app))
            yield
            checking.cancel()
            with suppress(asyncio.CancelledError):
                await checking
            await in_flight.drain(app.drain_until - time.monotonic())
        if spans is not None:
            await asyncio.to_thread(spans.close)


async def _check_default(registry: Registry) -> None:
    """Warn in the log of a default model that does not exist, as soon as its provider's list is there."""
    if fault := await registry.fault_of_default():
        logger.warning(fault)


async def _say_problem(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return problem_response(problem, request.scope)


async def _say_http_error(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    return problem_response(_problem_of_http(request, fault), request.scope)


async def _say_nothing(request: Request, fault: Exception) -> Response:
    """The client is gone; the status is for the log."""
    return Response(status_code=499)


async def _say_internal_error(request: Request, fault: Exception) -> Response:
    return problem_response(internal_problem(), request.scope)


def _problem_of_http(request: Request, fault: HTTPException) -> Problem:
    if fault.status_code == 404:
        return Problem("not-found", "There is nothing at this path. The page is at `/`, the API at `/api/rlm`.")
    if fault.status_code == 405:
        allowed = (fault.headers or {}).get("Allow", "another method")
        detail = f"{request.method[:20]} is not allowed here. Use {allowed}."
        return Problem("method-not-allowed", detail, headers=fault.headers)
    return Problem("http-error", f"The request was refused with status {fault.status_code}.", status=fault.status_code)
