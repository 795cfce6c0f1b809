"""Logs of an earlier build, in which crashes, stops and resumptions had no fields: they resume, replay and fork.

`tests/golden/before_facts` holds logs of the build of 2026-11-28 (55d8392), recorded in the browser: a block that
killed its worker (`crashed`), a run that was resumed and cut off once more in the same block (`continued`), a call that
was stopped (`stopped`), and a child run (`child`). They are not written anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from rlm_core.events import BlockFinished, Notice
from rlm_core.trajectory import read
from tests.browser.faults.upstream import FAULTS, Upstream
from tests.browser.lab import code, run

LOGS = Path(__file__).parents[1] / "golden" / "before_facts"
ANSWERS = {
    "crashed": "sub:one sub:two",
    "child": "sub:one sub:two sub:three of its context",
}
DEPTH = {"crashed": 1, "child": 2}


def log_of(name: str) -> str:
    return (LOGS / f"{name}.jsonl").read_text(encoding="utf-8")


def cut(log: str, before: str) -> str:
    """The log up to the last line that holds the text."""
    return log[: log.rindex("\n", 0, log.rindex(before)) + 1]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_older_log_replays(shared_page: Page, name: str) -> None:
    result = run(shared_page, [], log={"replay": log_of(name)})
    assert (result.get("error"), result["answer"], result["posts"]) == (None, ANSWERS[name], [])
    blocks = [event for event in read(result["trajectory"].splitlines()).events if isinstance(event, BlockFinished)]
    lost = [event.iteration for event in blocks if event.lost]
    assert lost == ([2] if name == "crashed" else [])


def test_an_older_log_whose_call_was_stopped_agrees_as_far_as_it_goes(shared_page: Page) -> None:
    result = run(shared_page, [], log={"replay": log_of("stopped")})
    assert (result.get("error"), result["stoppedBy"], result["posts"]) == (None, "cancelled", [])


@pytest.mark.parametrize("name", ANSWERS)
def test_an_older_log_is_forked_from_its_last_iteration(shared_page: Page, name: str) -> None:
    log = log_of(name)
    fork = {"fork": {"log": log, "iteration": 3}}
    result = run(shared_page, [code("FINAL(x + '!')")], log=fork, options={"maxDepth": DEPTH[name]})
    assert (result.get("error"), result["answer"], len(result["posts"])) == (None, "sub:one!", 1)


def resumed(page: Page, log: str, replies: list[str], **job: Any) -> tuple[Any, Upstream]:
    upstream = Upstream(replies)
    upstream.serve(page.context)
    page.evaluate(FAULTS)
    return page.evaluate("(job) => faults.start(job)", {"resume": log, **job}), upstream


def test_an_older_log_whose_block_killed_its_worker_is_resumed_without_it(page: Page) -> None:
    log = cut(log_of("crashed"), '"type":"block_started"')
    result, upstream = resumed(page, log, [])
    assert (result.get("error"), result["answer"], upstream.asked) == (None, "sub:one sub:two", [])


def test_an_older_log_that_was_cut_off_twice_in_a_block_is_resumed_without_that(page: Page) -> None:
    replies = [*["never asked"] * 2, code("FINAL(x)")]
    result, upstream = resumed(page, log_of("continued"), replies)
    assert (result.get("error"), result["answer"], upstream.asked) == (None, "sub:one", ["root 2"])
    errors = [event["observation"]["error"] for event in result["events"] if event["type"] == "block_finished"]
    assert "its tab was closed twice" in errors[1]
    codes = [event.code for event in read(result["trajectory"].splitlines()).events if isinstance(event, Notice)]
    assert codes.count("continued") == 2


def test_the_stopped_call_of_an_older_log_is_made_once_more(page: Page) -> None:
    result, upstream = resumed(page, log_of("stopped"), ["never asked", code("FINAL(x)")])
    assert (result.get("error"), result["answer"], upstream.asked) == (None, "sub:one", ["root 1"])


def test_an_older_log_with_a_child_run_is_resumed(page: Page) -> None:
    log = cut(log_of("child"), '"type":"run_finished"')
    result, upstream = resumed(page, log, [], options={"maxDepth": 2})
    assert (result.get("error"), result["answer"], upstream.asked) == (None, ANSWERS["child"], [])
