"""Structured output: each vendor's own form of a schema, and the way round where the vendor refuses it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from rlm_server.providers.structured_output import is_strict, structured_output, without_structured_output
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, json_turn, streamed_turn

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
OPEN: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}, "note": {"type": "string"}}}
LIST: dict[str, Any] = {"type": "array", "items": CLOSED}


def openai_form(schema: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": strict}}


FORMS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("openai", CLOSED, {"response_format": openai_form(CLOSED, strict=True)}),
    ("openai", OPEN, {"response_format": openai_form(OPEN, strict=False)}),
    ("openai", LIST, {}),
    ("anthropic", CLOSED, {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}}),
    ("anthropic", LIST, {"output_config": {"format": {"type": "json_schema", "schema": LIST}}}),
    ("anthropic", OPEN, {}),
]
FIELDS = ("response_format", "output_config", "format")


@pytest.mark.parametrize(("provider", "schema", "fields"), FORMS)
@pytest.mark.parametrize("asked", [{"prompt": "How many?"}, {"type": "batch", "prompts": ["How many?", "And here?"]}])
def test_the_body_has_the_vendors_form(
    client: httpx2.Client,
    upstream: FakeUpstream,
    provider: str,
    schema: dict[str, Any],
    fields: dict[str, Any],
    asked: dict[str, Any],
) -> None:
    upstream.answer = lambda seen: streamed_turn(provider, '{"n": 3}')
    response = client.post("/api/rlm", json={**asked, "model": f"{provider}:m", "schema": schema})
    assert response.status_code == 200, response.text
    bodies = [seen.json() for seen in upstream.seen]
    assert len(bodies) == len(asked.get("prompts", [1]))
    assert [{name: body[name] for name in FIELDS if name in body} for body in bodies] == [fields] * len(bodies)
    assert [body["messages"][-1]["content"] for body in bodies].count("How many?") == 1, "the prompt is as it was"


def test_a_reasoning_effort_stands_beside_the_schema(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: streamed_turn("anthropic", '{"n": 3}')
    body = {"prompt": "a", "model": "anthropic:m", "schema": CLOSED, "options": {"reasoning_effort": "low"}}
    assert client.post("/api/rlm", json=body).status_code == 200
    assert upstream.seen[0].json()["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": CLOSED},
    }


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("openai", {"error": {"message": "Invalid schema for response_format 'reply'", "param": "response_format"}}),
        (
            "anthropic",
            {"error": {"type": "invalid_request_error", "message": "output_config.format.schema: no minimum"}},
        ),
    ],
)
def test_a_schema_that_is_refused_is_left_out_from_then_on_and_no_other(
    client: httpx2.Client, upstream: FakeUpstream, provider: str, words: dict[str, Any]
) -> None:
    refused = {**CLOSED, "properties": {"n": {"type": "integer", "minimum": 5}}, "title": provider}

    def answer(seen: Seen) -> Turn:
        has_it = '"minimum"' in seen.body.decode()
        return json_turn(words, status=400) if has_it else streamed_turn(provider, '{"n": 3}')

    upstream.answer = answer
    for schema in (refused, refused, CLOSED):
        body = {"prompt": "a", "model": f"{provider}:m", "schema": schema}
        assert client.post("/api/rlm", json=body).json()["text"] == '{"n": 3}'
    assert [any(name in seen.json() for name in FIELDS) for seen in upstream.seen] == [True, False, False, True]


def test_calls_with_another_schema_are_other_calls(client: httpx2.Client, upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: streamed_turn("openai", "3")
    for schema in (CLOSED, OPEN, CLOSED, None):
        more = {} if schema is None else {"schema": schema}
        key = {"Idempotency-Key": "of-schemas/0"}
        client.post("/api/rlm", json={"prompt": "a", "model": "openai:m", **more}, headers=key)
    assert len(upstream.seen) == 3


@pytest.mark.parametrize("schema", [5, "{}", [], True, {"title": "x" * 50_000}])
def test_a_schema_that_is_none_is_refused(client: httpx2.Client, upstream: FakeUpstream, schema: object) -> None:
    response = client.post("/api/rlm", json={"prompt": "a", "model": "openai:m", "schema": schema})
    assert (response.status_code, response.json()["type"].rpartition("/")[2]) == (400, "invalid-request")
    assert "`schema`" in response.json()["detail"]
    assert upstream.seen == []


def test_ollama_takes_the_schema_as_its_format() -> None:
    assert structured_output("ollama", LIST) == {"format": LIST}
    assert structured_output("ollama", None) == {}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (OPEN, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"n": OPEN}}, False),
        ({**CLOSED, "$defs": {"part": OPEN}}, False),
        ({**CLOSED, "properties": {"n": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
    ],
)
def test_openai_is_strict_where_it_can_be(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict


def test_other_settings_stay_when_the_schema_goes() -> None:
    body = {"model": "m", "output_config": {"effort": "low", "format": {}}, "response_format": {}, "format": {}}
    assert without_structured_output(body) == {"model": "m", "output_config": {"effort": "low"}}
