"""API: `/api/rlm`, `/api/models` and `/api/health`.

In: a request. Out: a model's reply, whole, as server-sent events, or as one line for each item of a batch. A client
that goes away cancels its calls upstream. What a request may hold is decided in `wire.py`, who answers in
`providers/registry.py`, and who may ask in `security.py`; nothing here knows a vendor.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from rlm_core.errors import ProviderError
from rlm_core.types import Json, Message, ModelUsage, Reply

from . import __version__
from .access import record
from .body import read_json
from .problems import Problem, internal_problem, problem_of
from .settings import Settings
from .wire import (
    MAX_BATCH,
    Asked,
    Batch,
    Conversation,
    batch_json,
    check_prompt,
    item_json,
    parse_request,
    reply_json,
    usage_json,
)

if TYPE_CHECKING:
    from .providers.registry import Registry
    from .providers.upstream import Upstream

logger = logging.getLogger("rlm_server")
T = TypeVar("T")
Outcome: TypeAlias = Reply | Problem
Write: TypeAlias = Callable[[bytes], Awaitable[None]]


def api_routes() -> list[BaseRoute]:
    """The three routes; the application's state holds `settings` and `registry`."""
    return [
        Route("/api/rlm", answer, methods=["POST"]),
        Route("/api/models", list_models, methods=["GET"]),
        Route("/api/health", health, methods=["GET"]),
    ]


async def answer(request: Request) -> Response:
    """Answer a conversation or a batch, in one of the shapes of `wire.py`."""
    settings: Settings = request.app.state.settings
    asked = parse_request(await read_json(request, settings))
    record(request.scope, model=(asked.model or "default")[:100], calls=_calls(asked))
    desk = await _Desk.open(request.app.state.registry, asked.model, settings.concurrency)
    record(request.scope, model=desk.model)
    if asked.stream:
        return _Stream(desk, asked)
    return await attended(request.receive, desk.answer_whole(asked))


async def list_models(request: Request) -> Response:
    """What can be asked: models, the default one, and the limits of a request. Never a key."""
    settings: Settings = request.app.state.settings
    registry: Registry = request.app.state.registry
    catalogue = await registry.catalogue()
    return _json(
        {
            "models": [model.to_json() for model in catalogue.models],
            "default": catalogue.default,
            "notes": [{"provider": provider, "note": note} for provider, note in catalogue.notes.items()],
            "limits": {"max_body_bytes": settings.max_body_bytes, "max_batch": MAX_BATCH},
        }
    )


async def health(request: Request) -> Response:
    """Whether the server answers, and which version it is."""
    return _json({"status": "ok", "version": __version__})


async def attended(receive: Receive, work: Coroutine[object, object, T]) -> T:
    """Do `work` while the client waits for it; cancel it as soon as the client is gone.

    Raises:
        ClientDisconnect: the client went away first.
    """
    tasks: set[asyncio.Task[object]] = set()
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_until_gone(receive))
    tasks.update((cast("asyncio.Task[object]", working), cast("asyncio.Task[object]", watching)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@dataclass(frozen=True, slots=True)
class _Desk:
    """One request's way to its model: every call that is paid for passes through `_ask` or `_pieces`."""

    upstream: Upstream
    name: str
    concurrency: int

    @classmethod
    async def open(cls, registry: Registry, model: str | None, concurrency: int) -> _Desk:
        upstream, name = await registry.find(model)
        return cls(upstream, name, concurrency)

    @property
    def model(self) -> str:
        return f"{self.upstream.name}:{self.name}"

    async def answer_whole(self, asked: Asked) -> Response:
        if isinstance(asked, Batch):
            outcomes: dict[int, Outcome] = {}

            async def keep(index: int, outcome: Outcome) -> None:
                outcomes[index] = outcome

            await self.answer_items(asked, keep)
            return _json(batch_json([outcomes[index] for index in range(len(asked.prompts))]))
        outcome = await outcome_of(self._ask(asked.messages))
        if isinstance(outcome, Problem):
            raise outcome
        return _json(reply_json(outcome))

    async def answer_items(self, batch: Batch, deliver: Callable[[int, Outcome], Awaitable[None]]) -> None:
        """Answer every prompt, `concurrency` at a time, and deliver each outcome as it comes."""
        waiting = iter(enumerate(batch.prompts))

        async def work() -> None:
            for index, prompt in waiting:
                await deliver(index, await outcome_of(self._ask_prompt(prompt)))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.concurrency, len(batch.prompts))):
                group.create_task(work())

    async def write_items(self, batch: Batch, write: Write) -> None:
        """NDJSON: a line for each item as it finishes, then `{"done": true, "usage"}`."""
        usage = ModelUsage()
        turn = asyncio.Lock()

        async def deliver(index: int, outcome: Outcome) -> None:
            nonlocal usage
            async with turn:
                if isinstance(outcome, Reply):
                    usage += outcome.usage
                await write(_line(item_json(index, outcome)))

        await self.answer_items(batch, deliver)
        await write(_line({"done": True, "usage": usage_json(usage)}))

    async def write_pieces(self, asked: Conversation, write: Write) -> None:
        """Server-sent events: `{"delta"}` for each piece, then `{"done": true, "model", "usage"}` or `{"error"}`."""

        async def pass_on() -> Reply:
            async with aclosing(self._pieces(asked.messages)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Reply):
                        return piece
                    await write(_event({"delta": piece}))
            raise AssertionError(f"{self.upstream.name} ended a stream without its Reply")

        outcome = await outcome_of(pass_on())
        if isinstance(outcome, Problem):
            await write(_event({"error": outcome.to_json()}))
        else:
            await write(_event({"done": True, "model": outcome.model, "usage": usage_json(outcome.usage)}))

    async def _ask_prompt(self, prompt: str) -> Reply:
        check_prompt(prompt)
        return await self._ask((Message("user", prompt),))

    async def _ask(self, messages: tuple[Message, ...]) -> Reply:
        return await self.upstream.complete(messages, self.name)

    def _pieces(self, messages: tuple[Message, ...]) -> AsyncGenerator[str | Reply, None]:
        return self.upstream.stream(messages, self.name)


async def outcome_of(call: Awaitable[Reply]) -> Outcome:
    """Await `call`; a failure becomes the problem that tells of it, a fault of ours is logged as well."""
    try:
        return await call
    except Problem as problem:
        return problem
    except ProviderError as fault:
        return problem_of(fault)
    except Exception:
        logger.exception("a model call failed by a fault of ours")
        return internal_problem()


class _Stream(Response):
    """A response that is written while its calls run: server-sent events, or NDJSON for a batch."""

    def __init__(self, desk: _Desk, asked: Asked) -> None:
        media_type = "application/x-ndjson" if isinstance(asked, Batch) else "text/event-stream"
        super().__init__(media_type=media_type, headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self.desk = desk
        self.asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await attended(receive, self._write_all(send))
        except ClientDisconnect:
            record(scope, disconnected=1)

    async def _write_all(self, send: Send) -> None:
        async def write(body: bytes) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if isinstance(self.asked, Batch):
            await self.desk.write_items(self.asked, write)
        else:
            await self.desk.write_pieces(self.asked, write)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _calls(asked: Asked) -> int:
    return len(asked.prompts) if isinstance(asked, Batch) else 1


def _json(value: dict[str, Json]) -> Response:
    return Response(json.dumps(value), media_type="application/json", headers={"Cache-Control": "no-store"})


def _line(value: dict[str, Json]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _event(value: dict[str, Json]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
