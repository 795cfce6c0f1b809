"""Which models are offered, which is the default, and who answers for a name."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from rlm_core.types import ModelUsage
from rlm_server.calls.registry import Catalogue, open_registry, openai_addresses
from rlm_server.http.problems import Problem
from rlm_server.settings import Settings
from tests.server.conftest import PLANTED_KEY, make_settings, settings_for
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, json_turn

BUILTIN = "builtin:extractive"


def catalogue(settings: Settings, times: int = 1) -> Catalogue:
    async def ask() -> Catalogue:
        async with open_registry(settings) as registry:
            return (await asyncio.gather(*(registry.catalogue() for _ in range(times))))[-1]

    return asyncio.run(ask())


def refusal(settings: Settings, model: str) -> Problem:
    async def ask() -> None:
        async with open_registry(settings) as registry:
            await registry.find(model)

    with pytest.raises(Problem) as caught:
        asyncio.run(ask())
    return caught.value


def found(settings: Settings, model: str | None) -> str:
    async def ask() -> str:
        async with open_registry(settings) as registry:
            upstream, name = await registry.find(model)
            return f"{upstream.name}:{name}"

    return asyncio.run(ask())


def ids(listed: Catalogue) -> list[str]:
    return [model.id for model in listed.models]


def model_list(*names: str) -> Turn:
    return json_turn({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def test_with_nothing_configured_the_stand_in_is_all_and_the_default() -> None:
    listed = catalogue(make_settings())
    assert (ids(listed), listed.default, dict(listed.notes)) == ([BUILTIN], BUILTIN, {})
    assert found(make_settings(), None) == BUILTIN


def test_models_are_discovered_once_for_all_who_wait(upstream: FakeUpstream) -> None:
    upstream.script(model_list("b", "a"))
    listed = catalogue(settings_for(upstream, models="", anthropic_api_key=None), times=20)
    assert ids(listed) == [BUILTIN, "openai:a", "openai:b"]
    assert [(seen.method, seen.path) for seen in upstream.seen] == [("GET", "/v1/models")]
    assert upstream.seen[0].headers["authorization"] == f"Bearer {PLANTED_KEY}"


def test_each_provider_is_asked_in_its_dialect(upstream: FakeUpstream) -> None:
    def answer(seen: Seen) -> Turn:
        return model_list("claude-sonnet-9") if "anthropic-version" in seen.headers else model_list("m")

    upstream.answer = answer
    listed = catalogue(settings_for(upstream, models=""))
    assert set(ids(listed)) == {BUILTIN, "openai:m", "anthropic:claude-sonnet-9"}
    assert {seen.path for seen in upstream.seen} == {"/v1/models", "/v1/models?limit=1000", "/props"}


@pytest.mark.parametrize(
    ("names", "default"),
    [
        (["z", "a"], "openai:a"),
        (["gpt-4", "gpt-5-mini-2025-08-07", "gpt-5-mini"], "openai:gpt-5-mini"),
        (["models/gemini-2.5-flash"], "openai:gemini-2.5-flash"),
        (["text-embedding-3", "whisper-1", "tts-1"], BUILTIN),
        ([], BUILTIN),
    ],
)
def test_the_default_is_a_fitting_model(upstream: FakeUpstream, names: list[str], default: str) -> None:
    upstream.script(model_list(*names))
    assert catalogue(settings_for(upstream, models="", anthropic_api_key=None)).default == default


def test_the_configured_list_and_default_win_and_nobody_is_asked(upstream: FakeUpstream) -> None:
    settings = settings_for(upstream, models="openai:x, anthropic:y", default_model="anthropic:y")
    listed = catalogue(settings)
    assert set(ids(listed)) == {BUILTIN, "openai:x", "anthropic:y"}
    assert (listed.default, upstream.seen) == ("anthropic:y", [])
    assert found(settings, None) == "anthropic:y"


def test_a_listed_model_without_its_key_is_said(upstream: FakeUpstream) -> None:
    settings = make_settings(models="gemini:g")
    assert "GEMINI_API_KEY" in catalogue(settings).models[-1].note
    assert refusal(settings, "gemini:g").kind.slug == "provider-not-configured"


BAD_LISTS = [
    Turn(status=401, chunks=(PLANTED_KEY.encode(),)),
    Turn(status=500),
    Turn(silent=True),
    Turn(raw=b"no http"),
    Turn(chunks=(b"<html>",)),
    json_turn({"data": "x"}),
    json_turn({"error": {"message": "this key may not list"}}, status=403),
    json_turn({"error": {"message": "Loading model"}}, status=503),
]


@pytest.mark.parametrize("turn", BAD_LISTS, ids=range(len(BAD_LISTS)))
def test_a_list_that_cannot_be_had_is_said_in_the_notes(upstream: FakeUpstream, turn: Turn) -> None:
    upstream.script(turn)
    patience = {"models_seconds": 0.1 if turn.silent else 20.0, "first_byte_seconds": 20.0}
    settings = settings_for(upstream, models="", anthropic_api_key=None, default_model="openai:m", **patience)
    listed = catalogue(settings, times=3)
    assert ids(listed) == [BUILTIN, "openai:m"]
    assert "cannot be had" in listed.models[1].note
    assert listed.notes == {"openai": listed.models[1].note}
    assert PLANTED_KEY not in str(listed)
    assert len(upstream.seen) == 1
    assert found(settings, "openai:other") == "openai:other"
    assert ("RLM_MODELS_SECONDS" in listed.notes["openai"]) == turn.silent


def test_entries_that_are_no_models_are_passed_over(upstream: FakeUpstream) -> None:
    upstream.script(json_turn({"data": [{"id": "m"}, {"id": 5}, {}, None, {"id": ""}]}))
    assert ids(catalogue(settings_for(upstream, models="", anthropic_api_key=None))) == [BUILTIN, "openai:m"]


LIST_SHAPES = {
    "objects with id": {"object": "list", "data": [{"id": "m"}]},
    "objects with name": {"models": [{"name": "m", "model": "m"}]},
    "objects with model": {"models": [{"model": "m"}]},
    "Gemini's prefix": {"models": [{"name": "models/m"}]},
    "bare array": [{"id": "m"}],
    "strings": {"data": ["m"]},
}


@pytest.mark.parametrize("body", LIST_SHAPES.values(), ids=LIST_SHAPES.keys())
def test_a_list_is_read_in_any_shape(upstream: FakeUpstream, body: object) -> None:
    upstream.script(json_turn(body))
    listed = catalogue(settings_for(upstream, models="", anthropic_api_key=None))
    assert (ids(listed), dict(listed.notes)) == ([BUILTIN, "openai:m"], {})


@pytest.mark.parametrize("name", ["n", "z-ai/glm:free", "ok:online", "gpt-audio-mini", "hf.co/org/Name-GGUF:Q4_K_M"])
def test_a_named_model_is_asked_whatever_the_list_says_and_no_list_is_fetched(
    upstream: FakeUpstream, name: str
) -> None:
    assert found(settings_for(upstream, models=""), f"openai:{name}") == f"openai:{name}"
    assert upstream.seen == []


@pytest.mark.parametrize("name", ["", "a b", "a\n", "x" * 201, "\x00"])
def test_a_malformed_name_is_refused(upstream: FakeUpstream, name: str) -> None:
    assert refusal(settings_for(upstream, models=""), f"openai:{name}").kind.slug == "unknown-model"


def test_permission_is_rlm_models_alone(upstream: FakeUpstream) -> None:
    settings = settings_for(upstream, models="openai:gpt-5,openai:gpt-5-mini", default_model="anthropic:d")
    assert [found(settings, model) for model in ("openai:gpt-5", "anthropic:d", BUILTIN)]
    problem = refusal(settings, "openai:gpt-5-mimi")
    assert problem.kind.slug == "unknown-model"
    assert "RLM_MODELS" in problem.detail
    assert "openai:gpt-5-mini" in problem.detail
    assert upstream.seen == []


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (json_turn([]), "empty"),
        (json_turn({"object": "list", "data": []}), "empty"),
        (json_turn({"data": [{"id": "a"}], "has_more": True}), "further pages"),
        (model_list(*(f"a-{number}" for number in range(2_500))), "2,500 models, of which 1,000"),
    ],
)
def test_a_list_that_is_short_is_said_in_the_notes(upstream: FakeUpstream, turn: Turn, words: str) -> None:
    upstream.script(turn)
    listed = catalogue(settings_for(upstream, models="", anthropic_api_key=None, max_upstream_bytes=1_000_000))
    assert words in listed.notes["openai"]
    assert "by its name" in listed.notes["openai"]


def test_a_filter_of_names_hides_a_model_and_forbids_none(upstream: FakeUpstream) -> None:
    upstream.script(model_list("gpt-audio-mini", "m"))
    settings = settings_for(upstream, models="", anthropic_api_key=None)
    assert ids(catalogue(settings)) == [BUILTIN, "openai:m"]
    assert found(settings, "openai:gpt-audio-mini") == "openai:gpt-audio-mini"


def test_a_base_url_without_its_version_is_noticed(upstream: FakeUpstream) -> None:
    def answer(seen: Seen) -> Turn:
        return model_list("m") if seen.path.startswith("/strict/v1/") else Turn(status=404, chunks=(b"404 page",))

    upstream.answer = answer
    settings = settings_for(upstream, models="", anthropic_api_key=None, openai_base_url=f"{upstream.url}/strict")
    listed = catalogue(settings)
    assert ids(listed) == [BUILTIN, "openai:m"]
    assert "OPENAI_BASE_URL lacks /v1" in listed.notes["openai"]


WINDOWS = {
    "vLLM": ({"data": [{"id": "m", "max_model_len": 8192}]}, {}, 8192),
    "OpenRouter": ({"data": [{"id": "m", "context_length": 131072}]}, {}, 131072),
    "Groq": ({"data": [{"id": "m", "context_window": 32768}]}, {}, 32768),
    "llama.cpp, its list": ({"data": [{"id": "m", "meta": {"n_ctx_train": 4096}}]}, {}, 4096),
    "llama.cpp, its server": (
        {"data": [{"id": "m", "meta": {"n_ctx_train": 8192}}]},
        {"default_generation_settings": {"n_ctx": 2048}},
        2048,
    ),
    "LM Studio": ({"data": [{"id": "m", "loaded_context_length": 4096, "max_context_length": 9}]}, {}, 4096),
    "nobody": ({"data": [{"id": "m"}]}, {}, None),
}


@pytest.mark.parametrize(("listed", "props", "window"), WINDOWS.values(), ids=WINDOWS.keys())
def test_the_window_of_a_model_is_taken_from_its_provider(
    upstream: FakeUpstream, listed: object, props: object, window: int | None
) -> None:
    upstream.answer = lambda seen: json_turn(props if seen.path == "/props" else listed)
    model = catalogue(settings_for(upstream, models="", anthropic_api_key=None)).models[-1]
    assert (model.to_json()["id"], model.to_json()["window_tokens"]) == ("openai:m", window)


def test_the_list_says_whether_a_price_is_known(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    def calculate(vendor: str, model: str, usage: ModelUsage) -> float:
        if (vendor, model) != ("openai", "priced"):
            raise LookupError(model)
        return 0.5

    monkeypatch.setattr("rlm_server.providers.prices._genai_prices", lambda: calculate)
    monkeypatch.setattr(Settings, "is_vendors_own", lambda settings, name: True)
    names = "openai:priced,openai:mine,openrouter:any"
    settings = settings_for(upstream, models=names, openrouter_api_key=SecretStr("key"))
    priced = {model.id: model.to_json()["priced"] for model in catalogue(settings).models}
    assert priced == {BUILTIN: True, "openai:priced": True, "openai:mine": False, "openrouter:any": None}
    prices = {model.id: model.to_json()["price"] for model in catalogue(settings).models}
    known = {"input": 500.0, "output": 500.0}
    assert prices == {
        BUILTIN: {"input": 0, "output": 0},
        "openai:priced": known,
        "openai:mine": None,
        "openrouter:any": None,
    }


def test_the_stand_in_asks_nobody(upstream: FakeUpstream) -> None:
    assert found(settings_for(upstream, models=""), BUILTIN) == BUILTIN
    assert upstream.seen == []


def test_ollama_is_found_on_loopback_but_never_the_default_unasked(upstream: FakeUpstream) -> None:
    upstream.script(model_list("llama3.2:3b"))
    settings = make_settings(ollama_base_url=f"{upstream.url}/v1")
    listed = catalogue(settings)
    assert (ids(listed), listed.default) == ([BUILTIN, "ollama:llama3.2:3b"], BUILTIN)
    assert "authorization" not in upstream.seen[0].headers
    assert found(settings, "ollama:llama3.2:3b") == "ollama:llama3.2:3b"


def test_no_ollama_is_no_note(upstream: FakeUpstream) -> None:
    listed = catalogue(make_settings(ollama_base_url="http://127.0.0.1:1/v1"))
    assert (ids(listed), dict(listed.notes)) == ([BUILTIN], {})


def test_a_server_of_ones_own_needs_no_key(upstream: FakeUpstream) -> None:
    upstream.script(model_list("local"))
    assert ids(catalogue(make_settings(openai_base_url=f"{upstream.url}/v1"))) == [BUILTIN, "openai:local"]
    assert "authorization" not in upstream.seen[0].headers


def test_presets_are_https_and_carry_their_own_keys() -> None:
    settings = make_settings(openai_api_key="k1", openrouter_api_key="k2", gemini_api_key="k3")
    addresses = openai_addresses(settings)
    assert [(address.name, address.key and address.key.get_secret_value()) for address in addresses] == [
        ("openai", "k1"),
        ("openrouter", "k2"),
        ("gemini", "k3"),
    ]
    assert all(address.url.startswith("https://") for address in addresses)


def fault_of_default(settings: Settings) -> str:
    async def check() -> str:
        async with open_registry(settings) as registry:
            return await registry.fault_of_default()

    return asyncio.run(check())


def test_a_default_that_its_provider_does_not_list_is_named_with_the_nearest(upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: model_list("gpt-5-mini", "gpt-5")
    fault = fault_of_default(settings_for(upstream, default_model="openai:gpt-5-mimi"))
    assert "RLM_DEFAULT_MODEL is 'openai:gpt-5-mimi', which its provider does not list." in fault
    assert "The nearest names are openai:gpt-5-mini" in fault
    assert fault_of_default(settings_for(upstream, default_model="openai:gpt-5")) == ""


def test_a_default_without_its_provider_names_the_key() -> None:
    fault = fault_of_default(make_settings(default_model="anthropic:claude"))
    assert "RLM_DEFAULT_MODEL is 'anthropic:claude'" in fault
    assert "ANTHROPIC_API_KEY" in fault
    assert "does not list" in fault_of_default(make_settings(default_model="builtin:nothing"))


def test_no_default_and_a_list_that_cannot_be_had_are_no_fault(upstream: FakeUpstream) -> None:
    assert fault_of_default(make_settings()) == ""
    assert fault_of_default(make_settings(default_model=BUILTIN)) == ""
    upstream.answer = lambda seen: json_turn({}, status=503)
    assert fault_of_default(settings_for(upstream, default_model="openai:any")) == ""


def test_models_with_tools_of_their_vendor_are_marked_and_never_the_default(upstream: FakeUpstream) -> None:
    names = (
        "gpt-5-search-api",
        "o3-deep-research",
        "perplexity/sonar-pro",
        "qwen/qwen3:online",
        "gpt-4o",
        "text-search-x",
    )
    upstream.answer = lambda seen: json_turn({"data": [{"id": name} for name in names]})
    elsewhere = settings_for(upstream, models="", anthropic_api_key=None).model_copy(
        update={"models": tuple(f"openrouter:{name}" for name in names), "openrouter_api_key": "k"}
    )
    found = catalogue(elsewhere)
    marked = {model.id.partition(":")[2] for model in found.models if model.to_json()["vendor_tools"]}
    assert marked == set(names[:4])
    assert found.default == "openrouter:gpt-4o"


def test_a_model_on_this_machine_has_no_tools_of_a_vendor(upstream: FakeUpstream) -> None:
    upstream.answer = lambda seen: json_turn({"data": [{"id": "sonar"}]})
    models = catalogue(settings_for(upstream, models="", anthropic_api_key=None)).models
    assert [model.vendor_tools for model in models] == [False, False]


def test_a_list_that_goes_away_keeps_its_last_state_and_the_default(upstream: FakeUpstream) -> None:
    upstream.script(model_list("gpt-5-mini"), *[Turn(status=503)] * 8)

    async def ask() -> tuple[Catalogue, Catalogue]:
        async with open_registry(one_provider(upstream, models_cache_seconds=1e-9, retries=0)) as registry:
            return await registry.catalogue(), await registry.catalogue()

    before, after = asyncio.run(ask())
    assert ids(after) == ids(before) == [BUILTIN, "openai:gpt-5-mini"]
    assert before.default == after.default == "openai:gpt-5-mini"
    assert (dict(before.notes), "is an earlier one" in after.notes["openai"]) == ({}, True)


def test_a_provider_whose_list_never_came_is_not_replaced_by_the_stand_in(upstream: FakeUpstream) -> None:
    settings = one_provider(upstream, retries=0)
    upstream.script(*[Turn(status=503)] * 8)
    assert catalogue(settings).default == ""
    with pytest.raises(Problem, match="RLM_DEFAULT_MODEL") as caught:
        found(settings, None)
    assert (caught.value.kind.slug, caught.value.retryable) == ("upstream-unreachable", True)


def test_the_stand_in_can_be_left_out(upstream: FakeUpstream) -> None:
    settings = settings_for(upstream, stand_in=False)
    assert ids(catalogue(settings)) == ["openai:m", "anthropic:m"]
    assert "RLM_STAND_IN" in refusal(settings, BUILTIN).detail


def one_provider(upstream: FakeUpstream, **values: object) -> Settings:
    return make_settings(openai_api_key=PLANTED_KEY, openai_base_url=f"{upstream.url}/v1", **values)
