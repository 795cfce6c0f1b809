"""Waits: sleeping and asyncio inside a block, by whatever pause there is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlm_core.repl import Repl
from rlm_core.types import Observation

PAUSE = time.sleep

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from waits import waiting_by  # noqa: E402 - the worker's Python half is no package


@pytest.fixture
def slept() -> Iterator[list[float]]:
    """The seconds of each wait of the test's code, none of which takes any time."""
    seconds: list[float] = []
    with waiting_by(seconds.append):
        yield seconds


def execute(code: str) -> Observation:
    return Repl().execute(code)


def test_sleep_waits_by_the_given_pause(slept: list[float]) -> None:
    assert execute("import time\nfrom time import sleep\ntime.sleep(2)\nsleep(0.5)").error is None
    assert slept == [2.0, 0.5]


@pytest.mark.parametrize(("seconds", "error"), [("-1", "ValueError"), ("'1'", "TypeError"), ("1e400", "OverflowError")])
def test_what_cannot_be_slept_is_pythons_own_error(slept: list[float], seconds: str, error: str) -> None:
    assert error in (execute(f"import time; time.sleep({seconds})").error or "")
    assert slept == []


def test_asyncio_run_runs_tasks_and_timers() -> None:
    code = """
import asyncio
async def half(name, seconds):
    await asyncio.sleep(seconds)
    return name
async def main():
    return await asyncio.wait_for(asyncio.gather(half("a", 0.02), half("b", 0.01)), 5)
asyncio.run(main())
"""
    with waiting_by(PAUSE):
        observation = execute(code)
    assert (observation.error, observation.value) == (None, "['a', 'b']")


def test_a_loop_of_ones_own_runs_too() -> None:
    code = "import asyncio\nloop = asyncio.{}()\nloop.run_until_complete(asyncio.sleep(0.01, 'done'))"
    with waiting_by(PAUSE):
        for make in ("get_event_loop", "new_event_loop"):
            assert execute(code.format(make)).value == "'done'"


def test_a_loop_that_nothing_can_wake_says_so() -> None:
    code = "import asyncio\nasync def main(): await asyncio.Event().wait()\nasyncio.run(main())"
    with waiting_by(PAUSE):
        assert "every task waits for something that cannot happen" in (execute(code).error or "")


def test_a_final_answer_leaves_a_coroutine() -> None:
    repl = Repl()
    with waiting_by(PAUSE):
        observation = repl.execute("import asyncio\nasync def main(): FINAL('from inside')\nasyncio.run(main())")
    assert (repl.final, observation.error) == ("from inside", None)


def test_afterwards_sleep_is_what_it_was() -> None:
    with waiting_by(PAUSE):
        assert time.sleep is not PAUSE
    assert time.sleep is PAUSE


HINTS = {
    "await llm_query('x')": "call them without `await`",
    "import asyncio\nawait asyncio.sleep(0)": "asyncio.run(main())",
    "import asyncio\nasync def main(): await 'text'\nasyncio.run(main())": "call them without `await`",
    "import asyncio\nasync def main(): await asyncio.gather('text')\nasyncio.run(main())": "llm_batch(prompts)",
    "import asyncio\nasyncio.get_running_loop()": "asyncio.run(main())",
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("code", "hint"), HINTS.items(), ids=HINTS.keys())
def test_what_asyncio_cannot_do_here_says_what_to_write(code: str, hint: str) -> None:
    with waiting_by(PAUSE):
        last = (execute(code).error or "").splitlines()[-1]
    assert last.startswith("Hint: ")
    assert hint in last


WORK = """
import asyncio
def work(x): return 2 * x
async def main(): return await {call} + 2
print(asyncio.run(main()))
"""


@pytest.mark.parametrize(
    "call", ["asyncio.to_thread(work, 20)", "asyncio.get_running_loop().run_in_executor(None, work, 20)"]
)
@pytest.mark.usefixtures("slept")
def test_work_for_a_thread_runs_in_line(call: str) -> None:
    assert execute(WORK.format(call=call)).stdout == "42\n"


@pytest.mark.usefixtures("slept")
def test_a_fault_of_work_for_a_thread_is_raised_where_it_is_awaited() -> None:
    assert "ZeroDivisionError" in (execute(WORK.format(call="asyncio.to_thread(lambda: 1 / 0)")).error or "")
