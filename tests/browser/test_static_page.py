"""The page as static files, under a path of a site without any header of ours: `pyodide-rlm embed --page`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Route, expect

from rlm_server.assets import find_assets
from rlm_server.command.embed_page import embed_page, strict_policy
from tests.browser.lab import code
from tests.browser.static_site import hosted

ENDED_MS = 180_000
KEY = "sk-of-a-person-0123456789"
VENDOR = "https://api.openai.com/v1/chat/completions"
CORS = {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}
RUN = """async (code) => {
  const { RLM } = await import("./rlm/rlm.js");
  const provider = async () => ({ text: code, usage: { cost: 0 } });
  const { answer, trajectory } = await new RLM({ provider }).run("Where?", { context: "x" });
  return [answer, trajectory()];
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    embed_page(folder / "blog" / "ask", folder / "no packages")
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """URL of the page on a plain file server."""
    with hosted(site) as url:
        yield f"{url}/blog/ask/"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, in a browser that reaches its site alone."""
    context = browser.new_context()
    own = urlsplit(address).netloc
    context.route(lambda url: urlsplit(url).netloc != own and url.startswith("http"), lambda route: route.abort())
    opened = context.new_page()
    opened.goto(address)
    expect(opened.locator("#stand-in")).to_contain_text("It runs in this tab, and nothing leaves it.")
    expect(opened.locator("#context-privacy")).to_contain_text("nothing leaves it")
    yield opened
    context.close()


def test_without_any_server_the_stand_in_answers_the_sample_question(page: Page) -> None:
    page.select_option("#context-sample", index=1)
    expect(page.locator("#question")).not_to_have_value("")
    page.click("#run")
    expect(page.locator("#answer")).to_contain_text("7-31-58-12", timeout=ENDED_MS)
    expect(page.locator("#evidence-1")).to_be_visible()
    expect(page.locator("#egress")).to_contain_text("to a worker of this page")


def test_a_vendor_is_asked_with_the_persons_key_which_no_storage_holds(page: Page) -> None:
    asked = []

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            body = json.loads(route.request.post_data or "")
            asked.append((route.request.headers["authorization"], body["model"]))
        reply = {"choices": [{"delta": {"content": code("FINAL('from the vendor')")}, "finish_reason": "stop"}]}
        route.fulfill(headers={**CORS, "content-type": "text/event-stream"}, body=f"data: {json.dumps(reply)}\n\n")

    page.context.route(VENDOR, answer)
    page.select_option("#answered-by", "openai")
    expect(page.locator("#model-problem")).to_contain_text("Your key is missing.")
    page.fill("#question", "Where?")
    page.click("#run")
    expect(page.locator("#answering-key")).to_be_focused()
    page.fill("#answering-key", KEY)
    page.fill("#vendor-model", "some-model")
    page.locator("#vendor-model").blur()
    expect(page.locator("#model-problem")).to_have_count(0)
    page.click("#run")
    expect(page.locator("#answer")).to_contain_text("from the vendor", timeout=ENDED_MS)
    assert set(asked) == {(f"Bearer {KEY}", "some-model")}
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "some-model" in kept
    assert KEY not in kept
    page.reload()
    expect(page.locator("#model-problem")).to_contain_text("Your key is missing.")
    page.fill("#answering-key", KEY)
    page.check("#keep-key")  # the person says otherwise
    expect(page.locator("#answering-key-hint")).to_contain_text("Kept in this browser, unencrypted")
    page.reload()
    expect(page.locator("#answering-key")).to_have_value(KEY)
    expect(page.locator("#recipients")).to_contain_text("api.openai.com, straight from this page, with your key.")
    page.uncheck("#keep-key")
    assert page.evaluate("localStorage.getItem('pyodide-rlm.keys')") is None


TYPED_AT_ONCE = """(key) => {
  document.getElementById("keep-key").click();
  const field = document.getElementById("answering-key");
  field.value = key;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def test_a_key_typed_as_soon_as_it_is_no_longer_kept_is_not_kept(page: Page) -> None:
    page.select_option("#answered-by", "openai")
    page.fill("#answering-key", KEY)
    page.check("#keep-key")
    expect(page.locator("#answering-key-hint")).to_contain_text("Kept in this browser, unencrypted")
    page.evaluate(TYPED_AT_ONCE, f"{KEY}-another")
    expect(page.locator("#answering-key-hint")).to_contain_text("memory only")
    assert page.evaluate("localStorage.getItem('pyodide-rlm.keys')") is None


def test_the_printed_policy_is_all_that_a_strict_page_needs(browser: Browser, site: Path) -> None:
    policy = strict_policy(find_assets(), [])
    with hosted(site / "blog" / "ask", {"Content-Security-Policy": policy}) as url:
        page = browser.new_page()
        page.goto(f"{url}/rlm/rlm.d.ts")  # any document of the site: each response has the policy
        answer, log = page.evaluate(RUN.replace("./rlm/", "/rlm/"), code("FINAL('here')"))
        page.close()
    assert answer == "here"
    assert "containment: full" in log


COUNT_LOADS = "if (top === self) sessionStorage.loads = 1 + Number(sessionStorage.loads ?? 0);"
"""Counts the documents of a tab, from their beginning."""


@pytest.fixture(scope="module")
def isolated_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a page that brings its own isolation, at a path of a site without any header of ours."""
    folder = tmp_path_factory.mktemp("isolated")
    embed_page(folder / "blog" / "ask", folder / "no packages", isolated=True)
    with hosted(folder) as url:
        yield f"{url}/blog/ask/"


def eventually(page: Page, expression: str) -> None:
    """Wait until the page, which reloads meanwhile and whose policy bars the waits of Playwright, says so."""
    deadline = time.monotonic() + ENDED_MS / 1_000
    while time.monotonic() < deadline:
        with suppress(Error):  # between two documents
            if page.evaluate(expression):
                return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def test_a_service_worker_isolates_the_page_after_one_reload(browser: Browser, isolated_site: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(COUNT_LOADS)
    page.goto(isolated_site)
    eventually(page, "crossOriginIsolated && document.readyState === 'complete'")
    assert page.evaluate("[Number(sessionStorage.loads), 'pyodide-rlm-isolate' in sessionStorage]") == [2, False]
    assert page.evaluate("caches.keys()") == []
    answer, log = page.evaluate(RUN, code("FINAL('here')"))
    assert answer == "here"
    assert "in a frame; containment: full; channel: shared-memory;" in log
    context.close()


def test_a_page_that_a_service_worker_cannot_isolate_reloads_no_second_time(
    browser: Browser, isolated_site: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(COUNT_LOADS + "Object.defineProperty(globalThis, 'crossOriginIsolated', { value: false });")
    page.goto(isolated_site)
    eventually(page, "Number(sessionStorage.loads) === 2")
    expect(page.locator("#stand-in")).to_contain_text("It runs in this tab", timeout=ENDED_MS)
    page.reload()
    expect(page.locator("#stand-in")).to_contain_text("It runs in this tab", timeout=ENDED_MS)
    assert page.evaluate("Number(sessionStorage.loads)") == 3
    context.close()
