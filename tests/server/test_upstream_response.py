"""Responses of upstreams: read from their bytes, in pieces of any size, and never otherwise than h11 reads them."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from itertools import pairwise

import h11
import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rlm_server.providers.upstream_response import END, MOST_HEAD_BYTES, Head, ResponseReader

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Outcome:
    """What came of the bytes of a connection."""

    heads: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    body: bytes = b""
    end: str = "not yet"
    takes_more: bool = False


def ours(pieces: list[bytes]) -> Outcome:
    reader, outcome = ResponseReader(), Outcome()
    for piece in pieces:
        reader.receive(piece)
        while outcome.end == "not yet" and (event := reader.next()) is not None:
            if isinstance(event, Head):
                outcome.heads.append((event.status, {name: text.lower() for name, text in event.headers.items()}))
            elif isinstance(event, bytes) and event != END:
                outcome.body += event
            else:
                outcome.end = "whole" if event == END else type(event).__name__
        if outcome.end != "not yet":
            outcome.takes_more = reader.is_done()
            break
    return outcome


def of_h11(pieces: list[bytes]) -> Outcome:
    http, outcome = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD_BYTES), Outcome()
    http.send(h11.Request(method="GET", target="/", headers=[("Host", "upstream")]))
    http.send(h11.EndOfMessage())
    for piece in pieces:
        try:
            http.receive_data(piece)
            while outcome.end == "not yet" and (event := http.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Response):
                    outcome.heads.append((event.status_code, joined(event)))
                elif isinstance(event, h11.Data):
                    outcome.body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    outcome.end = "whole"
        except h11.RemoteProtocolError:
            outcome.end = "RemoteProtocolError"
        if outcome.end != "not yet":
            outcome.takes_more = http.their_state is h11.DONE and not http.trailing_data[0]
            break
    return outcome


def joined(head: h11.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in head.headers:
        found[name.decode()] = ", ".join(filter(None, (found.get(name.decode()), text.decode("latin-1").lower())))
    return found


LINES = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 204 None",
    b"HTTP/1.1 503 \xfcber",
    b"HTTP/1.1 103 Early",
    b"HTTP/2 200",
    b"http/1.1 200 OK",
    b"HTTP/1.1 2000",
]
HEADERS = [
    b"Content-Length: 5",
    b"content-length:5",
    b"Content-Length: +5",
    b"Content-Length: 7",
    b"Content-Length: 0",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: CHUNKED",
    b"Transfer-Encoding: gzip, chunked",
    b"Connection: close",
    b"Connection: Keep-Alive",
    b"X-Name:   text \t",
    b"x-name: \xe9",
    b"X-Name : a",
    b" folded",
    b"no colon",
    b"X: a\x01b",
    b"X: a\x00b",
]
BODIES = [
    b"hello",
    b"hello HTTP/1.1 200 OK\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\nA\r\n0123456789\r\n00\r\n\r\n",
    b"5\r\nhello\r\n5;name=text\r\nagain\r\n0\r\n\r\n",
    b"5\r\nhello\r\n5 \r\nagain\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nTrailer: text\r\n\r\n",
    b"5\r\nhello!\r\n0\r\n\r\n",
    b"5\r\nhel",
    b"5\nhello\n0\n\n",
    b"g\r\nhello\r\n0\r\n\r\n",
    b"-1\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffffffffff\r\nhello\r\n",
    b"0\r\n\r\nmore",
    b"",
]


@st.composite
def connections(draw: st.DrawFn) -> list[bytes]:
    """The bytes of a connection, in pieces; the last piece may be its end."""
    line_end = draw(st.sampled_from([b"\r\n"] * 9 + [b"\n"]))
    lines = [draw(st.sampled_from(LINES[:1] * 9 + LINES)), *draw(st.lists(st.sampled_from(HEADERS), max_size=3))]
    whole = line_end.join([*lines, b"", b""]) + draw(st.sampled_from(BODIES))
    cuts = sorted(draw(st.sets(st.integers(0, len(whole)), max_size=6)) | {0, len(whole)})
    pieces = [whole[at:to] for at, to in pairwise(cuts)]
    return [*pieces, *draw(st.sampled_from([[], [b""]]))]


@given(connections())
@example([CHUNKED + b"5\r\nhello\r", b"\n0\r\n", b"\r\n"])
@example([CHUNKED + b"5\r\nhello\r\n0\r\nTrailer: ", b"text\r\n\r\n"])
@example([b"H", b"TTP/1.1 200 OK\r\nContent-Length: 5\r\n\r", b"\nhell", b""])
@example([b""])
def test_whatever_is_read_is_read_as_h11_does_and_some_is_refused(pieces: list[bytes]) -> None:
    mine, theirs = ours(pieces), of_h11(pieces)
    if mine.end != "RemoteProtocolError":
        assert (mine.heads, mine.body) == (theirs.heads, theirs.body)
        assert mine.end == theirs.end or is_interim_with_coding(pieces)
    assert theirs.body.startswith(mine.body) or mine.body.startswith(theirs.body)


def is_interim_with_coding(pieces: list[bytes]) -> bool:
    """h11 refuses the coding of a response without a body; ours waits for the one that follows."""
    return b"".join(pieces).startswith(b"HTTP/1.1 103")


@given(connections())
def test_pieces_have_the_outcome_of_the_whole(pieces: list[bytes]) -> None:
    whole, ending = b"".join(pieces), pieces[-1:] if pieces[-1:] == [b""] else []
    mine, at_once = ours(pieces), ours([whole, *ending])
    assert (mine.heads, mine.body, mine.end) == (at_once.heads, at_once.body, at_once.end)
    assert mine.takes_more >= at_once.takes_more  # bytes beyond the end may come after it was read


@pytest.mark.parametrize(
    ("sent", "status", "body", "takes_more"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
        (b"HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello", 200, b"hello", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200, b"hello", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 200, b"hello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", False),
        (b"HTTP/1.1 204 None\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", 404, b"no", True),
        (CHUNKED + b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n", 200, b"hello0123456789", True),
        (CHUNKED + b"5;name=text\r\nhello\r\n0\r\nTrailer: text\r\n\r\n", 200, b"hello", True),
        (CHUNKED + b"5  \r\nhello\r\n0\r\n\r\n", 200, b"hello", True),
        (CHUNKED + b"0\r\n\r\nmore", 200, b"", False),
        (CHUNKED[:-2] + b"Content-Length: 7\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, b"hello", True),
    ],
)
def test_the_forms_that_upstreams_send(sent: bytes, status: int, body: bytes, takes_more: bool) -> None:
    outcome = ours([sent])
    assert [status for status, _ in outcome.heads] == [status]
    assert (outcome.body, outcome.end, outcome.takes_more) == (body, "whole", takes_more)


def test_a_response_without_a_length_ends_with_its_connection() -> None:
    sent = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"
    assert (ours([sent]).end, ours([sent]).body) == ("not yet", b"hello")
    assert (ours([sent, b""]).end, ours([sent, b""]).takes_more) == ("whole", False)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
        CHUNKED + b"-1\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(sent: bytes) -> None:
    assert ours([sent]).end == "RemoteProtocolError"


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", CHUNKED + b"5\r\nhello\r\n0\r\nX: ", CHUNKED + b"5;x="])
def test_a_line_without_an_end_is_a_fault_and_is_not_kept(begin: bytes) -> None:
    reader = ResponseReader()
    reader.receive(begin)
    tracemalloc.start()
    try:
        for _ in range(100):
            reader.receive(b"x" * 10_000)
            while isinstance(event := reader.next(), Head | bytes):
                assert event != END
            if event is not None:
                break
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(event, httpx2.RemoteProtocolError)
    assert peak < 8 * MOST_HEAD_BYTES


def test_a_chunk_passes_on_before_it_is_whole_and_the_next_response_is_read() -> None:
    reader = ResponseReader()
    reader.receive(CHUNKED + b"a\r\n01234")
    assert [isinstance(reader.next(), Head), reader.next(), reader.next()] == [True, b"01234", None]
    reader.receive(b"56789\r\n0\r\n\r\n")
    assert [reader.next(), reader.next(), reader.is_done()] == [b"56789", END, True]
    reader.begin()
    reader.receive(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno")
    assert [reader.next(), reader.next(), reader.next()] == [Head(404, {"content-length": "2"}), b"no", END]
