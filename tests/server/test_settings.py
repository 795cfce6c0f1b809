"""Settings: values read, values refused, and none that comes back in an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_core.errors import ConfigError
from rlm_server.loopback import is_loopback
from rlm_server.settings import load_settings
from tests.server.conftest import PLANTED_KEY, make_settings


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without `.env`."""
    monkeypatch.chdir(tmp_path)


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {PLANTED_KEY}\n")
    monkeypatch.setenv("RLM_MODELS", "openai:a, openai:b,")
    monkeypatch.setenv("RLM_CONCURRENCY", "5")
    settings = load_settings()
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == PLANTED_KEY
    assert (settings.models, settings.concurrency) == (("openai:a", "openai:b"), 5)


def test_a_dotenv_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("RLM_PORT=1111\nRLM_HOST=localhost\nUNRELATED=1\n")
    monkeypatch.setenv("RLM_PORT", "2222")
    monkeypatch.delenv("RLM_HOST", raising=False)
    settings = load_settings()
    assert (settings.host, settings.port) == ("localhost", 2222)


def test_what_is_given_wins_and_none_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_PORT", "2222")
    assert (load_settings(port=3333).port, load_settings(port=None).port) == (3333, 2222)


BAD = [
    ("RLM_PORT", "70000"),
    ("RLM_PORT", "http"),
    ("RLM_CONCURRENCY", "0"),
    ("RLM_RETRIES", "4"),
    ("RLM_BODY_SECONDS", "0"),
    ("RLM_HEAD_SECONDS", "0"),
    ("RLM_MAX_RUN_CALLS", "-1"),
    ("RLM_MAX_RUN_TOKENS", "1.5"),
    ("RLM_MAX_START_COST", "inf"),
    ("RLM_STORE_BYTES", "-1"),
    ("RLM_MODELS", "gpt-5"),
    ("RLM_DEFAULT_MODEL", "gpt-5"),
    ("RLM_ALLOWED_ORIGINS", "https://a.example/"),
    ("RLM_ALLOWED_ORIGINS", "*"),
    ("RLM_ALLOWED_ORIGINS", "null"),
    ("RLM_FRAME_ANCESTORS", "'self'; script-src *"),
    ("RLM_FRAME_ANCESTORS", "a\r\nX: b"),
    ("OPENAI_API_KEY", f"{PLANTED_KEY} second"),
    ("OPENAI_API_KEY", f"{PLANTED_KEY}\r\nX: y"),
    ("ANTHROPIC_API_KEY", f"{PLANTED_KEY}\u2026"),
    ("OPENAI_BASE_URL", "http://api.openai.example/v1"),
    ("OPENAI_BASE_URL", "http://192.168.1.5:8000/v1"),
    ("OPENAI_BASE_URL", "http://localhost.evil.example/v1"),
    ("OPENAI_BASE_URL", f"https://user:{PLANTED_KEY}@api.example/v1"),
    ("OPENAI_BASE_URL", f"https://api.example/v1?key={PLANTED_KEY}"),
    ("OPENAI_BASE_URL", "ftp://127.0.0.1/"),
    ("OPENAI_BASE_URL", "file:///etc/passwd"),
    ("OPENAI_BASE_URL", "https://"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_an_impossible_value_is_refused_by_name_and_never_quoted_if_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert name in str(caught.value)
    assert PLANTED_KEY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url", ["https://a.example/v1", "http://127.0.0.1:8080/v1/", "http://localhost:1234/v1", "http://[::1]:1/v1"]
)
def test_https_and_loopback_are_allowed(url: str) -> None:
    assert make_settings(openai_base_url=url).openai_base_url == url.rstrip("/")


def test_a_blank_key_is_no_key() -> None:
    assert make_settings(openai_api_key="  ").configured_providers() == ["builtin"]


def test_ollama_can_be_left_alone() -> None:
    assert make_settings(ollama_base_url="none").ollama_base_url == ""


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("Localhost", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_what_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("RLM_TOKN", "RLM_TOKEN"), ("RLM_MAX_RUN_CALL", "RLM_MAX_RUN_CALLS"), ("rlm_prot", "RLM_PORT")],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    monkeypatch.setenv(name, PLANTED_KEY)
    with pytest.raises(ConfigError, match=rf"{name.upper()} is no setting \(nearest: {nearest}\)") as caught:
        load_settings()
    assert PLANTED_KEY not in str(caught.value)


def test_a_variable_that_names_the_command_for_scripts_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_CLI", "/usr/bin/pyodide-rlm")
    assert load_settings().port == 8000


def test_an_unknown_line_of_a_dotenv_file_is_refused_beside_an_impossible_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("RLM_ZEBRA=1\nOTHER_ZEBRA=1\n")
    monkeypatch.setenv("RLM_PORT", "http")
    with pytest.raises(ConfigError, match=r"RLM_ZEBRA is no setting; RLM_PORT: "):
        load_settings()
