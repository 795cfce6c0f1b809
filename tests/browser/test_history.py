"""Earlier runs: kept in the browser, listed, searched, opened, renamed, deleted, exported and imported."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from rlm_server.headless.browser import QUIET
from tests.browser.lab import unbundle
from tests.browser.person import ScriptedModel, ask, code, ended
from tests.browser.test_accessibility import serious_violations


def rows(page: Page) -> Locator:
    return page.locator(".kept-run")


def answered(page: Page, question: str, answer: str) -> None:
    """A run of the page that answers at once."""
    page.unroute("**/api/rlm")
    ScriptedModel(page, [code(f"FINAL({answer!r})")])
    page.fill("#context-text", "text")
    ask(page, question)
    ended(page)
    expect(page.locator("#answer")).to_contain_text(answer)


def open_history(page: Page) -> None:
    if page.locator("#history").get_attribute("open") is None:
        page.click("#history > summary")


def test_ended_runs_outlive_a_reload_and_are_searched_opened_renamed_and_deleted(page: Page, faults: list[str]) -> None:
    answered(page, "Who lit the lamp?", "the keeper")
    answered(page, "Who sold the boat?", "the ferryman")
    page.reload()
    expect(page.locator("#history > summary")).to_contain_text("2 runs")
    open_history(page)
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("Who sold the boat?")
    expect(rows(page).first).to_contain_text("Answered")
    assert serious_violations(page) == []
    page.get_by_role("button", name="Compare Who lit the lamp?").press("Enter")
    expect(page.locator("#compare-hint")).to_contain_text("Who lit the lamp?")
    page.get_by_role("button", name="Compare Who sold the boat?").press("Enter")
    comparison = page.locator("#comparison")
    expect(comparison).to_contain_text("They part in iteration 1, the reply")
    expect(comparison.locator("tr.differs")).to_contain_text(["Who lit the lamp?"])
    expect(comparison.locator(".pair").last).to_contain_text("the keeper")
    expect(comparison.locator(".pair").last).to_contain_text("the ferryman")
    assert serious_violations(page) == []
    page.click("#comparison-close")
    expect(comparison).to_have_count(0)
    page.fill("#history-search", "KEEPER lamp")
    expect(rows(page)).to_have_count(1)
    page.locator(".kept-open").click()
    expect(page.locator("#recording-title")).to_have_text("Earlier run")
    expect(page.locator("#asked")).to_have_text("Who lit the lamp?")
    expect(page.locator("#answer")).to_contain_text("the keeper")
    expect(page.locator(".iteration")).to_have_count(1)
    assert serious_violations(page) == []
    page.fill("#history-search", "")
    page.get_by_role("button", name="Rename Who lit the lamp?").click()
    page.fill("input[aria-label='New name']", "Lamp")
    page.press("input[aria-label='New name']", "Enter")
    expect(rows(page).last).to_contain_text("Lamp")
    page.get_by_role("button", name="Delete Who sold the boat?").click()
    page.get_by_role("button", name="Delete it for good").click()
    expect(rows(page)).to_have_count(1)
    page.reload()
    open_history(page)
    expect(rows(page)).to_have_text([re.compile("Lamp")])
    assert faults == []


def test_a_stopped_run_is_kept_and_can_be_forked_after_a_reload(page: Page) -> None:
    ScriptedModel(page, [code("x = 41\nprint(x)"), code("FINAL('never')")], hold=[1])
    page.fill("#context-text", "text")
    ask(page, "How many?")
    expect(page.locator(".iteration .output").first).to_contain_text("41", timeout=60_000)
    page.click("#stop")
    ended(page)
    page.reload()
    open_history(page)
    expect(rows(page)).to_contain_text("Stopped")
    page.locator(".kept-open").click()
    page.fill("#context-text", "text")
    page.unroute("**/api/rlm")
    ScriptedModel(page, [code("FINAL(x + 1)")])
    page.get_by_role("button", name="Fork from here, iteration 2").click()
    ended(page)
    expect(page.locator("#answer")).to_contain_text("42")
    open_history(page)
    expect(rows(page)).to_have_count(2)


def test_runs_are_exported_as_one_file_and_imported_again(page: Page, tmp_path: Path) -> None:
    answered(page, "Who lit the lamp?", "the keeper")
    answered(page, "Who sold the boat?", "the ferryman")
    open_history(page)
    with page.expect_download() as download:
        page.click("#history-export")
    file = tmp_path / "runs.jsonl"
    download.value.save_as(file)
    assert [json.loads(line).get("question") for line in file.read_text().splitlines()] == [
        None,
        "Who sold the boat?",
        "Who lit the lamp?",
    ]
    page.click("#history-clear")
    page.get_by_role("button", name="Delete all 2 for good").click()
    expect(rows(page)).to_have_count(0)
    page.set_input_files("#history-import", file)
    expect(page.locator("#history-said")).to_have_text("2 runs imported.")
    expect(rows(page)).to_have_count(2)
    page.set_input_files("#history-import", file)
    expect(page.locator("#history-said")).to_have_text("0 runs imported, 2 were here already.")
    rows(page).first.locator(".kept-open").click()
    expect(page.locator("#answer")).to_contain_text("the ferryman")
    page.set_input_files("#history-import", {"name": "no.jsonl", "mimeType": "", "buffer": b"[]\n"})
    expect(page.locator("#history-problem")).to_contain_text("Line 1 does not say that the file holds runs.")


def test_playing_a_recording_does_not_take_the_run_away(page: Page, tmp_path: Path) -> None:
    answered(page, "Who lit the lamp?", "the keeper")
    with page.expect_download() as download:
        page.click("#download")
    file = tmp_path / "run.jsonl"
    download.value.save_as(file)
    page.set_input_files("#recording-file", file)
    expect(page.locator("#recording-title")).to_have_text("Recorded run")
    page.get_by_role("button", name="Back to the run before").click()
    expect(page.locator("#recording")).to_have_count(0)
    expect(page.locator("#answer")).to_contain_text("the keeper")


def test_the_oldest_run_is_asked_about_once_the_limit_is_passed(page: Page) -> None:
    answered(page, "Who lit the lamp?", "the keeper")
    answered(page, "Who sold the boat?", "the ferryman")
    page.evaluate(SMALL_LIMIT)
    page.reload()
    expect(page.locator("#history-limit")).to_contain_text("Who lit the lamp?")
    page.get_by_role("button", name="Delete the oldest").click()
    expect(page.locator("#history-limit")).to_have_count(0)
    expect(page.locator("#history > summary")).to_contain_text("1 run,")


SMALL_LIMIT = """() => {
  const key = "pyodide-rlm.settings";
  const kept = JSON.parse(localStorage.getItem(key) ?? "{}");
  localStorage.setItem(key, JSON.stringify({ ...kept, historyMegabytes: 0.001 }));
}"""
FILL = """async () => {
  const { importRun } = await import("/rlm/log/journal.js");
  const started = { type: "run_started", seq: 0, path: [], seconds: 0, question: "", model: "a:b", sub_model: null,
    limits: {}, contexts: [] };
  const output = { type: "output", seq: 1, path: [], seconds: 1, iteration: 1, block: 0, text: "x".repeat(1e6) };
  const usage = { "a:b": { calls: 1, input_tokens: 1, output_tokens: 1, cached_tokens: 0, cost: 0.01 } };
  const finished = { type: "run_finished", seq: 2, path: [], seconds: 2, answer: "yes", iterations: 1, detail: "",
    usage, stopped_by: "final_answer", fault: null };
  for (let number = 0; number < 200; number += 1) {
    const question = `Question ${number}?`;
    const log = [{ ...started, question }, output, finished].map((event) => JSON.stringify(event)).join("\\n");
    await importRun({ name: `run-${number}`, question, began: number * 1000, options: {}, contexts: [] }, log);
  }
}"""
OPEN = """async () => {
  const { loadHistory } = await import("/page/history.js");
  await loadHistory();
  document.querySelector("#history > summary").click();
  while (document.querySelectorAll(".kept-run").length === 0) await new Promise(requestAnimationFrame);
}"""


def used(page: CDPSession) -> tuple[float, float]:
    """Milliseconds that the page's thread was at work, whatever else the machine does, and the bytes of its heap."""
    page.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in page.send("Performance.getMetrics")["metrics"]}
    return metrics["TaskDuration"] * 1_000, page.send("Runtime.getHeapUsage")["usedSize"]


def test_two_hundred_runs_of_a_megabyte_are_listed_at_once(page: Page) -> None:
    page.evaluate(FILL)
    unbundle(page)
    expect(page.locator("#history > summary")).to_contain_text("200 runs, 200 MB")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    began, before = used(devtools)
    page.evaluate(OPEN)
    ended, after = used(devtools)
    assert after - before < 20e6
    assert ended - began < 300, ended - began
    expect(rows(page)).to_have_count(20)


def test_a_run_whose_browser_was_killed_as_it_ended_is_not_lost(page: Page) -> None:
    """Its last line is kept and its mark is not: what a kill between both leaves behind."""
    answered(page, "Who lit the lamp?", "the keeper")
    page.evaluate(
        """async () => { const database = await new Promise((done) => {
            const request = indexedDB.open("pyodide-rlm"); request.onsuccess = () => done(request.result); });
          const runs = database.transaction("runs", "readwrite").objectStore("runs");
          await new Promise((done) => { runs.getAll().onsuccess = ({ target }) => {
            const [{ ended, ...rest }] = target.result; runs.put(rest).onsuccess = done; }; });
          database.close(); }"""
    )
    page.reload()
    open_history(page)
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("region", name="Unfinished run")).to_have_count(0)


WRITE = """async () => {
  const { importRun } = await import("/rlm/log/journal.js");
  const text = "x".repeat(1e6);
  const event = (fields) => JSON.stringify({ path: [], seconds: 0, ...fields });
  const ended = { answer: "yes", iterations: 1, detail: "", usage: {}, stopped_by: "final_answer" };
  globalThis.kept = 0;
  for (let number = 0; ; number += 1) {
    const log = [
      event({ type: "run_started", seq: 0, question: "?", model: "a:b", sub_model: null, limits: {}, contexts: [] }),
      event({ type: "output", seq: 1, iteration: 1, block: 0, text }),
      event({ type: "run_finished", seq: 2, ...ended }),
    ].join("\\n");
    await importRun({ name: `run-${number}`, question: `${number}?`, began: number, options: {}, contexts: [] }, log);
    globalThis.kept = number + 1;
  }
}"""
LISTED = """async () => {
  const { endedRuns, readLog } = await import("/rlm/log/journal.js");
  const logs = await Promise.all((await endedRuns()).map(({ name }) => readLog(name)));
  return logs.map((log) => [log.length > 1e6, log.includes("run_finished")]);
}"""


def test_a_browser_that_is_killed_while_it_writes_loses_no_run(
    browser: Browser, chromium: Path, served: str, tmp_path: Path
) -> None:
    page = profile_page(browser, chromium, served, tmp_path)
    page.evaluate(f"void ({WRITE})()")
    page.wait_for_function("() => globalThis.kept > 4")
    kept = page.evaluate("kept")
    for process in processes_of(tmp_path):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    again = profile_page(browser, chromium, served, tmp_path)
    listed = again.evaluate(LISTED)
    again.context.close()
    assert len(listed) >= kept >= 5
    assert all(whole == [True, True] for whole in listed)


def profile_page(browser: Browser, chromium: Path, url: str, profile: Path) -> Page:
    """The page in a browser of its own, whose storage is in the folder `profile`."""
    flags = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    context = browser.browser_type.launch_persistent_context(profile, executable_path=chromium, args=flags)
    page = context.new_page()
    page.goto(url)
    return page


def processes_of(profile: Path) -> list[int]:
    """The processes of the browser with this profile."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if f"--user-data-dir={profile}".encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
