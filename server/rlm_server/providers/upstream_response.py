"""Upstream response: the responses of one connection, from its bytes.

In: bytes as they come. Out: for each response its head, the parts of its body, and its end. httptools reads HTTP; a
response that has no length ends with its connection, of which httptools is not told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import httpx2
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MOST_HEAD_BYTES = 100 << 10
"""Most bytes of a head, a trailer or the line of a chunk."""
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
        self._parser = HttpResponseParser(self)
        # No proxy shares this connection: none reads it in another way.
        self._parser.set_dangerous_leniencies(
            lenient_chunked_length=True, lenient_spaces_after_chunk_size=True, lenient_optional_cr_before_lf=True
        )
        self._received: deque[Received] = deque()
        self._headers: dict[str, str] = {}
        self._is_ended = False
        self._has_more = False
        self._stays = False
        self._ends_with_connection = False
        self._unread_bytes = 0

    def receive(self, data: bytes) -> None:
        """Take the next bytes; none at the end of the connection."""
        if self._is_ended:
            self._has_more = self._has_more or data != b""
        elif not data:
            self._end(END if self._ends_with_connection else _fault("the connection was closed before its end"))
        else:
            self._parse(data)

    @property
    def has_end(self) -> bool:
        """Whether the end of the response has come, taken or not."""
        return self._is_ended

    def next(self) -> Received | None:
        """What comes next; `None` where it is not there yet."""
        if not self._received:
            return END if self.is_whole else None
        event = self._received.popleft()
        self.is_whole = event == END
        return event

    def is_done(self) -> bool:
        """Whether the response is whole, and the connection can take another request."""
        return self.is_whole and self._stays and not self._has_more

    def _parse(self, data: bytes) -> None:
        known = len(self._received)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._end(_fault("it changes to another protocol"))
        except HttpParserError as fault:
            self._end(_fault(str(fault)))
        self._unread_bytes = 0 if len(self._received) > known else self._unread_bytes + len(data)
        if self._unread_bytes > MOST_HEAD_BYTES:
            self._end(_fault(f"a head, a trailer or the line of a chunk is longer than {MOST_HEAD_BYTES:,} bytes"))

    def _end(self, event: Received) -> None:
        """The response ends with `event`; of what comes after it only that it came is of interest."""
        if self._is_ended:
            self._has_more = True
        else:
            self._is_ended = True
            self._received.append(event)

    # -------------------------------------------------------------------------------------------- called by httptools

    def on_message_begin(self) -> None:
        """A response begins; after an interim one it is that of the request."""
        self._headers = {}
        self._has_more = self._is_ended

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a field of a trailer, which nobody reads."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if self._is_ended or _is_interim(status):
            return
        coding = self._headers.get("transfer-encoding", "chunked").lower()
        if coding != "chunked":
            self._end(_fault(f"the transfer coding {coding!r} is not known"))
            return
        self._ends_with_connection = not {"content-length", "transfer-encoding"} & self._headers.keys()
        self._received.append(Head(status, self._headers))
        self._headers = {}

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._is_ended:
            self._received.append(body)

    def on_message_complete(self) -> None:
        """The response is whole."""
        if not _is_interim(self._parser.get_status_code()) and not self._is_ended:
            self._stays = self._parser.should_keep_alive()
            self._end(END)


def _is_interim(status: int) -> bool:
    return 100 <= status < 200


def _fault(why: str) -> httpx2.RemoteProtocolError:
    return httpx2.RemoteProtocolError(f"the response cannot be read: {why}")
