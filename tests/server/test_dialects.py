"""Both dialects, whole and streamed, through the real server against the fake upstream."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import httpx2
import pytest

from tests.server.conftest import PLANTED_KEY
from tests.server.fake_upstream import (
    FakeUpstream,
    Turn,
    anthropic_deltas,
    anthropic_reply,
    events_turn,
    json_turn,
    openai_deltas,
    openai_reply,
    usage_of,
)

REPLIES: dict[str, Callable[..., dict[str, object]]] = {"openai": openai_reply, "anthropic": anthropic_reply}
DELTAS: dict[str, Callable[..., list[object]]] = {"openai": openai_deltas, "anthropic": anthropic_deltas}
TOKENS = {"openai": 7, "anthropic": 10}
CACHED: dict[str, dict[str, float]] = {"openai": {}, "anthropic": {"cached_tokens": 3}}
both = pytest.mark.parametrize("provider", ["openai", "anthropic"])


def ask(client: httpx2.Client, provider: str, **more: object) -> httpx2.Response:
    return client.post("/api/rlm", json={"prompt": "Capital of France?", "model": f"{provider}:m", **more})


def plain(content: object) -> object:
    """The text of a turn that may be marked for the vendor's cache."""
    return content[0]["text"] if isinstance(content, list) else content


def events_of(response: httpx2.Response) -> list[dict[str, object]]:
    return [json.loads(line.removeprefix("data: ")) for line in response.text.split("\n\n") if line]


@both
def test_a_whole_reply_is_text_model_and_usage(client: httpx2.Client, upstream: FakeUpstream, provider: str) -> None:
    upstream.script(json_turn(REPLIES[provider]("Paris \ud83d\ude00")))
    usage = usage_of(1, TOKENS[provider], 2, **CACHED[provider])
    expected = {"text": "Paris \N{GRINNING FACE}", "model": f"{provider}:m", "finish_reason": "stop", "usage": usage}
    response = ask(client, provider)
    assert (response.status_code, response.json()) == (200, expected)


@both
def test_pieces_are_passed_on_and_then_the_end(client: httpx2.Client, upstream: FakeUpstream, provider: str) -> None:
    upstream.script(events_turn(*DELTAS[provider]("Pa", "", "ris\n")))
    response = ask(client, provider, stream=True)
    usage = usage_of(1, TOKENS[provider], 2)
    end = {"done": True, "model": f"{provider}:m", "finish_reason": "stop", "usage": usage}
    assert response.headers["content-type"].startswith("text/event-stream")
    assert events_of(response) == [{"delta": "Pa"}, {"delta": "ris\n"}, end]


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 5}}, {"cached_tokens": 5}),
        ({"cost": 0.0125}, {"cost": 0.0125}),
        ({"cost": 0}, {"cost": 0.0}),
        ({"cost": -1, "prompt_tokens_details": {"cached_tokens": "5"}}, {}),
        ({"cost": "free", "prompt_tokens_details": [5]}, {}),
        ({"cost": None, "prompt_tokens_details": None}, {}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_cost_and_cached_tokens_are_passed_on_or_unknown(
    client: httpx2.Client, upstream: FakeUpstream, told: dict[str, object], known: dict[str, float], stream: bool
) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, **told}
    whole = openai_reply(usage=usage)
    events = [*openai_deltas("a")[:-2], {"choices": [], "usage": usage}, "[DONE]"]
    upstream.script(events_turn(*events) if stream else json_turn(whole))
    response = ask(client, "openai", stream=stream)
    said = events_of(response)[-1]["usage"] if stream else response.json()["usage"]
    assert said == usage_of(1, 7, 2, **known)


@both
def test_pieces_may_be_split_at_any_byte(client: httpx2.Client, upstream: FakeUpstream, provider: str) -> None:
    whole = b"".join(events_turn(*DELTAS[provider]("h\u00e9", "\u20ac", "\r\n")).chunks).replace(b"\n", b"\r\n")
    chunks = tuple(whole[at : at + 1] for at in range(len(whole)))
    upstream.script(Turn(headers={"Content-Type": "text/event-stream"}, chunks=chunks))
    pieces = [event.get("delta", "") for event in events_of(ask(client, provider, stream=True))]
    assert "".join(map(str, pieces)) == "h\u00e9\u20ac\r\n"


@both
def test_an_upstream_that_does_not_stream_is_read_whole(
    client: httpx2.Client, upstream: FakeUpstream, provider: str
) -> None:
    upstream.script(json_turn(REPLIES[provider]()))
    assert [event.get("delta") for event in events_of(ask(client, provider, stream=True))] == ["Paris", None]


@both
def test_a_gzipped_reply_is_read(client: httpx2.Client, upstream: FakeUpstream, provider: str) -> None:
    body = gzip.compress(json.dumps(REPLIES[provider]()).encode())
    upstream.script(Turn(headers={"Content-Encoding": "gzip"}, chunks=(body,)))
    assert ask(client, provider).json()["text"] == "Paris"


@pytest.mark.slow
@both
def test_a_gzip_bomb_is_cut_at_the_limit(client: httpx2.Client, upstream: FakeUpstream, provider: str) -> None:
    body = gzip.compress(b" " * 50_000_000)
    upstream.script(Turn(headers={"Content-Encoding": "gzip"}, chunks=(body,)))
    response = ask(client, provider)
    assert response.status_code == 502
    assert "larger than 65,536 bytes" in response.json()["detail"]


@both
@pytest.mark.parametrize("stream", [False, True])
def test_neighbours_of_one_role_are_sent_as_one_turn(
    client: httpx2.Client, upstream: FakeUpstream, provider: str, stream: bool
) -> None:
    upstream.script(events_turn(*DELTAS[provider]("ok")) if stream else json_turn(REPLIES[provider]("ok")))
    spoken = [("system", "s"), ("user", "q"), ("assistant", "a"), ("user", "Output: 7"), ("user", "Answer now.")]
    messages = [{"role": role, "content": content} for role, content in spoken]
    ask_with = {"messages": messages, "model": f"{provider}:m", "stream": stream}
    assert client.post("/api/rlm", json=ask_with).status_code == 200
    sent = [turn for turn in upstream.seen[0].json()["messages"] if turn["role"] != "system"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "user"]
    assert plain(sent[-1]["content"]) == "Output: 7\n\nAnswer now."


def test_openai_is_sent_the_messages_the_model_and_the_key(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(json_turn(openai_reply()))
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "lone \ud800"}]
    body = json.dumps({"messages": messages, "model": "openai:m"})
    client.post("/api/rlm", content=body, headers={"Content-Type": "application/json"})
    [seen] = upstream.seen
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.headers["authorization"] == f"Bearer {PLANTED_KEY}"
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    assert seen.json() == {"model": "m", "messages": messages, **streamed}


def test_openai_is_asked_for_usage_when_streaming(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(events_turn(*openai_deltas("x")))
    ask(client, "openai", stream=True)
    [seen] = upstream.seen
    assert (seen.json()["stream"], seen.json()["stream_options"]) == (True, {"include_usage": True})


def test_anthropic_is_sent_its_own_shape(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(json_turn(anthropic_reply()))
    turns = [("system", "s"), ("user", "a"), ("user", "b"), ("assistant", ""), ("assistant", "c"), ("user", "d")]
    messages = [{"role": role, "content": content} for role, content in turns]
    client.post("/api/rlm", json={"messages": messages, "model": "anthropic:m"})
    [seen] = upstream.seen
    assert (seen.path, seen.headers["x-api-key"]) == ("/v1/messages", PLANTED_KEY)
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in seen.headers
    assert seen.json() == {
        "model": "m",
        "max_tokens": 8192,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "a\n\nb"},
            {"role": "assistant", "content": "c"},
            {"role": "user", "content": [{"type": "text", "text": "d", "cache_control": {"type": "ephemeral"}}]},
        ],
        "stream": True,
    }


def test_openai_text_parts_are_joined_and_a_refusal_is_text(client: httpx2.Client, upstream: FakeUpstream) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    refusal = {"choices": [{"message": {"content": None, "refusal": "I cannot."}}]}
    upstream.script(json_turn(openai_reply(parts)), json_turn(refusal))
    assert [ask(client, "openai").json()["text"] for _ in range(2)] == ["ab", "I cannot."]


def test_anthropic_thinking_is_not_text(client: httpx2.Client, upstream: FakeUpstream) -> None:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Paris"}]
    upstream.script(json_turn({"content": content}))
    assert ask(client, "anthropic").json()["text"] == "Paris"


def test_usage_that_is_nonsense_counts_as_zero(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.script(json_turn(openai_reply(usage={"prompt_tokens": -1, "completion_tokens": "many"})))
    assert ask(client, "openai").json()["usage"] == usage_of(1, 0, 0)


@both
def test_a_stream_that_is_cut_off_ends_in_an_error_after_its_pieces(
    client: httpx2.Client, upstream: FakeUpstream, provider: str
) -> None:
    upstream.script(events_turn(*DELTAS[provider]("Pa", "ris")[:4], cut=True))
    *_, last = events_of(ask(client, provider, stream=True))
    error = last["error"]
    assert isinstance(error, dict)
    assert (error["type"], error["upstream"]) == ("/problems/upstream-cut-off", provider)
    assert len(upstream.seen) == 1


@both
def test_a_stream_that_ends_cleanly_without_its_last_event_is_whole_for_an_unknown_reason(
    client: httpx2.Client, upstream: FakeUpstream, provider: str
) -> None:
    whole = {"openai": openai_deltas("Pa", "ris")[:2], "anthropic": anthropic_deltas("Pa", "ris")[:4]}[provider]
    upstream.script(events_turn(*whole))
    *pieces, last = events_of(ask(client, provider, stream=True))
    assert "".join(str(piece["delta"]) for piece in pieces) == "Paris"
    assert (last["done"], last["finish_reason"]) == (True, None)


@both
def test_a_stream_whose_end_nothing_marks_is_cut_off(
    client: httpx2.Client, upstream: FakeUpstream, provider: str
) -> None:
    whole = {"openai": openai_deltas("Pa", "ris")[:2], "anthropic": anthropic_deltas("Pa", "ris")[:4]}[provider]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    upstream.script(Turn(raw=head + b"".join(events_turn(*whole).chunks)))
    *_, last = events_of(ask(client, provider, stream=True))
    assert last["error"]["type"] == "/problems/upstream-cut-off"  # type: ignore[index]


@both
def test_an_error_inside_a_stream_is_said_without_its_words(
    patient: httpx2.Client, upstream: FakeUpstream, provider: str
) -> None:
    fault = {"type": "error", "error": {"type": "overloaded_error", "message": "secret words"}}
    upstream.script(events_turn(*DELTAS[provider]("Pa")[:-4], fault))
    response = ask(patient, provider, stream=True)
    assert events_of(response)[-1]["error"]["type"] == "/problems/upstream-failed"  # type: ignore[index]
    assert "secret words" not in response.text


REASONED: dict[str, list[object]] = {
    "openai": [{"choices": [{"delta": {"reasoning_content": "hm"}}]}, *openai_deltas("Paris")],
    "anthropic": [
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
        *anthropic_deltas("Paris"),
    ],
}


@both
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "reasoned/1"}])
def test_reasoning_is_streamed_apart_from_the_text(
    client: httpx2.Client, upstream: FakeUpstream, provider: str, headers: dict[str, str]
) -> None:
    upstream.script(events_turn(*REASONED[provider]))
    body = {"prompt": provider, "model": f"{provider}:m", "stream": True}
    *pieces, end = events_of(client.post("/api/rlm", json=body, headers=headers))
    assert pieces == [{"reasoning": "hm"}, {"delta": "Paris"}]
    assert end["done"]
    whole = client.post("/api/rlm", json={**body, "stream": False}, headers=headers).json()
    assert (whole["text"], whole.get("reasoning")) == ("Paris", "hm")
