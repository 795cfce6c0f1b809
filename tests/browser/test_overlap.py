"""Overlap in Chromium: sub-calls leave while the reply that makes them is being written, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser.lab import FENCE, code

SCRIPT = Path(__file__).with_name("overlap.js").read_text()
CONTEXT = "alpha beta\ngamma delta\n"
FINISH = [code("FINAL(str(out))")]
OPEN = f"Look.\n{FENCE}repl\n"
CLOSE = f"\n{FENCE}\n"
BATCH = [
    f"{OPEN}lines = context.splitlines()\n",
    "out = llm_batch([f'{i}: {line}' for i, line in enumerate(lines)])\nprint(out)\n",
    2,
    f"n = 3{CLOSE}",
]
"""A reply whose batch is known before its last statement is written."""
LOOP = [f"{OPEN}out = []\nfor line in lines:\n    out.append(llm_query(f'again {{line}} {{n}}'))\nprint(1)\n", 4, CLOSE]
"""A reply whose prompts come from names of the block before."""
THOUGHTS = [f"{OPEN}llm_query('in a thought')\nx = 1\n", 1, f"{CLOSE}</think>\n{OPEN}out = llm_query('said'){CLOSE}"]
"""A reply of which a part turns out to be a thought."""
BROKEN = [f"{OPEN}out = llm_query('once')\nx = 1\n", 1, "break"]
WHOLE = [f"{OPEN}out = llm_query('once')\nx = 1\n", f"y = 2{CLOSE}"]
STOPPED = [f"{OPEN}llm_query('never')\nx = 1\n", 1, "stop"]
TWO = [f"{OPEN}out = llm_query('one')\nx = 1\n", 1, f"out += llm_query('two'){CLOSE}"]
LOST = [f"{OPEN}out = llm_query('one')\nimport os\nos._exit(3)\n", 1, CLOSE]
AGAIN = [f"{OPEN}out = llm_query('one')\nout += llm_query('two')\nx = 1\n", 2, CLOSE]
"""A reply that asks again what the block before had asked, in which the worker died."""
CHILD = [f"{OPEN}out = rlm_query('What?', 'inner'){CLOSE}"]
IN_CHILD = [1 if part == 2 else part for part in BATCH]
LONG = "".join(f"Line {n} of a text whose lines are longer than the pieces that the ledger finds.\n" for n in range(99))


def jobs() -> dict[str, dict[str, Any]]:
    replies = {
        "on": [BATCH, LOOP, FINISH],
        "off": [BATCH, LOOP, FINISH],
        "thoughts": [THOUGHTS, FINISH],
        "broken": [BROKEN, WHOLE, FINISH],
        "stopped": [STOPPED],
        "asked": [[part for part in TWO if part != 1], FINISH],
        "limited": [TWO, FINISH],
        "lost": [LOST, AGAIN, FINISH],
        "context": [[part for part in BATCH if part != 2], [code("FINAL('denied')")]],
        "child": [CHILD, IN_CHILD, FINISH, FINISH],
    }
    special: dict[str, dict[str, Any]] = {
        "off": {"overlap": False},
        "limited": {"maxSubCalls": 1},
        "context": {"maxContextChars": 3_000},
        "child": {"maxDepth": 2},
    }
    return {
        name: {
            "replies": steps,
            "context": LONG if name == "context" else CONTEXT,
            "options": {"overlap": True, **special.get(name, {})},
        }
        for name, steps in replies.items()
    }


RUN = """async (jobs) => {
  const results = {};
  for (const [name, job] of Object.entries(jobs)) {
    const asked = name === "asked" ? { onEgress: () => "allow" } : {};
    results[name] = await overlap.run({ ...job, options: { ...job.options, ...asked } });
  }
  for (const name of ["on", "thoughts"]) {
    const { replies, ...job } = jobs[name];
    results[`${name} again`] = await overlap.run({ ...job, replies: [], log: { replay: results[name].trajectory } });
  }
  const { replies, ...job } = jobs.on;
  const lines = results.on.trajectory.split("\\n");
  const asked = lines.findIndex((line) => line.includes('"kind":"sub"'));
  const resume = lines.slice(0, asked).join("\\n"); // its tab closed before its first block asked for its batch
  results.resumed = await overlap.run({ ...job, replies: replies.slice(1), log: { resume } });
  return results;
}"""


def events(result: Any, *types: str) -> list[dict[str, Any]]:
    return [event for line in result["trajectory"].splitlines() if (event := json.loads(line))["type"] in types]


def comparable(result: Any) -> list[Any]:
    """The events of a log but for times, names, the mark of calls that left ahead, and its notices."""
    compared = []
    for line in result["trajectory"].splitlines():
        event = json.loads(line) | {"seq": 0, "seconds": 0, "ahead": None, "run": ""}
        event.get("observation", {}).pop("seconds", None)
        if event["type"] not in ("notice", "egress", "call_finished"):
            compared.append(event)
    numbered = [json.loads(line) | {"seq": 0, "seconds": 0} for line in result["trajectory"].splitlines()]
    later = [event for event in numbered if event["type"] in ("egress", "call_finished")]
    return compared + sorted(later, key=lambda event: (event["type"], event["call"]))


def unused(result: Any) -> list[str]:
    started = events(result, "call_started")
    return [event["messages"][-1]["content"] for event in started if event["ahead"] == "unused"]


def test_overlap_changes_nothing_but_the_time(shared_page: Page) -> None:
    shared_page.evaluate(SCRIPT)
    results = shared_page.evaluate(RUN, jobs())
    check_calls(results)
    check_unused(results)
    check_limits(results)
    check_recovery(results)
    for name in ("on", "thoughts"):
        again = results[f"{name} again"]
        assert (again["answer"], again["prompts"], again["stoppedBy"]) == (results[name]["answer"], [], "final_answer")


def check_calls(results: Any) -> None:
    on, off = results["on"], results["off"]
    asked = ["0: alpha beta", "1: gamma delta", "again alpha beta 3", "again gamma delta 3"]
    assert (on["prompts"], on["early"]) == (asked, asked)
    assert (off["prompts"], off["early"]) == (asked, [])
    assert on["answer"] == off["answer"] == "['sub:again alpha beta 3', 'sub:again gamma delta 3']"
    assert comparable(on) == comparable(off)
    assert on["usage"] == off["usage"]
    assert {**on["egress"], "unused": 0} == off["egress"]
    assert [event["ahead"] for event in events(on, "call_started")] == [None, "used", "used"] * 2 + [None]
    sent = [event["seq"] for event in events(on, "notice") if event["code"] == "sent_ahead"]
    assert len(sent) == 3
    assert sent[0] < events(on, "iteration_finished")[0]["seq"]
    broken = results["broken"]
    assert (broken["prompts"], broken["answer"], unused(broken)) == (["once"], "sub:once", [])
    child = results["child"]
    assert (child["early"], child["answer"]) == (["0: inner"], "['sub:0: inner']")


def check_unused(results: Any) -> None:
    thoughts, stopped = results["thoughts"], results["stopped"]
    assert (thoughts["prompts"], thoughts["answer"]) == (["in a thought", "said"], "sub:said")
    assert unused(thoughts) == ["in a thought"]
    assert (thoughts["egress"]["calls"], thoughts["egress"]["unused"]) == (4, 1)
    assert thoughts["usage"]["sub"]["calls"] == 2
    [account] = [event for event in events(thoughts, "egress") if event["call"] == 2]
    assert (account["chars"], account["denied"]) == (len("in a thought"), None)
    assert (stopped["stoppedBy"], unused(stopped)) == ("cancelled", ["never"])
    [ended] = [event for event in events(stopped, "call_finished") if event["call"] == 1]
    assert (ended["stopped"], ended["usage"]["calls"]) == ("cancelled", 1)
    assert stopped["egress"]["unused"] == 1


def check_limits(results: Any) -> None:
    asked, limited, context = results["asked"], results["limited"], results["context"]
    assert (asked["prompts"], asked["early"], asked["answer"]) == (["one", "two"], [], "sub:onesub:two")
    assert (limited["prompts"], limited["early"]) == (["one"], ["one"])
    assert (limited["stoppedBy"], unused(limited)) == ("max_sub_calls", [])
    assert (context["prompts"], context["answer"]) == ([], "denied")
    assert sum(event["denied"] is not None for event in events(context, "egress")) == 99
    assert "sent_ahead" not in {event["code"] for event in events(context, "notice")}


def check_recovery(results: Any) -> None:
    lost, on, resumed = results["lost"], results["on"], results["resumed"]
    assert (lost["prompts"], lost["answer"]) == (["one", "two"], "sub:onesub:two")
    assert "worker_lost" in {event["code"] for event in events(lost, "notice")}
    assert [event["ahead"] for event in events(lost, "call_started") if event["kind"] == "sub"] == ["used", "used"]
    assert (resumed["answer"], resumed["prompts"]) == (on["answer"], on["prompts"])
    assert resumed["keys"] == on["keys"]
    assert len(set(on["keys"])) == len(on["keys"]) == 3
