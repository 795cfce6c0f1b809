"""The file of providers: its checks, and providers of it at fakes of Azure's and LiteLLM's documented shapes."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from rlm_core.errors import ConfigError
from rlm_core.types import ModelUsage
from rlm_server.assets import Assets
from rlm_server.calls.registry import open_registry
from rlm_server.http.app import create_app
from rlm_server.provider_file import ProviderFile, read_provider_file
from rlm_server.providers.chat import ChatProvider
from rlm_server.providers.connections import Connections
from rlm_server.settings import load_settings
from tests.server.conftest import PLANTED_KEY, make_settings
from tests.server.fake_upstream import (
    FakeUpstream,
    Seen,
    Turn,
    events_turn,
    json_turn,
    openai_deltas,
    openai_turn,
    reply_turn,
    streamed_turn,
)

ANN, BO = "anns-long-random-token", "bos-long-random-token"
PATIENT = {"connect_seconds": 60.0, "first_byte_seconds": 30, "total_seconds": 30, "retries": 0, "models_seconds": 30}
AZURE = """
[providers.azure]
dialect = "azure"
base_url = "{url}/openai/deployments/{{model}}"
query = {{ api-version = "2024-10-21" }}
key_file = "azure.key"
models = ["gpt-5-mini", "gpt-5"]
users = ["ann"]

[providers.azure.prices.gpt-5-mini]
input = 2.0
output = 8.0

[aliases]
fast = "azure:gpt-5-mini"
"""
LITELLM = """
[providers.team-gateway]
base_url = "{url}/v1"
key = "sk-litellm-planted"
headers = {{ X-Team = "research" }}

[aliases]
smart = "team-gateway:claude-large"
"""
MINIMAL = '[providers.x]\nbase_url = "https://x.example/v1"\n'

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, upstream: FakeUpstream) -> Write:
    """Write the file, with the fake's address in it, beside a key."""
    (tmp_path / "azure.key").write_text(f"{PLANTED_KEY}\n")

    def written(text: str) -> Path:
        path = tmp_path / "providers.toml"
        path.write_text(text.format(url=upstream.url))
        return path

    return written


def client_of(path: Path, assets: Assets, **values: object) -> TestClient:
    settings = make_settings(**{**PATIENT, "config": path, "tokens": f"ann:{ANN},bo:{BO}", **values})
    return TestClient(create_app(settings, assets=assets), base_url="http://127.0.0.1")


def ask(client: TestClient, model: str | None, token: str = ANN, **body: object) -> httpx2.Response:
    named = {} if model is None else {"model": model}
    headers = {"Authorization": f"Bearer {token}"}
    return client.post("/api/rlm", json={**named, "prompt": "q", **body}, headers=headers)


def offered(client: TestClient, token: str = ANN) -> dict[str, Any]:
    listed = client.get("/api/models", headers={"Authorization": f"Bearer {token}"}).json()
    assert isinstance(listed, dict)
    return {model["id"]: model for model in listed["models"]} | {"default": listed["default"]}


def azure(seen: Seen) -> Turn:
    """A deployment of Azure OpenAI, as its reference for the data plane 2024-10-21 describes it."""
    path, _, query = seen.path.partition("?")
    if seen.headers.get("api-key") != PLANTED_KEY or "authorization" in seen.headers:
        return json_turn(
            {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}}, status=401
        )
    if query != "api-version=2024-10-21":
        return json_turn({"error": {"code": "404", "message": "Resource not found"}}, status=404)
    if path != "/openai/deployments/gpt-5-mini/chat/completions":
        message = "The API deployment for this resource does not exist."
        return json_turn({"error": {"code": "DeploymentNotFound", "message": message}}, status=404)
    filters = {"hate": {"filtered": False, "severity": "safe"}}
    first = {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": filters}]}
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    return events_turn({"id": "", "object": "", "model": "", **first}, *openai_deltas("Par", "is", usage=usage))


def litellm(seen: Seen) -> Turn:
    """A LiteLLM proxy, as its documents describe it."""
    if seen.headers.get("authorization") != "Bearer sk-litellm-planted" or seen.headers.get("x-team") != "research":
        error = {"message": "Authentication Error", "type": "auth_error", "param": "None", "code": "401"}
        return json_turn({"error": error}, status=401)
    if seen.path == "/v1/models":
        row = {"object": "model", "created": 1677610602, "owned_by": "openai"}
        return json_turn({"data": [{"id": "claude-large", **row}, {"id": "gpt-small", **row}], "object": "list"})
    assert seen.path == "/v1/chat/completions"
    if seen.json()["model"] == "gpt-small":
        spent: dict[str, object] = {
            "message": "ExceededBudget",
            "type": "budget_exceeded",
            "param": None,
            "code": "429",
        }
        return json_turn({"error": spent}, status=429)
    return openai_turn(seen, "Paris")


def test_azure_is_asked_by_deployment_with_its_version_key_and_price(
    upstream: FakeUpstream, assets: Assets, write: Write
) -> None:
    upstream.answer = azure
    with client_of(write(AZURE), assets) as client:
        reply = ask(client, "azure:gpt-5-mini").json()
        unknown = ask(client, "azure:gpt-4").json()
    assert (reply["text"], reply["model"]) == ("Paris", "azure:gpt-5-mini")
    assert reply["usage"]["cost"] == pytest.approx((1000 * 2 + 500 * 8) / 1e6)
    assert unknown["type"] == "/problems/upstream-model-unknown"
    assert PLANTED_KEY not in str(unknown)
    assert [seen.method for seen in upstream.seen] == ["POST", "POST"]  # its list is the one of the file


def test_litellm_is_listed_and_asked_with_its_key_and_headers(
    upstream: FakeUpstream, assets: Assets, write: Write
) -> None:
    upstream.answer = litellm
    with client_of(write(LITELLM), assets) as client:
        listed = offered(client)
        assert {"team-gateway:claude-large", "team-gateway:gpt-small", "smart"} <= listed.keys()
        assert listed["default"] == "team-gateway:claude-large"
        assert ask(client, "team-gateway:claude-large").json()["text"] == "Paris"
        assert ask(client, "team-gateway:gpt-small").json()["type"].startswith("/problems/upstream-")
    assert upstream.seen[-1].json()["model"] == "gpt-small"


def test_a_refused_key_is_named_by_its_place_in_the_file(upstream: FakeUpstream, assets: Assets, write: Write) -> None:
    upstream.answer = litellm
    with client_of(write(LITELLM.replace("planted", "other")), assets) as client:
        problem = ask(client, "smart").json()
    assert problem["type"] == "/problems/upstream-key-refused"
    assert "the key of providers.team-gateway in RLM_CONFIG" in problem["detail"]


def test_an_alias_is_a_model(upstream: FakeUpstream, assets: Assets, write: Write) -> None:
    upstream.answer = azure
    with client_of(write(AZURE), assets, models="azure:gpt-5") as client:
        alias = offered(client)["fast"]
        assert (alias["label"], alias["provider"], alias["priced"]) == ("fast (azure:gpt-5-mini)", "azure", True)
        assert ask(client, "fast").json()["model"] == "azure:gpt-5-mini"
        assert ask(client, "slow").json()["type"] == "/problems/unknown-model"


def test_only_its_users_may_use_and_see_a_provider(upstream: FakeUpstream, assets: Assets, write: Write) -> None:
    upstream.answer = azure
    with client_of(write(AZURE), assets) as client:
        assert {"azure:gpt-5", "azure:gpt-5-mini", "fast"} <= offered(client, ANN).keys()
        assert offered(client, BO).keys() == {"builtin:extractive", "default"}
        assert offered(client, BO)["default"] == "builtin:extractive"
        for model in ("azure:gpt-5-mini", "fast"):
            assert ask(client, model, ANN).status_code == 200
            refused = ask(client, model, BO)
            assert (refused.status_code, refused.json()["type"]) == (400, "/problems/unknown-model")
            assert "The provider azure is not open to you." in refused.json()["detail"]
        for open_to_all in (None, "builtin:extractive"):
            assert ask(client, open_to_all, BO, prompt="Who? Ada.").json()["model"] == "builtin:extractive"
    assert len(upstream.seen) == 2


def test_a_default_that_is_not_open_to_a_user_is_none_for_him(
    upstream: FakeUpstream, assets: Assets, write: Write
) -> None:
    upstream.answer = azure
    with client_of(write(AZURE), assets, default_model="azure:gpt-5-mini") as client:
        assert (offered(client, ANN)["default"], offered(client, BO)["default"]) == (
            "azure:gpt-5-mini",
            "builtin:extractive",
        )
        assert ask(client, None, ANN).json()["model"] == "azure:gpt-5-mini"
        assert ask(client, None, BO, prompt="Who? Ada.").json()["model"] == "builtin:extractive"


def test_anthropics_dialect_has_its_headers(upstream: FakeUpstream, assets: Assets, write: Write) -> None:
    upstream.script(streamed_turn("anthropic", "Paris"))
    path = write('[providers.claude]\ndialect = "anthropic"\nbase_url = "{url}/v1"\nkey = "k"\nmodels = ["m"]\n')
    with client_of(path, assets) as client:
        assert ask(client, "claude:m").json()["text"] == "Paris"
    seen = upstream.seen[0]
    assert (seen.path, seen.headers["x-api-key"], seen.headers["anthropic-version"]) == (
        "/v1/messages",
        "k",
        "2023-06-01",
    )


def test_a_call_goes_by_the_proxy(upstream: FakeUpstream, assets: Assets, write: Write) -> None:
    upstream.script(reply_turn())
    text = '[providers.x]\nbase_url = "http://gateway.internal:4000/v1"\ninsecure_http = true\nproxy = "{url}"\n'
    with client_of(write(text), assets) as client:
        assert ask(client, "x:m").json()["text"] == "Paris"
    assert upstream.seen[0].path == "http://gateway.internal:4000/v1/chat/completions"


def test_time_outs_are_the_providers_own(write: Write) -> None:
    path = write(MINIMAL + "connect_seconds = 1.5\ntotal_seconds = 7\n")

    async def seconds() -> tuple[object, ...]:
        async with open_registry(make_settings(config=path, first_byte_seconds=30)) as registry:
            upstream, _ = await registry.find("x:m")
            assert isinstance(upstream, ChatProvider)
            client, settings = upstream.exchange.client, upstream.exchange.settings
            assert isinstance(client, Connections)
            timeout = client.timeout
            return timeout.connect, timeout.read, settings.total_seconds

    assert asyncio.run(seconds()) == (1.5, 30, 7)


def test_certificates_of_the_file_are_trusted(upstream: FakeUpstream, assets: Assets, tmp_path: Path) -> None:
    """A TLS server with a certificate of its own answers the provider that trusts it, and no other."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    named = ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "ca.pem"]
    subprocess.run([*made, *named], cwd=tmp_path, check=True, capture_output=True)
    upstream.script(reply_turn())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    path = tmp_path / "providers.toml"

    async def served() -> tuple[str, list[int]]:
        server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        entry = f'base_url = "https://localhost:{port}/v1"\n'
        path.write_text(f'[providers.known]\n{entry}ca_file = "ca.pem"\n[providers.unknown]\n{entry}')
        app = create_app(make_settings(**PATIENT, config=path, token=ANN), assets=assets)
        async with server, app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app)
            headers = {"Authorization": f"Bearer {ANN}"}
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
                bodies = [{"model": f"{name}:m", "prompt": "q"} for name in ("known", "unknown")]
                replies = [await client.post("/api/rlm", json=body) for body in bodies]
        return replies[0].json().get("text", ""), [reply.status_code for reply in replies]

    assert asyncio.run(served()) == ("Paris", [200, 502])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[providers.x", "is not TOML"),
        ("[provider.x]\n", "provider: Extra inputs are not permitted"),
        ("[providers.x]\n", "providers.x.base_url: Field required"),
        ("providers = 3\n", "providers: Input should be"),
        ("[providers]\nx = 3\n", "providers.x: Input should be"),
        (MINIMAL + "key_file = 3\n", "providers.x.key_file: "),
        (MINIMAL + 'basurl = "x"\n', "providers.x.basurl: Extra inputs are not permitted"),
        (MINIMAL.replace("x]", "openai]"), "'openai' cannot name a provider"),
        (MINIMAL.replace("x]", "Big]"), "'Big' cannot name a provider"),
        (MINIMAL.replace("https", "http"), "must begin with https://"),
        (MINIMAL.replace("https", "http") + "insecure_http = true\n", "must begin with https://"),
        (MINIMAL.replace("/v1", "/v1?api-version=1"), "no user name, query or fragment"),
        (MINIMAL.replace("v1", "{{model}}"), "`models` must name the models"),
        (MINIMAL + 'dialect = "cohere"\n', "providers.x.dialect: Input should be"),
        (MINIMAL + 'headers = {{ Host = "y" }}\n', "headers must have plain names"),
        (MINIMAL + 'headers = {{ X = "a\\nb" }}\n', "headers must have plain names"),
        (MINIMAL + 'proxy = "proxy:3128"\n', "proxy must be http://host:port"),
        (MINIMAL + f'key = "{PLANTED_KEY} x"\n', "providers.x.key: a key must be printable ASCII"),
        (MINIMAL + 'key_file = "none.key"\n', "providers.x.key_file: the file cannot be read"),
        (MINIMAL + f'key = "{PLANTED_KEY}"\nkey_file = "azure.key"\n', "key and key_file are both set"),
        (MINIMAL + 'ca_file = "azure.key"\n', "providers.x.ca_file: no certificates can be read"),
        (MINIMAL + "total_seconds = 0\n", "providers.x.total_seconds: Input should be greater than 0"),
        (MINIMAL + "[providers.x.prices.m]\ninput = -1\noutput = 1\n", "providers.x.prices.m.input: "),
        ("[page_defaults]\nmax_iteration = 9\n", "page_defaults.max_iteration is no limit: max_iterations, "),
        ("[page_defaults]\nmax_depth = 0\n", "page_defaults.max_depth must be a whole number of at least 1"),
        ("[ceilings]\nmax_cost = -1.0\n", "ceilings.max_cost must be a number above 0"),
        ("[ceilings]\ncompact_at = 0.5\n", "ceilings.compact_at cannot be"),
        (
            "[page_defaults]\nmax_depth = 3\n[ceilings]\nmax_depth = 2\n",
            "page_defaults.max_depth is 3, above its ceiling",
        ),
        ('[aliases]\n"a:b" = "openai:m"\n', "'a:b' is no alias"),
        ('[aliases]\na = "m"\n', "aliases.a: 'm' is not a model"),
    ],
)
def test_a_file_that_cannot_be_used_says_which_field_and_no_value(
    write: Write, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    monkeypatch.setenv("RLM_CONFIG", str(write(text)))
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert reason in str(caught.value)
    assert str(caught.value).startswith("Settings cannot be used. RLM_CONFIG: ")
    assert PLANTED_KEY not in str(caught.value)


def test_nothing_that_may_be_secret_is_shown(write: Write) -> None:
    secrets = f'key = "{PLANTED_KEY}"\nproxy = "http://u:planted-word@p:1"\nheaders = {{{{ X = "planted-word" }}}}\n'
    settings = make_settings(config=write(MINIMAL + secrets))
    assert "planted" not in f"{settings!r}{settings}"


def test_limits_of_the_page_are_in_its_list_of_models(write: Write, assets: Assets) -> None:
    path = write("[page_defaults]\nmax_iterations = 7\n[ceilings]\nmax_cost = 1.5\n")
    with client_of(path, assets) as client:
        listed = client.get("/api/models", headers={"Authorization": f"Bearer {ANN}"}).json()
    assert listed["run_limits"] == {"defaults": {"max_iterations": 7}, "ceilings": {"max_cost": 1.5}}


def test_a_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RLM_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match=r"RLM_CONFIG: .*none.toml: the file cannot be read \(No such file"):
        load_settings()


@pytest.mark.parametrize("host", ["10.1.2.3:4000", "litellm:4000", "gateway.internal", "127.0.0.1:1"])
def test_plain_http_goes_to_near_hosts_where_that_is_wanted(write: Write, host: str) -> None:
    file = read_provider_file(write(f'[providers.x]\nbase_url = "http://{host}/v1"\ninsecure_http = true\n'))
    assert isinstance(file, ProviderFile)


def test_prices_are_those_of_the_model_else_of_the_star(write: Write) -> None:
    text = (
        MINIMAL
        + "[providers.x.prices]\nm = {{ input = 1, output = 2, cached = 0.5 }}\n'*' = {{ input = 3, output = 4 }}\n"
    )
    settings = make_settings(config=write(text))

    async def costs() -> list[float | None]:
        async with open_registry(settings) as registry:
            usage = ModelUsage(1, 1_000_000, 1_000_000, 400_000)
            return [
                registry.prices.cost(provider, model, usage) for provider, model in (("x", "m"), ("x", "n"), ("y", "m"))
            ]

    assert asyncio.run(costs()) == [0.6 + 0.2 + 2, 7, None]


def test_the_file_is_read_again_with_the_settings(upstream: FakeUpstream, assets: Assets, write: Write) -> None:
    upstream.answer = azure
    with client_of(write(AZURE), assets) as client:
        assert ask(client, "fast", BO).status_code == 400
        changed = read_provider_file(write(AZURE.replace('"ann"', '"ann", "bo"')))
        settings = client.app.state.settings.model_copy(update={"config": changed})  # type: ignore[attr-defined]
        assert client.portal is not None
        client.portal.call(client.app.take_settings, settings)  # type: ignore[attr-defined]
        assert ask(client, "fast", BO).status_code == 200


def test_where_no_users_are_known_a_provider_is_open(upstream: FakeUpstream, assets: Assets, write: Write) -> None:
    upstream.answer = azure
    settings = make_settings(**PATIENT, config=write(AZURE), token=ANN)
    for known, status in ((settings, 400), (settings.unguarded(), 200)):
        headers = {"Authorization": f"Bearer {ANN}", "Origin": "http://127.0.0.1"}
        with TestClient(create_app(known, assets=assets), base_url="http://127.0.0.1") as client:
            body = {"model": "fast", "prompt": "q"}
            assert client.post("/api/rlm", json=body, headers=headers).status_code == status
