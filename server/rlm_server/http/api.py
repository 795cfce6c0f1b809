"""API: `/api/rlm`, `/api/rlm/cancel`, `/api/models`, `/api/health`, the probes `/healthz` and `/readyz`.

In: a request. Out: a model's reply, whole, as server-sent events, or as one line for each item of a batch; a long one
shows that it lives. A client
that goes away cancels its calls upstream, but for those that are kept (`in_flight.py`). The fields of a request are
checked in `wire.py`, its budgets in `budgets.py`, its model in `registry.py`, its sender in `security.py`; nothing here
knows a vendor.
"""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from rlm_core.types import Json, ModelUsage, Reply

from .. import __version__
from ..calls.in_flight import HEADER, read_idempotency_key
from ..calls.model_call import Backend, ModelRequest, Outcome
from ..providers.upstream import Reasoning
from ..settings import Settings
from .access import record
from .attendance import attended
from .body import read_json
from .call_socket import PATH as CALL_SOCKET
from .call_socket import serve_calls
from .exposition import metrics
from .identity import USER
from .item_lines import ItemLines
from .problems import Problem
from .wire import (
    MAX_BATCH,
    Batch,
    Conversation,
    Wanted,
    batch_json,
    item_json,
    parse_request,
    reply_json,
    usage_json,
)

HEARTBEAT_SECONDS = 15.0
WHOLE_HEADERS = {"Cache-Control": "no-store"}
STREAM_HEADERS = {**WHOLE_HEADERS, "X-Accel-Buffering": "no"}
"""nginx passes such a response on as it comes, whatever its own setting."""
HEARTBEAT_ACCEPTED = "heartbeat=1"
"""Parameter of `Accept: application/json` by which a client takes white space before a whole reply that is late."""
Write: TypeAlias = Callable[[bytes], Awaitable[None]]


def api_routes() -> list[BaseRoute]:
    """The routes; the application's state holds `settings` and `backend`."""
    return [
        Route("/api/rlm", answer, methods=["POST"]),
        Route("/api/rlm/cancel", cancel, methods=["POST"]),
        WebSocketRoute(CALL_SOCKET, serve_calls),
        Route("/api/models", list_models, methods=["GET"]),
        Route("/api/health", health, methods=["GET"]),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]


async def answer(request: Request) -> Response:
    """Answer a conversation or a batch, in one of the shapes of `wire.py`."""
    settings: Settings = request.app.state.settings
    backend: Backend = request.app.state.backend
    key = read_idempotency_key(request.headers.getlist(HEADER))
    wanted = parse_request(await read_json(request, settings))
    record(request.scope, model=(wanted.model or "default")[:100], calls=_calls(wanted))
    if key is not None:
        record(request.scope, run=key.run)
    calls = await backend.request(wanted, key, user=request.scope.get(USER, ""))
    record(request.scope, model=calls.model)
    if wanted.stream:
        return _Stream(request, calls, wanted)
    has_heartbeat = HEARTBEAT_ACCEPTED in request.headers.get("accept", "")
    return _Whole(request, calls, wanted, has_heartbeat=has_heartbeat)


async def cancel(request: Request) -> Response:
    """Stop the calls in flight under an idempotency key, for the user who does not want them any more."""
    settings: Settings = request.app.state.settings
    backend: Backend = request.app.state.backend
    body = await read_json(request, settings)
    value = body.get("key") if isinstance(body, dict) and len(body) == 1 else None
    key = read_idempotency_key([value]) if isinstance(value, str) else None
    if key is None:
        raise Problem("invalid-request", 'Send {"key": "<run>/<call>"}, the Idempotency-Key of the call to stop.')
    cancelled = await backend.in_flight.stop_everywhere(key)
    record(request.scope, run=key.run, cancelled=cancelled)
    return _json({"cancelled": cancelled})


ENDPOINTS = {"/api/rlm": answer, "/api/rlm/cancel": cancel}


async def answer_call(scope: Scope, receive: Receive, send: Send) -> None:
    """The routes that a call socket has, by path alone."""
    response = await ENDPOINTS[scope["path"]](Request(scope, receive, send))
    await response(scope, receive, send)


async def list_models(request: Request) -> Response:
    """The models, the default one, and the limits of a request. Never a key."""
    settings: Settings = request.app.state.settings
    backend: Backend = request.app.state.backend
    catalogue = await backend.registry.catalogue(request.scope.get(USER, ""))
    return _json(
        {
            "models": [model.to_json() for model in catalogue.models],
            "default": catalogue.default,
            "notes": [{"provider": provider, "note": note} for provider, note in catalogue.notes.items()],
            "budget": await backend.budgets.left(request.scope.get(USER, "")),
            "limits": {"max_body_bytes": settings.max_body_bytes, "max_batch": MAX_BATCH},
            "run_limits": {
                "defaults": dict(settings.config.page_defaults if settings.config else {}),
                "ceilings": dict(settings.config.ceilings if settings.config else {}),
            },
        }
    )


async def health(request: Request) -> Response:
    """Whether the server answers, and which version it is."""
    return _json({"status": "ok", "version": __version__})


async def healthz(request: Request) -> Response:
    """Whether the process answers; for supervisors, without a token."""
    return _json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Whether further requests may come; 503 once the server is to stop. For load balancers, without a token."""
    if request.app.drain_until:
        raise Problem("server-stopping", "The server is stopping. Send requests elsewhere.")
    return _json({"status": "ok"})


class _Written(Response, ABC):
    """A response that is written while its calls run; `_write` sends it, from its start to its end."""

    media_type: str
    is_begun = False

    def __init__(self, request: Request, calls: ModelRequest) -> None:
        self.request = request
        self.calls = calls
        self.status_code = 200
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await attended(self.request, self._write(send))
        except ClientDisconnect:
            if not self.is_begun:
                raise
            record(scope, disconnected=1)
        except Problem as problem:
            if not self.is_begun:
                raise
            record(scope, problem=problem.kind.slug)
            await send({"type": "http.response.body", "body": self._last(problem), "more_body": False})
        finally:
            _record_usage(scope, self.calls.paid)

    @abstractmethod
    async def _write(self, send: Send) -> None:
        """Send the response. A problem before its beginning is the response, one after that its end."""

    @abstractmethod
    def _last(self, problem: Problem) -> bytes:
        """The end of a response that a problem cuts off."""

    async def _begin(self, send: Send, headers: Mapping[str, str] = STREAM_HEADERS) -> None:
        self.is_begun = True
        named = {"Content-Type": self.media_type, **headers}
        raw = [(name.lower().encode(), text.encode()) for name, text in named.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})


class _Whole(_Written):
    """A whole reply. One that is late begins with white space, which keeps the connection, and may end with
    `{"error"}`."""

    media_type = "application/json"

    def __init__(self, request: Request, calls: ModelRequest, wanted: Wanted, *, has_heartbeat: bool) -> None:
        super().__init__(request, calls)
        self.wanted = wanted
        self.has_heartbeat = has_heartbeat

    def _last(self, problem: Problem) -> bytes:
        return _error(problem)

    async def _write(self, send: Send) -> None:
        over = asyncio.Event()
        beats: list[asyncio.Task[None]] = []

        def begin_beats() -> None:
            beats.append(asyncio.create_task(self._beat(send, over)))

        late = asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS, begin_beats) if self.has_heartbeat else None
        try:
            body = json.dumps(await _whole(self.calls, self.wanted)).encode()
        finally:
            if late is not None:
                late.cancel()
            over.set()
            if beats:
                await asyncio.wait(beats)
        if not self.is_begun:
            await self._begin(send, {**WHOLE_HEADERS, "Content-Length": str(len(body))})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _beat(self, send: Send, over: asyncio.Event) -> None:
        await self._begin(send)
        while not over.is_set():
            await send({"type": "http.response.body", "body": b"\n", "more_body": True})
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), HEARTBEAT_SECONDS)


class _Stream(_Written):
    """Server-sent events, or NDJSON for a batch.

    While a model thinks, heartbeats keep proxies from cutting the connection: a comment, or an empty line.
    """

    def __init__(self, request: Request, calls: ModelRequest, wanted: Wanted) -> None:
        super().__init__(request, calls)
        self.media_type = "application/x-ndjson" if isinstance(wanted, Batch) else "text/event-stream; charset=utf-8"
        self.heartbeat = b"\n" if isinstance(wanted, Batch) else b": waiting\n\n"
        self.wanted = wanted

    def _last(self, problem: Problem) -> bytes:
        """An error event, or for a batch the end of the lines, whose rest is asked again."""
        return b"" if isinstance(self.wanted, Batch) else _event({"error": problem.to_json()})

    async def _write(self, send: Send) -> None:
        written_at = time.monotonic()

        async def write(body: bytes) -> None:
            nonlocal written_at
            written_at = time.monotonic()
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async def write_heartbeats() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT_SECONDS)
                if time.monotonic() - written_at >= HEARTBEAT_SECONDS:
                    await write(self.heartbeat)

        await self._begin(send)
        beating = asyncio.create_task(write_heartbeats())
        try:
            if isinstance(self.wanted, Batch):
                await _write_items(self.calls, self.wanted, write)
            else:
                await _write_pieces(self.calls, self.wanted, write)
        finally:
            beating.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _record_usage(scope: Scope, used: ModelUsage) -> None:
    record(scope, input_tokens=used.input_tokens, output_tokens=used.output_tokens)
    if used.cost is not None:
        record(scope, cost=round(used.cost, 6))


async def _whole(calls: ModelRequest, wanted: Wanted) -> dict[str, Json]:
    """The whole reply.

    Raises:
        Problem: a single call failed.
    """
    if isinstance(wanted, Batch):
        outcomes: dict[int, Outcome] = {}

        async def deliver(index: int, outcome: Outcome) -> None:
            outcomes[index] = outcome

        await calls.answer_items(wanted, deliver)
        return batch_json([outcomes[index] for index in range(len(wanted.prompts))])
    outcome = await calls.answer(wanted.messages, images=wanted.images)
    if isinstance(outcome, Problem):
        raise outcome
    return reply_json(outcome)


async def _write_items(calls: ModelRequest, batch: Batch, write: Write) -> None:
    """NDJSON: a line for each item as it finishes, then `{"done": true, "usage"}`.

    Lines are written beside the calls: the slot of an item is free for the next one at once, unless the client is slow.
    """
    usage = ModelUsage()
    lines = ItemLines(write)

    async def deliver(index: int, outcome: Outcome) -> None:
        nonlocal usage
        if isinstance(outcome, Reply):
            usage += outcome.usage
        await lines.add(_line(item_json(index, outcome)))

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(lines.write_gathered())
        await calls.answer_items(batch, deliver)
        await lines.write_all()
        writing.cancel()  # it has nothing left to write
    await write(_line({"done": True, "usage": usage_json(usage)}))


async def _write_pieces(calls: ModelRequest, wanted: Conversation, write: Write) -> None:
    """Server-sent events: `{"delta"}` or `{"reasoning"}` for each piece.

    They end with `{"done": true, "model", "finish_reason", "usage", "from_store"?}` or `{"error"}`.
    """

    async def pass_on(text: str) -> None:
        await write(_event({"reasoning" if isinstance(text, Reasoning) else "delta": text}))

    outcome = await calls.answer_in_pieces(wanted, pass_on)
    if isinstance(outcome, Problem):
        await write(_event({"error": outcome.to_json()}))
    else:
        reply = {name: value for name, value in reply_json(outcome).items() if name not in ("text", "reasoning")}
        await write(_event({"done": True, **reply}))


def _calls(wanted: Wanted) -> int:
    return len(wanted.prompts) if isinstance(wanted, Batch) else 1


def _json(value: dict[str, Json]) -> Response:
    return Response(json.dumps(value), media_type="application/json", headers=WHOLE_HEADERS)


def _error(problem: Problem) -> bytes:
    return json.dumps({"error": problem.to_json()}).encode()


def _line(value: dict[str, Json]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _event(value: dict[str, Json]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
