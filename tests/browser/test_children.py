"""Child runs in Chromium: workers of their own, one budget, one trajectory, nothing left behind."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.lab import code, printed, run

SPARE = 1
"""Workers that the pool keeps ready."""

COUNT_WORKERS = """() => {
  if (globalThis.alive) return;
  const Native = Worker;
  globalThis.alive = new Set();
  globalThis.Worker = class extends Native {
    constructor(...given) { super(...given); alive.add(this); }
    terminate() { alive.delete(this); super.terminate(); }
  };
}"""


def alive(page: Page) -> int:
    """Workers that are there; one that the pool keeps ready is among them."""
    count: int = page.evaluate("() => alive.size")
    return count


def test_a_child_run_answers_over_the_very_value_it_is_given(shared_page: Page) -> None:
    ask = code("FINAL(rlm_query('Who?', {3: (1, 'naïve \\ud800')}))")
    result = run(shared_page, [ask, code("FINAL(repr(context))")], options={"maxDepth": 2})
    assert result["answer"] == "{3: (1, 'naïve \\ud800')}"


def test_at_depth_one_a_child_question_is_a_plain_sub_call(shared_page: Page) -> None:
    assert run(shared_page, [code("FINAL(rlm_query('Who?', 'data'))")])["answer"] == "sub:Who?\n\nContext:\ndata"


def test_a_child_reads_the_files_of_the_root_by_the_same_paths(shared_page: Page) -> None:
    context = {"files": {"a.txt": "A", "b.bin": [255, 1]}}
    ask = code("FINAL(rlm_query('Who?', context['b.bin']))")
    result = run(
        shared_page, [ask, code("FINAL(repr(context.read_bytes()))")], context=context, options={"maxDepth": 2}
    )
    assert result["answer"] == r"b'\xff\x01'"


def test_a_child_is_given_a_context_of_100_megabytes(shared_page: Page) -> None:
    size = 100 * (1 << 20)
    ask = code(f"FINAL(rlm_query('How long?', 'é' * 10 + 'x' * ({size} - 20)))")
    result = run(shared_page, [ask, code("FINAL((len(context), context[:11], context[-1]))")], options={"maxDepth": 2})
    assert result["answer"] == f"({size - 10}, '{'é' * 10}x', 'x')"


def test_a_child_of_a_session_is_stopped_and_the_session_goes_on(shared_page: Page) -> None:
    replies: Any = {
        "first": [code("rlm_query('a')"), code("FINAL('went on')")],
        "a": [],
        "second": [code("FINAL('2')")],
    }
    questions = [{"question": "first"}, {"question": "second"}]
    told = run(shared_page, replies, question=questions, stopChildren={"0": ""}, options={"maxDepth": 2})
    assert [result["answer"] for result in told["results"]] == ["went on", "2"]


WIDTH = 5
SUB_CALLS = WIDTH + WIDTH * WIDTH + WIDTH * WIDTH


def tree(broken: bool = False) -> dict[str, list[str]]:
    """Replies of a tree three deep and five wide: each leaf makes one sub-call."""
    asks = "answers = rlm_batch([f'{prefix}{{n}}' for n in range({width})])\nFINAL(' '.join(answers))"
    keep = (
        f"try:\n    answers = rlm_batch([f'c{{n}}' for n in range({WIDTH})])\n"
        "except SubCallError as error:\n    answers = [text or 'none' for text in error.results]\n"
        "    print(error.errors)\nprint(len(answers))\nFINAL('|'.join(answers))"
    )
    replies = {"root": [code(keep), code("FINAL('|'.join(answers))")]}
    for child in range(WIDTH):
        replies[f"c{child}"] = [code(asks.format(prefix=f"c{child}g", width=WIDTH))]
        for leaf in range(WIDTH):
            replies[f"c{child}g{leaf}"] = [code("FINAL(llm_query('q')[-1])")]
    if broken:
        replies["c1"] = [code("1/0")]
        replies["c2"] = ["Nothing to do.", "Still nothing.", "My best guess."]
    return replies


def test_a_tree_three_deep_and_five_wide_spends_its_budget_exactly(page: Page) -> None:
    page.evaluate(COUNT_WORKERS)
    run(page, [code("FINAL(1)")])
    before = alive(page)
    result = run(page, tree(), question="root", options={"maxDepth": 3, "maxSubCalls": SUB_CALLS})
    assert result["answer"] == "|".join(["q q q q q"] * WIDTH)
    kinds = Counter("sub" if "prompt" in post else "root" for post in result["posts"])
    assert kinds == {"root": 1 + WIDTH + WIDTH * WIDTH, "sub": WIDTH * WIDTH}
    started = [tuple(event["path"]) for event in result["events"] if event["type"] == "run_started"]
    assert Counter(map(len, started)) == {0: 1, 1: WIDTH, 2: WIDTH * WIDTH}
    assert len(set(started)) == len(started)
    assert sum(used["calls"] for used in result["usage"].values()) == len(result["posts"])
    assert sorted(result["usageByPath"]) == sorted(".".join(map(str, path)) for path in started)
    lines = [json.loads(line) for line in result["trajectory"].splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    assert lines[-1]["type"] == "run_finished"
    assert alive(page) <= max(before, SPARE)


def test_one_sub_call_less_in_the_budget_ends_the_tree_before_the_last_one(page: Page) -> None:
    page.evaluate(COUNT_WORKERS)
    options = {"maxDepth": 3, "maxSubCalls": SUB_CALLS - 1}
    result = run(page, tree(), question="root", options=options)
    assert result["stoppedBy"] == "max_sub_calls"
    assert f"{SUB_CALLS - 1} of {SUB_CALLS - 1} used" in result["detail"]
    assert sum("prompt" in post for post in result["posts"]) == WIDTH * WIDTH - 1
    assert json.loads(result["trajectory"].splitlines()[-1])["path"] == []
    assert alive(page) <= SPARE


def test_children_that_fail_or_run_out_cost_their_siblings_nothing(page: Page) -> None:
    options = {"maxDepth": 3, "maxErrors": 1, "maxIterations": 2}
    result = run(page, tree(broken=True), question="root", options=options)
    assert result["answer"] == "q q q q q|none|none|q q q q q|q q q q q"
    assert "(max_errors)" in printed(result)
    assert "(max_iterations)" in printed(result)
    assert "My best guess." in printed(result)


@pytest.mark.timed
def test_a_stop_of_the_root_stops_all_children_and_ends_their_workers(page: Page) -> None:
    page.evaluate(COUNT_WORKERS)
    run(page, [code("FINAL(1)")])
    before = alive(page)
    ask = code("answer['content'] = 'so far'\nrlm_batch(['a', 'b', 'c'])")
    replies: Any = {"root": [ask], **{name: [code("print('spinning')\nwhile True: pass")] for name in "abc"}}
    result = run(page, replies, question="root", stopOn="spinning", options={"maxDepth": 2})
    assert (result["stoppedBy"], result["answer"]) == ("cancelled", "so far")
    assert result["stopMs"] < 1_500
    assert alive(page) <= max(before, SPARE)


KEEP = """
try:
    answers = rlm_batch(['a', 'b'])
except SubCallError as error:
    answers = error.results
    print(error.errors)
FINAL(repr(answers))
"""
ASKED_BACK = code("FINAL(repr(answers))")
"""The answer again: while an item of the batch has no result, it is asked back once."""


def test_one_child_is_stopped_and_its_parent_goes_on(shared_page: Page) -> None:
    replies: Any = {"root": [code(KEEP), ASKED_BACK], "a": [code("FINAL('A')")], "b": []}
    result = run(shared_page, replies, question="root", stopChildren={"1": ""}, options={"maxDepth": 2})
    assert (result["stoppedBy"], result["answer"]) == ("final_answer", "['A', None]")
    assert "{1: 'the child run was stopped.'}" in printed(result)
    assert len(result["posts"]) == 3, "a child that is stopped before it starts asks nothing"


def test_a_child_that_is_stopped_takes_those_below_it_along_and_keeps_what_it_had(shared_page: Page) -> None:
    ask = code("answer['content'] = 'half'\nrlm_query('below')")
    replies: Any = {
        "root": [code(KEEP), ASKED_BACK],
        "a": [code("FINAL('A')")],
        "b": [code("answer['content'] = 'half'"), ask],
        "below": [code("print('spinning')\nwhile True: pass")],
    }
    result = run(
        shared_page,
        replies,
        question="root",
        stopChildren={"1": "spinning"},
        options={"maxDepth": 3},
    )
    assert (result["stoppedBy"], result["answer"]) == ("final_answer", "['A', None]")
    assert "the child run was stopped. The best it had: half" in printed(result)
    assert result["children"] == ["0", "1", "1.0"]
    ends = {tuple(event["path"]): event["stopped_by"] for event in result["events"] if event["type"] == "run_finished"}
    assert ends == {(): "final_answer", (0,): "final_answer", (1,): "cancelled", (1, 0): "cancelled"}


def test_of_one_child_that_is_stopped_the_question_ends_in_an_error(shared_page: Page) -> None:
    replies: Any = {"root": [code("rlm_query('a')"), code("FINAL('went on')")], "a": []}
    result = run(shared_page, replies, question="root", stopChildren={"0": ""}, options={"maxDepth": 2})
    assert result["answer"] == "went on"
    assert "SubCallError: the sub-call failed: the child run was stopped." in printed(result)


@pytest.mark.parametrize(("option", "value"), [("maxInputTokens", 6), ("maxOutputTokens", 4)])
def test_tokens_are_counted_over_the_whole_tree(shared_page: Page, option: str, value: int) -> None:
    replies: Any = {"root": [code("rlm_query('a')")], "a": [code("llm_query('b')"), "more"]}
    # a call ahead leaves before its reply's tokens are known
    options = {"maxDepth": 2, option: value, "overlap": False}
    result = run(shared_page, replies, question="root", options=options)
    assert result["stoppedBy"].startswith("max_")
    assert len(result["posts"]) == 2


def test_a_prompt_that_is_too_long_is_refused_before_it_leaves(shared_page: Page) -> None:
    result = run(shared_page, [code("llm_query('x' * 101)"), code("FINAL(1)")], options={"maxPromptChars": 100})
    assert len(result["posts"]) == 2
    assert "101 of at most 100 characters" in printed(result)
