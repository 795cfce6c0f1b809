"""Slow clients: they are cut off in time, and nobody else notices; bytes that are no HTTP are answered safely."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2
import pytest

from rlm_server.assets import Assets
from rlm_server.http.app import UVICORN_OPTIONS, create_app
from rlm_server.http.security import FIXED_HEADERS, OTHER_CSP
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, json_turn, openai_reply

HEAD_SECONDS = 0.25
BODY_SECONDS = 0.3
LATE = 4.5
"""Seconds after which a cut that is due counts as not made: before the deadlines of 5 s and more that are usual."""
ROUNDS = 3
HEALTH = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_HEAD = b"GET /api/health HTTP/1.1\r\nHost: local"
HALF_BODY = b"POST /api/rlm HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Length: 100\r\n"
HALF_JSON = HALF_BODY + b"Content-Type: application/json\r\n\r\n{"
UNREAD_BODY = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture(scope="module")
def strict(running_upstream: FakeUpstream, assets: Assets) -> Iterator[str]:
    """A server with short deadlines."""
    values = {"head_seconds": HEAD_SECONDS, "body_seconds": BODY_SECONDS, "first_byte_seconds": 30}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlm_server.http.connection.LAST_WORD_SECONDS", 0.1)
        with serving(create_app(settings_for(running_upstream, **values), assets=assets), drain_seconds=0) as url:
            yield url


@pytest.fixture
def connection(strict: str) -> Iterator[socket.socket]:
    with connected(strict) as connection:
        yield connection


def connected(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def until_closed(connection: socket.socket) -> tuple[bytes, float]:
    """Last words of the server, and the seconds until it closes."""
    began, said = time.monotonic(), b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionError:
        pass
    return said, time.monotonic() - began


def dripping(connection: socket.socket, drop: bytes) -> tuple[bytes, float]:
    """As `until_closed`, while one more `drop` is sent each 50 ms, until there is a word: one sent later resets it."""
    began, said = time.monotonic(), b""
    connection.settimeout(0.05)
    while time.monotonic() - began < 5:
        try:
            if not said:
                connection.sendall(drop)
            piece = connection.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            break
        if not piece:
            break
        said += piece
    return said, time.monotonic() - began


def test_the_deadlines_are_10_30_and_5_seconds() -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert (defaults["head_seconds"], defaults["body_seconds"]) == (10, 30)
    assert UVICORN_OPTIONS["timeout_keep_alive"] == 5


@pytest.mark.parametrize("begun", [b"", b"G", HALF_HEAD, HALF_HEAD + b"host\r\nX: "])
def test_a_head_that_does_not_come_is_cut_off(strict: str, begun: bytes) -> None:
    before = time.monotonic()
    with connected(strict) as connection:
        connection.sendall(begun)
        said, _ = until_closed(connection)
    assert said == b""
    assert HEAD_SECONDS * 0.8 < time.monotonic() - before < LATE


@pytest.mark.parametrize("drop", [b"x", b"X: y\r\n"])
def test_drops_do_not_prolong_a_head(connection: socket.socket, drop: bytes) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\n")
    said, seconds = dripping(connection, drop)
    assert said == b""
    assert seconds < LATE


def test_a_connection_that_is_used_again_has_the_same_deadline(connection: socket.socket) -> None:
    connection.sendall(HEALTH)
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    _, seconds = dripping(connection, b"G")
    assert seconds < LATE


def test_a_second_head_behind_a_whole_one_has_it_too(connection: socket.socket) -> None:
    connection.sendall(HEALTH + HALF_HEAD)
    said, seconds = until_closed(connection)
    assert said.count(b"HTTP/1.1 200") == 1
    assert seconds < LATE


def test_a_body_that_does_not_come_is_told_so_and_cut_off(connection: socket.socket, upstream: FakeUpstream) -> None:
    connection.sendall(HALF_JSON)
    said, seconds = dripping(connection, b" ")
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"/problems/body-timeout" in said
    assert seconds < LATE
    assert upstream.seen == []


@pytest.mark.slow
@pytest.mark.parametrize("head", [UNREAD_BODY, HALF_BODY + b"\r\n", HALF_BODY.replace(b"local", b"evil") + b"\r\n"])
def test_a_body_that_nobody_reads_is_cut_off(connection: socket.socket, head: bytes) -> None:
    connection.sendall(head)
    said, seconds = dripping(connection, b" ")
    assert said.startswith(b"HTTP/1.1 ")
    assert seconds < LATE


def test_a_slow_answer_is_no_slow_client(strict: str, upstream: FakeUpstream) -> None:
    upstream.script(Turn(chunks=json_turn(openai_reply("ok")).chunks, held=True))
    waiter = threading.Timer(2 * (BODY_SECONDS + 0.1), upstream.release)
    waiter.start()
    body = {"prompt": "q", "model": "openai:m"}
    assert httpx2.post(f"{strict}/api/rlm", json=body, headers={"Origin": strict}).json()["text"] == "ok"
    waiter.join()


def test_pipelined_requests_are_all_answered(connection: socket.socket) -> None:
    connection.sendall(HEALTH * 20 + HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert until_closed(connection)[0].count(b"HTTP/1.1 200") == 21


def test_200_slow_sockets_leave_a_normal_call_below_a_second(strict: str, upstream: FakeUpstream) -> None:
    """In one of a few rounds: a machine with other work may disturb the others."""
    upstream.script(json_turn(openai_reply("ok")))
    assert any(beside_slow_sockets(strict) < 1 for _ in range(ROUNDS))


def beside_slow_sockets(strict: str) -> float:
    """Seconds of a call beside 200 sockets that send no more."""
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(strict)) for _ in range(200)]
        for number, connection in enumerate(slow):
            connection.sendall((HALF_HEAD, HALF_JSON, UNREAD_BODY, b"")[number % 4])
        began = time.monotonic()
        body = {"prompt": "q", "model": "openai:m"}
        reply = httpx2.post(f"{strict}/api/rlm", json=body, headers={"Origin": strict})
        seconds = time.monotonic() - began
        for connection in slow:
            until_closed(connection)
        assert time.monotonic() - began < LATE + 1
    assert reply.status_code == 200
    return seconds


NOT_HTTP = [
    b"\r\n\r\nnonsense\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /\r\n\r\n",
    b"GET / HTTP/one\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"x" * 100_000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("sent", NOT_HTTP, ids=range(len(NOT_HTTP)))
def test_what_is_no_http_gets_the_headers_of_everything_else(
    connection: socket.socket, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    connection.sendall(sent)
    head, _, body = until_closed(connection)[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("HTTP/1.1 4")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    given = {name.lower(): value for name, value in headers.items()}
    assert {name: given[name.lower()] for name in FIXED_HEADERS} == FIXED_HEADERS
    assert given["content-security-policy"] == OTHER_CSP
    assert b'"/problems/' in body
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("rest", [b"zz\r\n", b"5\r\nab\r\n\r\n0\r\n", b"-1\r\n"])
def test_chunks_that_are_none_end_the_request_and_nothing_else(
    strict: str, connection: socket.socket, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture, rest: bytes
) -> None:
    head = HALF_JSON.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked").removesuffix(b"{")
    connection.sendall(head + rest)
    until_closed(connection)
    assert upstream.seen == []
    assert "Traceback" not in caplog.text
    assert httpx2.get(f"{strict}/api/health").status_code == 200


def test_a_websocket_is_an_ordinary_request(strict: str) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x" * 22 + "==", "Host": "evil"}
    response = httpx2.get(f"{strict}/", headers={**upgrade, "Sec-WebSocket-Version": "13"})
    assert response.status_code == 403
    assert {name: response.headers[name] for name in FIXED_HEADERS} == FIXED_HEADERS
