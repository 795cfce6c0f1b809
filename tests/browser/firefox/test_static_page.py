"""The static page in both engines, below a path of a site that sends no header.

A service worker isolates it, and it answers with the network cut; a wrong endpoint is told apart as in Chromium.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page

from rlm_server.command.embed_page import embed_page
from tests.browser.firefox.bidi import FirefoxPage
from tests.browser.static_site import hosted, make_site
from tests.browser.test_wrong_endpoint import told_apart

SECONDS = 180
ISOLATED = "crossOriginIsolated && document.readyState === 'complete'"
LISTED = "document.querySelector('#context-sample')?.options.length > 1"
CHOOSE = """() => {
  const samples = document.querySelector("#context-sample");
  samples.selectedIndex = 1;
  for (const type of ["input", "change"]) samples.dispatchEvent(new Event(type, { bubbles: true }));
}"""
FILLED = "document.querySelector('#question').value !== ''"
LOADED = """document.querySelector("iframe") !== null
  && performance.getEntriesByType("resource").some(({ name }) => name.includes("stand-in"))"""
"""The assets are there, a worker boots in its frame, and the stand-in's own file has come."""
OVER = "document.querySelector('#status.finished, #status.failed') !== null"


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hosted(make_site(tmp_path_factory.mktemp("blog"))) as url:
        yield url


def eventually(page: FirefoxPage | Page, expression: str) -> None:
    """Wait for it on a page that may reload meanwhile."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with suppress(Error, AssertionError):  # between two documents
            if page.evaluate(expression):
                return
        time.sleep(0.1)
    raise AssertionError(f"{expression}: {page.evaluate('document.body.innerText')}")


def test_isolated_by_a_service_worker_the_page_answers_with_the_network_cut(
    engine: FirefoxPage | Page, tmp_path: Path
) -> None:
    embed_page(tmp_path / "site" / "blog" / "ask", tmp_path / "no packages", isolated=True)
    with hosted(tmp_path / "site") as url:
        engine.goto(f"{url}/blog/ask/")
        eventually(engine, f"{ISOLATED} && {LISTED}")
        engine.evaluate(CHOOSE)
        eventually(engine, f"{FILLED} && {LOADED}")
    with pytest.raises((Error, AssertionError)):  # the site is gone, and with it all that the page could reach
        engine.evaluate(f"fetch('{url}/blog/ask/rlm/rlm.js').then(({{ status }}) => status)")
    engine.evaluate("document.querySelector('#run').click()")
    eventually(engine, OVER)
    engine.screenshot(path=tmp_path / "answered.png")
    shown = engine.evaluate("document.querySelector('main').textContent")
    assert "7-31-58-12" in shown
    assert "to a worker of this page" in shown
    name = "Firefox" if isinstance(engine, FirefoxPage) else "Chromium"
    assert ", in a frame; containment: full; channel: shared-memory; start: " in shown
    assert f"; engine: {name} " in shown


def test_each_wrong_endpoint_is_told_apart_in_firefox(firefox: FirefoxPage, served: str, blog: str) -> None:
    told_apart(firefox, served, blog)
