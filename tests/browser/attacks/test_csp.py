"""The page keeps its own policy: a whole run, with all that a model may say, violates it nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .arena import Arena, attacked_server, open_arena
from .canary import Canary, canaries
from .snippet import fenced
from .snippets_prompts import MARKUP

LISTEN = """
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI, sourceFile}) => {
  violations.push(`${violatedDirective} ${blockedURI} ${sourceFile}`);
});
"""
REPORTS = "/test-only/reports"


class Reporting:
    """The app, with the page's policy telling of each violation, and a place for the reports."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.reports: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == REPORTS:
            await self._take(receive, send)
            return

        async def send_reporting(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"] == "/":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] += f"; report-uri {REPORTS}"
            await send(message)

        await self.app(scope, receive, send_reporting)

    async def _take(self, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.reports.append(json.loads(body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def canary() -> Iterator[Canary]:
    with canaries() as running:
        yield running


@pytest.fixture
def watched(browser: Browser, canary: Canary) -> Iterator[tuple[Arena, Reporting]]:
    context: BrowserContext = browser.new_context()
    context.add_init_script(LISTEN)
    wrapped: list[Reporting] = []

    def wrap(app: ASGIApp) -> ASGIApp:
        wrapped.append(Reporting(app))
        return wrapped[0]

    with attacked_server(wrap) as (url, upstream):
        yield open_arena(context, url, upstream, canary), wrapped[0]
        context.close()


def test_a_whole_run_violates_the_pages_policy_nowhere(watched: tuple[Arena, Reporting]) -> None:
    arena, reporting = watched
    shown = [f"{text}\n{fenced(f'print({text!r})')}" for text in MARKUP.values()]
    calls = fenced("print(llm_query('hi')); print(llm_batch(['a', 'b', 'c']))")
    run = arena.run([calls, *shown, fenced(f"FINAL({' '.join(MARKUP.values())!r})")])
    assert run["stoppedBy"] == "final_answer"
    assert arena.page.evaluate("violations") == []
    assert reporting.reports == []
    _violates(arena, reporting)


def _violates(arena: Arena, reporting: Reporting) -> None:
    """The control: a violation of the policy is reported in both places."""
    with arena.page.expect_request(f"**{REPORTS}"):
        arena.page.evaluate("() => { new Image().src = 'http://127.0.0.1:9/never'; }")
    arena.page.wait_for_function("() => violations.length > 0")
    arena.page.evaluate("url => fetch(url, {method: 'POST', body: '{}'})", REPORTS)  # after it the report has arrived
    assert len(reporting.reports) >= 2
