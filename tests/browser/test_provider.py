"""A provider of the page: limits, ledger, gate, log, replay and stop hold as with an endpoint; no server is asked."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.lab import FINISH, code

ASK = code("print(llm_query('one ' + context)); print(llm_batch(['two', 'three']))")
CONTEXT = "The lease of the mill was signed by Mara Lindqvist on 3 May 1931."
CASES = """async ([ask, finish, context]) => {
  const { RLM } = await import("/rlm/rlm.js");
  const native = globalThis.fetch;
  const fetched = [];
  globalThis.fetch = (url, init) => {
    if (String(url).includes("/api/rlm")) fetched.push(String(url));
    return native(url, init);
  };
  const asked = [];
  const usage = { input_tokens: 10, output_tokens: 5, cost: 1 };
  const scripted = async ({ messages, model, onDelta }) => {
    asked.push(model);
    const isRoot = messages[0].role === "system";
    const isFirst = !messages.some(({ role }) => role === "assistant");
    const text = isRoot ? (isFirst ? ask : finish) : `sub:${messages[0].content}`;
    onDelta(text);
    return { text, usage };
  };
  const provider = Object.assign(scripted, { label: "a script", concurrency: 2 });
  const run = async (options, job = {}) => {
    const events = [];
    const onEvent = (event) => events.push(event);
    const rlm = new RLM({ provider, model: "m", onEvent, ...options });
    const { trajectory, ...result } = await rlm.run("What?", { context, ...job });
    return { ...result, log: trajectory(), types: events.map(({ type }) => type), events };
  };
  const plain = await run({});
  const before = asked.length;
  const replayed = await run({}, { replay: plain.log });
  const replayCalls = asked.length - before;
  const denied = await run({ onEgress: ({ kind }) => (kind === "sub" ? { deny: "not this" } : "allow") });
  const limited = await run({ maxSubCalls: 1 });
  const spent = await run({ maxCost: 1.5 });
  const failed = await run({ provider: async () => { throw new Error("out of order"); } });
  const stop = new AbortController();
  const never = () => { setTimeout(() => stop.abort(), 20); return new Promise(() => {}); };
  const stopped = await run({ provider: never }, { signal: stop.signal });
  const journal = await run({ journal: "provider-run", keepLog: true });
  const { readRun, deleteRun } = await import("/rlm/rlm.js");
  const kept = await readRun("provider-run");
  await deleteRun("provider-run");
  let beside = "";
  try { new RLM({ provider, endpoint: "/api/rlm" }); } catch (error) { beside = error.message; }
  globalThis.fetch = native;
  return { plain, replayed, replayCalls, denied, limited, spent, failed, stopped, beside, fetched, asked,
    isKept: kept === journal.log };
}"""


@pytest.fixture(scope="module")
def cases(shared_page: Page) -> Any:
    return shared_page.evaluate(CASES, [ASK, FINISH, CONTEXT])


def test_a_function_of_the_page_answers_in_place_of_an_endpoint(cases: Any) -> None:
    plain = cases["plain"]
    assert (plain["answer"], plain["stoppedBy"], plain["iterations"]) == ("done", "final_answer", 2)
    assert plain["usage"] == {"m": {"calls": 5, "input_tokens": 50, "output_tokens": 25, "cached_tokens": 0, "cost": 5}}
    observation = next(event["observation"] for event in plain["events"] if event["type"] == "block_finished")
    assert observation["stdout"] == f"sub:one {CONTEXT}\n['sub:two', 'sub:three']\n"
    assert "reply_written" in plain["types"]
    assert set(cases["asked"]) == {"m"}
    assert cases["fetched"] == []


def test_calls_to_a_function_of_the_page_are_in_the_ledger_and_pass_the_gate(cases: Any) -> None:
    [destination] = cases["plain"]["egress"]["destinations"]
    assert (destination["to"], destination["calls"], destination["contextChars"]) == ("a script → m", 5, 65)
    denied = cases["denied"]
    assert denied["egress"]["denied"] >= 1
    assert "not this" in next(e for e in denied["events"] if e["type"] == "block_finished")["observation"]["error"]


def test_limits_log_and_replay_hold_with_a_function_of_the_page(cases: Any) -> None:
    assert cases["limited"]["stoppedBy"] == "max_sub_calls"
    assert cases["spent"]["stoppedBy"] == "max_cost"
    assert (cases["replayed"]["answer"], cases["replayCalls"]) == ("done", 0)
    assert cases["isKept"]


def test_a_function_of_the_page_that_fails_or_never_answers_ends_the_run_in_words(cases: Any) -> None:
    failed, stopped = cases["failed"], cases["stopped"]
    assert (failed["stoppedBy"], failed["fault"]["type"]) == ("provider_error", "provider-failed")
    assert "the provider failed: out of order" in failed["detail"]
    assert stopped["stoppedBy"] == "cancelled"
    assert cases["beside"] == "provider answers in place of an endpoint: leave out endpoint, or provider."
