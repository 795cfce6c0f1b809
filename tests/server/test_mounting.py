"""Mounted: the whole server below a prefix of another application, with its headers, its socket and its lifespan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import rlm_server
from rlm_core import ConfigError
from rlm_server.assets import Assets
from rlm_server.http.app import create_app
from rlm_server.http.mounting import Mounted
from tests.server.conftest import make_settings

TOKEN = "a-long-random-token"
BASE = "http://127.0.0.1"
FILES = ["/", "/page/app.js", "/rlm/rlm.js", "/rlm/assets/worker.0123456789abcdef.js", "/rlm/assets/manifest.json"]
ASK = {"prompt": "Who signed?", "model": "builtin:extractive"}


def home(request: object) -> PlainTextResponse:
    return PlainTextResponse("the site's own")


def mounted(assets: Assets, prefix: str = "", *, beside: ASGIApp | None = None, **values: Any) -> Mounted:
    return Mounted(prefix, settings=make_settings(**values), beside=beside, assets=assets)


def by_mount(assets: Assets, **values: Any) -> Starlette:
    return Starlette(routes=[Route("/", home), Mount("/ask", mounted(assets, **values))])


def by_prefix_and_mount(assets: Assets, **values: Any) -> Starlette:
    return Starlette(routes=[Route("/", home), Mount("/ask", mounted(assets, "/ask", **values))])


def by_beside(assets: Assets, **values: Any) -> ASGIApp:
    return mounted(assets, "/ask", beside=Starlette(routes=[Route("/", home)]), **values)


WAYS = [by_mount, by_prefix_and_mount, by_beside]


def client_of(app: ASGIApp, *, base: str = BASE, address: str = "127.0.0.1", **options: Any) -> TestClient:
    return TestClient(app, base_url=base, client=(address, 5), follow_redirects=False, **options)


@pytest.mark.parametrize("way", WAYS)
def test_files_keep_their_headers_below_the_prefix(assets: Assets, way: Callable[..., ASGIApp]) -> None:
    alone = TestClient(create_app(make_settings(), assets=assets), base_url=BASE)
    client = client_of(way(assets))
    for path in FILES:
        there, here = alone.get(path), client.get(f"/ask{path}")
        assert (here.status_code, here.content) == (200, there.content), path
        for name in (name for name in there.headers if name not in ("x-request-id",)):
            assert here.headers[name] == there.headers[name], (path, name)
    assert client.get("/").text == "the site's own"
    assert "content-security-policy" not in client.get("/").headers
    assert client.get("/asks/").status_code == 404
    assert client.get("/ask").headers["location"].endswith("/ask/")


@pytest.mark.parametrize("way", WAYS)
def test_calls_are_answered_without_a_lifespan_each_loop_starting_anew(
    assets: Assets, way: Callable[..., ASGIApp]
) -> None:
    client = client_of(way(assets))  # outside a `with` each request has an event loop of its own
    for _ in range(2):
        reply = client.post("/ask/api/rlm", json=ASK, headers={"Origin": BASE})
        assert (reply.status_code, bool(reply.json()["text"])) == (200, True)
    assert client.get("/ask/nothing").json()["type"] == "/problems/not-found"


@pytest.mark.parametrize("way", WAYS)
def test_the_call_socket_opens_below_the_prefix(assets: Assets, way: Callable[..., ASGIApp]) -> None:
    with client_of(way(assets)) as client:
        with client.websocket_connect("ws://127.0.0.1/ask/api/rlm/socket", headers={"Origin": BASE}) as socket:
            socket.send_bytes(b"\x63")
            assert socket.receive()["code"] == 1002  # it was read, and has no meaning
        with pytest.raises(WebSocketDenialResponse), client.websocket_connect("ws://127.0.0.1/ask/page/app.js"):
            pass


@pytest.mark.parametrize("way", WAYS)
def test_without_a_token_it_answers_its_own_machine_alone(assets: Assets, way: Callable[..., ASGIApp]) -> None:
    assert client_of(way(assets), address="10.0.0.9").get("/ask/api/models").status_code == 401
    assert client_of(way(assets), base="http://evil.example").get("/ask/api/models").status_code == 403
    guarded = client_of(way(assets, token=TOKEN), address="10.0.0.9")
    assert guarded.get("/ask/api/models").status_code == 401
    assert guarded.get("/ask/api/models", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("outer", ["", "/team"])
def test_the_session_of_a_person_holds_for_the_prefix(assets: Assets, way: Callable[..., ASGIApp], outer: str) -> None:
    client = client_of(way(assets, token=TOKEN), root_path=outer)
    signed_in = client.post(f"{outer}/ask/sign-in", data={"token": TOKEN}, headers={"Origin": BASE})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "./")
    assert f"Path={outer}/ask/;" in signed_in.headers["set-cookie"]


@asynccontextmanager
async def counting(app: Starlette) -> AsyncIterator[None]:
    app.state.lives = [*getattr(app.state, "lives", []), "began"]
    yield
    app.state.lives.append("ended")


def test_a_lifespan_starts_it_before_the_first_request_and_stops_it(assets: Assets) -> None:
    part = mounted(assets)
    with client_of(Starlette(routes=[Mount("/ask", part)], lifespan=part.lifespan)):
        assert part._running is not None
    assert part._running is None


def test_the_lifespan_of_the_application_beside_stays(assets: Assets) -> None:
    site = Starlette(routes=[Route("/", home)], lifespan=counting)
    whole = mounted(assets, "/ask", beside=site)
    with client_of(whole) as client:
        assert site.state.lives == ["began"]
        assert client.get("/ask/api/health").status_code == 200
        assert whole._running is not None
    assert site.state.lives == ["began", "ended"]
    assert whole._running is None


async def _knows_http_alone(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    await PlainTextResponse("of the site")(scope, receive, send)


def test_an_application_beside_may_know_no_lifespan(assets: Assets) -> None:
    with client_of(mounted(assets, "/ask", beside=_knows_http_alone)) as client:
        assert client.get("/other").text == "of the site"
        assert client.get("/ask/api/health").json()["status"] == "ok"


def test_a_lifespan_that_fails_is_the_servers_failure(assets: Assets, tmp_path: Any) -> None:
    @asynccontextmanager
    async def failing(app: Starlette) -> AsyncIterator[None]:
        raise OSError("the site's database is gone")
        yield

    whole = mounted(assets, "/ask", beside=Starlette(lifespan=failing))
    with pytest.raises(OSError, match="database"), client_of(whole):
        pass
    assert whole._running is None


def test_a_start_that_fails_is_every_requests_failure_and_is_tried_again(assets: Assets) -> None:
    part = mounted(assets)
    whole, faults = part.app.router.lifespan_context, [OSError("the disk is full")]

    def failing_once(app: Any) -> AbstractAsyncContextManager[Any]:
        if faults:
            raise faults.pop()
        return whole(app)

    part.app.router.lifespan_context = failing_once

    async def asked_twice() -> list[int]:
        statuses: list[int] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": "GET", "path": "/api/health", "query_string": b"", "scheme": "http"}
        scope |= {"headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1)}
        with pytest.raises(OSError, match="disk"):
            await part(dict(scope), receive, send)
        await part(dict(scope), receive, send)
        await part.stop()
        return statuses

    assert asyncio.run(asked_twice()) == [200]


def test_a_prefix_that_is_none_is_refused_by_name(assets: Assets) -> None:
    with pytest.raises(ConfigError, match=r"`prefix` must be a path such as /ask.*'ask'"):
        mounted(assets, "ask")
    with pytest.raises(ConfigError, match="needs a `prefix`"):
        mounted(assets, beside=home)  # type: ignore[arg-type]


def test_asgi_is_the_public_name(monkeypatch: pytest.MonkeyPatch, assets: Assets) -> None:
    monkeypatch.setattr("rlm_server.http.app.find_assets", lambda: assets)
    client = client_of(rlm_server.asgi(prefix="/ask", settings=make_settings()))
    assert json.loads(client.get("/ask/api/health").content)["version"] == rlm_server.__version__
