"""Access log: one JSON line for each request and each WebSocket, without a word of any prompt or reply.

In: requests on their way through. Out: lines on the logger `rlm_server.access`, such as

    {"time": "2026-01-31T12:00:00.000Z", "id": "9f...", "method": "POST", "path": "/api/rlm", "status": 200,
     "seconds": 0.41, "bytes_in": 90, "bytes_out": 31, "model": "builtin:extractive", "calls": 1,
     "input_tokens": 0, "output_tokens": 0, "cost": 0.0}

Whoever answers a request adds facts to its line with `record`. `JsonLines` gives the same form to every other record.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from datetime import UTC, datetime
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("rlm_server.access")
FACTS = "rlm_server.facts"
MAX_PATH = 200
STARTS = ("http.response.start", "websocket.http.response.start")
"""Messages that begin a response: of a request, and of a WebSocket that is refused."""
Fact: TypeAlias = str | int | float


def record(scope: Scope, **facts: Fact) -> None:
    """Add `facts` to the log line of the request in `scope`; never text that a user or a model wrote."""
    scope.setdefault(FACTS, {}).update(facts)


class AccessLog:
    """Counts and times each request, gives it an id (`X-Request-Id`), and logs its line when it is over."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        line = _Line(scope)
        try:
            await self.app(scope, line.counting(receive), line.watching(send))
        finally:
            if logger.isEnabledFor(logging.INFO):  # by a record, as `info` would search the stack for the caller
                logger.handle(logger.makeRecord(logger.name, logging.INFO, __name__, 0, line.text(), (), None))


class JsonLines(logging.Formatter):
    """Every record as one line of JSON: ours are JSON already, others get time, level, logger and message."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if text.startswith("{") and "\n" not in text:
            return text
        now = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({"time": now, "level": record.levelname, "logger": record.name, "message": text})


class _Line:
    """The facts of one request so far."""

    def __init__(self, scope: Scope) -> None:
        self.id = secrets.token_hex(8)
        self.scope = scope
        self.facts: dict[str, Fact] = scope.setdefault(FACTS, {})
        self.began = time.perf_counter()
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0

    def counting(self, receive: Receive) -> Receive:
        async def counted() -> Message:
            message = await receive()
            self.bytes_in += _size(message)
            return message

        return counted

    def watching(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "websocket.accept":
                self.status = 101
            elif message["type"] in STARTS:
                self.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", self.id.encode())]
            self.bytes_out += _size(message)
            await send(message)

        return watched

    def text(self) -> str:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fixed = {
            "time": now,
            "id": self.id,
            "method": self.scope.get("method", "GET"),
            "path": self.scope["path"][:MAX_PATH],
            "status": self.status,
            "seconds": round(time.perf_counter() - self.began, 4),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }
        return json.dumps({**fixed, **self.facts})


def _size(message: Message) -> int:
    return len(message.get("body") or message.get("bytes") or b"")
