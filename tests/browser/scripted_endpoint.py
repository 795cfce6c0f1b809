"""Scripted endpoint: model calls that a page sends to the tests' server are answered by the test that runs.

In: calls to `/scripted`. Out: the answers of that test, from the server's thread, and a document in which nothing runs,
under the headers of the server's page. Where Playwright routes requests instead, the browser caches nothing, and each
of the hundred modules of a page passes through two more processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

CALLS = "/scripted"
EMPTY = "/empty.html"
Answer = Callable[[dict[str, Any], str], dict[str, Any]]


class ScriptedEndpoint:
    """The endpoint of the server that is made with `before`.

    Attributes:
        answer: body of a call and its idempotency key -> body of the reply.
    """

    def __init__(self) -> None:
        self.answer: Answer = _nobody

    def before(self, app: ASGIApp) -> ASGIApp:
        """`app`, behind this endpoint."""

        async def answered(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] == CALLS:
                await (await self._reply(Request(scope, receive)))(scope, receive, send)
            elif scope["type"] == "http" and scope["path"] == EMPTY:
                await HTMLResponse("<!doctype html>")(scope, receive, send)
            else:
                await app(scope, receive, send)

        return answered

    async def _reply(self, request: Request) -> JSONResponse:
        return JSONResponse(self.answer(json.loads(await request.body()), request.headers["idempotency-key"]))


def _nobody(body: dict[str, Any], key: str) -> dict[str, Any]:
    raise LookupError("no test answers this call")
