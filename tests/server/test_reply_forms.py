"""Servers that speak a little differently: each form of a reply, read through the real provider."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Sequence

import pytest

from rlm_core.types import Message, Reply
from rlm_server.calls.registry import open_registry
from rlm_server.providers.failures import failure_in
from rlm_server.providers.reply_forms import part_of, plain_part
from rlm_server.providers.upstream import Reasoning, UpstreamCall, UpstreamError
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, events_turn, json_turn

COUNTS = {"prompt_tokens": 111, "completion_tokens": 22}
SSE = {"Content-Type": "text/event-stream"}


def reply_of(upstream: FakeUpstream, turn: Turn, model: str = "openai:m") -> tuple[Reply, list[str]]:
    upstream.script(turn)

    async def call() -> tuple[Reply, list[str]]:
        slow = {"first_byte_seconds": 20.0, "total_seconds": 20.0, "ollama_base_url": upstream.url}
        async with open_registry(settings_for(upstream, models="", **slow)) as registry:
            answerer, name = await registry.find(model)
            pieces: list[str | Reply] = [
                piece async for piece in answerer.stream(UpstreamCall((Message("user", "q"),), name))
            ]
        reply = pieces.pop()
        assert isinstance(reply, Reply)
        return reply, [piece for piece in pieces if isinstance(piece, str)]

    return asyncio.run(call())


def chunk(delta: object, finish: str | None = None, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def text_chunks(*texts: str) -> list[dict[str, object]]:
    return [chunk({"content": text}) for text in texts]


def sse(events: Sequence[object], end: str = "\n\n", start: str = "data: ", **more: object) -> Turn:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return Turn(chunks=tuple((start + text + end).encode() for text in texts), **{"headers": SSE, **more})  # type: ignore[arg-type]


PIECES = text_chunks("Pa", "ris")
END = [chunk({}, "stop"), {"choices": [], "usage": COUNTS}, "[DONE]"]
READ = {
    "as documented": sse([*PIECES, *END]),
    "CRLF, no space, names and ids": sse([*PIECES, *END], "\r\n\r\n", "id: 7\r\nevent: message\r\ndata:"),
    "CR": sse([*PIECES, *END], "\r\r"),
    "no blank lines": sse([*PIECES, *END], "\n"),
    "labelled JSON": sse([*PIECES, *END], headers={"Content-Type": "application/json"}),
    "labelled text": sse([*PIECES, *END], headers={"Content-Type": "text/plain; charset=utf-8"}),
    "not labelled": sse([*PIECES, *END], headers={"Content-Type": "application/octet-stream"}),
    "empty data": sse(["", *PIECES, "", *END]),
    "data like comments": sse([": PROCESSING", *PIECES, "ping", *END]),
    "no [DONE]": sse([*PIECES, *END[:-1]]),
    "finish reason in every event": sse(
        [chunk({"content": "Pa"}, "stop"), chunk({"content": "ris"}, "stop"), *END[1:]]
    ),
    "empty finish reason": sse([chunk({"content": "Paris"}, ""), *END]),
    "unasked whole": json_turn(
        {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}], "usage": COUNTS}
    ),
    "text parts with thinking among them": sse(
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "FINAL(7)"}]}]}),
            chunk({"content": [{"type": "text", "text": "Paris"}]}),
            *END,
        ]
    ),
    "reasoning beside": sse([chunk({"content": None, "reasoning_content": "hm", "reasoning": "hm"}), *PIECES, *END]),
    "text in the reasoning field only": sse([chunk({"content": None, "reasoning_content": "Paris"}), *END]),
    "the counts as text": sse([*PIECES, chunk({}, "stop", usage={"prompt_tokens": "111", "completion_tokens": "22"})]),
    "thoughts in the total alone": sse(
        [*PIECES, chunk({}, "stop", usage={"prompt_tokens": 111, "completion_tokens": 2, "total_tokens": 133})]
    ),
    "zeros behind the counts": sse(
        [
            *PIECES,
            chunk({}, "stop", usage=COUNTS),
            {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}},
        ]
    ),
    "counts in another case": sse([*PIECES, chunk({}, "stop", usage={"promptTokens": 111, "completionTokens": 22})]),
    "parts without a type": sse([chunk({"content": [{"text": "Paris"}]}), *END]),
    "content that is one part": sse([chunk({"content": {"type": "text", "text": "Paris"}}), *END]),
    "two replies in turn": sse(
        [
            chunk({"content": "Pa"}),
            {"choices": [{"index": 1, "delta": {"content": "Lon"}}]},
            {"choices": [{"index": 0, "delta": {"content": "ris"}}]},
            {"choices": [{"index": 1, "delta": {"content": "don"}, "finish_reason": "length"}]},
            *END,
        ]
    ),
    "two replies in one event": sse(
        [{"choices": [{"index": 1, "delta": {"content": "London"}}, {"index": 0, "delta": {"content": "Paris"}}]}, *END]
    ),
    "without its number": sse([{"choices": [{"delta": {"content": "Paris"}}]}, *END]),
    "all so far beside each piece": sse(
        [
            {"choices": [{"delta": {"content": "Pa"}, "message": {"content": "Pa"}}]},
            {"choices": [{"delta": {"content": "ris"}, "message": {"content": "Paris"}}]},
            {"choices": [{"delta": {"content": ""}, "message": {"content": "Paris"}, "finish_reason": "stop"}]},
            *END[1:],
        ]
    ),
    "thoughts marked beside": sse(
        [chunk({"content": "FINAL(7)", "extra_content": {"google": {"thought": True}}}), *PIECES, *END]
    ),
    "thoughts in other fields": sse([chunk({"thinking": "hm"}), chunk({"reasoning_text": "hm"}), *PIECES, *END]),
    "probabilities that are no JSON": Turn(
        chunks=(
            b'data: {"choices":[{"delta":{"content":"Paris"},"logprobs":[NaN,-Infinity]}]}\n\n',
            *sse(END).chunks,
        ),
        headers=SSE,
    ),
    "signs of life with values": sse(['"hb"', "[]", "1764", *PIECES, *END], start="event: ping\ndata: ", end="\n\n"),
    "signs of life with objects": sse(['{"at": 1764}', *PIECES, *END], start="event: heartbeat\ndata: "),
    "no JSON behind the end, all at once": Turn(
        chunks=(b"".join(sse([*PIECES, *END, '{"a":']).chunks),),
        headers=SSE,
    ),
    "wrapped once more": sse([*PIECES, *END], start="data: data: "),
    "indented": sse([*PIECES, *END], start=" data: "),
    "capitals": sse([*PIECES, *END], start="Data: "),
    "[done]": sse([*PIECES, *END[:-1], "[done]"]),
    "status 201": sse([*PIECES, *END], status=201),
    "gzip, each event by itself": Turn(
        chunks=tuple(map(gzip.compress, sse([*PIECES, *END]).chunks)),
        headers={**SSE, "Content-Encoding": "x-gzip"},
    ),
    "usage in choices": sse([*PIECES, {"choices": [{"delta": {}, "finish_reason": "stop", "usage": COUNTS}]}]),
    "usage in x_groq": sse([*PIECES, chunk({}, "stop", x_groq={"usage": COUNTS})]),
    "usage as floats": sse([*PIECES, chunk({}, "stop", usage={"prompt_tokens": 111.0, "completion_tokens": 22.0})]),
    "usage in each, null last": sse([*(chunk({"content": "Paris"}, usage=COUNTS),), chunk({}, "stop", usage=None)]),
    "text as a value of its part": sse([chunk({"content": [{"type": "text", "text": {"value": "Paris"}}]}), *END]),
    "parts of another vendor": sse([chunk({"content": {"parts": [{"text": "Pa"}, {"text": "ris"}]}}), *END]),
    "text beside the delta's content": sse([chunk({"text": "Paris"}), *END]),
    "the whole message once more": sse(
        [*PIECES, {"choices": [{"delta": {}, "message": {"content": "Paris"}, "finish_reason": "stop"}]}, *END[1:]]
    ),
    "the whole reply once more": sse(
        [
            *PIECES,
            {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}], "usage": COUNTS},
            "[DONE]",
        ]
    ),
    "messages in place of deltas": sse(
        [{"choices": [{"message": {"content": "Pa"}}]}, {"choices": [{"message": {"content": "ris"}}]}, *END]
    ),
    "numbers as text": sse(
        [
            {"choices": [{"index": "0", "delta": {"content": "Paris"}}]},
            {"choices": [{"index": "1", "delta": {"content": "London"}}]},
            *END,
        ]
    ),
    "a null among the choices": sse([{"choices": [None]}, *PIECES, *END]),
    "a space before the colon": sse([*PIECES, *END], start="data : "),
    "wrapped twice more": sse([*PIECES, *END], start="data: data: data: "),
    "[DONE] without data": Turn(chunks=(*sse([*PIECES, *END[:-1]]).chunks, b"[DONE]\n\n"), headers=SSE),
    "half of [DONE]": Turn(chunks=(*sse([*PIECES, *END[:-1]]).chunks, b"data: [DO"), headers=SSE),
    "half an event behind the end": Turn(chunks=(*sse([*PIECES, *END[:-1]]).chunks, b'data: {"id'), headers=SSE),
    "chunks that break off behind the end": Turn(
        raw=b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in sse([*PIECES, *END[:-1]]).chunks)
        + b"10\r\ndata: [DO",
    ),
    "a line end in a string": Turn(
        chunks=(
            b'{"choices":[{"message":{"content":"Paris"},"finish_reason":"stop"}],',
            b'"usage":{"prompt_tokens":111,"completion_tokens":22},"note":"a\nb"}',
        ),
        headers={"Content-Type": "application/json"},
    ),
    "counts by input and output": sse([*PIECES, chunk({}, "stop", usage={"inputTokens": 111, "outputTokens": 22})]),
    "counts of candidates": sse(
        [*PIECES, chunk({}, "stop", usageMetadata={"promptTokenCount": 111, "candidatesTokenCount": 22})]
    ),
    "counts of tokens apart": sse(
        [*PIECES, chunk({}, "stop", usage={"tokens": {"input_tokens": 111, "output_tokens": 22}})]
    ),
    "counts of a proxy, with those of its cache": sse(
        [
            *PIECES,
            chunk({}, "stop", usage={**COUNTS, "cache_read_input_tokens": 11, "cache_creation_input_tokens": 5}),
        ]
    ),
    "a finish reason that is null in words": sse([chunk({"content": "Paris"}, "null"), *END]),
    "Anthropic's names of usage": sse([*PIECES, chunk({}, "stop", usage={"input_tokens": 111, "output_tokens": 22})]),
}


@pytest.mark.parametrize("turn", READ.values(), ids=READ.keys())
def test_every_form_of_a_reply_is_read(upstream: FakeUpstream, turn: Turn) -> None:
    reply, pieces = reply_of(upstream, turn)
    text = "".join(piece for piece in pieces if not isinstance(piece, Reasoning))
    assert (reply.text, text, reply.finish_reason) == ("Paris", "Paris", "stop")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (111, 22)


THOUGHTS: dict[str, dict[str, object]] = {
    "a list": {"reasoning_content": [{"type": "text", "text": "hm"}]},
    "an object": {"reasoning": {"content": "hm"}},
    "details": {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
    "a summary in details": {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
    "a summary in a part": {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]},
    "thinking_content": {"thinking_content": "hm"},
    "thoughts": {"thoughts": "hm"},
    "details beside": {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
}


@pytest.mark.parametrize("delta", THOUGHTS.values(), ids=THOUGHTS.keys())
def test_reasoning_is_read_in_every_form_and_is_no_text(upstream: FakeUpstream, delta: dict[str, object]) -> None:
    reply, pieces = reply_of(upstream, sse([chunk(delta), *PIECES, *END]))
    assert (reply.text, reply.reasoning) == ("Paris", "hm")
    assert [piece for piece in pieces if isinstance(piece, Reasoning)] == ["hm"]


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning_details": [{"type": "reasoning.text", "text": "Paris"}]}],
        [{"reasoning_content": "Paris"}, {"content": "\n\n"}],
    ],
    ids=["details", "beside blank text"],
)
def test_a_reply_that_stands_in_the_reasoning_alone_is_read(upstream: FakeUpstream, deltas: list[object]) -> None:
    assert reply_of(upstream, sse([*map(chunk, deltas), *END]))[0].text.strip() == "Paris"


REASONS = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "MAX_TOKENS": "length",
    "model_length": "length",
    "FINISH_REASON_MAX_TOKENS": "length",
    "context_length_exceeded": "length",
    "content-filter": "content_filter",
    "guardrail_intervened": "content_filter",
    "MALFORMED_FUNCTION_CALL": "tool_calls",
    "TOOL_CALL": "tool_calls",
    "content_filter": "content_filter",
    "SAFETY": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "something new": None,
}


@pytest.mark.parametrize(("word", "reason"), REASONS.items())
def test_the_finish_reason_is_one_of_four_or_unknown(upstream: FakeUpstream, word: str, reason: str | None) -> None:
    assert reply_of(upstream, sse([*PIECES, chunk({}, word)]))[0].finish_reason == reason


@pytest.mark.parametrize(
    ("word", "reason"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("refusal", "content_filter")],
)
def test_anthropics_stop_reason_is_one_of_them(upstream: FakeUpstream, word: str, reason: str) -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 111, "output_tokens": 1}}}
    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Paris"}}
    thought = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "FINAL(7)"}}
    end = {"type": "message_delta", "delta": {"stop_reason": word}, "usage": {"output_tokens": 22}}
    reply, _ = reply_of(upstream, sse([start, thought, delta, end]), "anthropic:m")
    assert (reply.text, reply.finish_reason) == ("Paris", reason)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (111, 22)


def test_anthropics_text_may_begin_with_its_block(upstream: FakeUpstream) -> None:
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Pa"}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ris"}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 22}}
    assert reply_of(upstream, sse([block, delta, end]), "anthropic:m")[0].text == "Paris"


def test_anthropics_counts_may_come_at_the_end_only(upstream: FakeUpstream) -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 0, "output_tokens": 0}}}
    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Paris"}}
    counts = {"input_tokens": 100, "cache_read_input_tokens": 11, "output_tokens": 22}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": counts}
    usage = reply_of(upstream, sse([start, delta, end, "[DONE]"]), "anthropic:m")[0].usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (111, 22, 11)


def test_null_in_words_ends_no_reply() -> None:
    assert part_of(chunk({"content": "Pa"}, "null")).finish == ""


@pytest.mark.parametrize("cost", [0.006, {"request_cost": 0.005, "total_cost": 0.006}], ids=["number", "parts"])
def test_the_cost_of_a_reply_is_a_number_or_a_sum_of_parts(upstream: FakeUpstream, cost: object) -> None:
    reply, _ = reply_of(upstream, sse([*PIECES, chunk({}, "stop", usage={**COUNTS, "cost": cost}), "[DONE]"]))
    assert reply.usage.cost == 0.006


EMPTY = {
    "all tokens in reasoning": (sse([chunk({"reasoning_content": "still thinking"}), chunk({}, "length")]), "length"),
    "filter": (sse([chunk({}, "content_filter")]), "content_filter"),
    "tool call": (sse([chunk({"content": None, "tool_calls": [{"index": 0}]}), chunk({}, "tool_calls")]), "tool_calls"),
    "tool call that stops": (
        sse([chunk({"reasoning": "hm"}), chunk({"tool_calls": [{"index": 0}]}), chunk({}, "stop")]),
        "tool_calls",
    ),
    "tool call of Ollama's": (
        sse(
            [
                {"message": {"content": "", "tool_calls": [{"function": {"name": "f"}}]}, "done": False},
                {"message": {"content": ""}, "done": True, "done_reason": "stop"},
            ],
            end="\n",
            start="",
        ),
        "tool_calls",
    ),
    "function call that stops": (sse([chunk({"function_call": {"name": "f"}}), chunk({}, "stop")]), "tool_calls"),
    "only [DONE]": (sse(["[DONE]"]), None),
    "empty text": (sse([chunk({"content": ""}, "stop")]), "stop"),
}


@pytest.mark.parametrize(("turn", "reason"), EMPTY.values(), ids=EMPTY.keys())
def test_a_reply_without_text_is_empty_with_its_reason(upstream: FakeUpstream, turn: Turn, reason: str | None) -> None:
    reply, _ = reply_of(upstream, turn)
    assert (reply.text, reply.finish_reason) == ("", reason)


def test_a_refusal_is_text_that_a_filter_ended(upstream: FakeUpstream) -> None:
    for delta in ({"refusal": "I cannot."}, {"content": [{"type": "refusal", "refusal": "I cannot."}]}):
        reply, _ = reply_of(upstream, sse([chunk(delta), chunk({}, "stop")]))
        assert (reply.text, reply.finish_reason) == ("I cannot.", "content_filter")


def test_a_tool_that_an_anthropic_model_calls_is_the_reason_though_it_ends_its_turn(upstream: FakeUpstream) -> None:
    thought = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}
    block = {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "f"}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 22}}
    reply, _ = reply_of(upstream, sse([thought, block, end]), "anthropic:m")
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")


HELD = {
    "finish reason and usage": sse([*PIECES, *END[:-1]], hang=True),
    "finish reason": sse([*PIECES, chunk({}, "stop")], hang=True),
    "[DONE]": sse([*PIECES, *END], hang=True),
    "whole JSON": json_turn({"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}]}, hang=True),
}


@pytest.mark.slow
@pytest.mark.parametrize("turn", HELD.values(), ids=HELD.keys())
def test_a_whole_reply_is_over_within_three_seconds_though_its_connection_stays_open(
    upstream: FakeUpstream, turn: Turn
) -> None:
    began = time.monotonic()
    assert reply_of(upstream, turn)[0].text == "Paris"
    assert time.monotonic() - began < 3.5


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Look \ud83d", "\ude00 now"], "Look \N{GRINNING FACE} now"),
        (["hm \ud83d", "\n"], "hm \ufffd\n"),
        (["hm \ud83d"], "hm \ufffd"),
        (["\ude00!"], "\ufffd!"),
    ],
)
def test_halves_of_a_character_are_joined_and_lone_ones_replaced(
    upstream: FakeUpstream, texts: list[str], expected: str
) -> None:
    reply, pieces = reply_of(upstream, sse([*text_chunks(*texts), *END]))
    assert (reply.text, "".join(pieces)) == (expected, expected)


@pytest.mark.parametrize(
    "words", ["<html><body>502 Bad Gateway</body></html>", "Internal Server Error", "data: Internal Server Error"]
)
def test_words_of_a_gateway_behind_half_a_reply_are_no_end(upstream: FakeUpstream, words: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        reply_of(upstream, sse([PIECES[0]], end=f"\n\n{words}\n"))
    assert (caught.value.kind, caught.value.retryable) == ("cut-off", True)


@pytest.mark.parametrize("word", ["abort", "cancelled", "network_error", "engine_overloaded", "FAILED", "server-error"])
def test_a_fault_as_finish_reason_is_one(upstream: FakeUpstream, word: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        reply_of(upstream, sse([*PIECES, chunk({}, word), "[DONE]"]))
    assert caught.value.kind == "failed"


def test_an_error_as_finish_reason_is_one(upstream: FakeUpstream) -> None:
    with pytest.raises(UpstreamError) as caught:
        reply_of(upstream, sse([*PIECES, chunk({}, "error")]))
    assert caught.value.kind == "failed"


@pytest.mark.parametrize(
    ("turn", "kind"),
    [
        (sse([*PIECES, chunk({}, None, x_groq={"error": "over capacity"}), "[DONE]"]), "failed"),
        (
            json_turn({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
            "quota-spent",
        ),
        (json_turn({"code": 401, "msg": "invalid key"}), "key-refused"),
        (Turn(chunks=(b'error: {"message": "slot unavailable", "code": 503}\n\n',), headers=SSE), "failed"),
    ],
)
def test_an_error_in_a_field_of_the_vendors_is_one(upstream: FakeUpstream, turn: Turn, kind: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        reply_of(upstream, turn)
    assert caught.value.kind == kind


def test_an_unasked_stream_of_events_is_read_where_a_whole_was_wanted(upstream: FakeUpstream) -> None:
    upstream.script(events_turn(*PIECES, *END))
    assert reply_of(upstream, events_turn(*PIECES, *END))[0].text == "Paris"


PLAIN: list[dict[str, object]] = [
    *PIECES,
    {"choices": [{"delta": {"role": "assistant", "content": "x"}}]},
    chunk({"content": "x"}, id="c", object="chat.completion.chunk", created=1, model="m", usage=None),
    {"choices": [{"index": 3, "delta": {"content": "x"}, "logprobs": None}], "system_fingerprint": "f"},
]
OTHERS: list[object] = [
    *END,
    "text",
    None,
    {},
    {"choices": []},
    {"choices": [None]},
    {"choices": {}},
    {"choices": [{"delta": "x"}]},
    chunk({"content": ""}),
    chunk({"content": None, "reasoning": "x"}),
    chunk({"content": [{"type": "text", "text": "x"}]}),
    chunk({"content": "x", "refusal": "no"}),
    chunk({"content": "x"}, "stop"),
    chunk({"content": "x"}, usage=COUNTS),
    chunk({"content": "x"}, object="error"),
    chunk({"content": "x"}, error={"message": "m"}),
    {"choices": [*chunk({"content": "x"})["choices"], {"index": 1, "delta": {}}]},  # type: ignore[misc]
]


@pytest.mark.parametrize("value", PLAIN)
def test_text_alone_is_read_as_any_value_is(value: dict[str, object]) -> None:
    assert plain_part(value) == part_of(value)
    assert failure_in(value) is None


@pytest.mark.parametrize("value", OTHERS)
def test_a_value_that_holds_more_than_text_is_not_plain(value: object) -> None:
    assert plain_part(value) is None


def test_text_before_an_error_in_the_same_bytes_is_passed_on_and_not_asked_again(upstream: FakeUpstream) -> None:
    events = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in [*PIECES, {"error": {"message": "m"}}])
    upstream.script(Turn(chunks=(events,), headers=SSE), json_turn({}))
    heard: list[str | Reply] = []

    async def call() -> None:
        async with open_registry(settings_for(upstream, models="")) as registry:
            answerer, name = await registry.find("openai:m")
            call = UpstreamCall((Message("user", "q"),), name, retries=3, is_watched=False)
            async for piece in answerer.stream(call):
                heard.append(piece)

    with pytest.raises(UpstreamError):
        asyncio.run(call())
    assert heard == ["Paris"]
    assert len(upstream.seen) == 1
