"""Egress on the page: the panel, the question before calls leave, and the limit."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.lab import send_requests
from tests.browser.person import ENDED_MS, ScriptedModel, ask, code, drop_file, ended
from tests.browser.test_accessibility import serious_violations

FILLER = "".join(f"Line {line * 7919} of the minutes, on the garden.\n" for line in range(400))
SECRET = "The vault in Lisbon opens with the code 48-17-93, says Ágnes Müller of the archive."
TEXT = FILLER + SECRET + "\n" + FILLER.upper()
SEND = code("at = context.index('The vault')\nprint(llm_query('Who? ' + context[at:at + 83]))")
DONE = code("FINAL('done')")


def watched(page: Page) -> list[str]:
    """The bodies of all calls that leave the page, as they do."""
    bodies: list[str] = []

    def keep(request: Request) -> None:
        if request.url.endswith("/api/rlm"):
            bodies.append(request.post_data or "")

    send_requests(page)
    page.on("request", keep)
    return bodies


def sent_cells(page: Page, part: str) -> Locator:
    return page.locator(".egress-part", has_text=part).locator(".egress-bar button")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_left_is_shown_on_the_context_and_by_call(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    ScriptedModel(page, [SEND.replace("context", "context['the minutes.txt']"), DONE])
    drop_file(page, "the minutes.txt", TEXT)
    drop_file(page, "other.txt", "Nothing of this is asked about.")
    ask(page)
    ended(page)
    sums = re.compile(r"3 calls, [\d.]+ kB to http://127\.0\.0\.1:\d+ → \S+( \(on this machine\))?; ")
    expect(page.locator("#egress-sums")).to_contain_text(sums)
    page.click(".egress-head")
    expect(sent_cells(page, "the minutes.txt")).not_to_have_count(0)
    expect(page.get_by_role("group", name="the minutes.txt")).to_have_count(1)
    vault = sent_cells(page, "the minutes.txt").last
    expect(vault).to_have_attribute("aria-label", f"from character {len(FILLER):,}: 1 piece was sent")
    sent_cells(page, "the minutes.txt").first.focus()
    page.keyboard.press("Enter")
    for _ in range(sent_cells(page, "the minutes.txt").count() - 1):
        page.keyboard.press("ArrowRight")
    expect(vault).to_be_focused()
    expect(page.locator(".egress-pieces")).to_contain_text(SECRET)
    expect(page.locator(".egress-pieces")).to_contain_text("in call 2")
    expect(page.locator(".egress-calls li")).to_have_count(3)
    page.locator(".egress-calls .call-head").nth(1).click()
    expect(page.locator(".egress-calls .call-body")).to_contain_text("Who? " + SECRET)
    assert serious_violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_leaves_before_it_is_allowed(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    ScriptedModel(page, [SEND, DONE], answer_sub=lambda prompt: "the archivist")
    bodies = watched(page)
    page.check("#asks-first")
    drop_file(page, "minutes.txt", TEXT)
    ask(page)
    expect(page.locator("#confirm")).to_be_visible(timeout=ENDED_MS)
    assert bodies == []
    assert serious_violations(page) == []
    expect(page.locator("#confirm-deny")).to_be_focused()
    page.click("#confirm-send")
    expect(page.locator("#confirm-title")).to_have_text("Send 1 prompt?")
    expect(page.locator("#confirm")).to_contain_text("Who? " + SECRET)
    expect(page.locator("#confirm")).to_contain_text("83 characters for the first time")
    assert SECRET not in "".join(bodies)
    page.click("#confirm-all")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("done")
    assert len(bodies) == 3


def test_escape_denies_and_the_text_never_leaves(page: Page) -> None:
    model = ScriptedModel(page, [SEND, code("FINAL('without it')")])
    bodies = watched(page)
    page.check("#asks-first")
    drop_file(page, "minutes.txt", TEXT)
    ask(page)
    page.click("#confirm-send", timeout=ENDED_MS)
    expect(page.locator("#confirm-title")).to_have_text("Send 1 prompt?")
    page.keyboard.press("Escape")
    expect(page.locator("#confirm-title")).to_have_text("Send this to the root model?")
    page.click("#confirm-send")
    ended(page)
    expect(page.locator("#answer")).to_contain_text("without it")
    expect(page.locator("#timeline")).to_contain_text("denied before it left")
    expect(page.locator("#egress-sums")).to_contain_text("1 denied")
    assert model.asked == 2
    assert "48-17-93" not in "".join(bodies)


def test_a_stop_closes_the_question(page: Page) -> None:
    ScriptedModel(page, [DONE])
    bodies = watched(page)
    page.evaluate("""() => { globalThis.stop = new AbortController(); }""")
    page.check("#asks-first")
    page.evaluate(
        """async () => {
          const { ask } = await import("/page/app.js");
          globalThis.result = ask({question: "Who?", context: "text", options: {signal: stop.signal}});
        }"""
    )
    expect(page.locator("#confirm")).to_be_visible(timeout=ENDED_MS)
    page.evaluate("() => stop.abort()")
    expect(page.locator("#confirm")).to_have_count(0)
    assert page.evaluate("async () => (await result).stoppedBy") == "cancelled"
    assert bodies == []


def test_the_limit_of_the_page_ends_a_run_that_shows_too_much(page: Page) -> None:
    ScriptedModel(page, [code("print(context[5000:9000])"), DONE])
    page.click("#limits summary")
    page.fill("#limit-maxContextChars", "2000")
    drop_file(page, "minutes.txt", TEXT)
    ask(page)
    ended(page)
    expect(page.locator("#run-problem")).to_contain_text("A call of the root model was denied before it left.")
    expect(page.locator("#run-problem")).to_contain_text("context limit reached")
