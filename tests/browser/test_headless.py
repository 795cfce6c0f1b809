"""BrowserRLM: runs in a headless browser, from Python."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rlm_core import ConfigError, ReplayError, RLMError
from rlm_core.events import FOR_WATCHING
from rlm_server.headless import BlockingBrowserRLM, BlockingSession, BrowserLost, BrowserRLM, Child, Session
from rlm_server.headless.result import ResultJson
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel, scripted_model

T = TypeVar("T")
SOON = 0.5
"""Seconds after which a stop has to have ended a run."""
ENDLESS = code("n = 0\nwhile True:\n    n += 1\n    llm_query(f'sub {n}')")

pytestmark = pytest.mark.usefixtures("chromium")


@pytest.fixture(scope="module")
def model(chromium: Path) -> Iterator[ScriptedModel]:
    with scripted_model() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def rlm(model: ScriptedModel) -> Iterator[BlockingBrowserRLM]:
    """One browser for the tests of this file; each run has its own worker."""
    with BlockingBrowserRLM(model.url, model="openai:m") as opened:
        yield opened


@pytest.fixture(autouse=True)
def _quick(model: ScriptedModel) -> None:
    model.sub_seconds = 0.0
    model.arrived.clear()


def driven(rlm: BlockingBrowserRLM, use: Callable[[BrowserRLM], Coroutine[Any, Any, T]]) -> T:
    """What `use` gives, in the loop that the browser is driven from."""
    assert rlm._loop is not None
    return rlm._loop.wait(use(rlm._rlm))


def elsewhere(work: Callable[[], T]) -> T:
    """Do `work` in a thread: the one of the tests belongs to Playwright's synchronous half."""
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(work()))
    thread.start()
    thread.join()
    return outcome[0]  # type: ignore[no-any-return]


async def first_call(model: ScriptedModel, name: str = "sub 1") -> None:
    """Wait until a call with that text has arrived upstream."""
    while name not in [text for _, text in model.asked]:
        await asyncio.sleep(0.01)


# ---- what goes in and out

CONTEXTS: dict[str, tuple[object, str]] = {
    "text": ("naïve 🦊", "'naïve 🦊'"),
    "bytes": (b"\x00\xff", r"b'\x00\xff'"),
    "JSON": ({"a": [1, None]}, "{'a': [1, None]}"),
}


@pytest.mark.parametrize(("context", "shown"), CONTEXTS.values(), ids=CONTEXTS.keys())
def test_a_context_arrives_as_what_it_is(
    rlm: BlockingBrowserRLM, model: ScriptedModel, context: object, shown: str
) -> None:
    result = rlm.run(model.question(code("FINAL(repr(context))")), context=context)
    assert (result.answer, result.stopped_by, result.iterations) == (shown, "final_answer", 1)


def test_without_a_context_the_question_is_the_context(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    question = model.question(code("FINAL(context)"))
    assert rlm.run(question).answer == question


def test_a_folder_arrives_under_its_paths(rlm: BlockingBrowserRLM, model: ScriptedModel, tmp_path: Path) -> None:
    (tmp_path / "papers" / "old").mkdir(parents=True)
    (tmp_path / "papers" / "old" / "a.txt").write_text("A")
    (tmp_path / "papers" / "b.bin").write_bytes(b"\xff")
    block = code("FINAL([context['papers/old/a.txt'], context['papers/b.bin'].read_bytes()])")
    assert rlm.run(model.question(block), context=tmp_path / "papers").answer == "['A', b'\\xff']"


def test_files_are_contexts(rlm: BlockingBrowserRLM, model: ScriptedModel, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "b.txt").write_text("B")
    result = rlm.run(model.question(code("FINAL(str(context))")), context=[tmp_path / "a.txt", tmp_path / "b.txt"])
    assert result.answer == "{'a.txt': 'A', 'b.txt': 'B'}"


def test_a_result_is_short_to_print_and_whole_as_json(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    result = rlm.run(model.question(code("print('x' * 9_000)\nFINAL('y' * 9_000)")), context="text")
    assert len(repr(result)) < 200
    assert len(repr(rlm)) < 200
    assert set(result.to_json()) == set(ResultJson.__annotations__)
    assert "trajectory" not in result.to_json()
    assert 0 < result.total_time < 300
    assert result.usage["openai:m"]["calls"] == result.egress["calls"] == 1
    assert result.egress["context_size"] > 0


# ---- tools


def test_tools_are_functions_of_this_process(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    async def later(value: str) -> str:
        await asyncio.sleep(0)
        return value.upper()

    def fail() -> None:
        raise ValueError("no tea here")

    block = "try: fail()\nexcept ToolError as error: said = str(error)\nFINAL([add(1, b=2), later('x'), said, limit])"
    tools = {"add": lambda a, b: a + b, "later": {"tool": later}, "fail": fail, "limit": 5}
    assert rlm.run(model.question(code(block)), tools=tools).answer == "[3, 'X', 'fail: no tea here', 5]"


def test_child_runs_have_tools_of_their_own(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    child = model.question(code("FINAL(whose())"))
    question = model.question(code(f"FINAL([whose(), rlm_query({child!r})])"))
    own, below = {"whose": lambda: "the root's"}, {"whose": lambda: "the child's"}
    result = rlm.run(question, max_depth=2, tools=own, sub_tools=below)
    assert result.answer == '["the root\'s", "the child\'s"]'


@pytest.mark.parametrize("tool", [{1: "a"}, {"a": {None: 1}}, float("nan"), object()])
def test_a_tool_that_json_would_change_is_refused(rlm: BlockingBrowserRLM, model: ScriptedModel, tool: object) -> None:
    with pytest.raises(ConfigError, match="tool 'data' is not JSON"):
        rlm.run(model.question(code("FINAL(1)")), tools={"data": tool})


# ---- callbacks


def test_events_are_given_as_they_happen(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    types = [event["type"] for event in rlm.events(model.question(code("FINAL(1)")))]
    assert types[0] == "run_started"
    assert types[-1] == "run_finished"


def test_each_callback_gets_its_own(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    child = model.question(code("FINAL('below')"))
    question = model.question(code(f"print(llm_query('sub'))\nprint(rlm_query({child!r}))"), code("FINAL('done')"))
    seen: dict[str, list[Any]] = {"event": [], "iteration": [], "sub": [], "child": []}

    async def on_child(given: Child) -> None:
        await asyncio.sleep(0.01)
        seen["child"].append(given)

    result = rlm.run(
        question,
        max_depth=2,
        on_event=seen["event"].append,
        on_iteration=seen["iteration"].append,
        on_sub_llm_call=seen["sub"].append,
        on_child=on_child,
    )
    assert result.answer == "done"
    assert [iteration["index"] for iteration in seen["iteration"]] == [0, 1]
    assert seen["iteration"][0]["code_blocks"][0]["stdout"] == "sub:sub\nbelow\n"
    assert [call["prompt"] for call in seen["sub"]] == ["sub"]
    assert [(given.path, given.question) for given in seen["child"]] == [((0,), child)]
    assert seen["event"][-1]["type"] == "run_finished"


def test_events_cross_in_few_messages(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    question = model.question(code("for n in range(300): llm_query(str(n))\nFINAL('done')"))
    count = """() => {
        const send = globalThis.rlmNotify;
        globalThis.messages = 0;
        globalThis.rlmNotify = (...message) => ((globalThis.messages += 1), send(...message));
    }"""

    async def messages(opened: BrowserRLM, **callbacks: Any) -> float:
        assert opened._page is not None
        await opened._page.evaluate(count)
        result = await opened.run(question, **callbacks)
        sent = await opened._page.evaluate("() => globalThis.messages")
        return float(sent) / (2 + result.total_time * 20)  # one every 50 ms

    seen: list[dict[str, Any]] = []
    assert driven(rlm, functools.partial(messages, on_event=seen.append)) <= 1
    logged = [event["seq"] for event in seen if event["type"] not in FOR_WATCHING]
    assert logged == list(range(len(logged)))
    assert len(logged) > 900
    assert driven(rlm, messages) <= 0.3


def test_a_child_is_stopped_alone(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    child = model.question(code("while True: pass"))
    block = f"try: rlm_query({child!r})\nexcept SubCallError as error: FINAL(str(error))"

    async def on_child(given: Child) -> None:
        await given.stop()

    result = rlm.run(model.question(code(block)), max_depth=2, on_child=on_child)
    assert "the child run was stopped" in result.answer


def test_a_callback_that_raises_is_reported_and_the_run_continues(
    rlm: BlockingBrowserRLM, model: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    async def later(iteration: dict[str, Any]) -> None:
        raise ValueError("not today")

    with caplog.at_level(logging.ERROR):
        result = rlm.run(model.question(code("FINAL(7)")), on_event=lambda event: 1 / 0, on_iteration=later)
    assert result.answer == "7"
    assert "on_event failed; the run continues" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "on_iteration failed; the run continues" in caplog.text
    assert "not today" in caplog.text


SUB_CALL = code("try: FINAL(llm_query('the prompt'))\nexcept SubCallError as error: FINAL(str(error))")


async def say(answer: object, request: dict[str, Any]) -> object:
    await asyncio.sleep(0)
    return "allow" if request["kind"] == "root" else answer


def too_much(request: dict[str, Any]) -> object:
    left = request["context_chars"]["added"] + request["more_spans"]
    return {"deny": f"not today, {left}"} if request["kind"] == "sub" else "allow"


ANSWERS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a function": (too_much, "not today, 0"),
    "a coroutine": (functools.partial(say, "deny"), "onEgress said no"),
    "nonsense": (functools.partial(say, True), "onEgress gave no answer"),
    "a fault": (lambda request: "allow" if request["kind"] == "root" else 1 / 0, "on_egress failed: division by zero"),
}


@pytest.mark.parametrize(("on_egress", "why"), ANSWERS.values(), ids=ANSWERS.keys())
def test_on_egress_decides_in_this_process(
    rlm: BlockingBrowserRLM, model: ScriptedModel, on_egress: Callable[[dict[str, Any]], object], why: str
) -> None:
    result = rlm.run(model.question(SUB_CALL), context="x" * 90, on_egress=on_egress)
    assert f"denied before it left: {why}" in result.answer
    assert (result.egress["calls"], result.egress["denied"]) == (1, 1)


# ---- stop and cancel


async def left_by_cancel(rlm: BrowserRLM, model: ScriptedModel) -> None:
    task = asyncio.create_task(rlm.run(model.question(ENDLESS)))
    await first_call(model)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def left_by_time(rlm: BrowserRLM, model: ScriptedModel) -> None:
    async def run() -> None:
        await rlm.run(model.question(ENDLESS))

    running = asyncio.ensure_future(run())
    await first_call(model)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(running, 0.01)


async def left_by_break(rlm: BrowserRLM, model: ScriptedModel) -> None:
    async for event in rlm.events(model.question(ENDLESS)):
        if event["type"] == "call_finished" and "sub 1" in [text for _, text in model.asked]:
            break


async def left_by_session(rlm: BrowserRLM, model: ScriptedModel) -> None:
    session = rlm.session()
    task = asyncio.create_task(session.run(model.question(ENDLESS)))
    await first_call(model)
    await session.close()
    assert (await task).stopped_by == "cancelled"


async def left_by_stop(rlm: BrowserRLM, model: ScriptedModel) -> None:
    run = rlm.start(model.question(ENDLESS))
    await first_call(model)
    await run.stop()
    assert (await run).stopped_by == "cancelled"


WAYS = [left_by_cancel, left_by_time, left_by_break, left_by_session, left_by_stop]


@pytest.mark.parametrize("leave", WAYS, ids=lambda way: way.__name__)
def test_whatever_way_a_run_is_left_it_is_stopped(
    rlm: BlockingBrowserRLM,
    model: ScriptedModel,
    leave: Callable[[BrowserRLM, ScriptedModel], Coroutine[Any, Any, None]],
) -> None:
    model.asked.clear()
    model.sub_seconds = 0.05

    async def use(opened: BrowserRLM) -> float:
        await leave(opened, model)
        return time.monotonic()

    left = driven(rlm, use)
    time.sleep(2)
    late = [text for when, text in model.asked if when > left + SOON]
    assert late == []
    assert rlm.run(model.question(code("FINAL('next')"))).answer == "next"


def test_two_loops_that_are_left_early_stop_two_runs(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    model.sub_seconds = 0.05
    model.asked.clear()
    for _ in range(2):
        for event in rlm.events(model.question(ENDLESS)):
            if event["type"] == "call_finished":
                break
    left = time.monotonic()
    time.sleep(2)
    assert [text for when, text in model.asked if when > left + SOON] == []


def test_ctrl_c_in_a_blocking_run_stops_it(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    model.sub_seconds = 0.05
    model.asked.clear()

    def press() -> None:
        while "sub 1" not in [text for _, text in model.asked]:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        rlm.run(model.question(ENDLESS))
    left = time.monotonic()
    time.sleep(1.5)
    assert [text for when, text in model.asked if when > left + SOON] == []
    assert rlm.run(model.question(code("FINAL('next')"))).answer == "next"


def test_a_tool_that_hangs_does_not_keep_a_run_that_is_left(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    called = threading.Event()

    def hang() -> None:
        called.set()
        time.sleep(600)

    async def use(opened: BrowserRLM) -> float:
        task = asyncio.create_task(opened.run(model.question(code("hang()")), tools={"hang": hang}))
        while not called.is_set():
            await asyncio.sleep(0.01)
        began = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        return time.monotonic() - began

    assert driven(rlm, use) < SOON


# ---- options of the models

OPTIONS: Any = {
    "model_options": {"temperature": 0, "top_p": 0.5, "max_output_tokens": 900, "reasoning_effort": "low", "seed": 7},
    "sub_model_options": {"temperature": 1.5},
}
"""One of each, for the root model."""
QUERY = code("FINAL(llm_query('one'))")


def check_options(model: ScriptedModel, trajectory: str) -> None:
    """The options of a run with `OPTIONS`: as the vendor got them, and in the log."""
    root, sub = model.bodies[-2:]
    assert (root["temperature"], root["top_p"], root["reasoning_effort"], root["seed"]) == (0, 0.5, "low", 7)
    assert [sub.get(name) for name in ("temperature", "top_p", "reasoning_effort", "seed")] == [1.5, None, None, None]
    events = [json.loads(line) for line in trajectory.splitlines()]
    assert {name: events[0][name] for name in OPTIONS} == OPTIONS
    called = [event["options"] for event in events if event["type"] == "call_started"]
    assert called == [OPTIONS["model_options"], OPTIONS["sub_model_options"]]


def test_model_options_reach_the_vendor_and_the_log_blocking_and_not(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    log = rlm.run(model.question(QUERY), **OPTIONS).trajectory
    check_options(model, log)
    with pytest.raises(ReplayError, match="the model options differ"):
        rlm.run(json.loads(log.partition("\n")[0])["question"], replay=log, model_options={"seed": 8})

    async def use(opened: BrowserRLM) -> str:
        return (await opened.run(model.question(QUERY), **OPTIONS)).trajectory

    check_options(model, driven(rlm, use))
    with rlm.session(**OPTIONS) as session:
        check_options(model, session.run(model.question(QUERY)).trajectory)


def test_an_option_that_a_provider_has_not_is_refused_by_its_name(rlm: BlockingBrowserRLM) -> None:
    result = rlm.run("What?", model="builtin:extractive", model_options={"seed": 7})
    assert result.fault is not None
    assert (result.stopped_by, result.fault["type"]) == ("provider_error", "unknown-option")
    assert "has no option `seed`" in result.detail


# ---- several at once


def test_runs_at_once_have_their_own_events_tools_and_ends(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    async def use(opened: BrowserRLM) -> None:
        events: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}
        block = code("import time\nfor n in range(5):\n    time.sleep(0.02)\n    print(who())\nFINAL(who())")
        a, b = (
            opened.start(model.question(block), tools={"who": lambda name=name: name}, on_event=events[name].append)
            for name in "ab"
        )
        endless = opened.start(model.question(code("while True: pass")))
        with pytest.raises(ConfigError, match="max_iterations must be"):
            await opened.run(model.question(block), max_iterations=0)
        with pytest.raises(ConfigError, match="unknown option"):
            opened.start("Q?", nonsense=1)  # type: ignore[call-arg]
        assert [(await a).answer, (await b).answer] == ["a", "b"]
        assert not endless.done()
        await endless.stop()
        assert (await endless).stopped_by == "cancelled"
        for name in "ab":
            printed = "".join(event["text"] for event in events[name] if event["type"] == "output")
            assert printed == f"{name}\n" * 5
            assert [event["type"] for event in events[name]].count("run_finished") == 1

    driven(rlm, use)


def test_threads_share_a_blocking_rlm(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    answers: dict[int, str] = {}

    def work(number: int) -> None:
        answers[number] = rlm.run(model.question(code(f"FINAL({number})"))).answer

    threads = [threading.Thread(target=work, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {0: "0", 1: "1", 2: "2"}


# ---- sessions


def test_a_session_keeps_its_variables_and_callbacks_are_a_questions_own(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    first, second = model.question(code("x = who()\nFINAL(context)")), model.question(code("FINAL(x + llm_query('s'))"))
    events: list[dict[str, Any]] = []
    asked: list[str] = []

    def on_egress(request: dict[str, Any]) -> str:
        asked.append(request["kind"])
        return "allow"

    with rlm.session(tools={"who": lambda: "me "}) as session:
        assert session.run(first, context="text").answer == "text"
        assert session.run(second, on_event=events.append, on_egress=on_egress).answer == "me sub:s"
        with pytest.raises(ConfigError, match="max_iterations cannot be chosen here: give it to BrowserRLM"):
            session.run("Q?", max_iterations=1)  # type: ignore[call-arg]
    assert events[-1]["type"] == "run_finished"
    assert asked == ["root", "sub"]
    with pytest.raises(ConfigError, match="the session is over"):
        session.run(first)


def test_a_session_takes_one_question_at_a_time_and_the_next_after_a_cancel(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    async def use(opened: BrowserRLM) -> None:
        async with opened.session() as session:
            await session.run(model.question(code("x = 1\nFINAL(x)")))
            before = session._current
            task = asyncio.create_task(session.run(model.question(code("while True: pass"))))
            while session._current is None or session._current is before or not session._current._live.has_begun:
                await asyncio.sleep(0.01)
            with pytest.raises(ConfigError, match="at work on a question"):
                await session.run("Q?")
            task.cancel()
            await asyncio.wait([task])
            assert (await session.run(model.question(code("FINAL(x + 1)")))).answer == "2"

    driven(rlm, use)


# ---- logs


def test_a_log_is_replayed_forked_and_resumed(rlm: BlockingBrowserRLM, model: ScriptedModel, tmp_path: Path) -> None:
    question = model.question(code("x = llm_query('one')\nprint(x)"), code("FINAL(x + context)"))
    done = rlm.run(question, context=" text")
    log = tmp_path / "run.jsonl"
    log.write_text(done.trajectory)
    model.asked.clear()
    assert rlm.replay(log, context=" text").answer == done.answer == "sub:one text"
    with pytest.raises(ReplayError, match="the context differs"):
        rlm.replay(done.trajectory, context=" other")
    assert model.asked == []
    assert rlm.fork(log, 2, context=" text").answer == done.answer
    assert [text for _, text in model.asked] == [question.partition(":")[0]]
    cut = "".join(line for line in done.trajectory.splitlines(keepends=True)[:-3])
    model.asked.clear()
    assert rlm.resume(cut, context=" text").answer == done.answer
    assert "one" not in [text for _, text in model.asked]


@pytest.mark.parametrize("log", ["run.jsonl", Path("nowhere.jsonl"), 5])
def test_a_log_that_is_none_is_refused(rlm: BlockingBrowserRLM, log: Any) -> None:
    with pytest.raises(ConfigError, match=r"must be a Path of a trajectory or its text|cannot be read"):
        rlm.replay(log)


# ---- errors


def test_an_impossible_option_is_refused_by_name(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    question = model.question(code("FINAL(1)"))
    model.asked.clear()
    with pytest.raises(ConfigError, match="max_timeout must be a number of seconds above 0, not 0"):
        rlm.run(question, max_timeout=0)
    with pytest.raises(ConfigError, match="maxTimeout must"):
        rlm.run(question, maxTimeout=0)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="the question must be text"):
        rlm.run(" ")
    assert model.asked == []


def test_durations_are_seconds_and_javascripts_spelling_has_its_units(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    spellings: list[dict[str, Any]] = [
        {"max_timeout": 9.5, "compact_at": False},
        {"maxTimeout": 9500, "compactAt": False},
    ]
    for options in spellings:
        events: list[dict[str, Any]] = []
        rlm.run(model.question(code("FINAL(1)")), on_event=events.append, **options)
        assert (events[0]["limits"]["max_seconds"], events[0]["limits"]["compact_at"]) == (9.5, None)


@pytest.mark.parametrize("is_read", [True, False], ids=["events read", "no listener"])
def test_a_browser_that_is_lost_is_an_error_of_ours_with_what_there_was(model: ScriptedModel, is_read: bool) -> None:
    async def main() -> None:
        async with BrowserRLM(model.url, model="openai:m") as rlm:
            page = rlm._page
            assert page is not None
            run = rlm.start(model.question(code("answer['content'] = 'partly'\nprint(llm_query('sub'))"), ENDLESS))
            if is_read:
                async for event in run:
                    if event["type"] == "iteration_finished":
                        break
            while not any('"iteration_finished"' in line for line in run._live.lines):
                await asyncio.sleep(0.01)
            await page._page.context.browser.close()  # type: ignore[union-attr]
            with pytest.raises(BrowserLost, match="The browser was lost") as lost:
                await run
            assert lost.value.partial.answer == "partly"
            assert lost.value.partial.usage["openai:m"]["calls"] >= 2
            assert json.loads(lost.value.partial.trajectory.splitlines()[0])["type"] == "run_started"
            with pytest.raises(RLMError, match=r"The browser was lost|cannot be handed"):
                await rlm.run("Q?")

    elsewhere(lambda: asyncio.run(main()))


def test_a_server_that_is_not_there_is_an_error_of_ours(chromium: Path) -> None:
    async def main() -> None:
        with pytest.raises(RLMError, match="did not load"):
            async with BrowserRLM("http://127.0.0.1:1"):
                pass

    elsewhere(lambda: asyncio.run(main()))


def test_it_must_be_open() -> None:
    with pytest.raises(ConfigError, match="not open"):
        elsewhere_raising(lambda: asyncio.run(BrowserRLM("http://nowhere.invalid").run("What?")))
    with pytest.raises(ConfigError, match="not open"):
        BlockingBrowserRLM("http://nowhere.invalid").run("What?")


def elsewhere_raising(work: Callable[[], T]) -> T:
    """As `elsewhere`; an error is raised here."""
    outcome = elsewhere(lambda: _outcome(work))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _outcome(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as fault:  # noqa: BLE001 - it is raised again in the thread of the test
        return fault


# ---- both front ends


@pytest.mark.parametrize(("blocking", "awaited"), [(BlockingBrowserRLM, BrowserRLM), (BlockingSession, Session)])
def test_the_blocking_twin_has_the_same_methods(blocking: type, awaited: type) -> None:
    def methods(of: type) -> dict[str, list[str]]:
        public = {name: method for name, method in vars(of).items() if not name.startswith("_")}
        return {name: list(inspect.signature(method).parameters) for name, method in public.items()}

    own = {name: parameters for name, parameters in methods(awaited).items() if name != "start"}
    assert methods(blocking) == own


def test_the_blocking_twin_starts_a_server_of_its_own() -> None:
    def use() -> str:
        with BlockingBrowserRLM(model="builtin:extractive", sub_model="builtin:extractive") as rlm:
            return rlm.run("Where is the lamp?", context="The lamp is in the attic.").answer

    assert "attic" in elsewhere(use)


PROGRAM = """
import sys, time
from rlm_server.headless import BlockingBrowserRLM
with BlockingBrowserRLM(sys.argv[1], model="openai:m") as rlm:
    try:
        rlm.run(sys.argv[2])
    except KeyboardInterrupt:
        print("stopped", flush=True)
        raise SystemExit(7)
"""


def test_ctrl_c_in_the_terminal_reaches_a_program_and_not_its_browser(model: ScriptedModel) -> None:
    model.sub_seconds = 0.05
    model.asked.clear()
    line = [sys.executable, "-c", PROGRAM, model.url, model.question(ENDLESS)]
    program = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True)
    while "sub 1" not in [text for _, text in model.asked]:
        assert program.poll() is None
        time.sleep(0.01)
    os.killpg(program.pid, signal.SIGINT)
    assert program.communicate(timeout=60)[0] == "stopped\n"
    assert program.returncode == 7
