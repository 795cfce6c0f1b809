"""BrowserRLM: runs in a headless browser, from Python."""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import inspect
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlm_core import ConfigError, ReplayError
from rlm_core.events import FOR_WATCHING
from rlm_server.headless import BlockingBrowserRLM, BlockingSession, BrowserRLM, Child, Session
from rlm_server.headless.result import ResultJson
from tests.browser.headless.driving import driven, elsewhere
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel

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


DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
"""A PNG of one pixel."""
SEE = code(f"try: FINAL(llm_query('see', images=[{DOT!r}]))\nexcept SubCallError as error: FINAL(str(error))")


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "digest alone"])
def test_on_egress_is_shown_images_and_the_log_keeps_them_where_asked(
    rlm: BlockingBrowserRLM, model: ScriptedModel, is_kept: bool
) -> None:
    shown: list[Any] = []

    def on_egress(request: dict[str, Any]) -> str:
        shown.extend(request["images"])
        return "allow"

    result = rlm.run(model.question(SEE), context="x", on_egress=on_egress, keep_images=is_kept)
    digest = hashlib.sha256(DOT).hexdigest()
    assert [(image["width"], image["bytes"], image["sha256"]) for image in shown] == [(1, len(DOT), digest)]
    assert base64.b64encode(DOT).decode() in json.dumps(model.bodies[-1])
    calls = [json.loads(line) for line in result.trajectory.splitlines() if '"call_started"' in line]
    data = base64.b64encode(DOT).decode() if is_kept else None
    assert [[image["data"] for image in call["images"]] for call in calls] == [[], [data]]


def test_an_image_that_is_denied_does_not_leave(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    seen = len(model.bodies)
    result = rlm.run(
        model.question(SEE), context="x", on_egress=lambda request: "deny" if request["images"] else "allow"
    )
    assert "denied before it left" in result.answer
    assert (len(model.bodies) - seen, result.egress["images"]) == (1, 0)


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
        entry = session.execute("x += f'{who()}'\nprint(len(context))\ndisplay([{'a': 1}])\nx")
        assert (entry.stdout.splitlines()[0], entry.value, entry.error) == ("4", "'me me '", None)
        assert [item["kind"] for item in entry.shown] == ["table"]
        assert [each["name"] for each in session.variables()] == ["context", "x"]
        assert "no model is called from the console" in (session.execute("llm_query('s')").error or "")
        with pytest.raises(ConfigError, match="the code must be text that is not empty"):
            session.execute(" ")
        assert session.run(second, on_event=events.append, on_egress=on_egress).answer == "me me sub:s"
        with pytest.raises(ConfigError, match="max_iterations cannot be chosen here: give it to BrowserRLM"):
            session.run("Q?", max_iterations=1)  # type: ignore[call-arg]
    assert events[-1]["type"] == "run_finished"
    assert asked == ["root", "sub"]
    with pytest.raises(ConfigError, match="the session is over"):
        session.run(first)


def test_a_session_takes_one_question_at_a_time_and_the_next_after_a_cancel(
    rlm: BlockingBrowserRLM, model: ScriptedModel
) -> None:
    begun = threading.Event()

    async def use(opened: BrowserRLM) -> None:
        async with opened.session(tools={"begun": begun.set}) as session:
            await session.run(model.question(code("x = 1\nFINAL(x)")))
            before = session._current
            task = asyncio.create_task(session.run(model.question(code("while True: pass"))))
            while session._current is None or session._current is before or not session._current._live.has_begun:
                await asyncio.sleep(0.01)
            with pytest.raises(ConfigError, match="at work on a question"):
                await session.run("Q?")
            with pytest.raises(ConfigError, match="at work on a question"):
                await session.execute("x")
            task.cancel()
            await asyncio.wait([task])
            stuck = asyncio.create_task(session.execute("x = 5\nbegun()\nwhile True: pass"))
            while not begun.is_set():
                await asyncio.sleep(0.01)
            await session.stop()
            assert (await stuck).is_stopped
            assert (await session.execute("x + 1")).value == "6"
            assert (await session.run(model.question(code("FINAL(x + 1)")))).answer == "6"

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
    assert rlm.fork(log, 1, code="FINAL('mine')", context=" text").answer == "mine"
    assert [text for _, text in model.asked] == [question.partition(":")[0]]
    cut = "".join(line for line in done.trajectory.splitlines(keepends=True)[:-3])
    model.asked.clear()
    assert rlm.resume(cut, context=" text").answer == done.answer
    assert "one" not in [text for _, text in model.asked]


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
