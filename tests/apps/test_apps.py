"""FastAPI and Django: the whole server below a prefix of the real packages, behind uvicorn."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import httpx2
import pytest

import rlm_server
from rlm_server.http.security import FIXED_HEADERS, WORKER_CSP
from rlm_server.http.serving import serving
from rlm_server.settings import Settings

ASK = {"prompt": "Who signed?", "model": "builtin:extractive"}


def settings() -> Settings:
    with mock.patch.dict(os.environ, clear=True):
        return Settings(_env_file=None, ollama_base_url="")  # type: ignore[call-arg]


def fastapi_mounted() -> Any:
    """FastAPI with our lifespan."""
    from fastapi import FastAPI

    ask = rlm_server.asgi(settings=settings())
    app = FastAPI(lifespan=ask.lifespan)
    app.get("/hello")(lambda: "hello")
    app.mount("/ask", ask)
    return app


def fastapi_with_its_own_lifespan() -> Any:
    """FastAPI with a lifespan that knows nothing of ours."""
    from fastapi import FastAPI

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(lifespan=own)
    app.get("/hello")(lambda: "hello")
    app.mount("/ask", rlm_server.asgi(prefix="/ask", settings=settings()))
    return app


def django() -> Any:
    """Django beside it, as in a project's asgi.py."""
    from django.conf import settings as django_settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import path

    urls = [path("hello", lambda request: HttpResponse('"hello"'))]
    if not django_settings.configured:
        django_settings.configure(ROOT_URLCONF=tuple(urls), ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="of this test")
    return rlm_server.asgi("/ask", settings=settings(), beside=get_asgi_application())


@pytest.mark.parametrize("app", [fastapi_mounted, fastapi_with_its_own_lifespan, django])
def test_page_assets_and_calls_are_below_the_prefix(app: Callable[[], Any]) -> None:
    with serving(app(), drain_seconds=0) as url, httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        assert client.get("/hello").json() == "hello"
        page = client.get("/ask", follow_redirects=True)
        assert (page.url.path, page.status_code) == ("/ask/", 200)
        assert {name: page.headers[name] for name in FIXED_HEADERS} == FIXED_HEADERS
        files = client.get("/ask/rlm/assets/manifest.json").json()["files"].values()
        name = next(file["path"] for file in files if file["path"].startswith("worker."))
        assert client.get(f"/ask/rlm/assets/{name}").headers["content-security-policy"] == WORKER_CSP
        reply = client.post("/ask/api/rlm", json=ASK, headers={"Origin": url})
        assert (reply.status_code, bool(reply.json()["text"])) == (200, True)
        assert "content-security-policy" not in client.get("/hello").headers
