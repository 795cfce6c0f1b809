"""OpenAI's routes: `/v1/models`, `/v1/chat/completions`, `/v1/responses`, with a recursive language model behind them.

In: requests of any client of OpenAI's API, which sends the server's token as its key. Out: replies and errors in that
API's forms. A run lives on when its client goes away: the same `Idempotency-Key`, or the id of a response, collects it.
Without `serve --runs` the routes say so. The meaning of a body is `openai_api/conversation.py`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from ..openai_api import chat, responses
from ..openai_api.conversation import MODEL, PREFIX, Refused, asked_in
from ..openai_api.kept_runs import Failed, KeptRun, KeptRuns
from .access import record
from .api import STREAM_HEADERS
from .attendance import attended
from .body import read_json
from .identity import USER
from .problems import Problem

KEY = "Idempotency-Key"
MOST_KEY_CHARS = 255
RETRY = "x-stainless-retry-count"
"""Header of OpenAI's own clients: how often this request was sent before."""
SERVED = "POST /v1/chat/completions and /v1/responses, GET /v1/models"
MISSED = ("/chat/completions", "/responses", "/v1/{rest:path}")
"""Paths that clients with another base URL, or for another of OpenAI's APIs, ask."""
Handler = Callable[[Request], Awaitable[Response]]


def openai_routes() -> list[BaseRoute]:
    """The routes; the application's state holds `kept_runs`, or `None`."""
    return [
        Route("/v1/models", _told(list_models), methods=["GET"]),
        Route("/v1/models/{name:path}", _told(show_model), methods=["GET"]),
        Route("/v1/chat/completions", _told(complete), methods=["POST"]),
        Route("/v1/responses", _told(respond), methods=["POST"]),
        Route("/v1/responses/{id}", _told(retrieve), methods=["GET"]),
        Route("/v1/responses/{id}/cancel", _told(cancel), methods=["POST"]),
        *(Route(path, _told(elsewhere), methods=["POST"]) for path in MISSED),
    ]


async def list_models(request: Request) -> Response:
    """`rlm`, and one for each model that may be its root."""
    return _json({"object": "list", "data": await _models(request)})


async def show_model(request: Request) -> Response:
    """One of them."""
    name = request.path_params["name"]
    found = next((model for model in await _models(request) if model["id"] == name), None)
    if found is None:
        message = f"the model {json.dumps(name)[:80]} is not here; GET /v1/models lists them."
        raise Refused(message, param="model", code="model_not_found", status=404)
    return _json(found)


async def elsewhere(request: Request) -> Response:
    """A path of OpenAI's API, or near one, at which nothing is."""
    _kept_runs(request)
    path = request.url.path[:80]
    raise Refused(f"there is nothing at {path}: {SERVED}. A client's base URL ends in /v1, once.", status=404)


async def _models(request: Request) -> list[dict[str, Any]]:
    _kept_runs(request)
    catalogue = await request.app.state.backend.registry.catalogue(request.scope.get(USER, ""))
    names = [MODEL, *(f"{PREFIX}{model.id}" for model in catalogue.models)]
    created = int(time.time())
    return [{"id": name, "object": "model", "created": created, "owned_by": "pyodide-rlm"} for name in names]


async def complete(request: Request) -> Response:
    """Chat Completions."""
    body = await _body(request)
    is_streamed = _flag(body, "stream")
    run = _begin(request, body)
    if is_streamed:
        options = body.get("stream_options")
        has_usage_chunk = isinstance(options, dict) and bool(options.get("include_usage"))
        return _stream(chat.chunks(run, has_usage_chunk=has_usage_chunk))
    end = await attended(request, run.ended())
    return _failure(end) if isinstance(end, Failed) else _json(chat.whole(run, end))


async def respond(request: Request) -> Response:
    """Responses; with `background` the run goes on by itself."""
    body = await _body(request)
    for name in ("previous_response_id", "conversation", "prompt"):
        if body.get(name):
            raise Refused(f"{name} is not kept here. Send the earlier turns in input.", param=name)
    if body.get("input") is None:
        raise Refused("input is missing: text, or a list of messages.", param="input")
    is_background, is_streamed = _flag(body, "background"), _flag(body, "stream")
    run = _begin(request, body)
    state: dict[str, Any] = {"is_background": is_background, "metadata": body.get("metadata")}
    if is_streamed:
        return _stream(responses.events(run, state))
    if not is_background:
        end = await attended(request, run.ended())
        if isinstance(end, Failed) and not run.is_stopped:
            return _failure(end)
    return _json(responses.response_json(run, **state))


async def retrieve(request: Request) -> Response:
    """The state of a response, and its output once it is there."""
    return _json(responses.response_json(_known(request), is_background=True))


async def cancel(request: Request) -> Response:
    """Stop the run of a response."""
    run = _known(request)
    await _kept_runs(request).stop(run)
    return _json(responses.response_json(run, is_background=True))


def _begin(request: Request, body: dict[str, Any]) -> KeptRun:
    asked = asked_in(body)
    key = request.headers.get(KEY, "")
    if len(key) > MOST_KEY_CHARS:
        raise Refused(f"the Idempotency-Key has {len(key):,} characters; at most {MOST_KEY_CHARS} are taken.")
    retries = request.headers.get(RETRY, "0")
    digest = hashlib.sha256(json.dumps([request.url.path, _lasting(body)], sort_keys=True).encode()).digest()
    user = request.scope.get(USER, "")
    run = _kept_runs(request).begin(asked, user=user, digest=digest, key=key, is_retry=retries not in ("", "0"))
    record(request.scope, model=asked.name[:100], run=run.id)
    return run


def _flag(body: dict[str, Any], name: str) -> bool:
    """A parameter that is true or false; left out, it is false."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise Refused(f"{name} must be true or false, not {value!r:.40}.", param=name)
    return bool(value)


def _lasting(body: dict[str, Any]) -> dict[str, Any]:
    """The part of a body that its answer depends on: it may be collected in another form."""
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options", "background")}


def _known(request: Request) -> KeptRun:
    id = request.path_params["id"].removeprefix(responses.PREFIX)
    run = _kept_runs(request).get(id, request.scope.get(USER, ""))
    if run is None:
        raise Refused("there is no such response here: it is of another user, or older than a day.", status=404)
    return run


def _kept_runs(request: Request) -> KeptRuns:
    runs: KeptRuns | None = request.app.state.kept_runs
    if runs is None:
        raise Refused("this server answers no questions by itself. Start it with `serve --runs N`.", status=404)
    return runs


async def _body(request: Request) -> dict[str, Any]:
    body = await read_json(request, request.app.state.settings)
    if not isinstance(body, dict):
        raise Refused("the body must be an object.")
    return body


def _told(handler: Handler) -> Handler:
    """`handler`, whose refusals and problems are told in OpenAI's form."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as fault:
            record(request.scope, problem=fault.code or "refused")
            wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            error = chat.error_json(str(fault), code=fault.code, status=fault.status, param=fault.param)
            return _json(error, status=fault.status, headers=wait)
        except Problem as problem:
            record(request.scope, problem=problem.kind.slug)
            error = chat.error_json(problem.detail, code=problem.kind.slug, status=problem.status)
            return _json(error, status=problem.status, headers=problem.headers)
        except ClientDisconnect:
            record(request.scope, disconnected=1)
            raise

    return handle


def _failure(end: Failed) -> Response:
    return _json(chat.error_json(end.message, code=end.code, status=end.status), status=end.status)


def _stream(parts: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(parts, media_type="text/event-stream", headers=STREAM_HEADERS)


def _json(value: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    own = {"Cache-Control": "no-store", **(headers or {})}
    return Response(json.dumps(value), status_code=status, media_type="application/json", headers=own)
