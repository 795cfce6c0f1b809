"""Waits: `time.sleep` and asyncio for model code, which runs where nothing else may run meanwhile.

In: a function that waits and that a stop ends at once. Out: for as long as the context lasts, `time.sleep` waits by it,
and so do the event loops that `asyncio.run` and its like make: they know timers and tasks, no threads and no sockets.
"""

from __future__ import annotations

import asyncio
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, SupportsIndex

Pause = Callable[[float], object]
"""Waits so many seconds."""

_SLEEP = time.sleep
NOTHING_COMES = (
    "every task waits for something that cannot happen: here are no threads and no sockets, only tasks and timers of "
    "this very loop."
)


@contextmanager
def waiting_by(pause: Pause) -> Iterator[None]:
    """Have sleeping code, and event loops that have nothing to do, wait by `pause`."""
    running = asyncio._get_running_loop()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # policies go in Python 3.16; a new loop has no other way in
        before = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(_policy(pause))
    asyncio._set_running_loop(None)  # Pyodide's own, which a blocked worker cannot run
    time.sleep = _sleeping(pause)
    try:
        yield
    finally:
        time.sleep = _SLEEP
        asyncio._set_running_loop(running)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asyncio.set_event_loop_policy(before)


def _sleeping(pause: Pause) -> Callable[[float | SupportsIndex], None]:
    def sleep(seconds: float | SupportsIndex) -> None:
        """Wait so many seconds."""
        if isinstance(seconds, int | float) and 0 <= seconds < math.inf:
            pause(float(seconds))
        else:
            _SLEEP(seconds)  # raises as Python does

    return sleep


class TimerLoop(asyncio.BaseEventLoop):
    """An event loop that has tasks and timers only."""

    def __init__(self, pause: Pause) -> None:
        super().__init__()
        self._selector = _Timers(pause)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Call `func` at once: there are no threads, and so `asyncio.to_thread` is a plain call."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as fault:  # noqa: BLE001 - a future takes whatever its function raises
            future.set_exception(fault)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no files to watch."""

    def _write_to_self(self) -> None:
        """There is no other thread that would have to wake this one."""


class _Timers:
    """The loop's selector, which knows no files: it waits for the next timer."""

    def __init__(self, pause: Pause) -> None:
        self._pause = pause

    def select(self, seconds: float | None) -> list[Any]:
        """Wait until the loop's next timer.

        Raises:
            RuntimeError: there is none, and nothing else to do.
        """
        if seconds is None:
            raise RuntimeError(NOTHING_COMES)
        if seconds > 0:
            self._pause(seconds)
        return []


def _policy(pause: Pause) -> Any:
    class Policy(asyncio.AbstractEventLoopPolicy):
        """Makes loops of timers; `get_event_loop` makes the first one, as code written for older Pythons expects."""

        loop: asyncio.AbstractEventLoop | None = None

        def get_event_loop(self) -> asyncio.AbstractEventLoop:
            if self.loop is None or self.loop.is_closed():
                self.loop = self.new_event_loop()
            return self.loop

        def set_event_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
            self.loop = loop

        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return TimerLoop(pause)

    return Policy()  # type: ignore[abstract]  # the watchers of child processes, gone in Python 3.14
