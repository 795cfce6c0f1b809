"""The call socket: who may open it, and that a call over it is the call that a request makes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast
from unittest import mock

import httpx2
import pytest
from wsproto.frame_protocol import FrameProtocol

from rlm_server.assets import Assets
from rlm_server.http import api, call_socket
from rlm_server.http.app import create_app
from rlm_server.http.call_socket import (
    BODY,
    CANCEL,
    CHUNK_BYTES,
    CREDIT,
    HEAD,
    LAST,
    NUMBER,
    PREFIX,
    WINDOW_BYTES,
    CallSocket,
    Malformed,
    Stream,
)
from rlm_server.http.connection import frame
from rlm_server.http.security import FIXED_HEADERS, OTHER_CSP
from rlm_server.http.serving import serving
from tests.server.call_socket_client import Closed, Refused, head_of, opened
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, events_turn, json_turn, openai_deltas, openai_reply

ASKED = {"model": "openai:m", "prompt": "q"}
JSON = {"content-type": "application/json"}


def refusal(url: str, **handshake: Any) -> Refused:
    with pytest.raises(Refused) as caught, opened(url, **handshake):
        pass
    return caught.value


@pytest.fixture
def large(upstream: FakeUpstream, assets: Assets) -> Iterator[str]:
    """URL of a server that takes large bodies and waits for them."""
    settings = settings_for(upstream, max_body_bytes=16 << 20, max_upstream_bytes=16 << 20, body_seconds=20)
    patient = settings.model_copy(update={"first_byte_seconds": 20.0, "total_seconds": 20.0})
    with serving(create_app(patient, assets=assets), drain_seconds=0) as url:
        yield url


# -------------------------------------------------------------------------------------------------------- handshake


def test_only_the_page_of_the_server_opens_it(server: str) -> None:
    for handshake, slug in (
        ({"origin": None}, "origin-refused"),
        ({"origin": "null"}, "origin-refused"),
        ({"origin": "https://evil.example"}, "origin-refused"),
        ({"host": "evil.example"}, "host-refused"),
        ({"sec_fetch_site": "cross-site"}, "origin-refused"),
        ({"path": "/elsewhere/api/rlm/socket"}, "not-found"),
    ):
        refused = refusal(server, **handshake)
        assert refused.json()["type"] == f"/problems/{slug}", handshake
        assert {name: refused.headers[name.lower()] for name in FIXED_HEADERS} == FIXED_HEADERS
        assert refused.headers["content-security-policy"] == OTHER_CSP


def test_a_listed_origin_sends_requests_and_opens_no_socket(upstream: FakeUpstream, assets: Assets) -> None:
    site = "https://site.example"
    with serving(create_app(settings_for(upstream, allowed_origins=site), assets=assets), drain_seconds=0) as url:
        assert httpx2.get(f"{url}/api/models", headers={"Origin": site}).status_code == 200
        assert refusal(url, origin=site).json()["type"] == "/problems/origin-refused"


def test_a_guarded_server_wants_the_token_and_the_page(upstream: FakeUpstream, assets: Assets) -> None:
    settings = settings_for(upstream, tokens="ann:a-long-random-token")
    with serving(create_app(settings, assets=assets), drain_seconds=0) as url:
        token: dict[str, Any] = {"authorization": "Bearer a-long-random-token"}
        assert refusal(url).json()["type"] == "/problems/token-required"
        assert refusal(url, authorization="Bearer another-long-one").status == 401
        assert refusal(url, origin=None, **token).json()["type"] == "/problems/origin-refused"
        signed = httpx2.post(f"{url}/sign-in", data={"token": token["authorization"][7:]}, headers={"Origin": url})
        cookie = signed.headers["set-cookie"].partition(";")[0]
        for known in (token, {"cookie": cookie}):
            with opened(url, **known) as client:
                upstream.script(json_turn(openai_reply("hello")))
                client.ask(1, ASKED)
                assert client.whole(1)[0].json()["text"] == "hello"


# ------------------------------------------------------------------------------------------------------------ calls


def test_a_call_is_the_call_that_a_request_makes(
    server: str, client: httpx2.Client, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    key = {"idempotency_key": "socket/1"}
    with caplog.at_level("INFO", logger="rlm_server.access"), opened(server) as page:
        upstream.script(json_turn(openai_reply("Paris")))
        page.ask(1, ASKED, **key)
        [first] = page.whole(1)
        posted = client.post("/api/rlm", json=ASKED, headers={"Idempotency-Key": "socket/1"})
        page.ask(2, ASKED, **key)
        [kept] = page.whole(2)
        page.ask(3, {"prompt": ""})
        page.ask(4, ASKED, path="/cancel")
        empty, wrong = page.whole(3, 4)
    assert first.head is not None
    assert (first.head["status"], first.head["headers"]["content-type"]) == (200, "application/json")
    assert {**first.json(), "from_store": True} == posted.json() == kept.json()
    assert len(upstream.seen) == 1
    assert (empty.json()["type"], wrong.json()["status"]) == ("/problems/empty-prompt", 400)
    lines = [json.loads(line.getMessage()) for line in caplog.records if line.name == "rlm_server.access"]
    over_socket = [line for line in lines if line["id"] == first.head["headers"]["x-request-id"]]
    assert [(line["method"], line["path"], line["status"], line["run"]) for line in over_socket] == [
        ("POST", "/api/rlm", 200, "socket")
    ]


def test_a_fault_of_ours_is_a_problem_and_in_the_log(
    server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(api.ENDPOINTS, "/api/rlm", mock.AsyncMock(side_effect=LookupError("our bug")))
    with opened(server) as page:
        page.ask(1, ASKED)
        assert page.whole(1)[0].json()["type"] == "/problems/internal-error"
        page.ask(2, {"key": "run/1"}, path="/cancel")
        assert page.whole(2)[0].json() == {"cancelled": 0}
    faults = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(fault) for fault in faults] == ["our bug"]


def test_the_three_shapes_stream_as_they_do_over_requests(server: str, upstream: FakeUpstream) -> None:
    with opened(server) as page:
        upstream.script(events_turn(*openai_deltas("Pa", "ris")))
        page.ask(1, {**ASKED, "stream": True})
        events = page.whole(1)[0]
        upstream.script(json_turn(openai_reply("A")), json_turn(openai_reply("A")))
        page.ask(2, {"model": "openai:m", "type": "batch", "prompts": ["a", "b"], "stream": True})
        lines = page.whole(2)[0].body.decode().splitlines()
    assert [part in events.body for part in (b'{"delta": "Pa"}', b'"done": true')] == [True, True]
    assert [json.loads(line).get("text") for line in lines] == ["A", "A", None]


@pytest.mark.slow
def test_hundreds_are_under_way_at_once_and_each_gets_its_own_reply(large: str, upstream: FakeUpstream) -> None:
    count = 200
    upstream.script(*[Turn(chunks=json_turn(openai_reply("x")).chunks, held=True) for _ in range(count)])
    with opened(large) as page:
        for number in range(count):
            page.ask(number, {**ASKED, "prompt": f"prompt {number}"})
        for _ in range(count):
            assert upstream.arrived.acquire(timeout=20)
        upstream.release()
        replies = page.whole(*range(count))
    assert {reply.json()["text"] for reply in replies} == {"x"}
    assert len({seen.json()["messages"][0]["content"] for seen in upstream.seen}) == count


def test_a_client_that_cancels_or_leaves_ends_its_unkeyed_call_upstream(large: str, upstream: FakeUpstream) -> None:
    upstream.script(Turn(silent=True), Turn(silent=True))
    with opened(large) as page:
        page.ask(1, ASKED)
        assert upstream.arrived.acquire(timeout=10)
        page.send(CANCEL, 1)
        assert upstream.abandoned.acquire(timeout=10)
        page.ask(2, {**ASKED, "prompt": "another"})
        assert upstream.arrived.acquire(timeout=10)
    assert upstream.abandoned.acquire(timeout=10)


def test_a_keyed_call_survives_its_connection_and_is_paid_once(large: str, upstream: FakeUpstream) -> None:
    upstream.script(Turn(chunks=json_turn(openai_reply("kept")).chunks, held=True))
    with opened(large) as page:
        page.ask(1, ASKED, idempotency_key="r/1")
        assert upstream.arrived.acquire(timeout=10)
    with opened(large) as page:
        page.ask(1, ASKED, idempotency_key="r/1")
        upstream.release()
        assert page.whole(1)[0].json()["text"] == "kept"
    assert len(upstream.seen) == 1


def test_bodies_pass_in_parts_within_their_credit(large: str, upstream: FakeUpstream) -> None:
    text = "long text " * 500_000
    body = memoryview(json.dumps({**ASKED, "prompt": text}).encode())
    upstream.script(json_turn(openai_reply(text)))
    with opened(large) as page:
        page.send(HEAD, 7, head_of({"path": "", "headers": JSON}) + bytes(body[:CHUNK_BYTES]))
        at, window, reply = CHUNK_BYTES, WINDOW_BYTES - CHUNK_BYTES, page.reply(7)
        while at < len(body):
            while window + reply.credit == 0:
                page.read()
            part = body[at : at + min(CHUNK_BYTES, window + reply.credit)]
            at, window = at + len(part), window - len(part)
            page.send(BODY | (LAST if at == len(body) else 0), 7, bytes(part))
        while len(reply.body) < WINDOW_BYTES:
            page.read()
        page.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):  # no byte more without credit
            page.read()
        assert len(reply.body) == WINDOW_BYTES
        page.sock.settimeout(20)
        page.send(CREDIT, 7, NUMBER.pack(len(text)))
        assert page.whole(7)[0].json()["text"] == text
    assert upstream.seen[0].json()["messages"][0]["content"] == text


def test_a_heartbeat_waits_for_the_end_of_a_line_that_waits_for_credit() -> None:
    sent: list[bytes] = []

    class Slow:
        async def send(self, message: bytes) -> None:
            sent.append(message[PREFIX.size :])
            await asyncio.sleep(0)

    async def exchange() -> None:
        stream = Stream(cast("CallSocket", Slow()), 1)

        async def write(body: bytes) -> None:
            await stream.send({"type": "http.response.body", "body": body, "more_body": True})

        line = asyncio.create_task(write(bytes(2 * WINDOW_BYTES)))
        await asyncio.sleep(0.01)
        beat = asyncio.create_task(write(b"\n"))
        for _ in range(4):
            await asyncio.sleep(0.01)
            stream.credit(CHUNK_BYTES * 3 // 2)
        await asyncio.gather(line, beat)

    asyncio.run(exchange())
    assert b"".join(sent) == bytes(2 * WINDOW_BYTES) + b"\n"


# ---------------------------------------------------------------------------------------------------------- garbage


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (HEAD | LAST, head_of({"path": "/../models", "headers": JSON})),
        (HEAD | LAST, head_of({"path": "", "headers": {**JSON, "cookie": "rlm_session=x"}})),
        (HEAD | LAST, head_of({"path": "", "headers": {"content-type": "a\r\nb"}})),
        (HEAD | LAST, head_of([])),
        (HEAD | LAST, b"\xff\xff\xff\xff{}"),
        (HEAD | LAST, b"\0\0"),
        (HEAD | LAST, b"\0\0\0\2{]"),
        (9, b""),
    ],
)
def test_a_message_without_a_meaning_ends_its_connection_and_nothing_else(
    server: str, upstream: FakeUpstream, kind: int, payload: bytes
) -> None:
    with opened(server) as page:
        page.send(kind, 1, payload)
        with pytest.raises(Closed) as closed:
            page.whole(1)
    assert (closed.value.code, closed.value.reason != "") == (1002, True)
    assert upstream.seen == []
    assert httpx2.get(f"{server}/api/health").status_code == 200


@pytest.mark.parametrize("size", [0, 1, 125, 126, (1 << 16) - 1, 1 << 16, CHUNK_BYTES])
def test_a_message_is_the_frame_that_wsproto_writes(size: int) -> None:
    assert frame(bytes(size)) == FrameProtocol(client=False, extensions=[]).send_data(bytes(size))


def test_a_body_beyond_its_credit_or_its_end_has_no_meaning() -> None:
    chunk = memoryview(bytes(CHUNK_BYTES))
    for bodies in ([chunk, chunk, chunk[:1]], [chunk[:0]]):
        stream = Stream(mock.Mock(), 1)
        for body in bodies[:-1]:
            stream.take(body, is_last=False)
        with pytest.raises(Malformed):
            stream.take(bodies[-1], is_last=False)
    stream = Stream(mock.Mock(), 1)
    stream.take(chunk[:0], is_last=True)
    with pytest.raises(Malformed):
        stream.take(chunk[:1], is_last=True)


# ------------------------------------------------------------------------------------------------------------- ends


def test_the_server_is_heard_under_calls_and_closes_an_idle_connection(
    large: str, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_socket, "HEARTBEAT_SECONDS", 0.02)
    upstream.script(Turn(chunks=json_turn(openai_reply("late")).chunks, held=True))
    with opened(large) as page:
        page.ask(1, ASKED)
        while page.beats < 20:  # more than an idle connection lives
            page.read()
        upstream.release()
        assert page.whole(1)[0].json()["text"] == "late"
        with pytest.raises(Closed) as closed:
            page.whole(2)
    assert closed.value.code == 1000


@pytest.mark.slow
def test_a_server_that_stops_answers_its_calls_and_then_closes(upstream: FakeUpstream, assets: Assets) -> None:
    upstream.script(Turn(chunks=json_turn(openai_reply("in time")).chunks, held=True), Turn(silent=True))
    settings = settings_for(upstream, first_byte_seconds=60, total_seconds=60)
    with ExitStack() as server, ExitStack() as pages:
        url = server.enter_context(serving(create_app(settings, assets=assets), drain_seconds=3))
        busy, idle = pages.enter_context(opened(url)), pages.enter_context(opened(url))
        for number in (1, 2):
            busy.ask(number, {**ASKED, "prompt": f"prompt {number}"})
            assert upstream.arrived.acquire(timeout=10)
        stopping = threading.Thread(target=server.close)
        stopping.start()
        with pytest.raises(Closed) as closed:
            idle.whole(1)
        assert closed.value.code == 1012
        busy.ask(3, ASKED)
        assert busy.whole(3)[0].is_cancelled
        upstream.release()
        first, second = busy.whole(1, 2)
        assert (first.json()["text"], second.json()["type"]) == ("in time", "/problems/server-stopping")
        with pytest.raises(Closed) as closed:
            busy.whole(4)
        assert closed.value.code == 1012
        stopping.join(20)
    assert len(upstream.seen) == 2
