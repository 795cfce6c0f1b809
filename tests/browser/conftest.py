"""One browser, one returning visitor and one real server for the folder; a page at the server's root for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rlm_server.headless.browser import QUIET, BrowserMissing, find_browser
from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from rlm_server.http.static import FOR_GOOD
from rlm_server.settings import Settings
from tests.browser.lab import send_requests
from tests.browser.scripted_endpoint import ScriptedEndpoint
from tests.browser.visitor import Visitor
from tests.reruns import pytest_runtest_setup  # noqa: F401 - a hook
from tests.server.fake_upstream import FakeUpstream, fake_upstream

expect.set_options(timeout=30_000)  # as an action waits: a busy machine draws late


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The Chromium of this machine; in CI a missing one is a failure."""
    try:
        return find_browser()
    except BrowserMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def plain_browser(playwright: Playwright, chromium: Path) -> Iterator[Browser]:
    """A browser as the command starts it, for attacks and for what is measured."""
    with launched(playwright, chromium) as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium: Path) -> Iterator[Browser]:
    """One whose tabs of a site share a process, as they do where a person opens many: the visitor's first tab keeps
    the compiled interpreter of all later ones."""
    with launched(playwright, chromium, "--process-per-site") as running:
        yield running


@contextmanager
def launched(playwright: Playwright, chromium: Path, *arguments: str) -> Iterator[Browser]:
    own = [*QUIET, *arguments, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    running = playwright.chromium.launch(executable_path=chromium, args=own)
    yield running
    running.close()


@pytest.fixture(scope="session")
def endpoint() -> ScriptedEndpoint:
    """The scripted endpoint of the real server."""
    return ScriptedEndpoint()


@pytest.fixture(scope="session")
def served(endpoint: ScriptedEndpoint) -> Iterator[str]:
    """URL of the real server, with the built-in stand-in as its only model."""
    with mock.patch.dict(os.environ, clear=True):
        settings = Settings(_env_file=None, ollama_base_url="")  # type: ignore[call-arg]
    app = create_app(settings)
    app.add_middleware(KeptModules)
    app.add_middleware(endpoint.before)
    with serving(app, drain_seconds=0) as url:
        yield url


class KeptModules:
    """The server's modules, which do not change while tests run, are kept by a browser: a page imports a hundred of
    them, and would ask for each whether it changed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_kept(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"].endswith(".js"):
                MutableHeaders(scope=message)["Cache-Control"] = FOR_GOOD
            await send(message)

        await self.app(scope, receive, send_kept if scope["type"] == "http" else send)


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    """A vendor's API for the tests of one file."""
    with fake_upstream() as running:
        yield running


@pytest.fixture(scope="session")
def shared_page(browser: Browser, served: str) -> Page:
    """One page for all tests that change nothing in it: its assets are compiled once, each run has its own worker."""
    page = browser.new_page()
    page.goto(served)
    return page


@pytest.fixture(scope="session")
def visitor(browser: Browser) -> Iterator[Visitor]:
    context = browser.new_context()
    yield Visitor(context)
    context.close()


@pytest.fixture
def context(visitor: Visitor) -> Iterator[BrowserContext]:
    """The visitor's context, with nothing in it but its caches."""
    yield visitor.context
    visitor.leave()


@pytest.fixture
def new_context(browser: Browser) -> Iterator[BrowserContext]:
    """A context of a first visit: nothing is cached."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def faults() -> list[str]:
    """Uncaught errors of the test's page, as they happen."""
    return []


@pytest.fixture
def page(visitor: Visitor, context: BrowserContext, served: str, faults: list[str]) -> Page:
    visitor.know(served)
    return _opened(context, served, faults)


@pytest.fixture
def by_requests(page: Page) -> None:
    """Each model call of the test's page is a request of its own; see `send_requests`."""
    send_requests(page)


@pytest.fixture
def first_page(new_context: BrowserContext, served: str, faults: list[str]) -> Page:
    """A page that nobody visited before."""
    return _opened(new_context, served, faults)


def _opened(context: BrowserContext, url: str, faults: list[str]) -> Page:
    """The page, once it has its list of models: until then it is drawn anew under a test's hands."""
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url)
    page.locator("#model[placeholder^='Default: ']").wait_for(state="attached")
    return page
