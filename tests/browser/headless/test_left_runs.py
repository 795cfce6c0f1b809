"""A run that is left, in whatever way, is stopped: no call leaves after it, and the next run has its worker."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rlm_server.headless import BlockingBrowserRLM, BrowserRLM
from tests.browser.headless.driving import ENDLESS, MOST_LATE, SOON, SUB_SECONDS, driven, first_call
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel


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
    model.sub_seconds = SUB_SECONDS

    async def use(opened: BrowserRLM) -> float:
        await leave(opened, model)
        return time.monotonic()

    left = driven(rlm, use)
    assert late_calls_beside_the_next_run(rlm, model, left, seconds=2) == []


def late_calls_beside_the_next_run(
    rlm: BlockingBrowserRLM, model: ScriptedModel, left: float, *, seconds: float
) -> list[str]:
    """Calls of the run left at `left` that came too late, within `seconds`; the next run answers meanwhile.

    Too late is what comes after more than `MOST_LATE` calls, or after the next run, which began behind the stop.
    """
    time.sleep(SOON)
    question = model.question(code("FINAL('next')"))
    assert rlm.run(question).answer == "next"
    answered = time.monotonic()
    time.sleep(max(SOON, left + seconds - answered))
    calls = [text for text in model.calls_since(left) if text != question.partition(":")[0]]
    return calls[MOST_LATE:] + model.calls_since(answered)


def test_two_loops_that_are_left_early_stop_two_runs(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    model.sub_seconds = SUB_SECONDS
    model.asked.clear()
    for _ in range(2):
        for event in rlm.events(model.question(ENDLESS)):
            if event["type"] == "call_finished":
                break
    assert late_calls_beside_the_next_run(rlm, model, time.monotonic(), seconds=2) == []


def test_ctrl_c_in_a_blocking_run_stops_it(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    model.sub_seconds = SUB_SECONDS
    model.asked.clear()

    def press() -> None:
        while "sub 1" not in [text for _, text in model.asked]:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        rlm.run(model.question(ENDLESS))
    assert late_calls_beside_the_next_run(rlm, model, time.monotonic(), seconds=1.5) == []


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

    assert driven(rlm, use) < 20 * SOON  # of the 600 s that the tool hangs


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
    model.sub_seconds = SUB_SECONDS
    model.asked.clear()
    line = [sys.executable, "-c", PROGRAM, model.url, model.question(ENDLESS)]
    program = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, start_new_session=True)
    while "sub 1" not in [text for _, text in model.asked]:
        assert program.poll() is None
        time.sleep(0.01)
    os.killpg(program.pid, signal.SIGINT)
    assert program.communicate(timeout=60)[0] == "stopped\n"
    assert program.returncode == 7
