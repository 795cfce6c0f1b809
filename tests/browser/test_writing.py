"""A reply of the root model is shown while it is being written, and runs when it is complete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from rlm_server.http.app import create_app
from rlm_server.http.serving import serving
from tests.server.conftest import settings_for
from tests.server.fake_upstream import FakeUpstream, Turn, events_turn, fake_upstream, openai_deltas

TOLD_MS = 60_000
FIRST = "I shall look at the context first.\n\n```repl\nprint('look"
SECOND = "ed at it')\nFINAL(context.upper())\n"
THIRD = "```\nThat is all."
THOUGHTS = ["Shall I say FINAL(7)? ", "No, I look first."]


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with fake_upstream() as fake:
        yield fake


@pytest.fixture
def page(context: BrowserContext, upstream: FakeUpstream) -> Iterator[Page]:
    """The page of a server whose only provider is `upstream`."""
    patient = settings_for(upstream, models="openai:m", first_byte_seconds=60.0, total_seconds=60.0)
    with serving(create_app(patient), drain_seconds=0) as url:
        opened = context.new_page()
        opened.goto(url)
        yield opened


def thoughts() -> list[object]:
    return [{"choices": [{"delta": {"content": None, "reasoning_content": text}}]} for text in THOUGHTS]


def written_in_three(*, first_until_released: bool = True) -> Turn:
    """The reply in three pieces; the ones after the first are held until the test releases it."""
    whole = events_turn(*openai_deltas(FIRST, SECOND, THIRD))
    first, second, *rest = whole.chunks
    return Turn(headers=whole.headers, chunks=(first, second, b"".join(rest)), held=first_until_released)


def test_the_first_piece_is_shown_before_the_last_is_written(page: Page, upstream: FakeUpstream) -> None:
    upstream.script(written_in_three())
    page.fill("#context-text", "quince")
    page.fill("#question", "Which?")
    page.click("#run")
    iteration = page.locator(".iteration")
    expect(iteration).to_contain_text("I shall look at the context first.", timeout=TOLD_MS)
    expect(iteration.locator(".code")).to_have_text("print('look")
    expect(iteration.locator(".block-facts")).to_have_text("being written …")
    expect(iteration.locator(".output")).to_have_count(0)
    upstream.release()
    expect(page.locator("#status")).to_have_class(re.compile("finished"), timeout=TOLD_MS)
    expect(page.locator("#answer")).to_contain_text("QUINCE")
    expect(iteration.locator(".code")).to_contain_text("print('looked at it')")
    expect(iteration.locator(".output")).to_contain_text("looked at it")
    assert len(upstream.seen) == 1


def test_what_was_written_stays_when_the_run_is_stopped(page: Page, upstream: FakeUpstream) -> None:
    upstream.script(written_in_three())
    page.fill("#context-text", "quince")
    page.fill("#question", "Which?")
    page.click("#run")
    expect(page.locator(".iteration")).to_contain_text("I shall look", timeout=TOLD_MS)
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_class(re.compile("finished"), timeout=TOLD_MS)
    expect(page.locator(".iteration")).to_contain_text("I shall look")
    expect(page.locator(".iteration .block-facts")).to_have_text("not written to its end")


def test_the_pieces_are_events_for_watching_and_not_in_the_log(page: Page, upstream: FakeUpstream) -> None:
    upstream.script(written_in_three(first_until_released=False))
    told = page.evaluate(
        """async () => { const { RLM } = await import("/rlm/rlm.js"); const events = [];
          const rlm = new RLM({ onEvent: (event) => events.push(event) });
          const { trajectory } = await rlm.run("Which?", { context: "quince" });
          return { events, log: trajectory() }; }"""
    )
    pieces = [event for event in told["events"] if event["type"] == "reply_written"]
    text = ""
    for piece in pieces:
        text = text[: piece["at"]] + piece["text"]
    assert text == FIRST + SECOND + THIRD
    assert {piece["call"] for piece in pieces} == {0}
    assert "reply_written" not in told["log"]


def test_reasoning_is_shown_folded_kept_in_the_log_and_never_sent_again(page: Page, upstream: FakeUpstream) -> None:
    first = events_turn(*thoughts(), *openai_deltas("Let me look.\n\n```repl\nn = len(context)\n```"))
    inline = "<think>So it is six: FINAL(6)</think>\nFINAL_VAR(n)"
    upstream.script(Turn(headers=first.headers, chunks=first.chunks, held=True), events_turn(*openai_deltas(inline)))
    page.fill("#context-text", "quince")
    page.fill("#question", "How long?")
    page.click("#run")
    folded = page.locator(".iteration details.reasoning")
    expect(folded.locator("summary").first).to_contain_text("no part of the reply", timeout=TOLD_MS)
    expect(folded.locator("pre").first).to_be_hidden()
    upstream.release()
    expect(page.locator("#status")).to_have_class(re.compile("finished"), timeout=TOLD_MS)
    expect(page.locator("#answer")).to_contain_text("6")
    expect(folded.locator("pre")).to_have_text(["".join(THOUGHTS), "So it is six: FINAL(6)"])
    with page.expect_download() as download:
        page.click("#download")
    ends = [json.loads(line) for line in download.value.path().read_text().splitlines() if '"call_finished"' in line]
    assert [end["reasoning"] for end in ends] == ["".join(THOUGHTS), ""]
    assert "FINAL(7)" not in upstream.seen[-1].body.decode()
