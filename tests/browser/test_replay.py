"""Replay and fork in Chromium: a recorded run made again without a model, or begun as another and gone on live."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from rlm_core.events import Notice, RunStarted
from rlm_core.trajectory import read
from tests.browser.lab import LAB, code, run

CONTEXT = {"files": {"a.txt": "the first file", "b.txt": "the second"}}
BLOCKS = [
    "x = llm_query('one'); print(x, sorted(context))",
    "print(llm_batch(['two', 'three']))\n1/0",
    "y = rlm_query('child?', context['b.txt']); print(y)",
    "FINAL(x + ' ' + y)",
]
CHILD = "FINAL(llm_query('four') + ' ' + context)"
REPLIES = {"What?": [code(block) for block in BLOCKS], "child?": [code(CHILD)]}
ANSWER = "sub:one sub:four the second"
TWO_DEEP = {"maxDepth": 2, "model": "m"}
TIMES = {"seq": 0, "seconds": 0, "ahead": None}


@pytest.fixture(scope="module")
def recorded(shared_page: Page) -> str:
    result = run(shared_page, REPLIES, context=CONTEXT, options=TWO_DEEP)
    assert (result["answer"], len(result["posts"])) == (ANSWER, 8)
    return str(result["trajectory"])


def replayed(page: Page, log: str, **job: Any) -> Any:
    return run(page, [], **{"context": CONTEXT, "log": {"replay": log}, **job})


def edited(log: str, change: Any) -> str:
    """The log with each event as `change` leaves it."""
    events = [json.loads(line) for line in log.splitlines()]
    for event in events:
        change(event)
    return "".join(json.dumps(event) + "\n" for event in events)


def comparable(log: str) -> list[Any]:
    """The events of a log without times, numbers, names, marks, notices and egress; replies last, by call."""
    events = [json.loads(line) | TIMES for line in log.splitlines()]
    for event in events:
        event.get("observation", {}).pop("seconds", None)
        event.pop("limits", None)
        event.pop("run", None)
    told = [event for event in events if event["type"] not in ("notice", "egress", "call_finished")]
    return told + sorted(
        (event for event in events if event["type"] == "call_finished"), key=lambda event: event["call"]
    )


def test_a_recorded_run_is_made_again_without_a_call(shared_page: Page, recorded: str) -> None:
    result = replayed(shared_page, recorded)
    assert (result["answer"], result["stoppedBy"], result["posts"]) == (ANSWER, "final_answer", [])
    assert comparable(result["trajectory"]) == comparable(recorded)
    assert "egress" not in {event["type"] for event in result["events"]}
    assert [told["index"] for told in result["told"]] == [0, 1, 2, 3]
    usage = [event["usage"] for event in comparable(recorded) if event["type"] == "run_finished"]
    assert result["usage"] == usage[-1]


def test_a_changed_context_is_refused_by_its_name(shared_page: Page, recorded: str) -> None:
    changed = {"files": {"a.txt": "the first file", "b.txt": "the 2nd"}}
    refused = replayed(shared_page, recorded, context=changed)
    assert refused["error"]["name"] == "ReplayError"
    assert 'recorded was "b.txt" (str, size 10, ' in refused["error"]["message"]
    assert '; given is "b.txt" (str, size 7, ' in refused["error"]["message"]
    assert refused["posts"] == []
    one_less = replayed(shared_page, recorded, context={"files": {"a.txt": "the first file"}})
    assert "recorded were 2 (a.txt, b.txt), given are 1 (a.txt)" in one_less["error"]["message"]


def test_a_changed_block_is_a_difference_with_its_place(shared_page: Page, recorded: str) -> None:
    def change(event: dict[str, Any]) -> None:
        if event["type"] == "call_finished" and "llm_batch" in (event["text"] or ""):
            event["text"] = event["text"].replace("'two'", "'2'")

    refused = replayed(shared_page, edited(recorded, change))
    assert refused["error"]["name"] == "ReplayError"
    assert "in iteration 2, block 1: its code differs from character 19 on: " in refused["error"]["message"]
    assert refused["posts"] == []


def test_a_changed_block_of_a_child_is_found_there(shared_page: Page, recorded: str) -> None:
    def change(event: dict[str, Any]) -> None:
        if event["type"] == "block_finished" and event["path"]:
            event["partial"] = "another answer"

    refused = replayed(shared_page, edited(recorded, change))
    assert "in child run 0, iteration 1, block 1: the answer so far differs" in refused["error"]["message"]


def test_output_that_chance_decides_is_a_difference(shared_page: Page) -> None:
    log = run(shared_page, [code("import os; print(os.urandom(8).hex())"), code("FINAL(1)")])["trajectory"]
    refused = run(shared_page, [], log={"replay": log})
    assert "in iteration 1, block 1: what it printed differs from character" in refused["error"]["message"]


def test_a_prompt_that_chance_decides_is_a_difference(shared_page: Page) -> None:
    block = "import os; x = llm_query(os.urandom(8).hex())"
    log = run(shared_page, [code(block), code("FINAL(1)")])["trajectory"]
    refused = run(shared_page, [], log={"replay": log})
    assert "block 1: a sub-model is asked something else: message 1 of 1" in refused["error"]["message"]
    assert refused["posts"] == []


def test_a_block_that_killed_its_worker_is_not_run_again(shared_page: Page) -> None:
    replies = [code("x = llm_query('one')"), code("import os; os._exit(3)"), code("FINAL(x)")]
    log = run(shared_page, replies)["trajectory"]
    result = run(shared_page, [], log={"replay": log})
    assert (result["answer"], result["posts"]) == ("sub:one", [])
    assert comparable(result["trajectory"]) == comparable(log)


def test_a_recording_that_was_stopped_agrees_as_far_as_it_goes(shared_page: Page) -> None:
    replies = [code("print('first')"), code("while True: pass")]
    log = run(shared_page, replies, stopOn="while True")["trajectory"]
    result = run(shared_page, [], log={"replay": log})
    assert (result["stoppedBy"], result["posts"]) == ("cancelled", [])
    blocks = [event for event in result["events"] if event["type"] == "block_finished"]
    assert [block["observation"]["stdout"] for block in blocks] == ["first\n"]


DENY_SECOND = """async ({replies, log}) => {
  let asked = 0;
  const onEgress = ({kind}) => (kind === "root" && ++asked === 2 ? {deny: "enough"} : "allow");
  return lab.run({ replies, options: log.replay ? {} : { onEgress }, log });
}"""


def test_a_run_whose_root_call_was_denied_agrees_and_nothing_leaves(page: Page) -> None:
    page.evaluate(LAB)
    job = {"replies": [code("x = llm_query('one'); print(x)"), code("FINAL(x)")], "log": {}}
    first = page.evaluate(DENY_SECOND, job)
    assert first["stoppedBy"] == "denied"
    again = page.evaluate(DENY_SECOND, {"replies": [], "log": {"replay": first["trajectory"]}})
    assert (again.get("error"), again["stoppedBy"], again["posts"]) == (None, "denied", [])
    assert again["egress"]["calls"] == 0


GAP = code("FINAL((last_error.results, last_error.errors))")  # asked back once, since the batch has a gap
CHILDREN = {
    "What?": [code("a, b = rlm_batch(['first', 'second'])"), GAP, GAP],
    "first": [code("FINAL(llm_query('one'))")],
    "second": [code("x = llm_query('two')"), code("print('spinning')\nwhile True: pass")],
}


@pytest.mark.parametrize("awaited", ["", "spinning"])
def test_a_child_that_was_stopped_alone_is_stopped_there_again(shared_page: Page, awaited: str) -> None:
    options = {"maxDepth": 2}
    first = run(shared_page, CHILDREN, stopChildren={"1": awaited}, options=options)
    assert "the child run was stopped" in first["answer"]
    assert first["stoppedBy"] == "final_answer"
    again = run(shared_page, [], log={"replay": first["trajectory"]})
    assert (again["answer"], again["stoppedBy"], again["posts"]) == (first["answer"], "final_answer", [])


@pytest.mark.parametrize("most", [1, 3, 4])
def test_a_limit_of_the_tree_ends_the_replay_where_it_ended_the_run(shared_page: Page, most: int) -> None:
    replies = {
        "What?": [code("llm_query('zero')"), code("rlm_batch(['first', 'second'])"), code("FINAL(1)")],
        "first": [code("FINAL(llm_query('one'))")],
        "second": [code("FINAL(llm_query('two'))")],
    }
    first = run(shared_page, replies, options={"maxDepth": 2, "maxSubCalls": most})
    assert first["stoppedBy"] == "max_sub_calls"
    again = run(shared_page, [], log={"replay": first["trajectory"]})
    assert (again.get("error"), again["stoppedBy"], again["posts"]) == (None, "max_sub_calls", [])


WITH_TOOL = """async ({replies, log}) => {
  const called = [];
  const tools = { price: (of) => { called.push(of); return of.length; } };
  const result = await lab.run({ replies, options: { tools }, log });
  return { ...result, called };
}"""


def test_functions_are_answered_from_the_log(page: Page) -> None:
    page.evaluate(LAB)
    replies = [code("x = price('tea')"), code("FINAL(x + price('coffee'))")]
    first = page.evaluate(WITH_TOOL, {"replies": replies, "log": {}})
    assert (first["answer"], first["called"]) == ("9", ["tea", "coffee"])
    again = page.evaluate(WITH_TOOL, {"replies": [], "log": {"replay": first["trajectory"]}})
    assert (again["answer"], again["called"], again["posts"]) == ("9", [], [])
    other = [code("FINAL(price('milk'))")]
    forked = {"fork": {"log": first["trajectory"], "iteration": 2}}
    live = page.evaluate(WITH_TOOL, {"replies": other, "log": forked})
    assert (live["answer"], live["called"]) == ("4", ["milk"])


def test_what_is_no_log_is_refused_by_its_line(shared_page: Page, recorded: str) -> None:
    first, *rest = recorded.splitlines()
    refused = replayed(shared_page, "\n".join([first, "{oops", *rest]))
    assert refused["error"]["name"] == "ConfigError"
    assert refused["error"]["message"].startswith("line 2 is no event of a trajectory: it is not JSON")
    both = run(shared_page, [], log={"replay": recorded, "resume": recorded})
    assert "resume and replay exclude each other" in both["error"]["message"]


# --- Fork -----------------------------------------------------------------------------------------------------------


def forked(page: Page, log: str, iteration: int, replies: list[str], **job: Any) -> Any:
    return run(page, replies, **{"context": CONTEXT, "log": {"fork": {"log": log, "iteration": iteration}}, **job})


def test_a_fork_pays_for_the_calls_from_its_iteration_on_and_no_others(shared_page: Page, recorded: str) -> None:
    replies = [code("z = llm_query('five')"), code("FINAL(x + ' ' + z)")]
    result = forked(shared_page, recorded, 3, replies, question="And now?", options={"model": "other"})
    assert (result["answer"], result["stoppedBy"]) == ("sub:one sub:five", "final_answer")
    asked = [post.get("prompt") or len(post["messages"]) for post in result["posts"]]
    assert asked == [6, "five", 8]
    assert {post["model"] for post in result["posts"] if "messages" in post} == {"other"}
    assert "And now?" in result["posts"][0]["messages"][1]["content"]
    assert sum(usage["calls"] for usage in result["usage"].values()) == 5 + 3
    log = read(result["trajectory"].splitlines()).events
    assert [event.question for event in log if isinstance(event, RunStarted)] == ["And now?"]
    notices = [event.text for event in log if isinstance(event, Notice)]
    expected = 'forked from iteration 3 of the run "What?" by m: iterations 1 to 2 are answered from its log.'
    assert expected in notices


def test_the_log_of_a_fork_is_whole(shared_page: Page, recorded: str) -> None:
    log = forked(shared_page, recorded, 2, [code("FINAL(x)")], question="And now?")["trajectory"]
    result = replayed(shared_page, log, question="And now?")
    assert (result["answer"], result["posts"]) == ("sub:one", [])
    assert comparable(result["trajectory"]) == comparable(log)


def test_a_fork_after_a_child_run_asks_it_nothing_again(shared_page: Page, recorded: str) -> None:
    result = forked(shared_page, recorded, 4, [code("FINAL(y)")])
    assert (result["answer"], len(result["posts"])) == ("sub:four the second", 1)


def test_what_a_fork_was_spared_counts_in_its_limits(shared_page: Page, recorded: str) -> None:
    options = {"maxSubCalls": 3}
    result = forked(shared_page, recorded, 3, [code("llm_query('five')")], options=options)
    assert result["stoppedBy"] == "max_sub_calls"
    assert "3 of 3 used" in result["detail"]
    assert len(result["posts"]) == 1


def test_a_fork_over_another_context_is_refused_before_anything_is_asked(shared_page: Page, recorded: str) -> None:
    refused = forked(shared_page, recorded, 2, [code("FINAL(1)")], context="something else")
    assert refused["error"]["name"] == "ReplayError"
    assert "the context differs" in refused["error"]["message"]
    assert refused["posts"] == []


def test_a_fork_whose_code_asks_something_else_goes_on_live_and_says_so(shared_page: Page) -> None:
    block = "import os; x = llm_query(os.urandom(8).hex())"
    log = run(shared_page, [code(block), code("print(2)"), code("FINAL(3)")])["trajectory"]
    result = run(shared_page, [code("FINAL('live')")], log={"fork": {"log": log, "iteration": 3}})
    assert (result["answer"], len(result["posts"])) == ("live", 2)
    notices = [event["text"] for event in result["events"] if event["type"] == "notice"]
    assert any(notice.startswith("in iteration 1 the run took another way") for notice in notices)


def test_a_fork_may_go_on_after_the_last_iteration(shared_page: Page) -> None:
    log = run(shared_page, [code("x = 5"), "I give up."], options={"maxIterations": 1})["trajectory"]
    result = run(shared_page, [code("FINAL(x)")], log={"fork": {"log": log, "iteration": 2}})
    assert (result["answer"], result["stoppedBy"], len(result["posts"])) == ("5", "final_answer", 1)
