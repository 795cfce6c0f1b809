"""Keys: planted wherever one can be, and searched for in every byte that comes out of a real process."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from rlm_core.errors import RLMError
from rlm_server.assets import Assets
from rlm_server.http.app import create_app
from rlm_server.settings import load_settings
from tests.server.conftest import make_settings
from tests.server.fake_upstream import FakeUpstream, Seen, Turn, events_turn, json_turn, openai_deltas, openai_reply
from tests.server.rules.forked import forked_servers

VARIABLES = ("RLM_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY")
KEYS = {name: f"sk-planted-{number}-0123456789abcdef" for number, name in enumerate(VARIABLES)}


def planted_in(said: bytes) -> list[str]:
    return [name for name, key in KEYS.items() if key.encode() in said]


def turns(seen: Seen) -> list[Turn]:
    """Turns of an upstream that knows the key and repeats it everywhere."""
    key = seen.headers.get("authorization", "") + seen.headers.get("x-api-key", "")
    return [
        *(Turn(status=status, chunks=(key.encode(),)) for status in (301, 400, 401, 403, 404, 418, 429, 500, 503)),
        Turn(status=302, headers={"Location": f"https://evil.example/{key}"}),
        Turn(chunks=(key.encode(),)),
        Turn(chunks=(json.dumps({"error": {"message": key}}).encode(),)),
        Turn(chunks=(json.dumps({"choices": key}).encode(),), headers={"X-Key": key, "Set-Cookie": key}),
        Turn(headers={"Content-Encoding": "gzip"}, chunks=(key.encode(),)),
        Turn(raw=key.encode() + b"\r\n\r\n"),
        Turn(raw=f"HTTP/1.1 200 {key}\r\n{key}\r\n\r\n".encode()),
        Turn(chunks=(b'{"cho', key.encode()), cut=True),
        events_turn(*openai_deltas("a")[:1], {"error": key}),
        events_turn(*openai_deltas("a")[:1], key),
        json_turn(openai_reply("fine")),
        events_turn(*openai_deltas("fine")),
    ]


HOW_MANY = len(turns(Seen("", "", {}, b"")))


def said_of(response: httpx2.Response) -> bytes:
    return str(response.headers.raw).encode() + response.content


def asked(client: httpx2.Client, upstream: FakeUpstream) -> Iterator[bytes]:
    """Everything a client can bring the server to say."""
    for path in ("/", "/api/models", "/api/health", "/api/rlm", "/nothing", "/page/.env", "/%00"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Origin": "http://evil.example"}, {"Host": "evil"}):
            yield said_of(client.get(path, headers=headers))
    for model in ("openai:m", "anthropic:m", "gemini:m", "x:y", "builtin:extractive"):
        for body in ({"prompt": "q"}, {"prompt": "q", "stream": True}, {"type": "batch", "prompts": ["q", " "]}):
            for turn in range(HOW_MANY if model in ("openai:m", "anthropic:m") else 1):
                upstream.answer = lambda seen, turn=turn: turns(seen)[turn]  # type: ignore[misc]
                key = {"Idempotency-Key": f"run/{model}{turn}"}
                yield said_of(client.post("/api/rlm", json={**body, "model": model}, headers=key))
    yield said_of(client.post("/api/rlm", content=b"{"))


@pytest.fixture
def environment(upstream: FakeUpstream, tmp_path: Path) -> dict[str, str]:
    return {
        **KEYS,
        "OPENAI_BASE_URL": f"{upstream.url}/v1",
        "ANTHROPIC_BASE_URL": upstream.url,
        "OLLAMA_BASE_URL": "none",
        "RLM_MODELS": "openai:m,anthropic:m",
        "RLM_RETRIES": "0",
        "RLM_STORE_PATH": str(tmp_path / "store"),
        "NOTHING": str(tmp_path),
    }


@pytest.mark.slow
def test_no_key_is_in_any_byte_out(upstream: FakeUpstream, environment: dict[str, str], tmp_path: Path) -> None:
    with forked_servers(tmp_path / "printed") as servers:
        pid, url = servers.start(environment)
        headers = {"Origin": url, "Authorization": f"Bearer {KEYS['RLM_TOKEN']}"}
        with httpx2.Client(base_url=url, headers=headers, trust_env=False, timeout=10) as client:
            said = b"".join(asked(client, upstream))
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
        files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        os.kill(pid, signal.SIGTERM)
        servers.ended()
    printed = (tmp_path / "printed").read_bytes()
    given = "".join(str(seen.headers) for seen in upstream.seen).encode()
    assert planted_in(given) == ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"]
    assert planted_in(said) == planted_in(command_line) == planted_in(files) == planted_in(printed) == []
    assert len(said) > 10_000
    assert b'"level": "DEBUG"' in printed
    lines = [json.loads(line) for line in printed.splitlines()]
    assert not [line for line in lines if "Traceback" in str(line)]


def test_no_key_is_in_the_repr_of_anything(assets: Assets) -> None:
    settings = make_settings(**{name.lower().removeprefix("rlm_"): key for name, key in KEYS.items()})
    app = create_app(settings, assets=assets)
    shown = [settings, app, app.state._state, vars(app), app.middleware_stack, settings.model_dump_json()]
    stack = app.build_middleware_stack()
    while stack is not None:
        shown.append(vars(stack))
        stack = getattr(stack, "app", None)  # type: ignore[assignment]
    assert planted_in("".join(map(repr, shown)).encode()) == []


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("spoiled", ["{} two", "{}\u2026", "{}\r\nX: y", "\x7f{}"])
def test_no_key_is_in_the_error_that_refuses_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, spoiled: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, spoiled.format(KEYS[name]))
    with pytest.raises(RLMError) as caught:
        load_settings()
    told = traceback.TracebackException.from_exception(caught.value)
    assert name in str(caught.value)
    assert planted_in("".join(told.format()).encode()) == []
