"""A page's end of the call socket, over plain bytes: for tests of the server alone."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, RejectConnection, RejectData, Request
from wsproto.events import Message as Sent

from rlm_server.http.call_socket import ALIVE, BODY, CANCEL, CREDIT, HEAD, LAST, NUMBER, PATH, PREFIX

SECONDS = 20


@dataclass
class Refused(Exception):
    """The handshake was answered as a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Closed(Exception):
    """The connection was closed by the server."""

    code: int
    reason: str = ""


@dataclass
class Reply:
    """The response of one stream, so far."""

    head: dict[str, Any] | None = None
    body: bytes = b""
    is_whole: bool = False
    is_cancelled: bool = False
    credit: int = 0

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """One connection. `ask` begins a stream, `until` reads until something holds."""

    sock: socket.socket
    connection: WSConnection = field(default_factory=lambda: WSConnection(ConnectionType.CLIENT))
    replies: dict[int, Reply] = field(default_factory=dict)
    parts: bytes = b""
    beats: int = 0
    closed: Closed | None = None

    def ask(self, number: int, body: object, *, path: str = "", **headers: str) -> Reply:
        """Send a whole request; names of headers have underscores for hyphens."""
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        head = {"path": path, "headers": {"content-type": "application/json", **sent}}
        self.send(HEAD | LAST, number, head_of(head) + json.dumps(body).encode())
        return self.reply(number)

    def reply(self, number: int) -> Reply:
        return self.replies.setdefault(number, Reply())

    def send(self, kind: int, number: int, payload: bytes = b"") -> None:
        self.sock.sendall(self.connection.send(Sent(data=PREFIX.pack(kind, number) + payload)))

    def whole(self, *numbers: int) -> list[Reply]:
        replies = [self.reply(number) for number in numbers]
        while not all(reply.is_whole or reply.is_cancelled for reply in replies):
            self.read()
        return replies

    def read(self) -> None:
        """Take what comes next.

        Raises:
            Closed: the connection is over.
        """
        if self.closed is not None:
            raise self.closed
        data = self.sock.recv(1 << 16)
        self.connection.receive_data(data or None)
        for event in self.connection.events():
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, CloseConnection):
            self.closed = Closed(int(event.code), event.reason or "")
        if not isinstance(event, BytesMessage):
            return  # the server's ping
        self.parts += bytes(event.data)
        if not event.message_finished:
            return
        message, self.parts = self.parts, b""
        kind, number = PREFIX.unpack_from(message)
        if kind == ALIVE:
            self.beats += 1
            return
        reply, payload = self.reply(number), message[PREFIX.size :]
        if kind == CANCEL:
            reply.is_cancelled = True
        elif kind == CREDIT:
            reply.credit += NUMBER.unpack(payload)[0]
        else:
            if kind & ~LAST == HEAD:
                size = NUMBER.unpack_from(payload)[0] + NUMBER.size
                reply.head, payload = json.loads(payload[NUMBER.size : size]), payload[size:]
            else:
                assert kind & ~LAST == BODY
            reply.body += payload
            reply.is_whole = bool(kind & LAST)


def head_of(head: object) -> bytes:
    text = json.dumps(head).encode()
    return NUMBER.pack(len(text)) + text


@contextmanager
def opened(
    url: str, *, path: str = PATH, origin: str | None = "", tls: ssl.SSLContext | None = None, **headers: Any
) -> Iterator[Client]:
    """A connection to the server at `url`, as its page opens it.

    Args:
        origin: its own by default; `None` sends none.
        tls: for a proxy that speaks it.

    Raises:
        Refused: the server answered the handshake as a request.
    """
    host = headers.pop("host", urlsplit(url).netloc)
    sent = {**({} if origin is None else {"origin": origin or url}), **headers}
    address = urlsplit(url).hostname, urlsplit(url).port
    with ExitStack() as closing:
        sock = closing.enter_context(socket.create_connection(address, timeout=SECONDS))
        if tls is not None:
            sock = closing.enter_context(tls.wrap_socket(sock, server_hostname=urlsplit(url).hostname))
        client = Client(sock)
        extra = [(name.replace("_", "-").encode(), text.encode()) for name, text in sent.items()]
        sock.sendall(client.connection.send(Request(host=host, target=path, extra_headers=extra)))
        refused: Refused | None = None
        while True:
            client.connection.receive_data(sock.recv(1 << 16) or None)
            for event in client.connection.events():
                if isinstance(event, AcceptConnection):
                    yield client
                    return
                if isinstance(event, RejectConnection):
                    named = {name.decode().lower(): text.decode() for name, text in event.headers}
                    refused = Refused(event.status_code, named, b"")
                if isinstance(event, RejectData):
                    assert refused is not None
                    refused.body += bytes(event.data)
                    if event.body_finished:
                        raise refused
