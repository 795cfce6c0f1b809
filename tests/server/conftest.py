"""One fake upstream and one real server for the whole folder; each test scripts the upstream anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import httpx2
import pytest

from rlm_server.assets import Assets
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.settings import Settings
from tests.server.fake_upstream import FakeUpstream, fake_upstream

PLANTED_KEY = "sk-planted-" + "0123456789abcdef"
KIB = 1024


def make_settings(**values: object) -> Settings:
    """Settings that no variable or `.env` file of this machine can change; short waits, no Ollama."""
    quick = {
        "ollama_base_url": "",
        "retry_wait_seconds": 0.005,
        "connect_seconds": 1.0,
        "first_byte_seconds": 0.25,
        "total_seconds": 1.0,
        "models_seconds": 0.5,
        "body_seconds": 0.3,
        "max_body_bytes": 256 * KIB,
        "max_upstream_bytes": 64 * KIB,
        "max_retry_after_seconds": 0.2,
    }
    with mock.patch.dict(os.environ, clear=True):
        return Settings(_env_file=None, **{**quick, **values})  # type: ignore[arg-type, call-arg]


def settings_for(upstream: FakeUpstream, **values: object) -> Settings:
    """Both dialects at `upstream`, with the planted key and two models each."""
    both = {
        "openai_api_key": PLANTED_KEY,
        "openai_base_url": f"{upstream.url}/v1",
        "anthropic_api_key": PLANTED_KEY,
        "anthropic_base_url": upstream.url,
        "models": "openai:m,anthropic:m",
    }
    return make_settings(**{**both, **values})


@pytest.fixture(scope="session")
def running_upstream() -> Iterator[FakeUpstream]:
    with fake_upstream() as fake:
        yield fake


@pytest.fixture
def upstream(running_upstream: FakeUpstream) -> FakeUpstream:
    running_upstream.reset()
    return running_upstream


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """A small page, a contained worker, and one file of each kind that is treated differently."""
    root = tmp_path_factory.mktemp("static")
    files = {
        "web/index.html": b"<!doctype html><title>page</title>",
        "web/app.js": b"export const page = 1;\n",
        "web/.env": b"SECRET=1",
        "web/samples/sample.txt": b"text",
        "worker/rlm.js": b"export const rlm = 1;\n",
        "worker/rlm.d.ts": b"export const rlm: 1;\n",
        "worker/sandbox/boot.py": b"print(1)\n",
        "assets/manifest.json": b"{}",
        "assets/worker.0123456789abcdef.js": b"onmessage = null;\n",
        "assets/pyodide.0123456789abcdef.wasm": b"\0asm plain",
        "assets/pyodide.0123456789abcdef.wasm.br": b"brotli",
        "assets/pyodide.0123456789abcdef.wasm.gz": b"gzip",
        "vendor/preact.mjs": b"export const preact = 1;\n",
        "secret.js": b"outside",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "web" / "link.js").symlink_to(root / "secret.js")
    return Assets(*(root / name for name in ("web", "worker", "assets", "vendor")))


@pytest.fixture(scope="session")
def server(running_upstream: FakeUpstream, assets: Assets) -> Iterator[str]:
    """URL of a real server whose providers are at the fake upstream."""
    with serving(create_app(settings_for(running_upstream), assets=assets), drain_seconds=0) as url:
        yield url


@pytest.fixture(scope="session")
def client(server: str) -> Iterator[httpx2.Client]:
    """A client that sends the headers of the page."""
    with httpx2.Client(base_url=server, headers={"Origin": server}, trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture
def patient(upstream: FakeUpstream, assets: Assets) -> Iterator[httpx2.Client]:
    """The same client of a server that gives up on nothing while a busy machine does much at once."""
    settings = settings_for(upstream, connect_seconds=60, first_byte_seconds=60, total_seconds=120)
    with client_of(settings, assets, timeout=120) as client:
        yield client


@contextmanager
def client_of(settings: Settings, assets: Assets, *, timeout: float) -> Iterator[httpx2.Client]:
    """A client with the headers of the page, of a server of its own."""
    with (
        serving(create_app(settings, assets=assets), drain_seconds=0) as url,
        httpx2.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=timeout) as client,
    ):
        yield client


@pytest.fixture
def no_assets(tmp_path: Path) -> Assets:
    """Folders with nothing in them."""
    return Assets(tmp_path, tmp_path, tmp_path, tmp_path)
