"""Options in every language: each limit and model reaches the run by each front end, under its name and in its unit.

The page, `BrowserRLM`, its blocking twin and the command run one question with all limits set, in one direct call, and
one with none; the first event of the log says the limits that the run had. docs/options.md is the same table in words.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from rlm_core.limits import LIMITS, LimitFacts, Limits
from rlm_server.headless import BlockingBrowserRLM, BrowserRLM
from rlm_server.headless.names import snake

CONTEXT = "The vault was opened by Mara Lindqvist in 1931."
QUESTION = "Who opened the vault?"
MODEL = "builtin:extractive"
LARGE = 10_000_000
FRONT_ENDS = ["javascript", "python", "blocking", "command"]
Started = Mapping[str, Any]
RunStarted = Callable[[str, bool], Started]


def other_value(facts: LimitFacts) -> float:
    """A value in the core's unit that is not the default, and that the run does not reach."""
    if facts.most is not None:
        return 0.9
    return LARGE if facts.default is None else facts.default + 1


def in_javascript(browser: Browser, served: str, chosen: bool) -> Started:
    options = {facts.option: other_value(facts) * facts.scale for facts in LIMITS} | {"model": MODEL, "subModel": MODEL}
    page = browser.new_page()
    page.goto(served)
    trajectory = page.evaluate(
        """async ([options, question, context, direct]) => {
          const { RLM } = await import("/rlm/rlm.js");
          return (await new RLM(options).run(question, { context, direct })).trajectory();
        }""",
        [options if chosen else {}, QUESTION, CONTEXT, chosen],
    )
    page.close()
    return first_event(trajectory)


def python_options(chosen: bool) -> dict[str, Any]:
    options = {snake(facts.option): other_value(facts) for facts in LIMITS}
    return options | {"model": MODEL, "sub_model": MODEL} if chosen else {}


def in_python(browser: Browser, served: str, chosen: bool) -> Started:
    async def run() -> str:
        async with BrowserRLM(served, **python_options(chosen)) as rlm:
            return (await rlm.run(QUESTION, context=CONTEXT, direct=chosen)).trajectory

    with ThreadPoolExecutor(1) as thread:  # this one has the event loop of the tests' browser
        return first_event(thread.submit(asyncio.run, run()).result())


def in_blocking_python(browser: Browser, served: str, chosen: bool) -> Started:
    with BlockingBrowserRLM(served) as rlm:
        return first_event(rlm.run(QUESTION, context=CONTEXT, direct=chosen, **python_options(chosen)).trajectory)


def by_the_command(browser: Browser, folder: Path, chosen: bool) -> Started:
    (folder / "context.txt").write_text(CONTEXT)
    flags = [f"--{snake(facts.option).replace('_', '-')}={other_value(facts)}" for facts in LIMITS]
    flags += [f"--model={MODEL}", f"--sub-model={MODEL}", "--direct"]
    command = [sys.executable, "-m", "rlm_server", "run", QUESTION, "--context", "context.txt", "--record", "run.jsonl"]
    unset = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment = {**unset, "OLLAMA_BASE_URL": "none"}
    line = [*command, *flags] if chosen else command
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return first_event((folder / "run.jsonl").read_text())


def first_event(trajectory: str) -> Started:
    return dict(json.loads(trajectory.partition("\n")[0]))


@pytest.fixture(scope="module")
def run_started(browser: Browser, served: str, tmp_path_factory: pytest.TempPathFactory) -> RunStarted:
    """The first event of a run by a front end, with every limit set or with none; each is run once."""
    done: dict[tuple[str, bool], Started] = {}
    by = {"javascript": in_javascript, "python": in_python, "blocking": in_blocking_python}

    def started(front_end: str, chosen: bool) -> Started:
        if (front_end, chosen) not in done:
            done[front_end, chosen] = (
                by_the_command(browser, tmp_path_factory.mktemp("command"), chosen)
                if front_end == "command"
                else by[front_end](browser, served, chosen)
            )
        return done[front_end, chosen]

    return started


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("facts", LIMITS, ids=lambda facts: facts.option)
def test_a_limit_reaches_the_run_by_each_front_end(run_started: RunStarted, front_end: str, facts: LimitFacts) -> None:
    assert run_started(front_end, True)["limits"][facts.name] == pytest.approx(other_value(facts))


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_defaults_are_the_same_by_each_front_end(run_started: RunStarted, front_end: str) -> None:
    limits = run_started(front_end, False)["limits"]
    assert limits == {facts.name: getattr(Limits(), facts.name) for facts in LIMITS}


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_both_models_reach_the_run_by_each_front_end(run_started: RunStarted, front_end: str) -> None:
    started = run_started(front_end, True)
    assert (started["model"], started["sub_model"]) == (MODEL, MODEL)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_direct_call_is_asked_for_by_each_front_end(run_started: RunStarted, front_end: str) -> None:
    assert [run_started(front_end, chosen)["direct"] for chosen in (True, False)] == [True, False]
