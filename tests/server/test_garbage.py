"""Malformed replies: whatever an upstream sends with status 200, the client gets a typed problem, never a traceback."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.server.fake_upstream import FakeUpstream, Turn

WORDS = "upstream-words"


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


ANY = {
    "empty": b"",
    "space": b"  \n",
    "html": b"<html>" + WORDS.encode() + b"</html>",
    "text": WORDS.encode(),
    "half json": b'{"choices": [{"mess',
    "two values": b"{} {}",
    "bytes": bytes(range(256)),
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "latin-1": b'{"a": "\xe9"}',
    "nan": b"NaN",
    "null": b"null",
    "number": b"42",
    "big number": b"9" * 5000,
    "string": as_json(WORDS),
    "list": b"[]",
    "list of replies": as_json([{"choices": []}]),
    "true": b"true",
    "deep": b"[" * 2_000,
    "deep object": b'{"a":' * 2_000,
    "empty object": b"{}",
    "other object": as_json({"hello": WORDS}),
    "error text": as_json({"error": WORDS, "type": "error"}),
    "error object": as_json({"error": {"message": WORDS, "code": 500}, "type": "error"}),
    "too large": b" " * 70_000,
    "zeros": b"\0" * 100,
    "event stream as json": b"data: {}\n\n",
}
OPENAI = {
    "no choices": {"choices": []},
    "null choices": {"choices": None},
    "object choices": {"choices": {"0": {}}},
    "string choices": {"choices": WORDS},
    "null choice": {"choices": [None]},
    "string choice": {"choices": [WORDS]},
    "no message": {"choices": [{}]},
    "null message": {"choices": [{"message": None}]},
    "string message": {"choices": [{"message": WORDS}]},
    "no content": {"choices": [{"message": {}}]},
    "null content": {"choices": [{"message": {"content": None}}]},
    "number content": {"choices": [{"message": {"content": 5}}]},
    "object content": {"choices": [{"message": {"content": {"text": WORDS}}}]},
    "string parts": {"choices": [{"message": {"content": [WORDS]}}]},
    "null text part": {"choices": [{"message": {"content": [{"type": "text", "text": None}]}}]},
}
ANTHROPIC = {
    "no content": {"type": "message"},
    "null content": {"content": None},
    "string content": {"content": WORDS},
    "object content": {"content": {"text": WORDS}},
    "string part": {"content": [WORDS]},
    "null part": {"content": [None]},
    "part without text": {"content": [{"type": "text"}]},
    "number text": {"content": [{"type": "text", "text": 5}]},
}
OPENAI_EVENTS = {
    "string choices": {"choices": WORDS},
    "null choice": {"choices": [None]},
    "string delta": {"choices": [{"delta": WORDS}]},
    "list delta": {"choices": [{"delta": [1]}]},
    "number content": {"choices": [{"delta": {"content": 5}}]},
}
ANTHROPIC_EVENTS = {
    "no delta": {"type": "content_block_delta"},
    "string delta": {"type": "content_block_delta", "delta": WORDS},
    "number text": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 5}},
    "null message": {"type": "message_start", "message": None},
    "string event": WORDS,
}
NOT_HTTP = {
    "nothing": b"",
    "words": b"upstream-words\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nupstream-words",
    "cut chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "endless head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    "bad gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 14\r\n\r\nupstream-words",
    "bad deflate": b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 14\r\n\r\nupstream-words",
    "unknown coding": b"HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\nContent-Length: 14\r\n\r\nupstream-words",
    "tls": bytes([21, 3, 1, 0, 2, 2, 70]),
    "cut body": b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choices": [',
}
WHOLE = [
    *((provider, name, body) for provider in ("openai", "anthropic") for name, body in ANY.items()),
    *(("openai", name, as_json(body)) for name, body in OPENAI.items()),
    *(("anthropic", name, as_json(body)) for name, body in ANTHROPIC.items()),
]
STREAMED = [
    *(
        (provider, name, b"data: " + body + b"\n\n")
        for provider in ("openai", "anthropic")
        for name, body in ANY.items()
    ),
    *(("openai", name, b"data: " + as_json(body) + b"\n\n") for name, body in OPENAI_EVENTS.items()),
    *(("anthropic", name, b"data: " + as_json(body) + b"\n\n") for name, body in ANTHROPIC_EVENTS.items()),
    ("openai", "bare error", b'data: {"error": "upstream-words"}\n\n'),
    ("openai", "comments only", b": ping\n\n: ping\n\n"),
    ("anthropic", "comments only", b": ping\n\nevent: x\n\n"),
]
REQUESTS = {"malformed": 1, "reply-too-large": 1, "cut-off": 3, "failed": 4}
"""Problem -> requests that one call of a client without an idempotency key causes by it."""


def problem_of(client: httpx2.Client, provider: str, *, stream: bool) -> dict[str, object]:
    response = client.post("/api/rlm", json={"prompt": "q", "model": f"{provider}:m", "stream": stream})
    assert WORDS not in response.text
    if not stream:
        assert response.status_code == 502
        assert response.headers["content-type"] == "application/problem+json"
        whole: dict[str, object] = response.json()
        return whole
    *_, last = [json.loads(line[6:]) for line in response.text.split("\n\n") if line]
    error = last["error"]
    assert isinstance(error, dict)
    return error


def check(problem: dict[str, object], provider: str, upstream: FakeUpstream) -> None:
    slug = str(problem["type"]).removeprefix("/problems/upstream-")
    assert len(upstream.seen) == REQUESTS[slug]
    assert problem["upstream"] == provider
    assert len(str(problem["detail"])) > 20


@pytest.mark.parametrize(("provider", "name", "body"), WHOLE, ids=[f"{row[0]}-{row[1]}" for row in WHOLE])
def test_a_malformed_reply_is_a_typed_502(
    client: httpx2.Client, upstream: FakeUpstream, provider: str, name: str, body: bytes
) -> None:
    upstream.script(Turn(chunks=(body,)))
    check(problem_of(client, provider, stream=False), provider, upstream)


@pytest.mark.parametrize(("provider", "name", "body"), STREAMED, ids=[f"{row[0]}-{row[1]}" for row in STREAMED])
def test_a_malformed_event_ends_the_stream_in_a_typed_error(
    client: httpx2.Client, upstream: FakeUpstream, provider: str, name: str, body: bytes
) -> None:
    upstream.script(Turn(headers={"Content-Type": "text/event-stream"}, chunks=(body,)))
    check(problem_of(client, provider, stream=True), provider, upstream)


@pytest.mark.parametrize("name", NOT_HTTP)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_no_http_is_a_typed_502(client: httpx2.Client, upstream: FakeUpstream, name: str, stream: bool) -> None:
    upstream.script(Turn(raw=NOT_HTTP[name]))
    check(problem_of(client, "openai", stream=stream), "openai", upstream)


def test_an_endless_line_is_no_event_stream(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(Turn(headers={"Content-Type": "text/event-stream"}, chunks=(b"data: " + b"x" * 100_000,)))
    check(problem_of(client, "openai", stream=True), "openai", upstream)
