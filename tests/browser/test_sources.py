"""Sources on the page: opened before a run and after it, searched, jumped into, with what left painted over them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.lab import unbundle
from tests.browser.papers import pdf, xlsx
from tests.browser.person import ScriptedModel, ask, code, ended
from tests.browser.test_accessibility import serious_violations

BOOK = pdf(*(f"Page {page} tells that lamp {page} was lit by the keeper." for page in range(1, 421)))
LINES = 60_000
LOG = "".join(f"2026-11-28 12:00 INFO job {job} is done in {job % 97} ms\n" for job in range(1, LINES + 1))
SEND = code(
    "at = context['app.log'].index('INFO job 30000 ')\nprint(llm_query('Why? ' + context['app.log'][at:at + 90]))"
)
DONE = code("FINAL('It is on line 1,730 of app.log, and on page 417. Not in `line 5`, nor on line 9 of nothing.')")
IN_SIGHT = """() => {
  const box = document.querySelector(".source-text").getBoundingClientRect();
  const mark = document.querySelector(".source-text mark.target")?.getBoundingClientRect();
  return mark !== undefined && mark.top >= box.top && mark.bottom <= box.bottom;
}"""


def choose(page: Page, files: dict[str, bytes]) -> None:
    payloads: list[FilePayload] = [{"name": name, "mimeType": "", "buffer": data} for name, data in files.items()]
    page.set_input_files("#context-files", payloads)


def test_sources_open_before_a_run_and_after_it_at_the_places_that_are_meant(page: Page, faults: list[str]) -> None:
    ScriptedModel(page, [SEND, DONE])
    choose(page, {"app.log": LOG.encode(), "book.pdf": BOOK})
    page.get_by_role("button", name="Open app.log").press("Enter")
    expect(page.locator("#source-title")).to_have_text("app.log")
    expect(page.locator(".source-text li").first).to_have_text("2026-11-28 12:00 INFO job 1 is done in 1 ms")
    page.keyboard.press("Control+f")
    page.keyboard.type("JOB 5999")
    expect(page.locator("#source-hits")).to_have_text("1 of 11")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#source-hits")).to_have_text("11 of 11")
    expect(page.locator(".source-text mark.target")).to_have_text("job 5999")
    page.wait_for_function(IN_SIGHT)
    page.fill("#source-go", "1,730")
    page.keyboard.press("Enter")
    expect(page.locator(".source-text mark.target")).to_have_text("2026-11-28 12:00 INFO job 1730 is done in 81 ms")
    page.wait_for_function(IN_SIGHT)
    assert page.locator(".source-text li").count() < 3_000
    assert serious_violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#source")).to_have_count(0)
    expect(page.get_by_role("button", name="Open app.log")).to_be_focused()
    ask(page)
    ended(page)
    links = page.locator("#answer .place-link")
    expect(links).to_have_text(["line 1,730", "page 417", "line 9"])
    links.first.click()
    expect(page.locator(".source-text mark.target")).to_contain_text("job 1730 is")
    page.locator("#source-position").press("Home")
    expect(page.locator(".source-text li").first).to_contain_text("job 1 is")
    page.click("#source-close")
    page.click(".egress-head")
    page.locator(".egress-bar button").last.press("Enter")
    page.get_by_role("button", name="Open the source there").first.click()
    sent = page.locator(".source-text mark.sent")
    expect(sent.first).to_contain_text("INFO job 30000 is done")
    expect(sent.first).to_have_attribute("title", re.compile(r"^left for \S+.* in calls? 2"))
    expect(page.locator(".source-legend li").first).to_contain_text("for http")
    expect(page.locator(".source-sent .is-sent")).not_to_have_count(0)
    assert serious_violations(page) == []
    page.click("#source-close")
    links.nth(1).click()
    expect(page.locator(".source-page img")).to_be_visible(timeout=60_000)
    expect(page.locator(".source-pages")).to_contain_text("Page 417 of")
    page.fill("#source-search", "lamp 12 was")
    expect(page.locator(".source-pages")).to_contain_text("Page 12 of", timeout=60_000)
    expect(page.locator(".source-sheet mark")).not_to_have_count(0, timeout=60_000)
    page.get_by_role("button", name="Text", exact=True).click()
    expect(page.locator(".source-text")).to_contain_text("lamp 12 was lit")
    assert serious_violations(page) == []
    page.click("#source-close")
    page.click("#history > summary")
    page.locator(".kept-open").click()
    expect(page.locator("#recording-title")).to_have_text("Earlier run")
    expect(page.locator(".egress-part")).not_to_contain_text("no size")
    sent_cell = page.locator(".egress-part", has_text="app.log").locator(".egress-bar button").last
    assert sent_cell.get_attribute("data-cell") in ("29", "30"), "the bar has the true length of the file"
    page.set_input_files("#given-file", {"name": "app.log", "mimeType": "", "buffer": LOG.encode()})
    page.locator("#source-names button").first.click()
    expect(page.locator(".source-text li").first).to_contain_text("job 1 is")
    assert faults == []


def test_workbooks_and_csv_open_as_tables(page: Page) -> None:
    rows: list[list[object]] = [["name", "rent"], *([f"Tenant {row}", 7 * row] for row in range(1, 300))]
    choose(page, {"rents.xlsx": xlsx("2026", rows), "people.csv": b"city,people\nOslo,709\nBergen,291\n"})
    page.get_by_role("button", name="Open rents.xlsx").click()
    expect(page.locator(".source figcaption")).to_have_text("2026 299 rows, 2 columns", timeout=60_000)
    expect(page.locator(".source tbody tr").first).to_have_text("Tenant 17")
    page.locator("#source-name").select_option("people.csv")
    expect(page.locator(".source-text li").nth(1)).to_have_text("Oslo,709")
    page.get_by_role("button", name="Tables").click()
    expect(page.locator(".source tbody tr").first).to_have_text("Oslo709", timeout=60_000)
    assert serious_violations(page) == []


HUGE = """async () => {
  const line = (number) => `${String(number).padStart(15, "0")} the quick brown fox jumps over the lazy dog\\n`;
  const part = new TextEncoder().encode(Array.from({ length: 1 << 20 }, (_, number) => line(number)).join(""));
  globalThis.huge = new File(Array.from({ length: Math.ceil(1e9 / part.length) }, () => part), "huge.log");
  globalThis.long = [];
  new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration))).observe({
    type: "longtask" });
  await huge.slice(-9).text(); // the browser has all of it
  return huge.size;
}"""
OPEN = """async () => {
  const { openSource } = await import("/page/sources.js");
  const middle = Math.floor(huge.size / 2);
  const started = performance.now();
  openSource({ context: huge, name: "huge.log", at: { byteStart: middle, byteEnd: middle + 9 } });
  while (!document.querySelector(".source-text mark.target")) await new Promise(requestAnimationFrame);
  return performance.now() - started;
}"""


@pytest.mark.timed
def test_a_source_of_1_gb_opens_at_its_middle_and_is_searched_without_a_pause(page: Page) -> None:
    unbundle(page)
    page.fill("#question", "Who?")  # Python starts with the first letter, which takes a step of its own
    assert page.evaluate(HUGE) > 1e9
    page.wait_for_timeout(5_000)
    milliseconds = page.evaluate(OPEN)
    page.evaluate("long.length = 0")
    page.fill("#source-search", "QUICK brown")
    expect(page.locator("#source-hits")).to_contain_text(re.compile(r"[45]\d % searched"), timeout=60_000)
    assert milliseconds <= 500
    assert [duration for duration in page.evaluate("long") if duration > 100] == []
