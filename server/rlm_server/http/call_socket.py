"""Call socket: the model calls of a page over one WebSocket, each run as an ordinary request.

In: `/api/rlm/socket`, opened by the server's own page. Out: for each stream of messages a `POST` to `/api/rlm` or
`/api/rlm/cancel`, so that checks, budgets, replies and problems are those of HTTP. The request has the sender, the
cookie and the forwarded data of the handshake, and three headers of its own. It passes the log, the gate and the route
(`App.answer_call`), not what the handshake has passed for all of them (`forwarded.py`), nor what adds headers that a
stream has not (`SecurityHeaders`).

A message is binary: its kind (1 byte), its stream's number (4 bytes, big-endian) and a payload.

| kind | payload |
|---|---|
| `HEAD` | length of a JSON object (4 bytes), the object, the first bytes of the body |
| `BODY` | further bytes of the body |
| `CREDIT` | number of bytes (4 bytes) by which the other side may send more |
| `CANCEL` | nothing: of the client, that it waits no longer; of the server, that the request was not begun |
| `ALIVE` | nothing: the server is there, while calls are under way |

The object is `{"path", "headers"}` of a request, `{"status", "headers"}` of a response. `LAST` marks the end of a body.
The client's half is `worker/calls/call_socket.js`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.types import Message, Scope
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from .access import FACTS, record
from .attendance import LEAVING, Happening
from .body import WHOLE
from .forwarded import BY_PROXY, MOUNTED_AT

if TYPE_CHECKING:
    from .app import App

logger = logging.getLogger("rlm_server")
PATH = "/api/rlm/socket"
ADMITTED = "rlm_server.admitted"
"""Key of a scope: the settings by which the call socket was let in, for the requests over it. They have the headers of
its handshake, so that a gate of these settings would say the same of each, unless an identity has ended."""
HEAD, BODY, CREDIT, CANCEL, ALIVE = 1, 2, 3, 4, 5
LAST = 0x80
CHUNK_BYTES = 1 << 20
"""Most bytes of a body in one message."""
WINDOW_BYTES = 2 << 20
"""Bytes of a body that may be under way before the other side gives credit for more."""
MOST_HEAD_BYTES = 64 << 10
MESSAGE_BYTES = CHUNK_BYTES + MOST_HEAD_BYTES + 16
"""Most bytes of one message."""
MOST_STREAMS = 1_000
HEARTBEAT_SECONDS = 10.0
"""Between two signs of life: a browser shows its page no ping of a WebSocket."""
IDLE_BEATS = 12
"""Heartbeats without a call after which the connection is closed; a page closes it sooner."""
PREFIX = struct.Struct(">BI")
NUMBER = struct.Struct(">I")
PATHS = {"": "/api/rlm", "/cancel": "/api/rlm/cancel"}
"""Paths that a stream may name, as they continue that of the model calls."""
OF_HANDSHAKE = frozenset({"host", "origin", "sec-fetch-site", "cookie", "authorization"})
OF_REQUEST = frozenset({"content-type", "accept", "idempotency-key"})
OF_RESPONSE = frozenset({b"content-type", b"retry-after", b"x-request-id"})
IDLE, MALFORMED, STOPPING = 1000, 1002, 1012
"""Codes of a close: no calls; a message that has no meaning; a server that is to stop."""


class Malformed(Exception):
    """A message has no meaning; the connection is closed."""


async def serve_calls(websocket: WebSocket) -> None:
    """Answer the calls of one page until it leaves, or the server stops."""
    await websocket.accept()
    await CallSocket(websocket).serve()


class CallSocket:
    """One connection and its streams."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.app: App = websocket.app
        self._request = _request_of(websocket.scope)
        self._facts = dict(websocket.scope[FACTS])
        self._headers: dict[str, list[tuple[bytes, bytes]]] = {}
        self.streams: dict[int, Stream] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.calls = 0
        self._idle = asyncio.Event()

    async def serve(self) -> None:
        beside = [asyncio.create_task(self._close_after_drain()), asyncio.create_task(self._beat())]
        try:
            await self._read()
        except WebSocketDisconnect:
            pass
        except Malformed as fault:
            record(self.websocket.scope, malformed=str(fault))
            await self._close(MALFORMED, str(fault))
        except asyncio.CancelledError:
            for task in self.tasks:
                task.cancel()
            raise
        finally:
            for task in beside:
                task.cancel()
            record(self.websocket.scope, calls=self.calls)
            for stream in self.streams.values():
                stream.leave()
            if self.tasks:
                await asyncio.wait(self.tasks)

    async def send(self, message: bytes) -> None:
        """Send one message; a client that is gone misses it."""
        if self.websocket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):
                await self.websocket.send_bytes(message)

    async def _read(self) -> None:
        while True:
            message = await self.websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if data is None or len(data) < PREFIX.size:
                raise Malformed("a message is binary and holds a kind and a stream")
            kind, number = PREFIX.unpack_from(data)
            await self._take(kind & ~LAST, number, memoryview(data)[PREFIX.size :], is_last=bool(kind & LAST))

    async def _take(self, kind: int, number: int, payload: memoryview, *, is_last: bool) -> None:
        stream = self.streams.get(number)
        if kind == HEAD:
            if stream is not None:
                raise Malformed("the number of an open stream began another one")
            await self._begin(number, payload, is_last=is_last)
        elif kind not in (BODY, CREDIT, CANCEL):
            raise Malformed("a message has an unknown kind")
        elif stream is None:
            return  # it is over: the message crossed its end
        elif kind == BODY:
            stream.take(payload, is_last=is_last)
        elif kind == CREDIT:
            stream.credit(_number(payload))
        else:
            stream.leave()

    async def _begin(self, number: int, payload: memoryview, *, is_last: bool) -> None:
        head, body = _split(payload)
        scope = self._scope(head)
        if self.app.drain_until or len(self.streams) >= MOST_STREAMS:
            await self.send(PREFIX.pack(CANCEL, number))
            return
        self.calls += 1
        stream = self.streams[number] = Stream(self, number)
        scope[LEAVING] = stream.leaving
        if is_last:
            scope[WHOLE] = True
        stream.take(body, is_last=is_last)
        task = asyncio.create_task(self._answer(stream, scope))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, stream: Stream, scope: Scope) -> None:
        try:
            await self.app.answer_call(scope, stream.receive, stream.send)
        except Exception:
            logger.exception("a request over the call socket failed by a fault of ours")
        finally:
            await stream.finish()
            del self.streams[stream.number]
            if not self.streams:
                self._idle.set()

    def _scope(self, head: Any) -> Scope:
        """The request of a stream.

        Raises:
            Malformed: it names another path, or a header that is not its own.
        """
        path = PATHS.get(str(head.get("path"))) if isinstance(head, dict) else None
        if path is None:
            raise Malformed("a request names a path that has no model calls")
        return {
            **self._request,
            "path": path,
            "raw_path": path.encode(),
            "headers": [*self._of_handshake(self.app.state.settings.user_header), *_own_headers(head.get("headers"))],
            FACTS: dict(self._facts),
        }

    def _of_handshake(self, user_header: str) -> list[tuple[bytes, bytes]]:
        if user_header not in self._headers:
            names = {name.encode() for name in (*OF_HANDSHAKE, user_header.lower())}
            headers: Iterable[tuple[bytes, bytes]] = self.websocket.scope["headers"]
            self._headers[user_header] = [(name, text) for name, text in headers if name in names]
        return self._headers[user_header]

    async def _beat(self) -> None:
        idle = 0
        while idle < IDLE_BEATS:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            idle = 0 if self.streams else idle + 1
            if self.streams:
                await self.send(PREFIX.pack(ALIVE, 0))
        await self._close(IDLE, "no call was under way for a while")

    async def _close_after_drain(self) -> None:
        """Once the server is to stop: close when the last call is answered."""
        draining: asyncio.Event = self.app.state.draining
        await draining.wait()
        while self.streams:
            self._idle.clear()
            await self._idle.wait()
        await self._close(STOPPING, "the server is stopping")

    async def _close(self, code: int, reason: str) -> None:
        if self.websocket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):
                await self.websocket.close(code, reason)


class Stream:
    """One request on its way through the application."""

    def __init__(self, connection: CallSocket, number: int) -> None:
        self.connection = connection
        self.number = number
        self._body = bytearray()
        self._is_whole = False
        self._is_read = False
        self._is_over = False
        self._unread = 0
        self._to_credit = 0
        self._window = WINDOW_BYTES
        self._head: bytes | None = None
        self._is_sent = False
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self.leaving = Happening()

    # ------------------------------------------------------------------------------------------- from the client

    def take(self, payload: memoryview, *, is_last: bool) -> None:
        """The next bytes of the request's body.

        Raises:
            Malformed: they come after the last ones, or are more than the credit that was given.
        """
        self._unread += len(payload)
        if self._is_whole or self._unread > WINDOW_BYTES or not (payload or is_last):
            raise Malformed("a body goes on after its end, or beyond its credit")
        self._body += payload
        self._is_whole = is_last
        self._changed.set()

    def credit(self, number: int) -> None:
        """The client has read so many bytes of the response."""
        self._window += number
        self._changed.set()

    def leave(self) -> None:
        """The client waits no longer."""
        self._is_over = True
        self._changed.set()
        self.leaving.happen()

    # --------------------------------------------------------------------------------------- for the application

    async def receive(self) -> Message:
        """The next bytes of the body, as ASGI has them; after the last ones, that the client is gone."""
        while not (self._is_over or (not self._is_read and (self._body or self._is_whole))):
            await self._wait()
        if self._is_over:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        self._is_read = self._is_whole
        await self._give_credit(len(body))
        return {"type": "http.request", "body": body, "more_body": not self._is_read}

    async def send(self, message: Message) -> None:
        """Pass a part of the response on, as fast as the client reads it."""
        if message["type"] == "http.response.start":
            headers = {
                name.decode(): text.decode("latin-1") for name, text in message["headers"] if name in OF_RESPONSE
            }
            head = json.dumps({"status": message["status"], "headers": headers}).encode()
            self._head = NUMBER.pack(len(head)) + head
            return
        async with self._turn:  # a heartbeat is no part of a line that waits for credit
            await self._send_body(memoryview(message.get("body", b"")), is_last=not message.get("more_body", False))

    async def finish(self) -> None:
        """The application is done; a response that lacks its end is cut off."""
        if not self._is_sent and not self._is_over:
            await self.connection.send(PREFIX.pack(CANCEL, self.number))
        self.leave()

    async def _send_body(self, body: memoryview, *, is_last: bool) -> None:
        while not self._is_over:
            while self._window <= 0 and len(body) and not self._is_over:
                await self._wait()
            part = body[: min(CHUNK_BYTES, self._window)]
            body = body[len(part) :]
            await self._pass_on(part, is_last=is_last and not body)
            if not body:
                return

    async def _pass_on(self, part: memoryview, *, is_last: bool) -> None:
        if self._is_over or not (part or is_last or self._head):
            return
        self._window -= len(part)
        self._is_sent = is_last
        kind, head = (BODY, b"") if self._head is None else (HEAD, self._head)
        self._head = None
        prefix = PREFIX.pack(kind | (LAST if is_last else 0), self.number)
        await self.connection.send(b"".join((prefix, head, part)))

    async def _give_credit(self, size: int) -> None:
        self._unread -= size
        self._to_credit += size
        if not self._is_read and self._to_credit >= WINDOW_BYTES // 2:
            size, self._to_credit = self._to_credit, 0
            await self.connection.send(PREFIX.pack(CREDIT, self.number) + NUMBER.pack(size))

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _request_of(handshake: Scope) -> Scope:
    """What all requests over a call socket have in common."""
    kept = ("app", "asgi", "http_version", "server", "client", ADMITTED, BY_PROXY, MOUNTED_AT)
    return {
        **{name: handshake[name] for name in kept if name in handshake},
        "scheme": {"ws": "http", "wss": "https"}[handshake["scheme"]],
        "type": "http",
        "method": "POST",
        "root_path": "",
        "query_string": b"",
        "extensions": {},
    }


def _split(payload: memoryview) -> tuple[Any, memoryview]:
    """The JSON object that begins `payload`, and the bytes after it."""
    size = _number(payload[: NUMBER.size])
    rest = payload[NUMBER.size :]
    if size > min(len(rest), MOST_HEAD_BYTES):
        raise Malformed("the head of a request is cut, or too long")
    try:
        return json.loads(bytes(rest[:size])), rest[size:]
    except (ValueError, RecursionError):
        raise Malformed("the head of a request is not JSON") from None


def _number(payload: memoryview) -> int:
    if len(payload) != NUMBER.size:
        raise Malformed("a number has another length")
    number: int = NUMBER.unpack(payload)[0]
    return number


def _own_headers(headers: Any) -> list[tuple[bytes, bytes]]:
    if not isinstance(headers, dict) or not headers.keys() <= OF_REQUEST:
        raise Malformed("a request has a header that is not its own")
    if not all(isinstance(text, str) and text.isprintable() and text.isascii() for text in headers.values()):
        raise Malformed("a header is not one line of ASCII")
    return [(name.encode(), text.encode()) for name, text in headers.items()]
