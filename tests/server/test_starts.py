"""Starting and stopping `pyodide-rlm serve`: wrong configurations are refused by name, SIGHUP reads them again."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import httpx2
import pytest
from click.testing import CliRunner, Result

from rlm_server.command.cli import main
from rlm_server.settings import variables, variables_of_files

ROOT = Path(__file__).parents[2]
SECRET = "sk-planted-secret"
WAIT_SECONDS = 60.0

WRONG: list[tuple[dict[str, str], str]] = [
    ({"RLM_TOKN": SECRET}, "RLM_TOKN is no setting (nearest: RLM_TOKEN)"),
    ({"RLM_TOKEN_FIEL": SECRET}, "RLM_TOKEN_FIEL is no setting (nearest: RLM_TOKEN_FILE)"),
    ({"RLM_PORT": "http"}, "RLM_PORT: "),
    ({"RLM_DRAIN_SECONDS": "-1"}, "RLM_DRAIN_SECONDS: "),
    ({"RLM_HOST": "0.0.0.0"}, "Set RLM_TOKEN to a long random text"),
    ({"RLM_PUBLIC_URL": "https://rlm.example.org"}, "RLM_PUBLIC_URL on rlm.example.org would let everyone"),
    ({"RLM_PUBLIC_URL": "rlm.example.org"}, "RLM_PUBLIC_URL: must be scheme://host"),
    ({"RLM_USER_HEADER": "X-User"}, "RLM_TRUSTED_PROXIES, which is empty"),
    ({"RLM_TRUSTED_PROXIES": "proxy.example"}, "RLM_TRUSTED_PROXIES: 'proxy.example' is no address or network"),
    ({"RLM_TOKENS": f"ann:{SECRET},ann:other"}, "RLM_TOKENS: must have each name and each secret once"),
    ({"RLM_TOKENS": SECRET}, "RLM_TOKENS: must be name:secret pairs"),
    ({"RLM_TOKEN_FILE": "missing"}, "RLM_TOKEN_FILE: the file cannot be read (No such file or directory)"),
    ({"RLM_TOKEN": SECRET, "RLM_TOKEN_FILE": "secret"}, "RLM_TOKEN and RLM_TOKEN_FILE are both set"),
    ({"OPENAI_API_KEY_FILE": "."}, "OPENAI_API_KEY_FILE: the file cannot be read (Is a directory)"),
    ({"RLM_STORE_PATH": "."}, "RLM_STORE_PATH: "),
    ({"RLM_STAND_IN": "perhaps"}, "RLM_STAND_IN: "),
    ({"RLM_AUDIT_LOG": "."}, "RLM_AUDIT_LOG: . cannot be written (Is a directory). Name another file, or stderr."),
    ({"RLM_MAX_DAY_CALLS": "-1"}, "RLM_MAX_DAY_CALLS: "),
]


def environment(values: Mapping[str, str]) -> dict[str, str]:
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "OLLAMA_BASE_URL": "none"}
    return {**own, "RLM_PORT": "0", **values}


OF_THE_PROXY = ["RLM_UPSTREAM"]
"""Variables of the proxy itself: deploy/compose.yaml gives Caddy the server's address."""


@pytest.mark.parametrize("file", ["nginx.conf", "Caddyfile", "pyodide-rlm.service"])
def test_the_files_to_deploy_with_name_settings_that_there_are(file: str) -> None:
    named = set(re.findall(r"\b(?:RLM|OPENAI)_[A-Z_]+", (ROOT / "deploy" / file).read_text()))
    assert len(named) > 2
    assert named <= {*variables().values(), *variables_of_files().values(), *OF_THE_PROXY}


def refused(values: Mapping[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """The end of a start in `folder` with these variables alone."""
    monkeypatch.chdir(folder)
    with mock.patch.dict(os.environ, environment(values), clear=True):
        return CliRunner().invoke(main, ["serve", *arguments])


@pytest.mark.parametrize(("values", "words"), WRONG, ids=[next(iter(values)) for values, _ in WRONG])
def test_a_wrong_configuration_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], words: str
) -> None:
    ended = refused(values, tmp_path, monkeypatch)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert words in ended.stderr
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert SECRET not in ended.stderr


def test_a_busy_port_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, kept_handlers():
        port = str(taken.getsockname()[1])
        ended = refused({}, tmp_path, monkeypatch, "--port", port)
    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"error: Cannot listen on 127.0.0.1:{port}: Address already in use")


@contextmanager
def kept_handlers() -> Iterator[None]:
    """A start that comes as far as its socket has set up the log and SIGTERM of the whole process."""
    root, ours, handler = logging.getLogger(), logging.getLogger("rlm_server"), signal.getsignal(signal.SIGTERM)
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    signal.signal(signal.SIGTERM, handler)


@contextmanager
def started(folder: Path, values: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The command at work in `folder`, and its URL."""
    log = folder / "log"
    with log.open("wb") as stderr:
        server = subprocess.Popen(
            [sys.executable, "-m", "rlm_server", "serve"], env=environment(values), cwd=folder, stderr=stderr
        )
    try:
        until = time.monotonic() + WAIT_SECONDS
        while "pyodide-rlm is at " not in log.read_text():
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield server, log.read_text().partition("pyodide-rlm is at ")[2].split()[0]
    finally:
        server.terminate()
        server.wait(WAIT_SECONDS)


def until_status(url: str, token: str, status: int) -> None:
    """Wait until the server answers `token` with `status`."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        response = httpx2.get(f"{url}/api/health", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        if response.status_code == status:
            return
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
def test_a_hangup_reads_the_secrets_again_and_a_mistake_changes_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("the-first-token\n")
    with started(tmp_path, {"RLM_TOKEN_FILE": str(secret)}) as (server, url):
        until_status(url, "the-first-token", 200)
        until_status(url, "the-second-token", 401)
        secret.write_text("the-second-token\n")
        server.send_signal(signal.SIGHUP)
        until_status(url, "the-second-token", 200)
        until_status(url, "the-first-token", 401)
        secret.unlink()
        server.send_signal(signal.SIGHUP)
        until = time.monotonic() + WAIT_SECONDS
        while "not read again" not in (tmp_path / "log").read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        until_status(url, "the-second-token", 200)
    assert server.returncode == -signal.SIGTERM
    log = (tmp_path / "log").read_text()
    assert "RLM_TOKEN_FILE: the file cannot be read" in log
    assert "Traceback" not in log
    assert "-token" not in log
