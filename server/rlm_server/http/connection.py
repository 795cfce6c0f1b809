"""Connection: uvicorn's HTTP/1.1 over h11, with a deadline for whatever a client has begun to send; and its WebSocket.

In: bytes from anyone. Out: requests for the application, whole or none. A head must be complete within `head_seconds`
of the connection's first moment (of its first byte, where the connection is used again), a body within `body_seconds`
of its head; else the connection is cut without a word. An idle connection is uvicorn's own business
(`timeout_keep_alive`), and telling a slow body why it is refused is the application's, which has a little less time.
Bytes that are not HTTP are answered with the same headers as everything else. The call socket alone is a WebSocket: any
other request to upgrade is answered as if it were none.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import h11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, TextMessage

from ..settings import Settings
from .call_socket import PATH as CALL_SOCKET
from .problems import Problem
from .security import FIXED_HEADERS, OTHER_CSP

LAST_WORD_SECONDS = 1.0
"""How much longer than the application the connection waits for a body."""
NOT_HTTP = Problem("http-error", "What was sent is not an HTTP/1.1 request. Open the server with a browser.")


SOCKET_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")


def connection_class(settings: Settings) -> type[H11Protocol]:
    """The class to give to uvicorn as `http`."""

    class Configured(Connection):
        head_seconds = settings.head_seconds
        body_seconds = settings.body_seconds + LAST_WORD_SECONDS

    return Configured


class Connection(H11Protocol):
    """One connection of a client."""

    head_seconds: float
    body_seconds: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awaited: tuple[object, RequestResponseCycle | None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_for(None, 0)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Say that this is not HTTP, unless an answer is on its way already."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        headers = {**FIXED_HEADERS, "Content-Security-Policy": OTHER_CSP, "Content-Type": "application/problem+json"}
        body = json.dumps(NOT_HTTP.to_json()).encode()
        lines = [*headers.items(), ("Content-Length", str(len(body))), ("Connection", "close")]
        for event in (
            h11.Response(status_code=NOT_HTTP.status, headers=lines, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Whether it is the whole handshake of the call socket."""
        versions, keys = (
            [value for name, value in self.headers if name == header]
            for header in (b"sec-websocket-version", b"sec-websocket-key")
        )
        is_whole = versions == [b"13"] and len(keys) == 1 and SOCKET_KEY.fullmatch(keys[0])
        is_call_socket = self.scope["path"].endswith(CALL_SOCKET) and self.scope["method"] == "GET"
        return bool(is_whole and is_call_socket and self._get_upgrade() == b"websocket")

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._is_upgraded = True
        super().handle_websocket_upgrade(event)

    def _watch(self) -> None:
        """Set the deadline of the client's next head or body, once."""
        state = self.conn.their_state
        if self.transport.is_closing() or self._is_upgraded:
            self._wait_for(None, 0)
        elif state is h11.SEND_BODY:
            self._wait_for((state, self.cycle), self.body_seconds)
        elif state is h11.IDLE and (self.cycle is None or self.conn.trailing_data[0]):
            self._wait_for((state, self.cycle), self.head_seconds)
        else:
            self._wait_for(None, 0)

    def _wait_for(self, awaited: tuple[object, RequestResponseCycle | None] | None, seconds: float) -> None:
        if awaited == self._awaited:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._awaited = awaited
        self._deadline = None if awaited is None else self.loop.call_later(seconds, self.transport.abort)


class SocketConnection(WSProtocol):
    """One WebSocket of a page. A message that is read as soon as it comes does not hold the client back."""

    def handle_message(self, event: TextMessage | BytesMessage) -> None:
        """Take a message, or a part of one; while one waits for its reader, nothing more is read."""
        is_whole = event.message_finished and self.buffer.value is None
        is_next = is_whole and self.queue.empty() and len(event.data) <= self.config.ws_max_size
        if is_next and isinstance(event, BytesMessage):
            self.queue.put_nowait({"type": "websocket.receive", "bytes": bytes(event.data)})
        else:
            super().handle_message(event)

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of bytes in one frame, without the copies that wsproto makes of it; else as uvicorn does."""
        data = message.get("bytes") if message["type"] == "websocket.send" else None
        is_open = self.conn.state is ConnectionState.OPEN and not self.close_sent and not self.transport.is_closing()
        if not isinstance(data, bytes) or not is_open or not self.writable.is_set():
            await super().send(message)
            return
        self.transport.write(frame(data))

    def shutdown(self) -> None:
        """Close at once where nothing may go on; else the call socket closes when its calls are answered."""
        if not self.handshake_complete or not self.config.timeout_graceful_shutdown:
            super().shutdown()


def frame(data: bytes) -> bytes:
    r"""A whole message of a server in one frame (RFC 6455, 5.2): the last one, binary, not masked.

    >>> frame(b"text")
    b'\x82\x04text'
    """
    size = len(data)
    if size < 126:
        return b"\x82%c%b" % (size, data)
    return b"\x82%b%b" % (b"\x7e%b" % size.to_bytes(2) if size < 1 << 16 else b"\x7f%b" % size.to_bytes(8), data)
