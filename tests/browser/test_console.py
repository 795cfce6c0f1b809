"""The console: code of the person's own in the REPL of a session, between its questions; no model is asked."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.lab import LAB, STUCK, code
from tests.browser.person import ENDED_MS, ScriptedModel, ask, ended, tab_to
from tests.browser.test_accessibility import serious_violations
from tests.browser.test_conversation import follow_up
from tests.browser.test_history import open_history, rows

ENTRIES = """async ({replies, stuck}) => {
  const { RLM } = await import("/rlm/rlm.js");
  const posts = [];
  const events = [];
  const base = `entries-${crypto.randomUUID()}`;
  const options = { onEvent: (event) => events.push(event), journal: base, keepLog: true };
  const { session, native } = lab.session(RLM, replies, options, posts);
  const out = { executions: [], posts };
  const execute = async (code, options) => {
    const { trajectory, ...execution } = await session.execute(code, options);
    out.executions.push({ ...execution, log: trajectory() });
    return execution;
  };
  try {
    out.first = (await session.run("One?", { context: "lamp and lamp" })).answer;
    await execute("total = lamps + 40\\nprint('seen', total)\\ndisplay([{'a': 1}])\\ntotal");
    await execute("1 / 0");
    await execute("llm_query('a')");
    out.variables = await session.variables();
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 700);
    await execute(stuck, { signal: stop.signal });
    out.busy = await Promise.all([session.variables(), session.execute("1").catch((error) => error.message)]);
    await execute("import os\\nos._exit(3)");
    await execute("(total, lamps, 'stuck' in globals())");
    out.second = (await session.run("Two?")).answer;
    session.close();
    const logs = [0, 1, 2, 3, 4, 5, 6, 7].map((at) => (at === 0 ? base : `${base}.${at + 1}`));
    const { listRuns, readRun } = await import("/rlm/rlm.js");
    out.kept = (await listRuns()).filter(({ name }) => name.startsWith(base)).length;
    const earlier = await Promise.all(logs.map(async (name) => ({ log: await readRun(name) })));
    earlier[0].context = "lamp and lamp";
    const again = new RLM({ endpoint: "/scripted" }).session({ earlier });
    out.again = (await again.execute("(total, lamps, second)")).value;
    out.empty = await again.execute(" ").catch((error) => `${error.name}: ${error.message}`);
    again.close();
  } finally {
    globalThis.fetch = native;
  }
  return { ...out, events };
}"""


def test_entries_between_questions_stops_deaths_and_a_later_session(shared_page: Page) -> None:
    shared_page.evaluate(LAB)
    replies = [code("lamps = context.count('lamp')\nFINAL(lamps)"), code("second = total + 1\nFINAL(second)")]
    result: Any = shared_page.evaluate(ENTRIES, {"replies": replies, "stuck": f"stuck = 1\n{STUCK}"})
    assert (result["first"], result["second"], result["again"]) == ("2", "43", "(42, 2, 43)")
    plain, fault, call, stopped, died, after = result["executions"]
    assert (plain["stdout"], plain["value"], plain["error"]) == (
        "seen 42\n[the person sees a table of 1 row and 1 column]\n",
        "42",
        None,
    )
    assert '"kind": "table"' in plain["shown"]
    assert [each["name"] for each in plain["variables"]] == ["context", "lamps", "total"]
    assert "ZeroDivisionError" in fault["error"]
    assert "no model is called from the console" in call["error"]
    assert result["variables"][2] == {"name": "total", "type": "int", "size": "", "preview": "42"}
    assert (stopped["isStopped"], stopped["variables"]) == (True, None)
    assert "interpreter" in stopped["error"]
    assert result["busy"][1].startswith("the session is at work")
    assert [each["name"] for each in result["busy"][0]] == ["context", "lamps", "total", "last_error"]
    assert "interpreter died" in died["error"]
    assert after["value"] == "(42, 2, False)"
    assert len(result["posts"]) == 2, "no model is asked for an entry"
    opening = result["posts"][1]["messages"][1]["content"]
    assert "Variables that the user bound in this REPL since:" in opening
    assert "`total`" in opening
    assert result["empty"].startswith("ConfigError: the code must be text")
    started = [event for event in result["events"] if event["type"] == "run_started"]
    assert [event["console"] for event in started] == [False, *[True] * 6, False]
    assert all('"value":null' in execution["log"].splitlines()[-1] for execution in result["executions"])


def open_console(page: Page) -> None:
    page.click("#console > summary")
    expect(page.locator("#variables")).to_be_visible(timeout=ENDED_MS)


def enter(page: Page, text: str) -> None:
    """Type code and run it; its block is done."""
    before = page.locator("#console-entries > li").count()
    page.fill("#console-code", text)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#console-entries > li")).to_have_count(before + 1, timeout=ENDED_MS)
    expect(page.locator("#console-run")).to_be_visible(timeout=ENDED_MS)


def test_a_person_works_in_the_console_by_keyboard_and_finds_it_again_after_a_reload(
    page: Page, faults: list[str]
) -> None:
    model = ScriptedModel(page, [code("rows = [1, 2, 3]\nFINAL('three')"), code("FINAL(total + 1)")])
    page.fill("#context-text", "text")
    ask(page, "How many?")
    ended(page)
    tab_to(page, "#console > summary")
    page.keyboard.press("Enter")
    expect(page.locator("#variables tbody tr")).to_have_count(2, timeout=ENDED_MS)
    expect(page.locator("#variables tbody tr").last).to_contain_text("rowslist3 items[1, 2, 3]")
    tab_to(page, "#console-code")
    page.keyboard.type("total = sum(ro")
    page.keyboard.press("Tab")
    expect(page.locator("#console-code")).to_have_value("total = sum(ro")
    expect(page.locator("#console-candidates")).to_have_text("round  rows")
    page.keyboard.type("w")
    page.keyboard.press("Tab")
    expect(page.locator("#console-code")).to_have_value("total = sum(rows")
    page.keyboard.type(")")
    page.keyboard.press("Enter")
    expect(page.locator("#variables tbody tr").last).to_contain_text("totalint6", timeout=ENDED_MS)
    page.keyboard.type("for row in rows:")
    page.keyboard.press("Enter")
    page.keyboard.type("print('<b>', row)")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    entries = page.locator("#console-entries > li")
    expect(entries.nth(1)).to_contain_text("<b> 1\n<b> 2\n<b> 3", timeout=ENDED_MS)
    expect(page.locator("#console-entries b")).to_have_count(0)
    page.keyboard.press("ArrowUp")
    expect(page.locator("#console-code")).to_have_value("for row in rows:\n    print('<b>', row)\n    ")
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#console-code")).to_have_value("total = sum(rows)")
    enter(page, "display([{'a': 1}])\n1 / 0")
    expect(entries.last.locator(".output.error")).to_contain_text("ZeroDivisionError", timeout=ENDED_MS)
    expect(entries.last.locator("figure, .table-view").first).to_be_visible()
    page.focus("#console-code")
    page.keyboard.type("while True: pass")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#console-stop")).to_be_visible()
    expect(page.locator("#ask-next")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator("#console-run")).to_be_visible(timeout=ENDED_MS)
    expect(entries.last.locator(".output.error")).to_contain_text("stopped", timeout=ENDED_MS)
    assert serious_violations(page) == []
    expect(page.locator("#ask-next")).to_be_enabled(timeout=ENDED_MS)  # code that does not heed a stop costs a rebuild
    follow_up(page, "And one more?")
    expect(page.locator("#answer")).to_contain_text("7")
    page.reload()
    expect(page.locator("#asked")).to_have_text("And one more?")
    page.click("#console > summary")
    expect(entries).to_have_count(4, timeout=ENDED_MS)
    expect(entries.nth(1)).to_contain_text("<b> 3")
    enter(page, "total * 2")
    expect(entries.last.locator(".output.value")).to_have_text("12", timeout=ENDED_MS)
    expect(page.locator("#variables")).to_contain_text("total", timeout=ENDED_MS)
    assert model.asked == 2
    open_history(page)
    expect(rows(page)).to_have_count(2)
    assert faults == []
