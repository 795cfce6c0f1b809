"""The line of a run that is always in sight: its state in plain words, from Run to the end."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.person import ENDED_MS, ScriptedModel, ask, code, ended
from tests.browser.test_accessibility import serious_violations

ASK_TWICE = code("print(llm_batch(['one', 'two']))")
DONE = code("FINAL('done')")


NOTE_STATES = """() => {
  globalThis.states = [];
  const note = () => {
    const state = document.querySelector("#status .phase dd")?.textContent;
    if (state && state !== states.at(-1)) states.push(state);
  };
  new MutationObserver(note).observe(document, { subtree: true, childList: true, characterData: true });
}"""
"""Notes each state that is shown, also one that is gone before the test looks."""
STATES = ["Starting Python", "Thinking", "Running code", "Waiting for 2 sub-calls, 0 of 2 done", "Stopped"]
NEXT_TRY_MS = 3_000
"""Less than the pause between two attempts that nobody asks for."""


def state_of(page: Page) -> Locator:
    return page.locator("#status .phase dd")


def comes(page: Page, tries: list[str], number: int, *, within_ms: int) -> bool:
    """Whether attempt `number`, counted from 1, is made."""
    for _ in range(within_ms // 50):
        if len(tries) >= number:
            return True
        page.wait_for_timeout(50)
    return False


def test_each_state_has_plain_words(page: Page) -> None:
    model = ScriptedModel(
        page, [code("import time\ntime.sleep(2)\nprint(llm_batch(['one', 'two']))"), DONE], hold=[0, 1]
    )
    held: list[object] = []
    page.route(
        "**/api/rlm",
        lambda route: held.append(route) if '"batch"' in (route.request.post_data or "") else route.fallback(),
    )
    page.evaluate(NOTE_STATES)
    page.fill("#context-text", "text")
    ask(page)
    expect(state_of(page)).to_have_text("Thinking", timeout=ENDED_MS)
    model.release()
    expect(state_of(page)).to_have_text("Waiting for 2 sub-calls, 0 of 2 done", timeout=ENDED_MS)
    box = page.locator("#status").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 720
    page.click("#stop")
    ended(page)
    expect(state_of(page)).to_have_text("Stopped")
    assert [state for state in page.evaluate("states") if state in STATES] == STATES
    expect(page.locator("#announcer")).to_contain_text("The run is over (stopped)")


def test_a_run_is_queued_while_a_folder_is_looked_through(page: Page) -> None:
    ScriptedModel(page, [DONE])
    page.evaluate(
        """() => { const read = Blob.prototype.arrayBuffer;
          const gate = new Promise((open) => { window.open_gate = open; });
          Blob.prototype.arrayBuffer = async function () {
            if (this.size === 11) await gate;
            return read.call(this); } }"""
    )
    page.set_input_files("#context-files", {"name": "slow.txt", "mimeType": "", "buffer": b"eleven char"})
    ask(page)
    expect(page.locator("#queued")).to_have_text("Queued: begins when “slow.txt” is looked through.")
    expect(page.locator("#status")).to_have_count(0)
    page.click("#stop")
    expect(page.locator("#queued")).to_have_count(0)
    ask(page)
    page.evaluate("() => window.open_gate()")
    ended(page)
    expect(state_of(page)).to_have_text("Answered")


def test_denied_calls_are_not_failed_ones_and_no_internal_name_is_shown(page: Page) -> None:
    ScriptedModel(page, [code("try: llm_query('one')\nexcept SubCallError as e: print(e)"), DONE])
    page.check("#asks-first")
    page.fill("#context-text", "text")
    ask(page)
    page.click("#confirm-send", timeout=ENDED_MS)
    expect(page.locator("#confirm-title")).to_have_text("Send 1 prompt?")
    expect(state_of(page)).to_have_text("Asking you")
    page.click("#confirm-deny")
    expect(page.locator("#confirm-title")).to_have_text("Send this to the root model?")
    expect(page.locator(".sub-calls-summary")).to_have_text("1 sub-call · 1 denied")
    page.click("#confirm-deny")
    ended(page)
    expect(state_of(page)).to_have_text("Denied")
    expect(page.locator("#status")).not_to_contain_text("failed")
    expect(page.locator("#run-problem")).to_contain_text("the person did not allow it")
    shown = page.locator("main").inner_text()
    assert [name for name in ("onEgress", "max_", "maxIterations", "snapshot") if name in shown] == []


def test_a_limit_is_named_by_its_field(page: Page) -> None:
    page.click("#limits summary")
    page.fill("#limit-maxSubCalls", "0")
    ScriptedModel(page, [code("llm_query('one')"), DONE])
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    expect(state_of(page)).to_have_text("Ended at a limit")
    expect(page.locator("#run-problem")).to_contain_text("Raise “Sub-calls”")


def test_an_idle_page_says_that_its_server_is_gone_and_that_it_is_back(page: Page) -> None:
    page.route("**/api/health", lambda route: route.abort("connectionrefused"))
    page.evaluate("() => dispatchEvent(new Event('focus'))")
    expect(page.locator("#server-problem")).to_contain_text("The server does not answer.")
    page.unroute("**/api/health")
    page.evaluate("() => dispatchEvent(new Event('focus'))")
    expect(page.locator("#server-problem")).to_have_count(0)


def test_technical_notices_are_folded(page: Page, tmp_path: Path) -> None:
    ScriptedModel(page, [DONE])
    page.fill("#context-text", "text")
    ask(page)
    ended(page)
    for text in page.locator(".notices li").all_inner_texts():
        assert text[0].isupper()
        assert text.endswith(".")
        assert not text.endswith("..")


def test_a_run_whose_server_is_gone_is_paused_and_tries_at_once_when_asked(page: Page) -> None:
    ScriptedModel(page, [DONE])
    away = [True]
    tries: list[str] = []

    def answer(route: Route) -> None:
        tries.append(route.request.url)
        if away[0]:
            route.abort("connectionrefused")
        else:
            route.fallback()

    page.route("**/api/rlm", answer)
    page.fill("#context-text", "text")
    ask(page)
    expect(state_of(page)).to_have_text("Paused: the server is not reachable", timeout=ENDED_MS)
    expect(page.locator("#announcer")).to_have_text("The run is paused: the server is not reachable.")
    assert serious_violations(page) == []
    page.wait_for_timeout(4_000)  # the pauses grow to about five seconds
    before = len(tries) + 1
    assert comes(page, tries, before, within_ms=ENDED_MS)  # so that the next one of its own is far away
    page.click("#try-now")
    assert comes(page, tries, before + 1, within_ms=NEXT_TRY_MS)
    away[0] = False
    page.click("#try-now")
    ended(page)
    expect(state_of(page)).to_have_text("Answered")
    expect(page.locator("#paused")).to_have_count(0)
