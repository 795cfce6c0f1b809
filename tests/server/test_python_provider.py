"""A provider of the Python process, without a browser: forms of replies and errors, facts, pieces from any thread."""

from __future__ import annotations

import asyncio
import doctest
import json
from collections.abc import Callable
from typing import Any

import pytest

from rlm_core import ConfigError, ModelUsage, ProviderError
from rlm_core.types import Reply
from rlm_server.headless import ProviderCall, RunArguments, names, python_provider
from rlm_server.headless.arguments import parsed
from rlm_server.headless.python_provider import PythonProvider

CALL = json.dumps(
    {
        "messages": [{"role": "user", "content": "Who?"}],
        "model": "m",
        "images": [{"type": "image/png", "data": "AA=="}],
        "schema": None,
        "options": {"maxOutputTokens": 5},
    }
)


def outcome_of(function: Callable[[ProviderCall], object]) -> tuple[dict[str, Any], list[str]]:
    """The outcome of a call, and the pieces that the page got."""
    pieces: list[str] = []

    async def send(text: str) -> None:
        await asyncio.sleep(0)
        pieces.append(text)

    return json.loads(asyncio.run(PythonProvider(function).answer(CALL, send))), pieces


def test_examples_in_docstrings_are_true() -> None:
    assert doctest.testmod(names).failed == doctest.testmod(python_provider).failed == 0


def test_a_call_is_in_pythons_spelling() -> None:
    calls: list[ProviderCall] = []

    def noting(call: ProviderCall) -> str:
        calls.append(call)
        return "Ada"

    outcome_of(noting)
    [call] = calls
    assert (call.messages, call.model, call.schema) == ([{"role": "user", "content": "Who?"}], "m", None)
    assert (call.images, call.options) == ([{"type": "image/png", "data": "AA=="}], {"max_output_tokens": 5})


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        ("Ada", {"text": "Ada"}),
        ({"text": "Ada", "usage": {"input_tokens": 3}, "model": None}, None),
        (
            Reply("Ada", "n", ModelUsage(1, 7, 2, cost=0.5), "length", "thought"),
            {
                "text": "Ada",
                "model": "n",
                "usage": {"calls": 1, "input_tokens": 7, "output_tokens": 2, "cached_tokens": 0, "cost": 0.5},
                "finishReason": "length",
                "reasoning": "thought",
            },
        ),
    ],
)
def test_a_reply_has_three_forms(value: object, reply: object) -> None:
    async def asynchronous(call: ProviderCall) -> object:
        return value

    for function in (asynchronous, lambda call: value):
        assert outcome_of(function) == ({"reply": reply or value}, [])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "it returned NoneType, not text"),
        (["Ada"], "it returned list"),
        ({"text": "Ada", "tokens": 3}, "a field tokens; known are text, model"),
        ({"text": b"Ada"}, "not JSON serializable"),
    ],
)
def test_another_form_is_the_calls_error(value: object, message: str) -> None:
    outcome, _ = outcome_of(lambda call: value)
    assert message in outcome["error"]["message"]


def test_errors_keep_their_facts() -> None:
    def rate_limited(call: ProviderCall) -> str:
        raise ProviderError("slow down", type="rate-limited", retryable=True, status=429, upstream="vendor")

    def own(call: ProviderCall) -> str:
        fault = TimeoutError()
        fault.retryable, fault.retry_after = True, 2.5  # type: ignore[attr-defined]
        raise fault

    assert outcome_of(rate_limited)[0]["error"] == {
        "name": "ProviderError",
        "message": "slow down",
        "type": "rate-limited",
        "retryable": True,
        "status": 429,
        "upstream": "vendor",
    }
    assert outcome_of(own)[0]["error"] == {
        "name": "TimeoutError",
        "message": "TimeoutError",
        "retryable": True,
        "retryAfter": 2.5,
    }


def test_pieces_come_in_order_and_before_the_reply_also_from_a_thread() -> None:
    async def asynchronous(call: ProviderCall) -> str:
        for piece in "abc":
            call.on_delta(piece)
            await asyncio.sleep(0)
        call.on_delta("d")
        return "abcd"

    def blocking(call: ProviderCall) -> str:
        for piece in "abcd":
            call.on_delta(piece)
        with pytest.raises(TypeError, match="takes text, not int"):
            call.on_delta(1)  # type: ignore[arg-type]
        return "abcd"

    for function in (asynchronous, blocking):
        outcome, pieces = outcome_of(function)
        assert ("".join(pieces), outcome) == ("abcd", {"reply": {"text": "abcd"}})


def test_facts_are_attributes_of_the_function() -> None:
    class Vendor:
        label, concurrency, takes_images = "vendor.example", 3, True

        def __call__(self, call: ProviderCall) -> str:
            return ""

    assert PythonProvider(lambda call: "").facts == {"label": "a function of the Python program"}
    assert PythonProvider(Vendor()).facts == {"label": "vendor.example", "concurrency": 3, "takesImages": True}
    Vendor.label = object()  # type: ignore[assignment]
    with pytest.raises(ConfigError, match="attributes label, concurrency, takes_images of provider"):
        PythonProvider(Vendor())


def test_a_provider_is_a_function() -> None:
    with pytest.raises(ConfigError, match="provider must be a function, not 'openai:m'"):
        parsed({"provider": "openai:m"}, RunArguments)
    assert parsed({}, RunArguments).provider is None
