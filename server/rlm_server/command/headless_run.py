"""Headless run: one question in a browser without a window, watched from a terminal.

In: the server, the question, its context, and who watches. Out: the result. A signal stops the run and leaves the
partial result; before the run it ends the process. The browser is closed after the result was delivered.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlm_core import RLMError

from .confirm import Screen
from .stop_signals import StopSignals

if TYPE_CHECKING:
    from ..headless.arguments import OnEvent
    from ..headless.progress import Progress
    from ..headless.result import HeadlessResult


@dataclass(frozen=True, slots=True)
class HeadlessRun:
    """A run that is to be made.

    Attributes:
        server: started and ended with the browser.
        paths: files and folders of the context; none for a run without one.
        arguments: further arguments of `BrowserRLM.start`.
        sinks: each gets every event.
        screen: shared with whoever asks on the terminal; without one progress goes to stderr.
    """

    server: AbstractContextManager[str]
    question: str
    paths: Sequence[Path]
    signals: StopSignals
    arguments: Mapping[str, Any] = field(default_factory=dict)
    sinks: Sequence[OnEvent] = ()
    screen: Screen | None = None

    def result(self, deliver: Callable[[HeadlessResult], object]) -> HeadlessResult:
        """Run it, and `deliver` the result as soon as it is there.

        Raises:
            RLMError: it cannot be run.
        """
        delivered: list[HeadlessResult] = []
        try:
            asyncio.run(self._run(delivered, deliver))
        except (asyncio.CancelledError, RLMError):  # a signal to the whole group ends the browser as well
            if delivered:
                return delivered[0]
            if self.signals.status is None:
                raise
            sys.exit(self.signals.status)
        return delivered[0]

    async def _run(self, delivered: list[HeadlessResult], deliver: Callable[[HeadlessResult], object]) -> None:
        from ..headless.browser_rlm import for_one_run
        from ..headless.page import BrowserLost
        from ..headless.progress import Progress

        progress = Progress((self.screen or sys.stderr).write, is_terminal=sys.stderr.isatty())
        watchers: list[OnEvent] = [*self.sinks, progress]

        def on_event(event: dict[str, Any]) -> None:
            for watch in watchers:
                watch(event)

        loop, task, signals = asyncio.get_running_loop(), asyncio.current_task(), self.signals
        assert task is not None, "a coroutine that runs is a task"
        signals.stop = lambda: loop.call_soon_threadsafe(task.cancel)
        async with for_one_run(self.server) as rlm:
            run = rlm.start(self.question, context=tuple(self.paths) or None, on_event=on_event, **self.arguments)
            stops: list[asyncio.Future[None]] = []
            signals.stop = lambda: loop.call_soon_threadsafe(lambda: stops.append(asyncio.ensure_future(run.stop())))
            ticking = asyncio.create_task(self._ticks(progress))
            try:
                result = await run
            except BrowserLost as lost:
                if signals.status is None:
                    raise
                result = lost.partial  # the signal went to the browser as well
                await asyncio.gather(*stops, return_exceptions=True)  # a stop cannot reach it any more either
            finally:
                ticking.cancel()
            signals.stop = lambda: None  # the first signal would only lose what is written next
            deliver(result)
            delivered.append(result)
            signals.stop = lambda: loop.call_soon_threadsafe(task.cancel)

    async def _ticks(self, progress: Progress) -> None:
        """Let `progress` tell that the run lives while nothing happens."""
        from ..headless.progress import TICK_SECONDS

        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.screen is None or not self.screen.is_held:
                progress.tick()
