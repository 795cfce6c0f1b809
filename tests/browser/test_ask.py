"""`<rlm-ask>` in pages of other people: two lines give a question, its answer with quotes, and events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.lab import code
from tests.browser.test_accessibility import serious_violations

ANSWERED_MS = 120_000
LEASE = "The lease of the mill was signed by Mara Lindqvist on 3 May 1931. The tenant pays in grain."
STRICT = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
    "connect-src 'self'; style-src 'self' 'nonce-own'"
)
"""A strict page's policy: the element's own style must need no exception of it; the inline script is the test's."""
DOCUMENT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>
<style nonce="own">:root { color-scheme: light dark } rlm-ask::part(ask) { text-transform: uppercase }</style>
<main><h1>A page</h1>
<rlm-ask max-iterations="5"></rlm-ask>
<script>
  document.querySelector("rlm-ask").question = "Who signed the lease?"; // before the element is defined
  const heard = [];
  for (const type of ["rlm-event", "rlm-result", "rlm-error"])
    document.addEventListener(type, ({ detail }) => heard.push([type, detail.type ?? detail.answer ?? detail.message]));
</script>
<script type="module" src="/rlm/ask.js"></script>
</main></html>"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MARKUP = (
    '**bold** <img src=x onerror="heard.push(1)"><script>heard.push(1)</script> [1] <a href="javascript:1">link</a>'
)


@pytest.fixture(scope="module")
def blog(browser: Browser, served: str) -> Iterator[Page]:
    """A page of the server's origin with the element in it, and nothing else."""
    context = browser.new_context()
    page = context.new_page()
    headers = {"Content-Type": "text/html", "Content-Security-Policy": STRICT}
    page.route("**/blog.html", lambda route: route.fulfill(body=DOCUMENT, headers=headers))
    page.goto(f"{served}/blog.html")
    page.wait_for_function("customElements.get('rlm-ask') !== undefined")
    yield page
    context.close()


def part(page: Page, name: str) -> Locator:
    return page.locator(f"rlm-ask [part~={name}]")


def scripted(page: Page, text: str, **properties: object) -> None:
    """Have a provider of the page reply with `text`, and the element ask its question."""
    page.evaluate(
        """([text, properties]) => {
          const element = document.querySelector("rlm-ask");
          Object.assign(element, { provider: async () => ({ text, usage: { cost: 0 } }) }, properties);
          heard.length = 0;
          element.ask("What is it?").catch(() => {});
        }""",
        [text, properties],
    )


def test_a_person_asks_by_keyboard_and_sees_the_answer_with_its_quote(blog: Page) -> None:
    part(blog, "text").fill(LEASE)
    expect(part(blog, "question")).to_have_value("Who signed the lease?")
    part(blog, "question").press("Enter")
    expect(part(blog, "progress")).to_contain_text("Answered", timeout=ANSWERED_MS)
    expect(part(blog, "answer")).to_contain_text("Mara Lindqvist")
    expect(part(blog, "quote")).to_contain_text("context, line 1; in the context")
    kinds = {kind for kind, _ in blog.evaluate("heard")}
    assert kinds == {"rlm-event", "rlm-result"}
    assert {"run_started", "run_finished"} <= {what for _, what in blog.evaluate("heard")}
    assert part(blog, "ask").evaluate("(button) => getComputedStyle(button).textTransform") == "uppercase"
    for scheme in SCHEMES:
        blog.emulate_media(color_scheme=scheme)
        assert serious_violations(blog) == [], scheme


def test_an_answer_brings_no_markup_of_the_models(blog: Page) -> None:
    scripted(blog, code(f"FINAL({MARKUP!r})"))
    expect(part(blog, "answer").locator("strong")).to_have_text("bold", timeout=ANSWERED_MS)
    expect(part(blog, "answer")).to_contain_text("<img src=x")
    assert part(blog, "answer").locator("img, script, a[href^=javascript]").count() == 0
    assert 1 not in blog.evaluate("heard")


def test_an_impossible_limit_and_a_stop_are_shown_and_heard(blog: Page) -> None:
    blog.locator("rlm-ask").evaluate("(element) => element.setAttribute('max-cost', 'much')")
    scripted(blog, "")
    expect(part(blog, "error")).to_contain_text("maxCost must be")
    assert [kind for kind, _ in blog.evaluate("heard")] == ["rlm-error"]
    blog.locator("rlm-ask").evaluate("(element) => element.removeAttribute('max-cost')")
    scripted(blog, code("while True: pass"))
    expect(part(blog, "progress")).to_contain_text("Step 1: running code", timeout=ANSWERED_MS)
    part(blog, "stop").click()
    expect(part(blog, "progress")).to_contain_text("Ended without a final answer", timeout=ANSWERED_MS)
    expect(part(blog, "error")).to_be_empty()
    expect(part(blog, "stop")).to_be_hidden()


def test_files_are_added_and_removed_and_a_context_of_the_page_goes_before_them(blog: Page) -> None:
    part(blog, "text").fill("")
    files = [{"name": f"{name}.txt", "mimeType": "text/plain", "buffer": name.encode()} for name in ("one", "two")]
    blog.locator("rlm-ask input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(part(blog, "files").locator("li")).to_have_count(2)
    blog.get_by_role("button", name="Remove two.txt").click()
    scripted(blog, code("FINAL(sorted(context) if isinstance(context, dict) else context)"))
    expect(part(blog, "answer")).to_contain_text("one", timeout=ANSWERED_MS)
    expect(part(blog, "answer")).not_to_contain_text("two")
    scripted(blog, code("FINAL(context)"), context="of the page")
    expect(part(blog, "answer")).to_have_text("of the page", timeout=ANSWERED_MS)
    expect(part(blog, "drop")).to_be_hidden()
