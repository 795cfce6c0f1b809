"""Reading a long run: 150 iterations with 2,000 sub-calls, by keys and buttons; the tab's title and a notification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.lab import code
from tests.browser.person import ENDED_MS, ScriptedModel, ask, ended
from tests.browser.test_accessibility import serious_violations

ITERATIONS = 150
SUB_CALLS = 2_000
SOON = 3_000
"""Milliseconds of the page's own work that a step may take on a machine with other work."""


def long_log() -> str:
    """A log whose iteration 7 prints "needle", as does every fiftieth."""
    events: list[dict[str, Any]] = []
    clock, calls = 0.0, 0
    limits = {"max_iterations": ITERATIONS}

    def emit(**event: Any) -> None:
        events.append({"seq": len(events), "path": [], "seconds": round(clock, 3), **event})

    def call(kind: str, prompt: str, text: str) -> None:
        nonlocal clock, calls
        messages = [{"role": "user", "content": prompt}]
        emit(type="call_started", call=calls, kind=kind, model="m", messages=messages, kept=0, batch=1)
        clock += 0.05
        usage = {"calls": 1, "input_tokens": 9, "output_tokens": 5, "cached_tokens": 0, "cost": 0.001}
        emit(type="call_finished", call=calls, model="m", text=text, error=None, usage=usage)
        calls += 1

    emit(type="run_started", question="Long?", model="m", sub_model=None, limits=limits, contexts=[])
    for number in range(1, ITERATIONS + 1):
        emit(type="iteration_started", iteration=number)
        reply = code(f"x = {number}\nprint(llm_batch(pieces))")
        call("root", "Long?", reply)
        emit(type="block_started", iteration=number, block=0, code=f"x = {number}\nprint(llm_batch(pieces))")
        for sub in range(SUB_CALLS // ITERATIONS + (number <= SUB_CALLS % ITERATIONS)):
            call("sub", f"piece {sub}", "a reply")
        stdout = "a needle here\n" if number == 7 or number % 50 == 0 else "nothing\n"
        seen = {"stdout": stdout, "stdout_chars": len(stdout), "value": None, "error": None, "seconds": 0.2}
        emit(type="block_finished", iteration=number, block=0, observation={**seen, "shown": None}, partial=None)
        emit(type="iteration_finished", iteration=number, reply=reply, blocks=1)
    end = {"answer": "done", "iterations": ITERATIONS, "stopped_by": "final_answer", "detail": "", "usage": {}}
    emit(type="run_finished", **end)
    return "".join(json.dumps(event) + "\n" for event in events)


def working(page: Page, action: str) -> float:
    """Milliseconds that the page's thread is held by `action` and the drawing after it."""
    script = f"""async () => {{
      const began = performance.now();
      {action}
      await new Promise((done) => setTimeout(() => requestAnimationFrame(() => setTimeout(done)), 150));
      return performance.now() - began - 150;
    }}"""
    return float(page.evaluate(script))


def test_a_run_of_150_iterations_and_2000_calls_is_read(page: Page, tmp_path: Path, faults: list[str]) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text(long_log(), encoding="utf-8")
    page.emulate_media(reduced_motion="reduce")
    page.set_input_files("#recording-file", path)
    expect(page.locator("#recording-play")).to_have_text("Play again", timeout=ENDED_MS)
    items = page.locator("#timeline > li")
    expect(items).to_have_count(50)
    page.fill("#search-run", "NEEDLE")
    expect(page.locator("#search-found")).to_have_text("1 of 4")
    page.focus("#search-run")
    page.keyboard.press("Enter")
    expect(page.locator("#iteration-7 .output")).to_contain_text("a needle here")
    expect(page.locator("#iteration-7 .output")).to_be_in_viewport()
    assert page.evaluate("CSS.highlights.get('found-now').size") == 1
    page.click("role=button[name='Next match']")
    expect(page.locator("#search-found")).to_have_text("2 of 4")
    expect(page.locator("#iteration-50 .output")).to_be_in_viewport()
    page.click("role=button[name='Previous match']")
    expect(page.locator("#search-found")).to_have_text("1 of 4")
    page.fill("#search-run", "absent")
    expect(page.locator("#search-found")).to_have_text("not found")
    page.focus("#search-run")
    page.keyboard.press("Escape")
    expect(page.locator("#search-run")).to_have_value("")
    page.focus("#iteration-50 .iteration-head")
    page.keyboard.press("j")
    expect(page.locator("#iteration-51 .iteration-head")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#iteration-50 .iteration-head")).to_be_focused()
    page.click("#next-iteration")
    expect(page.locator("#iteration-51 .iteration-head")).to_be_focused()
    opened = working(page, "document.getElementById('open-all').click();")
    expect(page.locator("#timeline .iteration-body")).to_have_count(ITERATIONS)
    folded = working(page, "document.getElementById('fold-all').click();")
    expect(page.locator("#timeline .iteration-body")).to_have_count(0)
    drawn = working(page, "document.querySelector('#waterfall > summary').click();")
    lines = page.locator(".waterfall-lines > li")
    expect(lines).to_have_count(ITERATIONS)
    expect(lines.first.locator(".facts")).to_have_text("0.8 s · $0.015 · 14 calls")
    lines.first.locator("button").click()
    expect(lines.first.locator(".waterfall-call")).to_have_count(14)
    expect(lines.first.locator(".waterfall-call").first).to_contain_text("50 ms · $0.001")
    assert max(opened, folded, drawn) < SOON, (opened, folded, drawn)
    assert serious_violations(page) == []
    assert faults == []


def test_the_tab_tells_the_state_and_a_notification_the_end(page: Page) -> None:
    page.evaluate("""() => {
      globalThis.shown = [];
      globalThis.Notification = class {
        static permission = "default";
        static async requestPermission() { return (this.permission = "granted"); }
        constructor(title, { body }) { shown.push([title, body]); }
      };
      Object.defineProperty(document, "hidden", { configurable: true, get: () => globalThis.isHidden ?? false });
    }""")
    plain = page.title()
    model = ScriptedModel(page, [code("x = 1"), code("FINAL('found it')"), code("FINAL('again')")], hold=[1])
    page.locator("#notifies").evaluate("box => { for (let up = box; up; up = up.parentElement) up.open = true; }")
    page.check("#notifies")
    page.fill("#context-text", "text")
    ask(page, "How many lamps?")
    route = model.next_held()
    expect(page).to_have_title("Running 2 \u2013 How many lamps?")
    page.evaluate("isHidden = true")
    model._reply(route)
    ended(page)
    expect(page).to_have_title("Done \u2013 How many lamps?")
    assert page.evaluate("shown") == [["Done \u2013 How many lamps?", "found it"]]
    # Android's browser has no notifications for pages, and throws
    page.evaluate("""() => {
      globalThis.Notification = class {
        static permission = "granted";
        constructor() { throw new TypeError("Illegal constructor"); }
      };
    }""")
    page.evaluate("isHidden = true")
    page.fill("#follow-up", "And lamps?")
    page.evaluate("document.getElementById('ask-next').click()")
    expect(page).to_have_title("Done \u2013 And lamps?", timeout=60_000)
    page.fill("#question", "kept as a draft")  # which is written after each drawing
    while "kept as a draft" not in page.evaluate("sessionStorage['pyodide-rlm.draft']"):
        page.wait_for_timeout(50)
    page.evaluate("isHidden = false")
    page.uncheck("#notifies")
    assert plain.startswith("pyodide-rlm")
