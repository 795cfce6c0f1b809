"""The fault table below the root: child runs and tools survive all that a root run survives; nothing is paid twice."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Error, Page

from rlm_core.trajectory import read as read_log
from tests.browser.faults.story import Story, notices, story
from tests.browser.faults.test_faults import DEATHS
from tests.browser.faults.upstream import TreeUpstream, Upstream
from tests.browser.lab import code
from tests.browser.scripted_endpoint import ScriptedEndpoint

TREE = {"maxDepth": 2, "blockTimeout": 1_500}
ONE_CHILD = {
    "What?": [
        code("first = llm_query('one'); print('begun')"),
        code("a = rlm_query('Of the child?', 'its context'); print(a)"),
        code("FINAL(first + ' ' + a)"),
    ],
    "Of the child?": [
        code("print('child at work')"),
        code("x = llm_query('two'); print(x)"),
        code("FINAL(x + ' of ' + context)"),
    ],
}
TWO_CHILDREN = {
    "What?": [
        code("a, b = rlm_batch([('Of a child?', 'one'), ('Of a child?', 'two')])"),
        code("FINAL(a + ' ' + b)"),
    ],
    "Of a child?": [code("x = llm_query('about ' + context)"), code("FINAL(x)")],
}
ANSWERS = {"one": "sub:one sub:two of its context", "two": "sub:about one sub:about two"}
TREES = {"one": ONE_CHILD, "two": TWO_CHILDREN}


@pytest.fixture
def page(bare_page: Page) -> Page:
    return bare_page


def begin(page: Page, endpoint: ScriptedEndpoint, upstream: Upstream, **job: Any) -> Any:
    endpoint.answer = upstream.answer
    return page.evaluate("(job) => faults.start(job)", job)


def reload_at(page: Page, endpoint: ScriptedEndpoint, upstream: Upstream, at: dict[str, Any], **job: Any) -> None:
    """Begin a run with a journal; it is cut off by a reload of its tab."""
    endpoint.answer = upstream.answer
    job["options"] = {**job.get("options", {}), "journal": "the-run"}
    with page.expect_navigation(wait_until="load"), suppress(Error):  # reloaded before the answer came
        page.evaluate("(job) => void faults.start(job)", {**job, "at": {"fault": "reload", **at}})


@pytest.fixture(scope="module")
def undisturbed(lasting_page: Page, endpoint: ScriptedEndpoint) -> dict[str, tuple[Story, list[str]]]:
    """Story and calls of each tree when nothing happens to it."""
    told = {}
    for name, runs in TREES.items():
        upstream = TreeUpstream(runs)
        result = begin(lasting_page, endpoint, upstream, options=TREE)
        assert result["answer"] == ANSWERS[name]
        told[name] = story(result["trajectory"]), sorted(upstream.asked)
    return told


KILLS = {
    "a child's worker is killed while its root model is asked": {"fault": "killChildren", "type": "call_started"},
    "a child's worker is killed while a model is asked": {"fault": "killChildren", "type": "call_started", "nth": 3},
    "a child's worker is killed while its block runs": {"fault": "killChildren", "type": "block_started", "nth": 2},
    "the parent's worker is killed while the child is at work": {"fault": "kill", "type": "call_started", "nth": 3},
    "the parent's worker is killed when the child has answered": {"fault": "kill", "type": "run_finished"},
    "both workers are killed while the child is at work": {"fault": "killBoth", "type": "call_started", "nth": 3},
}


@pytest.mark.parametrize("at", KILLS.values(), ids=KILLS.keys())
def test_a_killed_worker_of_a_tree_costs_nothing(
    lasting_page: Page, endpoint: ScriptedEndpoint, undisturbed: Any, at: dict[str, Any]
) -> None:
    upstream = TreeUpstream(ONE_CHILD)
    result = begin(lasting_page, endpoint, upstream, options=TREE, at={"path": [0], **at})
    assert "the Python worker was lost" in notices(result)
    assert (story(result["trajectory"]), sorted(upstream.asked)) == undisturbed["one"]


RELOADS = {
    "when it is asked for": {"type": "request_started", "path": []},
    "when it begins": {"type": "run_started", "path": [0]},
    "while its root model is asked": {"type": "call_started", "path": [0]},
    "when its root model has answered": {"type": "call_finished", "path": [0]},
    "while its block runs": {"type": "block_started", "path": [0], "nth": 2},
    "while it asks a model": {"type": "call_started", "path": [0], "nth": 3},
    "when that has answered": {"type": "call_finished", "path": [0], "nth": 3},
    "when its block ends": {"type": "block_finished", "path": [0], "nth": 2},
    "when its iteration ends": {"type": "iteration_finished", "path": [0], "nth": 2},
    "when it has answered": {"type": "run_finished", "path": [0]},
    "when its parent goes on": {"type": "call_started", "path": [], "nth": 4},
}


@pytest.mark.parametrize("at", RELOADS.values(), ids=RELOADS.keys())
def test_a_child_run_goes_on_after_a_reload(
    page: Page, endpoint: ScriptedEndpoint, undisturbed: Any, at: dict[str, Any]
) -> None:
    upstream = TreeUpstream(ONE_CHILD)
    reload_at(page, endpoint, upstream, at, options=TREE)
    result = page.evaluate("(job) => faults.goOn(job)", {"options": TREE})
    assert "another way" not in notices(result)
    assert (story(result["trajectory"]), sorted(upstream.asked)) == undisturbed["one"]
    assert page.evaluate("faults.left()") == 0


def test_of_two_child_runs_only_the_one_without_an_answer_goes_on(
    page: Page, endpoint: ScriptedEndpoint, undisturbed: Any
) -> None:
    upstream = TreeUpstream(TWO_CHILDREN)
    reload_at(page, endpoint, upstream, {"type": "run_finished"}, options={**TREE, "maxConcurrency": 1})
    result = page.evaluate("(job) => faults.goOn(job)", {"options": {**TREE, "maxConcurrency": 1}})
    assert (story(result["trajectory"]), sorted(upstream.asked)) == undisturbed["two"]


def test_a_tree_may_be_cut_off_twice(page: Page, endpoint: ScriptedEndpoint, undisturbed: Any) -> None:
    upstream = TreeUpstream(ONE_CHILD)
    reload_at(page, endpoint, upstream, {"type": "call_started", "path": [0], "nth": 3}, options=TREE)
    again = {"fault": "reload", "type": "call_finished", "path": [0], "nth": 3}
    with page.expect_navigation(wait_until="load"), suppress(Error):
        page.evaluate("(job) => void faults.goOn(job)", {"options": TREE, "at": again})
    result = page.evaluate("(job) => faults.goOn(job)", {"options": TREE})
    assert (story(result["trajectory"]), sorted(upstream.asked)) == undisturbed["one"]


def dying(block: str) -> dict[str, list[str]]:
    """A tree whose child dies in its second block."""
    return {
        "What?": [code("FINAL(rlm_query('Of the child?', 'its context'))")],
        "Of the child?": [
            code("x = llm_query('one'); print('child at work')"),
            code(block),
            code("y = ' '.join(llm_batch(['two', 'three']))"),
            code("FINAL(x + ' ' + y + ' of ' + context)"),
        ],
    }


BLOCKS = {
    **{f"{name}, while it runs": death for name, death in DEATHS.items()},
    **{f"{name}, after a batch": f"llm_batch(['two', 'three'])\n{death}" for name, death in DEATHS.items()},
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_a_death_in_a_child_is_an_observation_of_the_child(
    lasting_page: Page, endpoint: ScriptedEndpoint, block: str
) -> None:
    upstream = TreeUpstream(dying(block))
    result = begin(lasting_page, endpoint, upstream, options=TREE)
    assert (result["answer"], result["stoppedBy"]) == ("sub:one sub:two sub:three of its context", "final_answer")
    told = story(result["trajectory"])
    errors = [event[5] or "" for event in told[0,] if event[0] == "block_finished"]
    roots = ["What? 0", *(f"Of the child? {number}" for number in range(4))]
    assert sorted(upstream.asked) == sorted(["one", "two", "three", *roots])
    assert "The Python interpreter died in this block" in errors[1]
    assert [bool(error) for error in errors] == [False, True, False, False]


def test_a_child_that_always_dies_is_a_failed_sub_call(lasting_page: Page, endpoint: ScriptedEndpoint) -> None:
    runs = {
        "What?": [
            code("try:\n    rlm_query('Of the child?')\nexcept SubCallError as error:\n    FINAL(str(error))"),
        ],
        "Of the child?": [code("import os; os.abort()")] * 3,
    }
    upstream = TreeUpstream(runs)
    result = begin(lasting_page, endpoint, upstream, options=TREE)
    assert result["stoppedBy"] == "final_answer"
    assert "ended without a final answer (worker_lost)" in result["answer"]
    assert sorted(upstream.asked) == ["Of the child? 0", "Of the child? 1", "Of the child? 2", "What? 0"]


def test_answers_kept_of_a_lost_block_are_those_of_the_same_context(
    lasting_page: Page, endpoint: ScriptedEndpoint
) -> None:
    runs = {
        "What?": [
            code("print(rlm_query('Which?', 'abc'), rlm_query('Which?', 'xyz'))\nimport os; os.abort()"),
            code("FINAL(rlm_query('Which?', 'xyz') + rlm_query('Which?', 'abc') + rlm_query('Which?', 'new'))"),
        ],
        "Which?": [code("FINAL(context)")],
    }
    upstream = TreeUpstream(runs)
    result = begin(lasting_page, endpoint, upstream, options=TREE)
    assert result["answer"] == "xyzabcnew"
    assert sorted(upstream.asked) == ["What? 0", "What? 1", *["Which? 0"] * 3]


def test_a_full_store_pauses_a_child_before_its_call(page: Page, endpoint: ScriptedEndpoint, undisturbed: Any) -> None:
    upstream = TreeUpstream(ONE_CHILD)
    page.evaluate(
        """() => {
          const put = IDBObjectStore.prototype.put;
          let full = 2;
          IDBObjectStore.prototype.put = function (value, key) {
            const isOfChild = String(value).includes('"call_started"') && String(value).includes('"path":[0]');
            if (!isOfChild || full-- <= 0) return put.call(this, value, key);
            Object.defineProperty(this.transaction, "error", {value: new DOMException("full", "QuotaExceededError")});
            this.transaction.abort();
            return undefined;
          };
        }"""
    )
    result = begin(page, endpoint, upstream, options={**TREE, "journal": "full"})
    assert "storage is full" in notices(result)
    assert (story(result["trajectory"]), sorted(upstream.asked)) == undisturbed["one"]


TOOL_RUN = [
    code("number = tick()\nprint('ticked', number)"),
    code("said = answers_when_called_again()"),
    code("FINAL(f'{number} {said}')"),
]


def test_a_function_that_answered_is_not_called_again_after_a_reload(page: Page, endpoint: ScriptedEndpoint) -> None:
    upstream = Upstream([TOOL_RUN[0], code("FINAL(f'{number} {tick()}')")])
    reload_at(page, endpoint, upstream, {"type": "block_started", "nth": 2}, tools=True)
    result = page.evaluate("(job) => faults.goOn(job)", {"tools": True})
    assert (result["answer"], sorted(upstream.asked)) == ("1 2", ["root 0", "root 1"])
    assert page.evaluate("faults.called('tick')") == 2
    assert "is called again" not in notices(result)


def test_a_function_that_did_not_answer_is_called_again_and_said_so(page: Page, endpoint: ScriptedEndpoint) -> None:
    upstream = Upstream(TOOL_RUN)
    reload_at(page, endpoint, upstream, {"type": "the function's own doing"}, tools=True)
    result = page.evaluate("(job) => faults.goOn(job)", {"tools": True})
    assert (result["answer"], sorted(upstream.asked)) == ("1 at last", ["root 0", "root 1", "root 2"])
    assert page.evaluate("faults.called('tick')") == 1
    assert page.evaluate("faults.called('again')") == 2
    assert 'the function "answers_when_called_again" had been called' in notices(result)


def test_a_run_resumed_under_another_name_has_a_whole_journal(page: Page, endpoint: ScriptedEndpoint) -> None:
    upstream = Upstream([code("x = llm_query('one')"), code("y = llm_query('two')"), code("FINAL(x + ' ' + y)")])
    reload_at(page, endpoint, upstream, {"type": "call_started", "nth": 4})
    again = {"at": {"fault": "reload", "type": "block_finished", "nth": 2}, "options": {"journal": "another"}}
    log = page.evaluate("import('/rlm/log/journal.js').then(({readLog}) => readLog('the-run'))")
    page.evaluate("import('/rlm/log/journal.js').then(({forget}) => forget('the-run'))")
    with page.expect_navigation(wait_until="load"), suppress(Error):
        page.evaluate("(job) => void faults.start(job)", {**again, "resume": log})
    result = page.evaluate("(job) => faults.goOn(job)", {})
    assert (result["answer"], result["stoppedBy"]) == ("sub:one sub:two", "final_answer")
    assert set(upstream.asked) == {"one", "root 0", "root 1", "root 2", "two"}
    calls = ["one", "root 0", "root 1", "root 2", "two"]
    assert [upstream.asked.count(call) for call in calls] == [1, 1, 1, 1, 1], "also the call that was under way"
    story(result["trajectory"])


def test_another_context_than_before_is_refused_and_the_run_is_kept(page: Page, endpoint: ScriptedEndpoint) -> None:
    upstream = Upstream([code("x = llm_query('one')"), code("FINAL(x + context)")])
    reload_at(page, endpoint, upstream, {"type": "call_started", "nth": 3}, context="the context")
    refused = page.evaluate("(job) => faults.goOn(job)", {"context": "another one"})
    assert refused["error"]["name"] == "ConfigError"
    assert 'the content of "context" (str, size 11) is another' in refused["error"]["message"]
    assert page.evaluate("faults.left()") == 1
    result = page.evaluate("(job) => faults.goOn(job)", {"context": "the context"})
    assert result["answer"] == "sub:onethe context"
    assert sorted(upstream.asked) == ["one", "root 0", "root 1"]


def test_a_new_run_under_the_name_of_a_journal_asks_anew(page: Page, endpoint: ScriptedEndpoint) -> None:
    upstream = Upstream([code("FINAL(llm_query('one'))")])
    options = {"journal": "nightly"}
    assert begin(page, endpoint, upstream, options=options)["answer"] == "sub:one"
    again = page.evaluate("(job) => faults.start(job)", {"options": options})
    assert again["answer"] == "sub:one"
    assert sorted(upstream.asked) == ["one", "one", "root 0", "root 0"]


KEPT = """async () => {
  const { listRuns, readRun, deleteRun } = await import("/rlm/rlm.js");
  const [run, ...more] = await listRuns();
  const log = await readRun("the-run");
  await deleteRun("the-run");
  const missing = await readRun("the-run").catch(({ name, message }) => `${name}: ${message}`);
  const { name, question, hasContext, isRunning } = run;
  const began = Date.now() - run.began < 600_000;
  return { name, question, hasContext, isRunning, began, more, log, missing, left: (await listRuns()).length };
}"""


def test_kept_runs_are_listed_read_and_deleted_by_the_public_face(page: Page, endpoint: ScriptedEndpoint) -> None:
    reload_at(page, endpoint, Upstream([code("FINAL(llm_query('one'))")]), {"type": "call_started", "nth": 2})
    kept = page.evaluate(KEPT)
    assert read_log(kept.pop("log").splitlines()).notes == ()
    assert kept == {
        "name": "the-run",
        "question": "What?",
        "hasContext": False,
        "isRunning": False,
        "began": True,
        "more": [],
        "missing": 'ConfigError: no run is kept under the name "the-run". Kept are: none.',
        "left": 0,
    }


def test_usage_from_a_record_is_told_apart(page: Page, endpoint: ScriptedEndpoint) -> None:
    upstream = Upstream([code("x = llm_query('one')"), code("FINAL(x)")])
    reload_at(page, endpoint, upstream, {"type": "block_started", "nth": 2})
    result = page.evaluate("(job) => faults.goOn(job)", {})
    usage, recorded = (sum(used["calls"] for used in result[key].values()) for key in ("usage", "usageFromRecord"))
    assert (usage, recorded) == (3, 3)
