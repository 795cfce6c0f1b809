"""With headers taken away one by one the level falls as described, and nothing runs below the level that was set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rlm_server.http.security import FIXED_HEADERS, WORKER_CSP
from tests.browser.visitor import MAKE_SNAPSHOT
from tests.server.fake_upstream import FakeUpstream

from .arena import Arena, attacked_server, open_arena
from .canary import Canary, canaries
from .snippet import fenced
from .snippets_network import SNIPPETS as NETWORK
from .snippets_storage import SNIPPETS as STORAGE

WORKER = r"/rlm/assets/worker\."
PAGE = r"/$"
EVERYWHERE = r"/"
CSP = "Content-Security-Policy"
NO_SANDBOX = WORKER_CSP.removeprefix("sandbox allow-scripts; ")
FINISH = [fenced("print(llm_query('hi'))"), fenced("FINAL('done')")]
ISOLATION = ("Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Document-Isolation-Policy")


class Changed:
    """The app, with headers of the responses below some paths taken away (`None`) or replaced."""

    def __init__(self, app: ASGIApp, paths: str, headers: dict[str, str | None]) -> None:
        self.app = app
        self.state = getattr(app, "state", None)
        self._paths = re.compile(paths)
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._change(MutableHeaders(scope=message))
            await send(message)

        ours = scope["type"] == "http" and self._paths.match(scope["path"])
        await self.app(scope, receive, send_changed if ours else send)

    def _change(self, headers: MutableHeaders) -> None:
        for name, value in self._headers.items():
            del headers[name]
            if value is not None:
                headers[name] = value


@contextmanager
def changed(browser: Browser, paths: str, **headers: str | None) -> Iterator[Arena]:
    """An arena before a server that changes `headers`, named with underscores."""
    context = browser.new_context()
    with canaries() as canary, attacked_server(lambda app: Changed(app, paths, named(headers))) as (url, upstream):
        yield open_arena(context, url, upstream, canary)
        context.close()


def named(headers: dict[str, str | None]) -> dict[str, str | None]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


class Switched:
    """The app behind the headers of one test after another; no client keeps any response."""

    def __init__(self, app: ASGIApp) -> None:
        self.state = getattr(app, "state", None)
        self._app = Changed(app, EVERYWHERE, {"Cache-Control": "no-store"})
        self._changed: ASGIApp = self._app

    def switch(self, paths: str, headers: dict[str, str | None]) -> None:
        self._changed = Changed(self._app, paths, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._changed(scope, receive, send)


@dataclass(frozen=True)
class Site:
    """One server, and one visitor of it who keeps the snapshot: workers start from it, under any headers."""

    server: Switched
    context: BrowserContext
    url: str
    upstream: FakeUpstream
    canary: Canary

    @contextmanager
    def changed(self, paths: str, **headers: str | None) -> Iterator[Arena]:
        """An arena on a new page of the site, whose server changes `headers`, named with underscores."""
        self.server.switch(paths, named(headers))
        self.upstream.seen.clear()
        arena = open_arena(self.context, self.url, self.upstream, self.canary)
        yield arena
        arena.page.close()


@pytest.fixture(scope="module")
def site(browser: Browser) -> Iterator[Site]:
    servers: list[Switched] = []

    def wrap(app: ASGIApp) -> ASGIApp:
        servers.append(Switched(app))
        return servers[0]

    context = browser.new_context()
    with canaries() as canary, attacked_server(wrap) as (url, upstream):
        opened = Site(servers[0], context, url, upstream, canary)
        with opened.changed("nothing") as arena:
            arena.page.evaluate(MAKE_SNAPSHOT)
        yield opened
        context.close()


def without(*names: str) -> dict[str, str | None]:
    return {name.replace("-", "_"): None for name in names}


def notice(run: Any) -> str:
    """The line of the trajectory about the worker."""
    assert run.get("error") is None, run["error"]
    log: str = run["log"]
    return next(line for line in log.splitlines() if '"notice"' in line and "containment" in line)


def test_with_all_headers_the_level_is_full(site: Site) -> None:
    with site.changed("nothing") as arena:
        assert "containment: full; channel: shared-memory" in notice(arena.run(FINISH))


def test_without_the_workers_policy_nothing_runs_unless_weak_is_asked_for(site: Site) -> None:
    with site.changed(WORKER, **without(CSP)) as arena:
        for asked in ({}, {"containment": "network"}, {"containment": "full"}):
            refused = arena.run(FINISH, host="worker", **asked)["error"]
            assert refused["name"] == "ConfigError"
            assert 'containment is "weak"' in refused["message"]
        assert arena.upstream.seen == []
        assert "containment: weak (" in notice(arena.run(FINISH, host="worker", containment="weak"))


def test_without_the_workers_policy_a_frame_takes_over_and_the_level_is_full(site: Site) -> None:
    with site.changed(EVERYWHERE, **without(CSP)) as arena:
        assert ", in a frame; containment: full;" in notice(arena.run(FINISH, containment="full"))


def test_a_page_whose_own_policy_forbids_the_frame_runs_nothing_and_says_so(site: Site) -> None:
    with site.changed(WORKER, **without(CSP)) as arena:
        refused = arena.run(FINISH)["error"]
        assert refused["name"] == "ChannelError"
        assert "its frame does not answer. Does this page's own Content-Security-Policy" in refused["message"]
        assert arena.upstream.seen == []


def test_without_the_opaque_origin_the_level_is_network_and_full_is_refused(site: Site) -> None:
    with site.changed(WORKER, Content_Security_Policy=NO_SANDBOX) as arena:
        assert "containment: network (" in notice(arena.run(FINISH, host="worker"))
        refused = arena.run(FINISH, host="worker", containment="full")["error"]
        assert 'containment is "network"' in refused["message"]


HOLES = (
    "connect-src *",
    "connect-src https:",
    "connect-src data:",
    "script-src 'wasm-unsafe-eval' 'unsafe-eval'",
    "script-src 'wasm-unsafe-eval' data:",
    "script-src 'wasm-unsafe-eval' https:",
    "script-src 'wasm-unsafe-eval' 'self'",
    "font-src *",
    "worker-src data:",
)


@pytest.mark.parametrize("hole", HOLES)
def test_a_policy_with_a_hole_is_noticed(site: Site, hole: str) -> None:
    rest = "" if hole.startswith("script-src") else "; script-src 'wasm-unsafe-eval'"
    policy = f"sandbox allow-scripts; default-src 'none'; {hole}{rest}"
    with site.changed(WORKER, Content_Security_Policy=policy) as arena:
        assert 'containment is "weak"' in arena.run(FINISH)["error"]["message"]


def test_without_isolation_the_channel_is_jspi_and_attacks_still_win_nothing(site: Site) -> None:
    with site.changed(EVERYWHERE, **without(*ISOLATION)) as arena:
        assert arena.page.evaluate("typeof SharedArrayBuffer") == "undefined"
        told = notice(arena.run(FINISH))
        assert "channel: jspi" in told
        assert "containment: full" in told
        snippets = [each for each in (*NETWORK, *STORAGE) if not each.alone]
        outcomes = arena.attack(snippets)
        assert {each.snippet.name: each.wins() for each in outcomes if each.wins()} == {}
        assert outcomes[0].run["answer"] == "survived"


@pytest.mark.parametrize("name", [*FIXED_HEADERS])
def test_a_run_without_one_header_is_as_contained_or_refused_by_name(site: Site, name: str) -> None:
    with site.changed(EVERYWHERE, **without(name)) as arena:
        run = arena.run(FINISH)
        if run.get("error"):
            assert run["error"]["name"] in ("ConfigError", "ChannelError")
            assert len(run["error"]["message"]) > 20
        else:
            assert run["answer"] == "done"
            assert "containment: full" in notice(run)
