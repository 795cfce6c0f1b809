"""`POST /api/rlm/cancel`: the user's stop ends a call upstream that its idempotency key protects from anything else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest

from rlm_server.assets import Assets
from tests.server.conftest import client_of, settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, events_turn, openai_deltas

KEY = {"Idempotency-Key": "r/1"}
BEGUN = events_turn(*openai_deltas("Pa")[:1], hang=True)


@pytest.fixture
def slow(upstream: FakeUpstream, assets: Assets) -> Iterator[httpx2.Client]:
    settings = settings_for(upstream, first_byte_seconds=60, total_seconds=60, concurrency=2)
    with client_of(settings, assets, timeout=30) as client:
        yield client


def post_apart(client: httpx2.Client, body: dict[str, object]) -> tuple[threading.Thread, list[httpx2.Response]]:
    responses: list[httpx2.Response] = []
    json_body = {"model": "openai:m", **body}
    thread = threading.Thread(
        target=lambda: responses.append(client.post("/api/rlm", json=json_body, headers=KEY)), daemon=True
    )
    thread.start()
    return thread, responses


def cancel(client: httpx2.Client, key: object = "r/1") -> httpx2.Response:
    return client.post("/api/rlm/cancel", json={"key": key})


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_ends_the_call_upstream_at_once(slow: httpx2.Client, upstream: FakeUpstream, stream: bool) -> None:
    upstream.script(BEGUN)
    thread, responses = post_apart(slow, {"prompt": "q", "stream": stream})
    assert upstream.arrived.acquire(timeout=10)
    began = time.monotonic()
    assert cancel(slow).json() == {"cancelled": 1}
    assert upstream.abandoned.acquire(timeout=20)
    thread.join(20)
    assert time.monotonic() - began < 20  # of the 60 s that the call may take
    problem = json.loads(responses[0].text.split("data: ")[-1])["error"] if stream else responses[0].json()
    assert (problem["type"], problem["retryable"]) == ("/problems/stopped", False)


def test_a_stop_also_ends_what_its_batch_had_not_begun(slow: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(BEGUN)
    thread, responses = post_apart(slow, {"type": "batch", "prompts": [str(number) for number in range(20)]})
    for _ in range(2):
        assert upstream.arrived.acquire(timeout=10)
    assert cancel(slow).json() == {"cancelled": 2}
    thread.join(10)
    assert len(upstream.seen) == 2
    assert {error["type"] for error in responses[0].json()["errors"]} == {"/problems/stopped"}
    assert len(responses[0].json()["errors"]) == 20


def test_the_same_call_can_be_made_again_after_a_stop(slow: httpx2.Client, upstream: FakeUpstream) -> None:
    def answer(seen: Seen) -> Turn:
        return BEGUN if len(upstream.seen) == 1 else events_turn(*openai_deltas("Paris"))

    upstream.answer = answer
    thread, _ = post_apart(slow, {"prompt": "q"})
    assert upstream.arrived.acquire(timeout=10)
    cancel(slow)
    thread.join(10)
    again = slow.post("/api/rlm", json={"prompt": "q", "model": "openai:m"}, headers=KEY)
    assert again.json()["text"] == "Paris"


def test_a_lost_connection_stops_nothing_and_another_key_neither(slow: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(events_turn(*openai_deltas("Pa", "ris"), held=True))
    with pytest.raises(httpx2.TimeoutException):
        slow.post("/api/rlm", json={"prompt": "q", "model": "openai:m"}, headers=KEY, timeout=0.5)
    assert cancel(slow, "r/2").json() == {"cancelled": 0}
    upstream.release()
    kept = slow.post("/api/rlm", json={"prompt": "q", "model": "openai:m"}, headers=KEY)
    assert (kept.json()["text"], len(upstream.seen)) == ("Paris", 1)


@pytest.mark.parametrize("body", [{}, [], {"key": 5}, {"key": "r"}, {"key": "r/1", "more": 1}, {"key": "a b/1"}])
def test_a_key_that_is_none_is_refused(client: httpx2.Client, body: object) -> None:
    response = client.post("/api/rlm/cancel", json=body)
    assert (response.status_code, response.json()["type"]) == (400, "/problems/invalid-request")


def test_a_page_that_may_not_call_may_not_stop_either(client: httpx2.Client) -> None:
    response = client.post("/api/rlm/cancel", json={"key": "r/1"}, headers={"Origin": "https://evil.example"})
    assert response.status_code == 403
