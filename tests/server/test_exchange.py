"""Retries, timeouts, and the key, between the server and an upstream."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import traceback

import httpx2
import pytest

from rlm_core.types import Message, Reply
from rlm_server.calls.registry import open_registry
from rlm_server.providers.chat import ChatProvider
from rlm_server.providers.connections import Connections, Proxied, trusted
from rlm_server.providers.exchange import Address, Exchange
from rlm_server.providers.openai_chat import OpenAIChat
from rlm_server.providers.upstream import Pieces, UpstreamCall, UpstreamError
from rlm_server.providers.upstream_connection import UpstreamConnection
from tests.server.conftest import PLANTED_KEY, make_settings, settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, events_turn, json_turn, openai_deltas, openai_reply

QUESTION = (Message("user", "q"),)
both = pytest.mark.parametrize("provider", ["openai", "anthropic"])


async def whole(pieces: Pieces) -> Reply:
    return [piece async for piece in pieces if isinstance(piece, Reply)][-1]


def complete(upstream: FakeUpstream, provider: str = "openai", **settings: object) -> Reply:
    async def call() -> Reply:
        async with open_registry(settings_for(upstream, **settings)) as registry:
            answerer, model = await registry.find(f"{provider}:m")
            return await whole(answerer.stream(UpstreamCall(QUESTION, model, retries=registry.settings.retries)))

    return asyncio.run(call())


def failure(upstream: FakeUpstream, provider: str = "openai", **settings: object) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        complete(upstream, provider, **settings)
    return caught.value


@both
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_passing_failure_is_tried_again(upstream: FakeUpstream, provider: str, status: int) -> None:
    upstream.script(Turn(status=status), Turn(status=status), Turn(status=418))
    assert failure(upstream, provider).status == 418
    assert len(upstream.seen) == 3


@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [
        (429, "rate-limited", 4),
        (500, "failed", 4),
        (503, "failed", 4),
        (408, "timeout", 4),
        (504, "timeout", 2),
        (524, "timeout", 2),
        (409, "failed", 4),
        (400, "call-refused", 1),
        (401, "key-refused", 1),
        (402, "quota-spent", 1),
        (403, "key-refused", 1),
        (404, "model-unknown", 1),
        (413, "prompt-too-long", 1),
        (422, "call-refused", 1),
        (301, "call-refused", 1),
        (204, "call-refused", 1),
    ],
)
def test_tries_and_kind_of_each_status(upstream: FakeUpstream, status: int, kind: str, tries: int) -> None:
    upstream.script(Turn(status=status, chunks=(b"upstream-words",)))
    fault = failure(upstream)
    assert (fault.kind, fault.status, fault.upstream) == (kind, status, "openai")
    assert str(status) in str(fault)
    assert "upstream-words" not in str(fault)
    assert len(upstream.seen) == tries


TOO_LONG = {
    "OpenAI": {"error": {"code": "context_length_exceeded", "message": "upstream-words"}},
    "vLLM": {"message": "This model's maximum context length is 4096 tokens. upstream-words"},
    "Anthropic": {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum, upstream-words"}},
    "llama.cpp": {"error": {"type": "exceed_context_size_error", "message": "upstream-words"}},
    "Gemini": {"error": {"message": "The input token count (9) exceeds the maximum, upstream-words"}},
}


@pytest.mark.parametrize("body", TOO_LONG.values(), ids=TOO_LONG.keys())
def test_a_prompt_that_is_too_long_is_told_from_other_refusals(upstream: FakeUpstream, body: object) -> None:
    upstream.script(json_turn(body, status=400))
    fault = failure(upstream)
    assert (fault.kind, fault.retryable) == ("prompt-too-long", False)
    assert "upstream-words" not in str(fault)


def test_a_spent_account_is_told_from_too_many_requests(upstream: FakeUpstream) -> None:
    upstream.script(json_turn({"error": {"code": "insufficient_quota"}}, status=429))
    fault = failure(upstream)
    assert (fault.kind, fault.retryable) == ("quota-spent", False)
    assert len(upstream.seen) == 1


def test_a_refusal_whose_words_never_come_has_the_meaning_of_its_status(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlm_server.providers.exchange.PEEK_SECONDS", 0.05)
    upstream.script(Turn(status=400, chunks=(b"{",), hang=True))
    assert failure(upstream).kind == "call-refused"


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_counted_exactly(upstream: FakeUpstream, retries: int) -> None:
    upstream.script(Turn(status=500))
    failure(upstream, retries=retries)
    assert len(upstream.seen) == retries + 1


def test_retry_after_is_honoured(upstream: FakeUpstream) -> None:
    upstream.script(Turn(status=429, headers={"Retry-After": "0.15"}), json_turn(openai_reply()))
    began = time.monotonic()
    assert complete(upstream).text == "Paris"
    assert time.monotonic() - began >= 0.15


def test_a_retry_after_above_the_cap_ends_the_call_and_is_told(upstream: FakeUpstream) -> None:
    upstream.script(Turn(status=429, headers={"Retry-After": "120"}))
    fault = failure(upstream)
    assert fault.retry_after == 120
    assert "120 s" in str(fault)
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "inf", "1e300", "", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_is_as_if_absent(upstream: FakeUpstream, value: str) -> None:
    upstream.script(Turn(status=429, headers={"Retry-After": value}), json_turn(openai_reply()))
    assert complete(upstream).text == "Paris"


def test_the_client_is_told_when_to_come_back(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(Turn(status=429, headers={"Retry-After": "120"}))
    response = client.post("/api/rlm", json={"prompt": "q", "model": "openai:m"})
    assert (response.status_code, response.headers["retry-after"]) == (429, "120")
    assert (response.json()["retryable"], response.json()["retry_after"]) == (True, 120)
    streamed = client.post("/api/rlm", json={"prompt": "q", "model": "openai:m", "stream": True})
    assert '"retry_after": 120' in streamed.text


def test_a_redirect_is_not_followed(upstream: FakeUpstream) -> None:
    upstream.script(Turn(status=307, headers={"Location": f"{upstream.url}/elsewhere"}))
    assert "Redirects" in str(failure(upstream))
    assert [seen.path for seen in upstream.seen] == ["/v1/chat/completions"]


@both
def test_silence_before_the_first_byte_is_a_timeout(upstream: FakeUpstream, provider: str) -> None:
    upstream.script(Turn(silent=True))
    assert failure(upstream, provider, first_byte_seconds=0.05).kind == "timeout"
    assert [upstream.abandoned.acquire(timeout=20) for _ in range(2)] == [True, True]
    assert len(upstream.seen) == 2


@both
def test_silence_in_the_middle_is_a_timeout(upstream: FakeUpstream, provider: str) -> None:
    upstream.script(Turn(chunks=(b'{"choi',), hang=True))
    assert failure(upstream, provider, first_byte_seconds=0.05).kind == "timeout"
    assert upstream.abandoned.acquire(timeout=20)


def test_the_total_time_holds_for_all_tries_together(upstream: FakeUpstream) -> None:
    upstream.script(Turn(silent=True))
    began = time.monotonic()
    assert failure(upstream, total_seconds=0.1, first_byte_seconds=30).kind == "timeout"
    assert time.monotonic() - began < 20  # of the 30 s that one try may take


def test_an_upstream_that_is_not_there_is_tried_again_and_said(upstream: FakeUpstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fault = failure(upstream, openai_base_url=f"http://127.0.0.1:{port}/v1")
    assert (fault.kind, fault.retryable) == ("unreachable", True)


def test_environment_proxies_are_ignored(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    upstream.script(json_turn(openai_reply()))
    assert complete(upstream).text == "Paris"


def test_no_retry_once_a_byte_was_passed_on(upstream: FakeUpstream) -> None:
    head = Turn(headers={"Content-Type": "text/event-stream"}).headers
    event = b'data: {"choices": [{"delta": {"content": "Pa"}}]}\n\n'
    upstream.script(Turn(headers=head, chunks=(event,), cut=True))

    async def pieces() -> str | Reply:
        async with open_registry(settings_for(upstream)) as registry:
            answerer, model = await registry.find("openai:m")
            stream = answerer.stream(UpstreamCall(QUESTION, model, retries=3))
            first = await anext(stream)
            with pytest.raises(UpstreamError):
                await anext(stream)
        return first

    assert asyncio.run(pieces()) == "Pa"
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("is_watched", [True, False])
def test_only_a_reply_that_nobody_watches_is_gathered(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, is_watched: bool
) -> None:
    upstream.script(events_turn(*openai_deltas("Paris")))
    gathered: list[UpstreamConnection] = []
    monkeypatch.setattr(UpstreamConnection, "gather", lambda connection: gathered.append(connection))

    async def text() -> str:
        async with open_registry(settings_for(upstream)) as registry:
            answerer, model = await registry.find("openai:m")
            return (await whole(answerer.stream(UpstreamCall(QUESTION, model, is_watched=is_watched)))).text

    assert asyncio.run(text()) == "Paris"
    assert bool(gathered) is not is_watched


def test_closing_a_stream_closes_the_connection(upstream: FakeUpstream) -> None:
    event = b'data: {"choices": [{"delta": {"content": "Pa"}}]}\n\n'
    upstream.script(Turn(headers={"Content-Type": "text/event-stream"}, chunks=(event,), hang=True))

    async def first() -> str | Reply:
        async with open_registry(settings_for(upstream, first_byte_seconds=30, total_seconds=30)) as registry:
            answerer, model = await registry.find("openai:m")
            pieces = answerer.stream(UpstreamCall(QUESTION, model))
            piece = await anext(pieces)
            await pieces.aclose()
            assert await asyncio.to_thread(upstream.abandoned.acquire, timeout=20)
            return piece

    assert asyncio.run(first()) == "Pa"


def after_done(upstream: FakeUpstream, **ending: bool) -> None:
    """Replies whose body goes on after `[DONE]`."""
    upstream.script(events_turn(*openai_deltas("Paris"), **ending))


async def many(upstream: FakeUpstream, calls: int, at_once: int) -> list[str]:
    """The texts of streamed calls, `at_once` of them at a time."""
    async with open_registry(
        settings_for(upstream, connect_seconds=60, first_byte_seconds=60, total_seconds=60)
    ) as registry:
        answerer, model = await registry.find("openai:m")
        waiting = iter(range(calls))
        texts = []

        async def work() -> None:
            for _ in waiting:
                async for piece in answerer.stream(UpstreamCall(QUESTION, model)):
                    if isinstance(piece, Reply):
                        texts.append(piece.text)

        await asyncio.gather(*(work() for _ in range(at_once)))
        return texts


@pytest.mark.parametrize("slow_end", [False, True], ids=["the end at once", "the end later"])
def test_streamed_calls_share_few_connections(upstream: FakeUpstream, slow_end: bool) -> None:
    after_done(upstream, slow_end=slow_end)
    assert asyncio.run(many(upstream, 100, at_once=4)) == ["Paris"] * 100
    assert upstream.connections <= 40


def test_a_body_that_does_not_end_delays_no_reply_and_is_closed(upstream: FakeUpstream) -> None:
    after_done(upstream, hang=True)

    async def calls() -> float:
        began = time.monotonic()
        await many(upstream, 30, at_once=1)
        seconds = time.monotonic() - began
        assert await asyncio.to_thread(upstream.abandoned.acquire, timeout=30)
        return seconds

    assert asyncio.run(calls()) < 20  # of 30 s and more, where each waited for its end


TURNS = [
    Turn(status=401, chunks=(PLANTED_KEY.encode(),)),
    Turn(status=500, chunks=(PLANTED_KEY.encode(),)),
    Turn(status=302, headers={"Location": f"http://127.0.0.1/{PLANTED_KEY}"}),
    Turn(status=429, headers={"Retry-After": "120", "X-Key": PLANTED_KEY}),
    Turn(raw=PLANTED_KEY.encode() + b"\r\n\r\n"),
    Turn(chunks=(PLANTED_KEY.encode(),)),
    Turn(chunks=(b'{"error": "Incorrect API key: ' + PLANTED_KEY.encode() + b'"}',)),
    Turn(headers={"Content-Encoding": "gzip"}, chunks=(PLANTED_KEY.encode(),)),
    json_turn(openai_reply()),
]


@both
@pytest.mark.parametrize("turn", TURNS, ids=range(len(TURNS)))
@pytest.mark.parametrize("stream", [False, True])
def test_the_key_is_in_no_response_and_no_log(
    client: httpx2.Client,
    upstream: FakeUpstream,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    provider: str,
    turn: Turn,
    stream: bool,
) -> None:
    caplog.set_level(logging.DEBUG, logger="")
    upstream.script(turn)
    response = client.post("/api/rlm", json={"prompt": "q", "model": f"{provider}:m", "stream": stream})
    said = "".join([response.text, str(response.headers), caplog.text, *capfd.readouterr(), *map(repr, caplog.records)])
    assert caplog.text
    assert PLANTED_KEY in str(upstream.seen[0].headers)
    assert PLANTED_KEY not in said
    assert PLANTED_KEY not in client.get("/api/models").text


@both
@pytest.mark.parametrize("turn", TURNS[:-2], ids=range(len(TURNS) - 2))
def test_the_key_is_in_no_exception(upstream: FakeUpstream, provider: str, turn: Turn) -> None:
    upstream.script(turn)
    fault = failure(upstream, provider, retries=1)
    printed = "".join(traceback.TracebackException.from_exception(fault).format())
    assert PLANTED_KEY not in "".join([printed, repr(fault), str(vars(fault))])


def test_the_key_is_in_no_repr() -> None:
    settings = make_settings(openai_api_key=PLANTED_KEY, token=PLANTED_KEY)
    address = Address("openai", "http://127.0.0.1/v1", settings.openai_api_key)
    exchange = Exchange(Connections(trusted(), httpx2.Timeout(1)), address, settings)
    shown = [settings, settings.model_dump(), settings.model_dump_json(), address, exchange, vars(exchange)]
    assert PLANTED_KEY not in "".join(map(repr, [*shown, ChatProvider(exchange, OpenAIChat())]))


def test_a_request_that_went_by_a_proxy_no_longer_holds_the_key(upstream: FakeUpstream) -> None:
    upstream.script(json_turn(openai_reply()))
    sent: list[httpx2.Request] = []

    async def call() -> None:
        async def keep(request: httpx2.Request) -> None:
            sent.append(request)

        settings = settings_for(upstream)
        client = Proxied(upstream.url, trusted(), httpx2.Timeout(10))
        client._client.event_hooks = {"request": [keep]}
        address = Address("openai", "http://vendor.internal/v1", settings.openai_api_key)
        provider = ChatProvider(Exchange(client, address, settings), OpenAIChat())
        await whole(provider.stream(UpstreamCall(QUESTION, "m")))
        await client.aclose()

    asyncio.run(call())
    assert upstream.seen[0].headers["authorization"] == f"Bearer {PLANTED_KEY}"
    assert [PLANTED_KEY in str(request.headers.raw) for request in sent] == [False]
