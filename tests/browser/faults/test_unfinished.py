"""A reloaded page offers the run that was cut off: Continue ends it as it would have ended, Discard forgets it."""

from __future__ import annotations

from playwright.sync_api import Page, Route

from tests.browser.faults.upstream import Upstream
from tests.browser.lab import code, send_requests

REPLIES = [code("x = llm_query('one')"), code("y = llm_query('two')"), code("FINAL(x + ' ' + y + ' ' + context)")]
PAID = ["one", "root 0", "root 1", "root 2", "two"]
KEPT_FILES = """async () => {
  const root = await navigator.storage.getDirectory();
  const kept = [];
  for await (const [, runs] of root.entries())
    for await (const [, run] of runs.entries()) for await (const [name] of run.entries()) kept.push(name);
  return kept.length;
}"""

IS_KEPT = """() => new Promise((resolve) => {
  indexedDB.open("pyodide-rlm").onsuccess = ({ target: { result: database } }) => {
    const runs = database.transaction("runs").objectStore("runs").getAll();
    runs.onsuccess = () => {
      database.close();
      resolve(runs.result.some(({ contexts }) => contexts.length > 0));
    };
  };
})"""


def cut_off(page: Page, *, keep: bool) -> Upstream:
    """Ask on the page, and reload it while the second sub-call is under way."""
    arrived: list[Route] = []  # never answered
    upstream = Upstream(REPLIES, faults={3: arrived.append})
    send_requests(page)
    upstream.serve(page.context, "/api/rlm")
    page.on("dialog", lambda dialog: dialog.accept())  # the page asks whether to leave while a run is under way
    page.fill("#question", "What is kept?")
    page.fill("#context-text", "of a context")
    if keep:
        page.check("#keep-context")
    page.click("#run")
    while not arrived:
        page.wait_for_timeout(50)
    while keep and not page.evaluate(IS_KEPT):
        page.wait_for_timeout(50)
    page.reload()
    page.get_by_role("region", name="Unfinished run").wait_for()
    return upstream


def unfinished(page: Page) -> int:
    count: int = page.evaluate(
        "import('/rlm/log/journal.js').then(({unfinished}) => unfinished()).then((all) => all.length)"
    )
    return count


def answer_of(page: Page) -> str:
    return page.locator("#answer").inner_text(timeout=120_000)


def test_continue_with_a_kept_context_needs_nothing_more(page: Page) -> None:
    upstream = cut_off(page, keep=True)
    page.get_by_role("button", name="Continue").click()
    assert "sub:one sub:two of a context" in answer_of(page)
    assert sorted(upstream.asked) == PAID
    assert (unfinished(page), page.evaluate(KEPT_FILES)) == (
        0,
        1,
    )  # the context that was kept stays with the run, among the earlier ones


def test_continue_asks_for_the_same_context_where_it_was_not_kept(page: Page) -> None:
    upstream = cut_off(page, keep=False)
    page.fill("#context-text", "of another one")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("this is not the context that the run began with").first.wait_for(timeout=120_000)
    page.fill("#context-text", "of a context")
    page.get_by_role("button", name="Continue").click()
    assert "sub:one sub:two of a context" in answer_of(page)
    assert sorted(upstream.asked) == PAID
    assert unfinished(page) == 0


def test_discard_forgets_the_run_and_its_context(page: Page) -> None:
    cut_off(page, keep=True)
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("region", name="Unfinished run").wait_for(state="detached")
    page.reload()
    page.locator("#run").wait_for()
    assert (unfinished(page), page.evaluate(KEPT_FILES)) == (0, 0)


JOURNAL = """async () => {
  const { forget, openJournal, unfinished } = await import("/rlm/log/journal.js");
  const put = IDBObjectStore.prototype.put;
  const fullFor = (store) => {
    IDBObjectStore.prototype.put = function (...values) {
      if (this.name !== store) return put.apply(this, values);
      Object.defineProperty(this.transaction, "error", { value: new DOMException("full", "QuotaExceededError") });
      this.transaction.abort();
    };
  };
  const run = (name) => ({ name, question: "Q?", began: Date.now(), options: {}, contexts: [] });
  const event = (type, more) => JSON.stringify({ type, seq: 0, path: [], seconds: 0, ...more });
  const stop = new AbortController();
  const notices = [];
  const options = { onNotice: (text) => notices.push(text), signal: stop.signal, keepsLog: true };
  const stopped = await openJournal(run("stopped"), options);
  stopped.append(event("run_started", { model: null }), "run_started");
  await stopped.written();
  fullFor("lines");
  const ending = { stopped_by: "cancelled", detail: "", iterations: 0, answer: "", usage: {} };
  stopped.append(event("run_finished", ending), "run_finished");
  const written = stopped.written().catch((error) => error.name);
  stop.abort();
  const out = { written: await written };
  await stopped.close();
  fullFor("runs");
  out.begun = await openJournal(run("begun"), options).then(() => "open", (error) => error.name);
  IDBObjectStore.prototype.put = put;
  out.unfinished = (await unfinished()).map(({ name }) => name);
  await (await openJournal(run("begun"), options)).leave();
  for (const { name } of await unfinished()) await forget(name);
  return { ...out, left: (await unfinished()).length };
}"""


def test_a_run_that_a_full_store_cut_off_stays_unfinished_and_lets_go_of_its_name(page: Page) -> None:
    seen = page.evaluate(JOURNAL)
    full = "QuotaExceededError"
    assert seen == {"written": full, "begun": full, "unfinished": ["stopped"], "left": 0}
