"""Child runs, tool calls, limits and usage as the page shows them, over the real worker and a scripted model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.lab import send_requests, unbundle
from tests.browser.person import ENDED_MS, ask, code, ended, tab_to
from tests.browser.test_accessibility import serious_violations

ISOLATED = {"Cross-Origin-Resource-Policy": "same-origin"}
PRICED = {"calls": 1, "input_tokens": 1_000, "output_tokens": 100, "cached_tokens": 400, "cost": 0.0125}
UNPRICED = {"calls": 1, "input_tokens": 10, "output_tokens": 5, "cached_tokens": 0, "cost": None}


def answer_by_question(
    page: Page, replies: Mapping[str, Sequence[str]], *, usage: Mapping[str, Any] = UNPRICED, model: str = "m"
) -> None:
    """Answer each run of the tree by the replies for its question, and sub-calls by their prompt."""
    left = {question: list(texts) for question, texts in replies.items()}

    def answer(route: Route, request: Request) -> None:
        body = json.loads(request.post_data or "{}")
        done = {"done": True, "model": model, "usage": usage}
        if body.get("type") == "batch":
            items = [{"index": at, "text": f"sub:{text}", **done} for at, text in enumerate(body["prompts"])]
            lines = [json.dumps({k: v for k, v in item.items() if k != "done"}) for item in items]
            ended = "\n".join([*lines, json.dumps({"done": True})]) + "\n"
            route.fulfill(headers={**ISOLATED, "Content-Type": "application/x-ndjson"}, body=ended)
            return
        if "prompt" in body:
            route.fulfill(json={"text": f"sub:{body['prompt']}", "model": model, "usage": usage}, headers=ISOLATED)
            return
        found = re.match(r"Question:\n(.*?)\n\nContext:", body["messages"][1]["content"], re.DOTALL)
        assert found, "a root call begins with its question"
        events = [{"delta": left[found[1]].pop(0)}, done]
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        route.fulfill(headers={**ISOLATED, "Content-Type": "text/event-stream"}, body=text)

    send_requests(page)
    page.route("**/api/rlm", answer)


def set_limits(page: Page, **limits: float) -> None:
    if page.locator("#limits[open]").count() == 0:
        page.click("#limits summary")
    for name, value in limits.items():
        page.fill(f"#limit-{name}", str(value))


ROOT = """
try:
    answers = rlm_batch(['first child', 'second child', 'third child'])
except SubCallError as error:
    answers = error.results
    print(error.errors)
FINAL(repr(answers))
"""
TREE = {
    "root": [code(ROOT), code("FINAL(repr(answers))")],
    "first child": [code("answer = llm_query('a sub-call')\nprint('of the first')"), code("FINAL('**one**')")],
    "second child": [code("answer['content'] = 'half of two'\nprint('spinning')\nwhile True: pass")],
    "third child": [code("1/0")],
}


def run_tree(page: Page) -> None:
    set_limits(page, maxDepth=2, maxErrors=1)
    answer_by_question(page, TREE)
    page.fill("#context-text", "text")
    ask(page, "root")


def test_child_runs_are_shown_below_the_block_that_started_them_and_one_is_stopped(page: Page) -> None:
    run_tree(page)
    runs = page.locator(".of-runs")
    expect(runs.locator(".sub-calls-summary")).to_contain_text("1 of 3 child runs done · 1 running", timeout=ENDED_MS)
    expect(page.locator(".child-run")).to_have_count(0)
    runs.locator(".sub-calls-head").click()
    expect(page.locator(".child-run")).to_have_count(3)
    second = page.locator(".child-run").nth(1)
    second.locator("> .call-head").click()
    expect(second.locator(".iteration")).to_have_count(1)
    expect(second.locator(".iteration-body")).to_have_count(0)
    second.get_by_role("button", name="Stop child run 1").focus()
    page.keyboard.press("Enter")
    expect(second.locator("> .call-head")).to_be_focused()
    ended(page)
    expect(page.locator("#answer")).to_contain_text("one")
    expect(page.locator("#answer")).to_contain_text("None, None")
    expect(page.locator(".sub-calls-summary").first).to_have_text("3 child runs · 1 failed · 1 stopped")
    expect(second.locator("> .call-head")).to_contain_text("stopped")
    expect(second.locator(".call-body")).to_contain_text("half of two")
    expect(second.get_by_role("button", name="Stop child run 1")).to_have_count(0)
    expect(page.locator(".block > .long-text .output").first).to_contain_text("1: 'the child run was stopped")
    third = page.locator(".child-run").nth(2)
    third.locator("> .call-head").click()
    expect(third.locator(".call-body .error").first).to_contain_text("failed too often in a row")
    assert serious_violations(page) == []


def test_an_open_tree_fits_a_narrow_screen(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    set_limits(page, maxDepth=2)
    answer_by_question(page, {"root": [code("FINAL(rlm_query('first child'))")], "first child": TREE["first child"]})
    page.fill("#context-text", "text")
    ask(page, "root")
    ended(page)
    page.click("#usage summary")
    for selector in (".of-runs .sub-calls-head", ".child-run .call-head", ".child-run .iteration-head"):
        page.locator(selector).first.click()
    expect(page.locator(".child-run .iteration-body")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_child_run_is_opened_by_keyboard_down_to_its_own_sub_calls(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    set_limits(page, maxDepth=2)
    answer_by_question(page, {"root": [code("FINAL(rlm_query('first child'))")], "first child": TREE["first child"]})
    page.fill("#context-text", "text")
    ask(page, "root")
    ended(page)
    for selector in (".sub-calls-head", ".child-run .call-head", ".child-run .iteration-head"):
        tab_to(page, selector)
        page.keyboard.press("Enter")
    child = page.locator(".child-run")
    expect(child.locator(".call-body")).to_contain_text("Used, with the runs below it: 3 calls")
    expect(child.locator(".of-models .sub-calls-summary")).to_have_text("1 sub-call")
    expect(child.locator(".iteration .output").first).to_contain_text("of the first")
    assert serious_violations(page) == []


def test_calls_of_tools_are_counted_with_their_states(page: Page) -> None:
    answer_by_question(page, {"root": [code("look('a', deep=True)\ntry: look('b')\nexcept ToolError: pass\nFINAL(1)")]})
    page.evaluate(
        """async () => { const { ask } = await import("/page/app.js");
          const look = function (place) { if (place === "b") throw new Error("not there"); return { found: place }; };
          await ask({ question: "root", context: "text", options: { tools: { look } } }); }"""
    )
    calls = page.locator(".of-tools")
    expect(calls.locator(".sub-calls-summary")).to_have_text("2 tool calls · 1 failed")
    calls.locator(".sub-calls-head").click()
    expect(calls.locator(".call").first).to_contain_text('look("a", deep=true) → {"found":"a"}')
    expect(calls.locator(".call").last).to_contain_text("not there")
    expect(page.locator(".iteration-head .facts")).to_contain_text("2 tool calls")


LIMITS = {
    "maxIterations": (7, "maxIterations", 7),
    "maxErrors": (2, "maxErrors", 2),
    "blockSeconds": (9, "blockTimeout", 9_000),
    "maxSeconds": (60, "maxTimeout", 60_000),
    "maxSubCalls": (0, "maxSubCalls", 0),
    "maxDepth": (3, "maxDepth", 3),
    "maxConcurrency": (2, "maxConcurrency", 2),
    "maxInputTokens": (50_000, "maxInputTokens", 50_000),
    "maxOutputTokens": (5_000, "maxOutputTokens", 5_000),
    "maxCost": (0.5, "maxCost", 0.5),
    "maxOutputChars": (300, "maxOutputChars", 300),
    "maxPromptChars": (9_999, "maxPromptChars", 9_999),
    "windowTokens": (4_000, "windowTokens", 4_000),
    "compactPercent": (0, "compactAt", False),
}


def test_every_limit_can_be_set_and_reaches_the_run(page: Page) -> None:
    set_limits(page, **{name: typed for name, (typed, _, _) in LIMITS.items()})
    unbundle(page)
    options = page.evaluate("async () => (await import('/page/settings.js')).runOptions()")
    assert {name: options[name] for _, name, _ in LIMITS.values()} == {
        name: value for _, name, value in LIMITS.values()
    }
    expect(page.locator("#limits summary")).to_contain_text("7 iterations, 1 min 0 s, 12 others set")


def test_a_limit_left_empty_is_left_to_the_default_that_its_field_names(page: Page) -> None:
    set_limits(page)
    unbundle(page)
    assert page.evaluate("async () => Object.keys((await import('/page/settings.js')).runOptions())") == ["model"]
    shown = {name: page.get_attribute(f"#limit-{name}", "placeholder") for name in LIMITS}
    named = {name for name, default in shown.items() if default == "no limit"}
    assert named == {"maxSeconds", "maxSubCalls", "maxInputTokens", "maxOutputTokens", "maxCost", "maxPromptChars"}
    assert (shown["maxIterations"], shown["blockSeconds"], shown["windowTokens"]) == ("20", "120", "128,000")


@pytest.mark.parametrize(
    ("usage", "shown"),
    [(PRICED, ["$0.025", "$0.0125"]), (UNPRICED, ["unknown", "unknown"])],
    ids=["priced", "unpriced"],
)
def test_usage_is_shown_by_model_and_by_run_and_an_unknown_price_is_never_zero(
    page: Page, usage: Mapping[str, Any], shown: list[str]
) -> None:
    set_limits(page, maxDepth=2)
    replies = {"root": [code("FINAL(rlm_query('child'))")], "child": [code("FINAL(1)")]}
    answer_by_question(page, replies, usage=usage, model="openai:gpt-x")
    page.fill("#context-text", "text")
    ask(page, "root")
    ended(page)
    usage_part = page.locator("#usage")
    expect(page.locator("#status")).to_contain_text(shown[0])
    usage_part.locator("summary").click()
    expect(usage_part.locator("table")).to_have_count(2)
    expect(usage_part.locator("table").first.locator("tbody tr")).to_contain_text("openai:gpt-x2")
    expect(usage_part.locator("table").first.locator("tbody td").last).to_have_text(shown[0])
    rows = usage_part.locator("table").last.locator("tbody tr")
    expect(rows.first).to_contain_text("root")
    expect(rows.last.locator("th")).to_have_text("0")
    expect(rows.last.locator("td").last).to_have_text(shown[1])
    assert "$0.00" not in usage_part.inner_text()
    assert serious_violations(page) == []


FEED = """async ({ iterations, subCalls, children }) => {
  const [{ newRun, applyEvent }, { state, changed }] =
    await Promise.all([import("/page/run.js"), import("/page/state.js")]);
  const run = newRun("fed", "of text");
  state.run = run;
  let seq = 0;
  const frame = () => new Promise((next) => requestAnimationFrame(next));
  const feed = (event, path = []) => {
    applyEvent(run, { seq: seq++, path, seconds: seq / 1000, ...event });
    changed();
  };
  const usage = { calls: 1, input_tokens: 3, output_tokens: 2, cached_tokens: 0, cost: null };
  const observation = { stdout: "ok", stdout_chars: 2, value: null, error: null, seconds: 0.1 };
  const iterate = async (iteration, path, inBlock) => {
    const code = `print(${iteration})`;
    feed({ type: "iteration_started", iteration }, path);
    const reply = "Look.\\n```repl\\n" + code + "\\n```\\n";
    feed({ type: "call_started", call: seq, kind: "root", model: "m", messages: [], kept: 0, batch: 1 }, path);
    feed({ type: "call_finished", call: seq - 2, model: "m", text: reply, error: null, usage }, path);
    feed({ type: "block_started", iteration, block: 0, code }, path);
    await inBlock();
    feed({ type: "block_finished", iteration, block: 0, observation, partial: null }, path);
    feed({ type: "iteration_finished", iteration, reply, blocks: 1 }, path);
  };
  let longest = 0;
  let last = performance.now();
  let watching = true;
  const watch = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (watching) requestAnimationFrame(watch);
  };
  requestAnimationFrame(watch);
  for (let iteration = 1; iteration <= iterations; iteration += 1) {
    await iterate(iteration, [], async () => {
      if (iteration < iterations) return;
      const first = 1_000_000;
      for (let call = 0; call < subCalls; call += 1) {
        const messages = [{ role: "user", content: `prompt ${call} ` + "x".repeat(200) }];
        feed({ type: "call_started", call: first + call, kind: "sub", model: "m", messages, kept: 0, batch: subCalls });
        if (call % 100 === 99) await frame();
      }
      for (let call = 0; call < subCalls; call += 1) {
        feed({ type: "call_finished", call: first + call, model: "m", text: `reply ${call}`, error: null, usage });
        if (call % 100 === 99) await frame();
      }
      for (let child = 0; child < children; child += 1) {
        const path = [child];
        const limits = { max_iterations: 20 };
        feed({ type: "run_started", question: `q${child}`, model: "m", sub_model: null, limits, contexts: [] }, path);
        await iterate(1, path, async () => {});
        if (child % 10 === 9) await frame();
      }
    });
    if (iteration % 10 === 0) await frame();
  }
  await frame();
  watching = false;
  return { longest, elements: document.querySelectorAll("main *").length };
}"""


def test_a_long_run_of_many_calls_and_children_never_freezes_the_page(page: Page) -> None:
    unbundle(page)
    fed = page.evaluate(FEED, {"iterations": 200, "subCalls": 10_000, "children": 300})
    print(f"longest gap between frames: {fed['longest']:.0f} ms, {fed['elements']} elements")
    assert fed["longest"] < 3_000
    assert fed["elements"] < 2_000
    expect(page.locator(".iteration")).to_have_count(50)
    page.get_by_role("button", name="Show 50 earlier of 200 iterations").click()
    expect(page.locator(".iteration")).to_have_count(100)
    page.locator(".of-models .sub-calls-head").click()
    expect(page.locator(".of-models .call")).to_have_count(20)
    page.locator(".of-runs .sub-calls-head").click()
    expect(page.locator(".child-run")).to_have_count(20)
    page.get_by_role("button", name="Show 20 more of 300").click()
    expect(page.locator(".child-run")).to_have_count(40)
    expect(page.locator(".child-run").nth(20).locator(".call-head")).to_be_focused()
