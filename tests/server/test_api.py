"""`/api/rlm`: shapes, bodies, batches, streams, and clients that go away. `/api/models` and `/api/health`."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import httpx2
import pytest

from rlm_server.assets import Assets
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.server.conftest import settings_for
from tests.server.fake_upstream import (
    FakeUpstream,
    Seen,
    Turn,
    events_turn,
    openai_deltas,
    reply_turn,
    streamed_turn,
    usage_of,
)

JSON = {"Content-Type": "application/json"}


def echo(seen: Seen) -> Turn:
    """Answer with the prompt."""
    messages = seen.json()["messages"]
    assert isinstance(messages, list)
    return reply_turn(f"re: {messages[-1]['content']}")


def ask(client: httpx2.Client, **body: object) -> httpx2.Response:
    return client.post("/api/rlm", json={"model": "openai:m", **body})


def test_health(client: httpx2.Client) -> None:
    assert client.get("/api/health").json() == {"status": "ok", "version": "0.1.0"}


def test_models_lists_what_is_configured(client: httpx2.Client) -> None:
    listed = client.get("/api/models").json()
    assert [model["id"] for model in listed["models"]] == ["builtin:extractive", "openai:m", "anthropic:m"]
    assert listed["default"] == "openai:m"
    assert listed["limits"] == {"max_body_bytes": 256 * 1024, "max_batch": 1000}
    assert "Not a language model" in listed["models"][0]["note"]


def test_a_prompt_and_messages_are_answered(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = echo
    assert ask(client, prompt="a").json()["text"] == "re: a"
    assert ask(client, messages=[{"role": "user", "content": "b"}]).json()["text"] == "re: b"


def test_no_model_is_the_default_one(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = echo
    assert client.post("/api/rlm", json={"prompt": "a"}).json()["model"] == "openai:m"


def test_a_batch_keeps_the_order_of_its_prompts(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = echo
    reply = ask(client, type="batch", prompts=["a", "b", "c"]).json()
    assert reply == {
        "results": ["re: a", "re: b", "re: c"],
        "finish_reasons": ["stop", "stop", "stop"],
        "usage": usage_of(3, 21, 6),
    }


def fail_on_b(seen: Seen) -> Turn:
    return Turn(status=401) if b'"b"' in seen.body else echo(seen)


def test_an_item_that_fails_does_not_cost_the_others(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = fail_on_b
    reply = ask(client, type="batch", prompts=["a", "b", " ", "c"]).json()
    assert reply["results"] == ["re: a", None, None, "re: c"]
    assert [(error["index"], error["type"]) for error in reply["errors"]] == [
        (1, "/problems/upstream-key-refused"),
        (2, "/problems/empty-prompt"),
    ]
    assert reply["usage"]["calls"] == 2


def lines_of(response: httpx2.Response) -> list[dict[str, object]]:
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_streamed_batch_is_one_line_for_each_item_and_a_last_one(
    client: httpx2.Client, upstream: FakeUpstream
) -> None:
    upstream.answer = fail_on_b
    response = ask(client, type="batch", prompts=["a", "b", "c"], stream=True)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    *items, last = lines_of(response)
    by_index = {item["index"]: item for item in items}
    usage = usage_of(1, 7, 2)
    assert by_index[0] == {"index": 0, "text": "re: a", "model": "openai:m", "finish_reason": "stop", "usage": usage}
    assert by_index[1]["error"]["type"] == "/problems/upstream-key-refused"  # type: ignore[index]
    assert last == {"done": True, "usage": usage_of(2, 14, 4)}


def test_items_of_a_batch_come_as_they_finish(client: httpx2.Client, upstream: FakeUpstream) -> None:
    release = threading.Event()

    def slow_first(seen: Seen) -> Turn:
        return Turn(silent=True) if b'"slow"' in seen.body else echo(seen)

    upstream.answer = slow_first
    body = {"type": "batch", "prompts": ["slow", "quick"], "model": "openai:m", "stream": True}
    with client.stream("POST", "/api/rlm", json=body) as response:
        first = json.loads(next(response.iter_lines()))
        release.set()
    assert first["index"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
def test_a_batch_of_1000_is_answered_by_at_most_64_at_a_time(
    patient: httpx2.Client, upstream: FakeUpstream, stream: bool
) -> None:
    upstream.answer = echo
    prompts = [f"prompt {number}" for number in range(1000)]
    response = ask(patient, type="batch", prompts=prompts, stream=stream)
    if stream:
        items = sorted(lines_of(response)[:-1], key=lambda item: int(str(item["index"])))
        texts = [item["text"] for item in items]
    else:
        texts = response.json()["results"]
    assert texts == [f"re: {prompt}" for prompt in prompts]
    asked = Counter(str(seen.json()["messages"][-1]["content"]) for seen in upstream.seen)
    assert {prompt: asked[prompt] for prompt in prompts} == dict.fromkeys(prompts, 1)  # not a late call of another test
    assert upstream.most_in_flight <= 64


BAD_BODIES: list[tuple[object, str, str]] = [
    (None, "invalid-request", "null"),
    ([], "invalid-request", "a list"),
    ("text", "invalid-request", "a string"),
    (5, "invalid-request", "a number"),
    ({}, "invalid-request", "neither"),
    ({"model": "openai:m"}, "invalid-request", "neither"),
    ({"prompt": ""}, "empty-prompt", "empty"),
    ({"prompt": " \n\t"}, "empty-prompt", "empty"),
    ({"prompt": None}, "invalid-request", "`prompt`"),
    ({"prompt": ["a"]}, "invalid-request", "`prompt`"),
    ({"prompt": {"text": "a"}}, "invalid-request", "`prompt`"),
    ({"prompt": "a", "messages": []}, "invalid-request", "exclude"),
    ({"messages": []}, "invalid-request", "`messages`"),
    ({"messages": "a"}, "invalid-request", "`messages`"),
    ({"messages": ["a"]}, "invalid-request", "`messages[0]`"),
    ({"messages": [{"role": "user"}]}, "invalid-request", "`messages[0].content`"),
    ({"messages": [{"content": "a"}]}, "invalid-request", "`messages[0].role`"),
    ({"messages": [{"role": "tool", "content": "a"}]}, "invalid-request", "`messages[0].role`"),
    ({"messages": [{"role": ["user"], "content": "a"}]}, "invalid-request", "`messages[0].role`"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "invalid-request", "Only text"),
    ({"messages": [{"role": "user", "content": "a", "name": "x"}]}, "unknown-field", "messages[0].name"),
    ({"messages": [{"role": "user", "content": " "}]}, "empty-prompt", "empty"),
    ({"messages": [{"role": "system", "content": "a"}]}, "empty-prompt", "empty"),
    ({"prompt": "a", "stream": "yes"}, "invalid-request", "`stream`"),
    ({"prompt": "a", "stream": None}, "invalid-request", "`stream`"),
    ({"prompt": "a", "model": 5}, "invalid-request", "`model`"),
    ({"prompt": "a", "model": ["openai:m"]}, "invalid-request", "`model`"),
    ({"prompt": "a", "model": "openai:other"}, "unknown-model", "openai:other"),
    ({"prompt": "a", "model": "builtin:other"}, "unknown-model", "builtin:other"),
    ({"prompt": "a", "model": ""}, "invalid-request", "`model`"),
    ({"prompt": "a", "model": "m"}, "unknown-model", "provider:name"),
    ({"prompt": "a", "model": "openai:../../x"}, "unknown-model", "RLM_MODELS"),
    ({"prompt": "a", "model": "gemini:m"}, "provider-not-configured", "GEMINI_API_KEY"),
    ({"prompt": "a", "model": "x" * 1000}, "unknown-model", "..."),
    ({"type": "batch"}, "invalid-request", "`prompts`"),
    ({"type": "batch", "prompts": []}, "invalid-request", "`prompts`"),
    ({"type": "batch", "prompts": "a"}, "invalid-request", "`prompts`"),
    ({"type": "batch", "prompts": ["a", 5]}, "invalid-request", "`prompts[1]`"),
    ({"type": "batch", "prompts": ["a"] * 1001}, "invalid-request", "1,001"),
    ({"type": "batch", "prompts": ["a", "a"], "nth": [0]}, "invalid-request", "`nth`"),
    ({"type": "batch", "prompts": ["a", "a"], "nth": [0, True]}, "invalid-request", "`nth`"),
    ({"type": "batch", "prompts": ["a"], "nth": [-1]}, "invalid-request", "`nth`"),
    ({"prompt": "a", "nth": [0]}, "unknown-field", "nth"),
    ({"type": "other", "prompts": ["a"]}, "invalid-request", "`type`"),
    ({"type": ["batch"], "prompts": ["a"]}, "invalid-request", "`type`"),
    ({"type": "batch", "prompts": ["a"], "messages": []}, "unknown-field", "messages"),
    *(
        ({"prompt": "a", field: "x"}, "unknown-field", field)
        for field in ("api_base", "api_key", "base_url", "tools", "plugins", "extra_body", "headers", "temperature")
    ),
    ({"prompt": "a", "f" * 500: 1}, "unknown-field", "..."),
]


@pytest.mark.parametrize(("body", "slug", "says"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_bad_body_is_explained_and_nothing_is_sent(
    client: httpx2.Client, upstream: FakeUpstream, body: object, slug: str, says: str
) -> None:
    response = client.post("/api/rlm", content=json.dumps(body), headers=JSON)
    problem = response.json()
    assert (response.status_code, problem["type"]) == (400, f"/problems/{slug}")
    assert says in problem["detail"]
    assert len(response.content) < 1000
    assert upstream.seen == []


NOT_JSON = [
    b"",
    b" ",
    b"{",
    b'{"prompt": "a"',
    b"{'prompt': 'a'}",
    b"prompt=a",
    b'{"prompt": "\xff"}',
    b'{"prompt": NaN}',
    b'{"prompt": Infinity}',
    b"9" * 5000,
    b"[" * 2_000,
    b'{"prompt": "a"} x',
    b"\0" * 10,
]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_json_is_explained(client: httpx2.Client, body: bytes) -> None:
    response = client.post("/api/rlm", content=body, headers=JSON)
    assert (response.status_code, response.json()["type"]) == (400, "/problems/invalid-json")
    assert len(response.json()["detail"]) > 20


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"])
def test_only_json_is_read(client: httpx2.Client, kind: str) -> None:
    response = client.post("/api/rlm", content=b'{"prompt": "a"}', headers={"Content-Type": kind})
    assert (response.status_code, response.json()["type"]) == (415, "/problems/unsupported-media-type")


def test_a_charset_beside_json_is_fine(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = echo
    kind = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = b'{"prompt": "a", "model": "openai:m"}'
    assert client.post("/api/rlm", content=body, headers=kind).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "gzip, identity", "x"])
def test_a_compressed_body_is_refused(client: httpx2.Client, coding: str) -> None:
    response = client.post("/api/rlm", content=b"x" * 10, headers={**JSON, "Content-Encoding": coding})
    assert (response.status_code, response.json()["type"]) == (415, "/problems/unsupported-media-type")


LIMIT = 256 * 1024


def test_a_body_at_the_limit_is_read(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: reply_turn("ok")
    body = b'{"model": "openai:m", "prompt": "a"}'.ljust(LIMIT)
    assert client.post("/api/rlm", content=body, headers=JSON).status_code == 200
    response = client.post("/api/rlm", content=body + b" ", headers=JSON)
    assert (response.status_code, response.json()["type"]) == (413, "/problems/body-too-large")
    assert "262,144" in response.json()["detail"]


def test_a_chunked_body_is_read_no_further_than_the_limit(client: httpx2.Client) -> None:
    sent = 0

    def gigabyte() -> Iterable[bytes]:
        nonlocal sent
        for _ in range(16 * 1024):
            sent += 64 * 1024
            yield b" " * 64 * 1024

    try:
        status = client.post("/api/rlm", content=gigabyte(), headers=JSON).status_code
    except httpx2.NetworkError:  # the server closed while we were still sending
        status = 413
    assert status == 413
    assert sent < 64 * LIMIT


def raw_exchange(server: str, head: str, body: bytes, *, close: bool = False) -> bytes:
    """Answer of the server to a request that no client would write."""
    host, _, port = server.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        lines = f"POST /api/rlm HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {server}\r\n{head}\r\n"
        connection.sendall(lines.encode() + body)
        if close:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        return b"".join(iter(lambda: connection.recv(65536), b""))


JSON_HEAD = "Content-Type: application/json\r\n"


def test_a_length_above_the_limit_is_refused_before_the_body(server: str) -> None:
    said = raw_exchange(server, f"{JSON_HEAD}Content-Length: 99999999999\r\n", b"")
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"99,999,999,999" in said


def test_a_length_that_is_too_long_is_a_timeout(server: str, upstream: FakeUpstream) -> None:
    said = raw_exchange(server, f"{JSON_HEAD}Content-Length: 500\r\n", b'{"prompt": "a"}')
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"Only 15 bytes" in said
    assert upstream.seen == []


def test_a_body_that_breaks_off_is_never_answered(server: str, upstream: FakeUpstream) -> None:
    raw_exchange(server, f"{JSON_HEAD}Content-Length: 500\r\n", b'{"prompt": "a"}', close=True)
    assert upstream.seen == []


def test_a_length_that_is_too_short_cuts_the_body(server: str, upstream: FakeUpstream) -> None:
    said = raw_exchange(server, f"{JSON_HEAD}Content-Length: 5\r\nConnection: close\r\n", b'{"prompt": "a"}')
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"/problems/invalid-json" in said
    assert upstream.seen == []


@pytest.mark.parametrize("length", ["-1", "many", "5, 6", "0x10"])
def test_a_length_that_is_no_number_is_refused(server: str, upstream: FakeUpstream, length: str) -> None:
    said = raw_exchange(server, f"{JSON_HEAD}Content-Length: {length}\r\n", b'{"prompt": "a"}')
    assert said.startswith(b"HTTP/1.1 400 ")
    assert upstream.seen == []


@pytest.fixture(scope="module")
def patient_server(running_upstream: FakeUpstream, assets: Assets) -> Iterator[str]:
    """A server that waits long for its upstream: the client alone ends a call here."""
    settings = settings_for(running_upstream, first_byte_seconds=60, total_seconds=60)
    with serving(create_app(settings, assets=assets), drain_seconds=0) as url:
        yield url


HANGING = [
    ({"prompt": "a"}, Turn(silent=True), 1),
    ({"prompt": "a"}, Turn(chunks=(b'{"cho',), hang=True), 1),
    ({"prompt": "a", "late": True}, Turn(silent=True), 1),
    ({"prompt": "a", "stream": True}, Turn(silent=True), 1),
    ({"prompt": "a", "stream": True}, events_turn(*openai_deltas("a")[:1], hang=True), 1),
    ({"type": "batch", "prompts": ["a"] * 70}, Turn(silent=True), 64),
    ({"type": "batch", "prompts": ["a"] * 70, "stream": True}, Turn(silent=True), 64),
]


@pytest.mark.parametrize(("body", "turn", "calls"), HANGING, ids=range(len(HANGING)))
def test_a_client_that_goes_away_cancels_its_calls(
    patient_server: str,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    body: dict[str, object],
    turn: Turn,
    calls: int,
) -> None:
    upstream.script(turn)
    host, _, port = patient_server.removeprefix("http://").partition(":")
    is_late = body.get("late", False)
    monkeypatch.setattr("rlm_server.http.api.HEARTBEAT_SECONDS", 0.05 if is_late else 15)
    content = json.dumps({"model": "openai:m", **{name: value for name, value in body.items() if name != "late"}})
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = f"POST /api/rlm HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n{JSON_HEAD}"
        head += "Accept: application/json;heartbeat=1\r\n" if is_late else ""
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n{content}".encode())
        for _ in range(calls):
            assert upstream.arrived.acquire(timeout=20)
        assert not is_late or connection.recv(4)
    gone = time.monotonic()
    for _ in range(calls):
        assert upstream.abandoned.acquire(timeout=20)
    assert time.monotonic() - gone < 20  # of the minute that a call may take
    assert len(upstream.seen) == calls


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "heartbeat"),
    [({"prompt": "q"}, ": waiting\n\n"), ({"type": "batch", "prompts": ["q"]}, "\n")],
)
def test_a_long_call_shows_that_it_lives(
    patient: httpx2.Client,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    body: dict[str, object],
    heartbeat: str,
) -> None:
    monkeypatch.setattr("rlm_server.http.api.HEARTBEAT_SECONDS", 0.05)
    upstream.script(streamed_turn("openai", "Paris", held=True))
    threading.Thread(target=released_late, args=[upstream]).start()
    text = ask(patient, **body, stream=True).text
    assert heartbeat * 3 in text
    assert "Paris" in text


HEARTBEATS = {"Accept": "application/json;heartbeat=1"}


def released_late(upstream: FakeUpstream) -> None:
    """Let the held reply go on, long after its request has arrived."""
    upstream.arrived.acquire(timeout=60)
    time.sleep(1)
    upstream.release()


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True], ids=["a reply", "a failure"])
def test_a_late_whole_reply_shows_that_it_lives(
    patient: httpx2.Client, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr("rlm_server.http.api.HEARTBEAT_SECONDS", 0.05)
    failure = [{"choices": [{"delta": {}}]}, {"error": {"message": "no"}}]
    upstream.script(events_turn(*(failure if fails else openai_deltas("Paris")), held=True))
    threading.Thread(target=released_late, args=(upstream,)).start()
    response = patient.post("/api/rlm", json={"prompt": "q", "model": "openai:m"}, headers=HEARTBEATS)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.text.startswith("\n")
    assert response.json()["error"]["status"] >= 400 if fails else response.json()["text"] == "Paris"


@pytest.mark.slow
def test_a_client_that_takes_no_heartbeat_gets_none_and_a_failure_in_time_has_its_status(
    patient: httpx2.Client, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.script(Turn(status=401))
    body = {"prompt": "q", "model": "openai:m"}
    assert patient.post("/api/rlm", json=body, headers=HEARTBEATS).status_code == 502
    assert upstream.arrived.acquire(timeout=60)
    monkeypatch.setattr("rlm_server.http.api.HEARTBEAT_SECONDS", 0.05)
    upstream.script(streamed_turn("openai", "Paris", held=True))
    threading.Thread(target=released_late, args=(upstream,)).start()
    assert patient.post("/api/rlm", json=body).text.startswith("{")
