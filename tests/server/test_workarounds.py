"""Refused parameters: the known way round is tried once and remembered for the model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from rlm_core.types import Message, Reply
from rlm_server.calls.registry import open_registry
from rlm_server.providers.upstream import ModelOptions, UpstreamCall, UpstreamError
from rlm_server.providers.workarounds import workaround_for
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, json_turn, openai_turn, streamed_turn

CONVERSATION = (Message("system", "Be brief."), Message("user", "q"))
LIMIT = ModelOptions(max_output_tokens=9000)


def two_calls(upstream: FakeUpstream, model: str, options: ModelOptions) -> list[Reply]:
    async def ask() -> list[Reply]:
        replies = []
        async with open_registry(settings_for(upstream, models="")) as registry:
            answerer, name = await registry.find(model)
            for _ in range(2):
                call = UpstreamCall(CONVERSATION, name, options)
                replies += [piece async for piece in answerer.stream(call) if isinstance(piece, Reply)]
        return replies

    return asyncio.run(ask())


Body = Mapping[str, object]


def messages(body: Body) -> list[dict[str, object]]:
    value = body["messages"]
    assert isinstance(value, list)
    return value


CASES: dict[str, tuple[str, ModelOptions, int, object, Callable[[Body], bool]]] = {
    "stream_options": (
        "openai:m",
        ModelOptions(),
        422,
        {"message": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
        lambda body: "stream_options" in body,
    ),
    "streamOptions": (
        "openai:m",
        ModelOptions(),
        400,
        {"error": {"message": 'Unknown name "streamOptions": Cannot find field.'}},
        lambda body: "stream_options" in body,
    ),
    "stream that must be false": (
        "openai:m",
        ModelOptions(),
        400,
        {"error": {"message": "'stream' must be false"}},
        lambda body: "stream" in body,
    ),
    "a limit that is exceeded": (
        "openai:m",
        LIMIT,
        400,
        {"error": {"message": "The maximum tokens you requested exceeds the model limit of 4096."}},
        lambda body: body["max_tokens"] != 4096,
    ),
    "stream": (
        "openai:m",
        ModelOptions(),
        400,
        {"error": {"message": "Your organization must be verified to stream this model.", "param": "stream"}},
        lambda body: "stream" in body,
    ),
    "system role": (
        "openai:m",
        ModelOptions(),
        400,
        {"error": {"message": "System role not supported"}},
        lambda body: messages(body)[0]["role"] == "system",
    ),
    "developer instruction": (
        "openai:m",
        ModelOptions(),
        400,
        [{"error": {"message": "Developer instruction is not enabled for models/m"}}],
        lambda body: messages(body)[0]["role"] == "system",
    ),
    "max_tokens": (
        "openai:m",
        LIMIT,
        400,
        {"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}},
        lambda body: "max_tokens" in body,
    ),
    "output limit": (
        "openai:m",
        LIMIT,
        400,
        {"error": {"message": "max_tokens is too large: 9000. This model supports at most 4096 completion tokens."}},
        lambda body: body["max_tokens"] != 4096,
    ),
    "output limit in a range": (
        "openai:m",
        LIMIT,
        400,
        {"error": {"message": "Range of max_tokens should be [1, 8192]"}},
        lambda body: body["max_tokens"] != 8192,
    ),
    "Anthropic's output limit": (
        "anthropic:m",
        ModelOptions(),
        400,
        {"error": {"message": "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens"}},
        lambda body: body["max_tokens"] != 4096,
    ),
    "cache_control": (
        "anthropic:m",
        ModelOptions(),
        400,
        {"error": {"message": "messages.0.content.0.cache_control: Extra inputs are not permitted"}},
        lambda body: "cache_control" in str(body),
    ),
}


@pytest.mark.parametrize(("model", "options", "status", "body", "refuses"), CASES.values(), ids=CASES.keys())
def test_the_way_round_is_tried_once_and_remembered(
    upstream: FakeUpstream,
    model: str,
    options: ModelOptions,
    status: int,
    body: object,
    refuses: Callable[[Body], bool],
) -> None:
    def answer(seen: Seen) -> Turn:
        if refuses(seen.json()):
            return json_turn(body, status=status)
        return streamed_turn("anthropic", "Paris") if model.startswith("anthropic") else openai_turn(seen, "Paris")

    upstream.answer = answer
    assert [reply.text for reply in two_calls(upstream, model, options)] == ["Paris", "Paris"]
    assert [refuses(seen.json()) for seen in upstream.seen] == [True, False, False]
    assert all("Be brief." in str(seen.json()) for seen in upstream.seen)


def test_another_model_of_the_provider_is_asked_as_before(upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: (
        json_turn({"message": "stream_options is not permitted"}, status=400)
        if "stream_options" in seen.json() and seen.json()["model"] == "m"
        else streamed_turn("openai", "x")
    )

    async def ask() -> None:
        async with open_registry(settings_for(upstream, models="")) as registry:
            for model in ("openai:m", "openai:other"):
                answerer, name = await registry.find(model)
                async for _ in answerer.stream(UpstreamCall(CONVERSATION, name)):
                    pass

    asyncio.run(ask())
    assert ["stream_options" in seen.json() for seen in upstream.seen] == [True, False, True]


def test_an_option_of_the_user_is_never_dropped(upstream: FakeUpstream) -> None:
    body = {
        "error": {"message": "Unsupported value: 'temperature'", "param": "temperature", "code": "unsupported_value"}
    }
    upstream.script(json_turn(body, status=400))
    with pytest.raises(UpstreamError) as caught:
        two_calls(upstream, "openai:m", ModelOptions(temperature=0.2))
    assert len(upstream.seen) == 1
    assert caught.value.reported == {"param": "temperature", "code": "unsupported_value"}
    assert "temperature" in str(caught.value)


def test_a_way_round_that_does_not_help_ends(upstream: FakeUpstream) -> None:
    upstream.script(json_turn({"error": {"message": "stream_options, system role not supported"}}, status=400))
    with pytest.raises(UpstreamError):
        two_calls(upstream, "openai:m", ModelOptions())
    assert len(upstream.seen) <= 4


CHAT_BODY: Body = {
    "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
    "stream": True,
    "stream_options": {},
    "max_tokens": 9_000,
    "response_format": {"type": "json_schema"},
}
MARKED: Body = {"system": [{"type": "text", "text": "s", "cache_control": {}}], "messages": []}


@pytest.mark.parametrize(
    ("body", "words", "name"),
    [
        (CHAT_BODY, "unknown variant `system`, expected `user` or `assistant`", "system in user"),
        (CHAT_BODY, "messages.0.role: Input should be 'user' or 'assistant'", "system in user"),
        (CHAT_BODY, "Streaming responses are disabled", "no stream"),
        (CHAT_BODY, "max_tokens cannot exceed 4096", "output limit"),
        (CHAT_BODY, "max_tokens must not be greater than 4,096", "output limit"),
        (CHAT_BODY, "The maximum value for `max_tokens` is 4096", "output limit"),
        (CHAT_BODY, "guided decoding is not enabled", "no structured output"),
        (MARKED, "system: Input should be a valid string", "no cache_control"),
    ],
)
def test_a_refusal_is_known_in_the_words_of_many_servers(body: Body, words: str, name: str) -> None:
    change = workaround_for(body, 400, words.lower())
    assert change is not None
    assert (change.row.name, change.number) == (name, 4096 if name == "output limit" else 0)
