"""Upstream response: the responses of one connection, from its bytes.

In: bytes as they come. Out: for each response its head, the parts of its body, and its end. The form that nearly all
upstreams send (HTTP/1.1, one `Content-Length` or chunks without extensions, over a connection that stays) is read here,
in a tenth of h11's time. Whatever differs from it, valid or not, is h11's: from its first byte on, or from the chunk on
that differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import h11
import httpx2

MOST_HEAD_BYTES = 100 << 10
MOST_CHUNK_LINE_BYTES = 20
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
START = b"HTTP/1.1 "
HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r\n"
    rb"((?:" + TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)
BLANK_LINE = re.compile(rb"\n\r?\n")
LENGTH = re.compile(r"[0-9]{1,15}")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,10})\r\n")
WITHOUT_BODY = (204, 304)
CRLF = b"\r\n"
END = b""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response. The names of `headers` are lower case; the values of one name are joined by commas."""

    status: int
    headers: Mapping[str, str]


Received: TypeAlias = Head | bytes | httpx2.TransportError
"""A head, a part of the body, `END` after the last one, or the fault in the place of one of them."""


class ResponseReader:
    """The responses of one connection.

    Attributes:
        is_whole: whether the end of the response has been taken.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A request goes out: what comes next is its response."""
        self.is_whole = False
        self._bytes = b""
        self._at = 0
        self._head = b""
        self._is_chunked = False
        self._left = 0
        self._gap = b""
        self._is_cut = False
        self._http: h11.Connection | None = None

    def receive(self, data: bytes) -> None:
        """Take the next bytes; none at the end of the connection."""
        if self._http is not None:
            self._http.receive_data(data)
        else:
            self._bytes, self._at = self._bytes[self._at :] + data, 0
            self._is_cut = not data

    def next(self) -> Received | None:
        """What comes next; `None` where it is not there yet."""
        if self.is_whole:
            return END
        if self._http is None:
            event = self._next_part() if self._head else self._next_head()
            if event is not None:
                return event
        if self._http is not None:
            return self._next_of_h11(self._http)
        return _cut() if self._is_cut else None

    def is_done(self) -> bool:
        """Whether the response is whole, and the connection can take another request."""
        if self._http is not None:
            return self._http.their_state is h11.DONE and not self._http.trailing_data[0]
        return self.is_whole and self._at == len(self._bytes)

    def _next_head(self) -> Head | None:
        size = self._bytes.find(b"\r\n\r\n") + 4
        if size < 4:
            is_other = not self._bytes.startswith(START[: len(self._bytes)]) or BLANK_LINE.search(self._bytes)
            if is_other or len(self._bytes) > MOST_HEAD_BYTES:
                self._hand_over(0)
            return None
        found = HEAD.fullmatch(self._bytes, 0, size)
        headers = {} if found is None else _joined(line.split(b":", 1) for line in found[2].split(CRLF)[:-1])
        length, coding = headers.get("content-length", ""), headers.get("transfer-encoding", "")
        has_length = not coding and LENGTH.fullmatch(length)
        is_chunked = coding == "chunked" and not length
        stays = headers.get("connection", "keep-alive").lower() == "keep-alive"
        if found is None or not stays or not (has_length or is_chunked) or int(found[1]) in WITHOUT_BODY:
            self._hand_over(0)
            return None
        self._head, self._at = self._bytes[:size], size
        self._is_chunked, self._left = is_chunked, 0 if is_chunked else int(length)
        return Head(int(found[1]), headers)

    def _next_part(self) -> bytes | httpx2.TransportError | None:
        if self._left == 0:
            if not self._is_chunked:
                self.is_whole = True
                return END
            if (event := self._next_chunk()) is not None:
                return event
        part = self._bytes[self._at : self._at + self._left]
        self._at += len(part)
        self._left -= len(part)
        return part or None

    def _next_chunk(self) -> bytes | httpx2.TransportError | None:
        """Read the line of the next chunk, and the line end that closes the one before; `END` where it is the last."""
        at = self._at + len(self._gap)
        gap = self._bytes[self._at : at]
        if gap != self._gap[: len(gap)]:
            return httpx2.RemoteProtocolError("a chunk of the body has another size than its line says")
        line = CHUNK_LINE.match(self._bytes, at)
        if line is None:
            if len(self._bytes) - at > MOST_CHUNK_LINE_BYTES or b"\n" in self._bytes[at:]:
                self._hand_over(at)
            return None
        size, ends_at = int(line[1], 16), line.end()
        if size:
            self._at, self._left, self._gap = ends_at, size, CRLF
            return None
        after = self._bytes[ends_at : ends_at + 2]
        if after == CRLF:
            self._at, self.is_whole = ends_at + 2, True
            return END
        if not CRLF.startswith(after):
            self._hand_over(at)  # a trailer
        return None

    def _hand_over(self, at: int) -> None:
        """Have h11 read on from `at`: the head, or the chunks after the head that is known."""
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD_BYTES)
        self._http.send(h11.Request(method="GET", target="/", headers=[("Host", "upstream")]))
        self._http.send(h11.EndOfMessage())
        self._http.receive_data(self._head + self._bytes[at:])
        if self._is_cut:
            self._http.receive_data(b"")

    def _next_of_h11(self, http: h11.Connection) -> Received | None:
        while True:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError as fault:
                return httpx2.RemoteProtocolError(str(fault))
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Response) and not self._head:
                return Head(event.status_code, _joined(event.headers))
            if isinstance(event, h11.Data) and event.data:
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                self.is_whole = True
                return END
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return _cut()


def _cut() -> httpx2.RemoteProtocolError:
    return httpx2.RemoteProtocolError("the connection was closed before the end of the response")


def _joined(headers: Iterable[Iterable[bytes]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, text in headers:
        key, value = name.decode("ascii").lower(), text.decode("latin-1").strip(" \t")
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined
