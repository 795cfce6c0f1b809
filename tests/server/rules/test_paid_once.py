"""Paid once: the same run, call and prompt cost one call, in whatever way they come again and whoever has left."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from rlm_core.types import Message, Reply
from rlm_server.assets import Assets
from rlm_server.calls.in_flight import IdempotencyKey, InFlight
from rlm_server.calls.reply_store import Store
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.providers.upstream import Pieces
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, openai_turn, reply_turn, streamed_turn
from tests.server.test_access import Lines, lines, next_line

__all__ = ["lines"]
Ask = Callable[..., list[str]]


@pytest.fixture(scope="module")
def url(running_upstream: FakeUpstream, assets: Assets) -> Iterator[str]:
    """A server that waits long for its upstream."""
    settings = settings_for(running_upstream, first_byte_seconds=60, total_seconds=60)
    with serving(create_app(settings, assets=assets), drain_seconds=0) as url:
        yield url


@pytest.fixture
def caller(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=10) as client:
        yield client


def numbered(upstream: FakeUpstream) -> None:
    """Make each answer differ from all before."""
    numbers = itertools.count(1)

    def answer(seen: Seen) -> Turn:
        text = f"{next(numbers)}: {prompt_of(seen)}"
        return openai_turn(seen, text[:2], text[2:])

    upstream.answer = answer


def prompt_of(seen: Seen) -> str:
    messages = seen.json()["messages"]
    assert isinstance(messages, list)
    return str(messages[-1]["content"])


def post(client: httpx2.Client, key: str | None, **body: object) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/api/rlm", json={"model": "openai:m", **body}, headers=headers)


def whole(client: httpx2.Client, key: str | None, prompt: str) -> str:
    return str(post(client, key, prompt=prompt).json()["text"])


def streamed(client: httpx2.Client, key: str | None, prompt: str) -> str:
    events = post(client, key, prompt=prompt, stream=True).text.split("\n\n")
    *deltas, end = [json.loads(event.removeprefix("data: ")) for event in events if event]
    assert end["done"] is True
    return "".join(delta["delta"] for delta in deltas)


def batch(client: httpx2.Client, key: str | None, prompt: str) -> str:
    return str(post(client, key, type="batch", prompts=[prompt]).json()["results"][0])


def streamed_batch(client: httpx2.Client, key: str | None, prompt: str) -> str:
    response = post(client, key, type="batch", prompts=[prompt], stream=True)
    return str(json.loads(response.text.splitlines()[0])["text"])


WAYS = [whole, streamed, batch, streamed_batch]


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_the_same_call_is_paid_for_once_in_whatever_way_it_is_asked(
    caller: httpx2.Client,
    upstream: FakeUpstream,
    first: Callable[..., str],
    second: Callable[..., str],
    request: pytest.FixtureRequest,
) -> None:
    numbered(upstream)
    key = f"run-{abs(hash(request.node.name))}/0"
    assert first(caller, key, "a") == second(caller, key, "a") == first(caller, key, "a") == "1: a"
    assert len(upstream.seen) == 1


def test_usage_is_told_again_with_the_reply(caller: httpx2.Client, upstream: FakeUpstream) -> None:
    numbered(upstream)
    replies = [post(caller, "run-usage/0", prompt="a").json() for _ in range(2)]
    assert replies[1] == {**replies[0], "from_store": True}
    assert replies[0]["usage"]["input_tokens"] == 7


def test_a_reply_from_the_store_is_told_apart_in_each_shape(caller: httpx2.Client, upstream: FakeUpstream) -> None:
    numbered(upstream)
    batch = {"type": "batch", "prompts": ["a", "b"]}
    first = [post(caller, "run-apart/0", **batch).json() for _ in range(2)]
    assert [reply.get("from_store") for reply in first] == [None, [0, 1]]
    stream = post(caller, "run-apart/0", **batch, stream=True).text.splitlines()
    items = [json.loads(line) for line in stream if line]
    assert [item.get("from_store") for item in items] == [True, True, None]
    events = [post(caller, "run-apart/1", prompt="a", stream=True).text.strip().split("\n\n")[-1] for _ in range(2)]
    assert [json.loads(event.removeprefix("data: ")).get("from_store") for event in events] == [None, True]
    assert len(upstream.seen) == 3


@pytest.mark.parametrize(
    ("key", "prompt", "model"),
    [(None, "a", "openai:m"), ("r/1", "a", "openai:m"), ("s/0", "a", "openai:m"), ("r/0", "b", "openai:m")],
)
def test_another_call_is_another_call(
    caller: httpx2.Client, upstream: FakeUpstream, key: str | None, prompt: str, model: str
) -> None:
    numbered(upstream)
    whole(caller, "r/0", "a")
    before = len(upstream.seen)
    whole(caller, key, prompt)
    assert len(upstream.seen) == before + 1


def test_a_conversation_is_told_apart_by_every_message_and_the_model() -> None:
    key = IdempotencyKey("r", "0")
    asked = [
        (Message("user", "ab"),),
        (Message("user", "a"), Message("user", "b")),
        (Message("system", "ab"),),
        (Message("system", "a"), Message("user", "b")),
        (Message("user", "a\ud800"),),
    ]
    keys = {key.digest(model, messages, nth) for model in ("x", "y") for messages in asked for nth in (0, 1)}
    assert len(keys) == 20


def test_a_failure_is_not_kept(caller: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(Turn(status=401), reply_turn())
    statuses = [post(caller, "run-failed/0", prompt="a").status_code for _ in range(3)]
    assert statuses == [502, 200, 200]
    assert len(upstream.seen) == 2


def test_equal_prompts_of_a_batch_are_calls_of_their_own(caller: httpx2.Client, upstream: FakeUpstream) -> None:
    numbered(upstream)
    prompts = ["a", "a", "b", "a"]
    first = post(caller, "run-equal/0", type="batch", prompts=prompts).json()["results"]
    assert len(set(first)) == len(upstream.seen) == 4
    assert post(caller, "run-equal/0", type="batch", prompts=prompts).json()["results"] == first
    assert post(caller, "run-equal/0", type="batch", prompts=["b", "a"]).json()["results"] == [first[2], first[0]]
    assert post(caller, "run-equal/0", type="batch", prompts=["a", "b"], nth=[2, 0]).json()["results"] == first[3:1:-1]
    assert len(upstream.seen) == 4


def test_a_batch_that_failed_in_part_pays_for_the_rest_alone(caller: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: Turn(status=401) if prompt_of(seen) == "b" else reply_turn("ok")
    assert post(caller, "run-part/0", type="batch", prompts=["a", "b", "c"]).json()["results"] == ["ok", None, "ok"]
    numbered(upstream)
    assert post(caller, "run-part/0", type="batch", prompts=["a", "b", "c"]).json()["results"] == ["ok", "1: b", "ok"]


BAD_KEYS = [
    "",
    "run",
    "/",
    "run/",
    "/call",
    "r un/0",
    "run/0;",
    "r" * 65 + "/0",
    "r/" + "c" * 129,
    "r\u00fcn/0",
    "a/b,c/d",
]


@pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_a_header_that_is_no_key_is_refused(caller: httpx2.Client, upstream: FakeUpstream, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode())]
    response = caller.post("/api/rlm", json={"prompt": "a", "model": "openai:m"}, headers=headers)
    assert (response.status_code, response.json()["type"]) == (400, "/problems/invalid-request")
    assert "Idempotency-Key: <run>/<call>" in response.json()["detail"]
    assert upstream.seen == []


def test_two_headers_are_refused(caller: httpx2.Client, upstream: FakeUpstream) -> None:
    headers = [("Idempotency-Key", "a/0"), ("Idempotency-Key", "a/0")]
    assert caller.post("/api/rlm", json={"prompt": "a"}, headers=headers).status_code == 400
    assert upstream.seen == []


@pytest.mark.parametrize("ways", [(True, True), (True, False), (False, True), (False, False)])
def test_calls_under_way_are_joined(ways: tuple[bool, bool]) -> None:
    calls = 0

    async def call(in_pieces: bool, go: asyncio.Event) -> Pieces:
        nonlocal calls
        calls += 1
        if in_pieces:
            yield "Pa"
        await go.wait()
        yield Reply("Paris")

    async def pieces(in_flight: InFlight, go: asyncio.Event, in_pieces: bool) -> list[str | Reply]:
        return [piece async for piece in in_flight.join(b"k", lambda: call(in_pieces, go))]

    async def ask_20() -> list[list[str | Reply]]:
        go = asyncio.Event()
        with closing(Store(None, max_bytes=1000, max_seconds=60)) as store:
            in_flight = InFlight(store)
            tasks = [asyncio.create_task(pieces(in_flight, go, ways[number % 2])) for number in range(20)]
            asyncio.get_running_loop().call_later(0.02, go.set)
            return await asyncio.gather(*tasks)

    for given in asyncio.run(ask_20()):
        assert given[-1] == Reply("Paris")
        assert "".join(piece for piece in given if isinstance(piece, str)) == "Paris"
    assert calls == 1


def leave(url: str, upstream: FakeUpstream, lines: Lines, key: str, *, calls: int = 1, **body: object) -> None:
    """Ask, go away when `calls` calls are upstream, and wait until the server has seen it."""
    host = url.removeprefix("http://")
    name, _, port = host.partition(":")
    content = json.dumps({"model": "openai:m", **body})
    head = f"POST /api/rlm HTTP/1.1\r\nHost: {host}\r\nOrigin: {url}\r\nIdempotency-Key: {key}\r\n"
    with socket.create_connection((name, int(port)), timeout=5) as connection:
        length = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(f"{head}{length}{content}".encode())
        for _ in range(calls):
            assert upstream.arrived.acquire(timeout=5)
    assert next_line(lines)["path"] == "/api/rlm"


@pytest.mark.parametrize("stream", [False, True])
def test_a_kept_call_goes_on_when_its_client_leaves(
    url: str, caller: httpx2.Client, upstream: FakeUpstream, lines: Lines, stream: bool
) -> None:
    whole_turn = reply_turn("Paris", held=True)
    upstream.script(streamed_turn("openai", "Pa", "ris", held=True) if stream else whole_turn)
    key = f"run-left-{stream}/0"
    leave(url, upstream, lines, key, prompt="a", stream=stream)
    upstream.release()
    assert whole(caller, key, "a") == streamed(caller, key, "a") == "Paris"
    assert len(upstream.seen) == 1
    assert not upstream.abandoned.acquire(blocking=False)


def test_of_a_batch_that_is_left_only_what_was_sent_goes_on(
    url: str, caller: httpx2.Client, upstream: FakeUpstream, lines: Lines
) -> None:
    upstream.script(reply_turn("ok", held=True))
    prompts = [f"prompt {number}" for number in range(70)]
    leave(url, upstream, lines, "run-batch/0", calls=64, type="batch", prompts=prompts)
    assert len(upstream.seen) == 64
    upstream.release()
    assert post(caller, "run-batch/0", type="batch", prompts=prompts).json()["results"] == ["ok"] * 70
    assert len(upstream.seen) == 70


@pytest.mark.slow
@pytest.mark.parametrize("in_file", [True, False])
def test_the_file_outlives_the_server_and_holds_no_prompt(
    upstream: FakeUpstream, assets: Assets, tmp_path: Path, in_file: bool
) -> None:
    numbered(upstream)
    settings = settings_for(upstream, store_path=tmp_path / "store" if in_file else None)
    texts = []
    for _ in range(2):
        with (
            serving(create_app(settings, assets=assets), drain_seconds=0) as url,
            httpx2.Client(base_url=url) as client,
        ):
            client.headers["Origin"] = url
            texts.append(whole(client, "run-file/call-7", "private-words")[:2])
    assert texts == (["1:", "1:"] if in_file else ["1:", "2:"])
    upstream.answer = lambda seen: reply_turn("kept words")
    with serving(create_app(settings, assets=assets), drain_seconds=0) as url, httpx2.Client(base_url=url) as client:
        client.headers["Origin"] = url
        whole(client, "run-file/call-8", "private-words-again")
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert (b"kept words" in content) is in_file
    for word in (b"private-words-again", b"run-file", b"call-8"):
        assert word not in content
