"""Driving: an open BrowserRLM from its own loop, threads for tests that need their own, and a run without an end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from rlm_server.headless import BlockingBrowserRLM, BrowserRLM
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel

T = TypeVar("T")


SOON = 0.5
"""Seconds after which a stop has to have ended a run, on a quiet machine."""
SUB_SECONDS = 0.05
MOST_LATE = int(SOON / SUB_SECONDS)
"""Calls that an endless run makes in that time, if each takes `SUB_SECONDS`: on a busy machine both last longer."""


ENDLESS = code("n = 0\nwhile True:\n    n += 1\n    llm_query(f'sub {n}')")


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


def elsewhere_raising(work: Callable[[], T]) -> T:
    """As `elsewhere`; an error is raised here."""
    outcome = elsewhere(lambda: _outcome(work))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def awaited(work: Coroutine[Any, Any, T]) -> T:
    """Result of a coroutine, in another loop and thread: Playwright's synchronous half holds the test's."""
    return elsewhere_raising(lambda: asyncio.run(work))


def _outcome(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as fault:  # noqa: BLE001 - it is raised again in the thread of the test
        return fault
