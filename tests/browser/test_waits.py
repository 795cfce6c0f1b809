"""Sleeping and asyncio in the contained worker: a stop and the block's deadline end them at once."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.lab import code, run

FOR_EVER = {
    "time.sleep": "import time; time.sleep(3600)",
    "asyncio.sleep": "import asyncio; asyncio.run(asyncio.sleep(3600))",
}
GATHER = """
import asyncio, time
async def slowly(name, seconds):
    await asyncio.sleep(seconds)
    return name
async def main():
    return await asyncio.gather(slowly("a", 0.2), slowly("b", 0.1), asyncio.sleep(0.2, "c"))
FINAL("".join(asyncio.run(main())))
"""


def errors(result: Any) -> list[str | None]:
    return [event["observation"]["error"] for event in result["events"] if event["type"] == "block_finished"]


@pytest.mark.parametrize("wait", FOR_EVER.values(), ids=FOR_EVER.keys())
def test_a_stop_ends_a_wait_and_the_worker_says_so(shared_page: Page, wait: str) -> None:
    result = run(shared_page, [code(f"print('spinning')\n{wait}")], stopOn="spinning")
    assert result["stoppedBy"] == "cancelled"
    assert errors(result) == ["KeyboardInterrupt: the run was stopped."]


@pytest.mark.parametrize("wait", FOR_EVER.values(), ids=FOR_EVER.keys())
def test_the_time_of_a_wait_is_the_blocks(shared_page: Page, wait: str) -> None:
    result = run(shared_page, [code(f"kept = 7\n{wait}"), code("FINAL(kept)")], options={"blockTimeout": 1_000})
    assert (result["answer"], result["stoppedBy"]) == ("7", "final_answer")
    assert "the block was stopped after 1 s" in str(errors(result)[0])


def test_coroutines_run_inside_a_block(shared_page: Page) -> None:
    assert run(shared_page, [code(GATHER)])["answer"] == "abc"


@pytest.mark.parametrize(
    "raised",
    [
        "raise KeyboardInterrupt",
        "import signal\nsignal.raise_signal(signal.SIGINT)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)",
        "import _thread\n_thread.interrupt_main()\nfor _ in range(1_000_000): pass",
    ],
    ids=["raise", "raise_signal", "kill", "interrupt_main"],
)
def test_a_keyboard_interrupt_of_model_code_is_a_fault(shared_page: Page, raised: str) -> None:
    result = run(shared_page, [code(f"paid = llm_query('hi')\n{raised}"), code("FINAL(paid)")])
    assert result["stoppedBy"] == "final_answer"
    assert "KeyboardInterrupt" in str(errors(result)[0])
    assert result["answer"] in [event["text"] for event in result["events"] if event["type"] == "call_finished"]
