"""Options of a call: mapped to each dialect, refused by name where a provider has none."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from rlm_core.types import Message
from rlm_server.assets import Assets
from rlm_server.calls.in_flight import IdempotencyKey
from rlm_server.providers.upstream import ModelOptions
from tests.server.conftest import client_of, settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, json_turn, streamed_turn

ALL = {"temperature": 0.2, "top_p": 0.9, "max_output_tokens": 100, "reasoning_effort": "low", "seed": 7}
SAMPLED = {name: value for name, value in ALL.items() if name != "seed"}


def answer(seen: Seen) -> Turn:
    if seen.path == "/api/show":
        return json_turn({"model_info": {"llama.context_length": 8192}})
    if seen.path == "/api/chat":
        return json_turn({"message": {"content": "ok"}, "done": True, "prompt_eval_count": 7, "eval_count": 2})
    return streamed_turn("anthropic" if seen.path == "/v1/messages" else "openai", "ok")


@pytest.fixture
def all_providers(upstream: FakeUpstream, assets: Assets) -> Iterator[httpx2.Client]:
    upstream.answer = answer
    settings = settings_for(upstream, models="", ollama_base_url=f"{upstream.url}/v1", first_byte_seconds=20)
    with client_of(settings, assets, timeout=20) as client:
        yield client


MAPPED = [
    (
        "openai:m",
        ALL,
        {"temperature": 0.2, "top_p": 0.9, "max_tokens": 100, "reasoning_effort": "low", "seed": 7},
    ),
    (
        "anthropic:m",
        SAMPLED,
        {"temperature": 0.2, "top_p": 0.9, "max_tokens": 100, "output_config": {"effort": "low"}},
    ),
    (
        "ollama:m",
        ALL,
        {
            "options": {"temperature": 0.2, "top_p": 0.9, "num_predict": 100, "seed": 7, "num_ctx": 4096},
            "think": "low",
        },
    ),
    ("ollama:m", {"reasoning_effort": "none"}, {"think": False}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "options", "fields"), MAPPED)
@pytest.mark.parametrize("shape", [{"prompt": "q"}, {"type": "batch", "prompts": ["q"]}])
def test_options_are_mapped_to_the_dialect(
    all_providers: httpx2.Client,
    upstream: FakeUpstream,
    model: str,
    options: dict[str, object],
    fields: dict[str, object],
    shape: dict[str, object],
) -> None:
    response = all_providers.post("/api/rlm", json={**shape, "model": model, "options": options})
    assert response.status_code == 200
    assert fields.items() <= upstream.seen[-1].json().items()


@pytest.mark.parametrize(("model", "option"), [("anthropic:m", "seed"), ("builtin:extractive", "temperature")])
def test_an_option_that_a_provider_has_not_is_refused_by_name_and_nothing_is_sent(
    all_providers: httpx2.Client, upstream: FakeUpstream, model: str, option: str
) -> None:
    body = {"prompt": "q", "model": model, "options": {option: ALL[option]}}
    problem = all_providers.post("/api/rlm", json=body).json()
    assert problem["type"] == "/problems/unknown-option"
    assert f"`{option}`" in problem["detail"]
    assert upstream.seen == []


IMPOSSIBLE = [
    ("temperature", 3),
    ("temperature", True),
    ("temperature", "hot"),
    ("top_p", -0.1),
    ("max_output_tokens", 0),
    ("max_output_tokens", 1.5),
    ("reasoning_effort", "hard"),
    ("seed", "7"),
    ("tools", []),
]


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_an_impossible_option_is_refused_by_name(client: httpx2.Client, name: str, value: object) -> None:
    response = client.post("/api/rlm", json={"prompt": "q", "model": "openai:m", "options": {name: value}})
    assert response.status_code == 400
    assert f"options.{name}" in response.json()["detail"]


def test_options_are_part_of_a_calls_identity_and_none_leave_it_as_it_was() -> None:
    key, messages = IdempotencyKey("r", "0"), (Message("user", "q"),)
    plain = key.digest("m", messages, 0)
    assert plain == key.digest("m", messages, 0, ModelOptions())
    assert len({plain, *(key.digest("m", messages, 0, ModelOptions(seed=seed)) for seed in (1, 2))}) == 3


def test_a_store_of_an_earlier_version_is_read() -> None:
    """The digest of a call without options, as version 0.1 wrote it."""
    digest = IdempotencyKey("r", "0").digest("openai:m", (Message("user", "q"),), 0)
    assert digest.hex() == "07a7abf0cbf4de90872813d2f524123c0f4830cf79889886287625cce8556526"
