"""Ollama by its own API: the window that a prompt needs, NDJSON, and servers that only have OpenAI's path."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence

import pytest

from rlm_core.types import Message, Reply
from rlm_server.calls.registry import Catalogue, open_registry
from rlm_server.providers.images import SentImage
from rlm_server.providers.upstream import ModelOptions, UpstreamCall, UpstreamError
from tests.server.conftest import make_settings
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, events_turn, json_turn, openai_deltas

SHOWN = {"model_info": {"general.architecture": "llama", "llama.context_length": 131_072}}
LINES = [
    {"model": "m", "message": {"role": "assistant", "content": "", "thinking": "FINAL(7)"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": "Pa"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": "ris"}, "done": False},
    {
        "model": "m",
        "message": {"content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 9,
        "eval_count": 2,
    },
]


def ndjson(*lines: object) -> Turn:
    chunks = tuple(json.dumps(line).encode() + b"\n" for line in lines)
    return Turn(headers={"Content-Type": "application/x-ndjson"}, chunks=chunks)


def ollama(upstream: FakeUpstream, *, shown: object = SHOWN, reply: Turn | None = None) -> None:
    def answer(seen: Seen) -> Turn:
        if seen.path == "/api/show":
            return json_turn(shown)
        if seen.path == "/api/tags":
            return json_turn({"models": [{"name": "m:latest", "model": "m:latest"}, {"name": "hf.co/o/N-GGUF:Q4_K_M"}]})
        words = len(seen.body.split())
        return reply or ndjson(*LINES[:-1], {**LINES[-1], "prompt_eval_count": 9 if words < 99 else words})

    upstream.answer = answer


def replies(upstream: FakeUpstream, prompts: Sequence[str], **settings: object) -> list[Reply]:
    async def ask() -> list[Reply]:
        quick = make_settings(ollama_base_url=f"{upstream.url}/v1", first_byte_seconds=20, total_seconds=20, **settings)
        taken = []
        async with open_registry(quick) as registry:
            answerer, name = await registry.find("ollama:m:latest")
            for prompt in prompts:
                call = UpstreamCall((Message("system", "s"), Message("user", prompt)), name, ModelOptions())
                taken += [piece async for piece in answerer.stream(call) if isinstance(piece, Reply)]
        return taken

    return asyncio.run(ask())


def test_images_stand_beside_the_last_message_as_base64(upstream: FakeUpstream) -> None:
    ollama(upstream)
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n and the rest").decode()

    async def ask() -> None:
        async with open_registry(make_settings(ollama_base_url=f"{upstream.url}/v1")) as registry:
            answerer, name = await registry.find("ollama:m:latest")
            messages = (Message("system", "s"), Message("user", "What is it?"))
            call = UpstreamCall(messages, name, ModelOptions(), images=(SentImage("image/png", data, ""),) * 2)
            _ = [piece async for piece in answerer.stream(call)]

    asyncio.run(ask())
    assert upstream.seen[-1].json()["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "What is it?", "images": [data, data]},
    ]


def windows(upstream: FakeUpstream) -> list[object]:
    return [seen.json().get("options") for seen in upstream.seen if seen.path == "/api/chat"]


def test_its_lines_are_a_reply(upstream: FakeUpstream) -> None:
    ollama(upstream)
    [reply] = replies(upstream, ["q"])
    assert (reply.text, reply.model, reply.finish_reason) == ("Paris", "ollama:m:latest", "stop")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 2)
    sent = upstream.seen[-1].json()
    assert sent["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    assert [seen.path for seen in upstream.seen] == ["/api/show", "/api/chat"]


def test_the_window_grows_with_the_prompt_by_doubling_and_never_shrinks(upstream: FakeUpstream) -> None:
    ollama(upstream)
    replies(upstream, ["q", "word " * 4_000, "q"])
    assert windows(upstream) == [{"num_ctx": 4096}, {"num_ctx": 16384}, {"num_ctx": 16384}]


@pytest.mark.parametrize(
    ("shown", "settings", "window"),
    [
        ({"model_info": {"llama.context_length": 8192}}, {}, {"num_ctx": 8192}),
        ({"parameters": "stop x\nnum_ctx    6000\n", **SHOWN}, {}, {"num_ctx": 6000}),
        (SHOWN, {"ollama_num_ctx": 5000}, {"num_ctx": 5000}),
        ({}, {}, None),
        ([], {}, None),
    ],
)
def test_the_largest_window_is_the_users_that_of_the_model_file_or_of_the_model(
    upstream: FakeUpstream, shown: object, settings: dict[str, object], window: object
) -> None:
    ollama(upstream, shown=shown)
    replies(upstream, ["word " * 4_000], **settings)
    assert windows(upstream) == [window]


def test_a_prompt_above_the_largest_window_is_not_sent(upstream: FakeUpstream) -> None:
    ollama(upstream)
    with pytest.raises(UpstreamError) as caught:
        replies(upstream, ["word " * 4_000], ollama_num_ctx=2048)
    assert caught.value.kind == "prompt-too-long"
    assert "4,001 words" in str(caught.value)
    assert "RLM_OLLAMA_NUM_CTX" in str(caught.value)
    assert windows(upstream) == []


def test_a_prompt_of_which_a_part_was_read_is_an_error(upstream: FakeUpstream) -> None:
    cut = [*LINES[:-1], {**LINES[-1], "prompt_eval_count": 2051}]
    ollama(upstream, shown={}, reply=ndjson(*cut))
    with pytest.raises(UpstreamError) as caught:
        replies(upstream, ["word " * 20_000])
    assert caught.value.kind == "prompt-cut"
    assert "read 2,051 of about" in str(caught.value)
    assert not caught.value.retryable
    assert len(windows(upstream)) == 1


@pytest.mark.parametrize(
    ("prompt", "read"),
    [("word " * 20_000, 20_500), ("x" * 80_000, 11_000), ("word " * 1_900, 300), ("word " * 9_000, 111)],
)
def test_few_tokens_are_no_error_where_the_text_explains_them(upstream: FakeUpstream, prompt: str, read: int) -> None:
    ollama(upstream, shown={}, reply=ndjson(*LINES[:-1], {**LINES[-1], "prompt_eval_count": read}))
    assert [reply.text for reply in replies(upstream, [prompt])] == ["Paris"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"error": "model 'm:latest' not found, try pulling it first"}, "model-unknown"),
        ({"error": "model runner has unexpectedly stopped"}, "failed"),
        ({"error": "this model's context window is 4096"}, "prompt-too-long"),
    ],
)
def test_an_error_in_a_line_has_its_kind(upstream: FakeUpstream, line: object, kind: str) -> None:
    ollama(upstream, reply=ndjson(line))
    with pytest.raises(UpstreamError) as caught:
        replies(upstream, ["q"])
    assert caught.value.kind == kind


def test_a_server_with_openais_path_alone_is_asked_by_it(upstream: FakeUpstream) -> None:
    def answer(seen: Seen) -> Turn:
        if seen.path == "/v1/chat/completions":
            return events_turn(*openai_deltas("Paris"))
        if seen.path == "/v1/models":
            return json_turn({"data": [{"id": "m"}]})
        return Turn(status=404, chunks=(b"404 page not found",))

    upstream.answer = answer
    assert [reply.text for reply in replies(upstream, ["q", "q"])] == ["Paris", "Paris"]
    assert [seen.path for seen in upstream.seen] == [
        "/api/show",
        "/api/chat",
        "/v1/chat/completions",
        "/v1/chat/completions",
    ]
    assert [model.id for model in catalogue(upstream).models][1:] == ["ollama:m"]


def catalogue(upstream: FakeUpstream) -> Catalogue:
    async def ask() -> Catalogue:
        async with open_registry(make_settings(ollama_base_url=f"{upstream.url}/v1")) as registry:
            return await registry.catalogue()

    return asyncio.run(ask())


def test_the_list_has_the_window_of_each_model(upstream: FakeUpstream) -> None:
    ollama(upstream)
    listed = [(model.id, model.window_tokens) for model in catalogue(upstream).models][1:]
    assert listed == [("ollama:hf.co/o/N-GGUF:Q4_K_M", 131_072), ("ollama:m:latest", 131_072)]
