"""Live run: the state of a run that the page has under way.

In: the arguments of a run. Out: its id, its callbacks, and what of them is under way. Nothing here talks to the page.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from rlm_core import RunCancelled

from .arguments import Arguments, Callbacks
from .python_provider import PythonProvider
from .python_tools import Tools

log = logging.getLogger("rlm_server.headless.page")
_ids = count(1)


@dataclass(eq=False)
class LiveRun:
    """A run that the page has under way.

    Attributes:
        watch: takes each event, before the caller's `on_event`.
        is_watched: somebody takes the events one by one.
        lines: events of the log as JSON text, read only where the browser is lost.
        has_begun: the page knows it.
        is_left: nobody waits for it any more; its events and calls go nowhere.
        notified: callbacks that are coroutines, under way.
        calls: calls of tools and of `on_egress` that are under way.
        model_calls: calls of the provider that are under way, by the page's number of each.
        failures: callback -> how often it failed.
    """

    callbacks: Callbacks
    tools: Tools
    watch: Callable[[dict[str, Any]], object]
    provider: PythonProvider | None = None
    id: str = field(default_factory=lambda: f"run-{next(_ids)}")
    is_watched: bool = False
    lines: list[str] = field(default_factory=list)
    has_begun: bool = False
    is_stopped: bool = False
    is_left: bool = False
    notified: set[asyncio.Future[Any]] = field(default_factory=set)
    calls: set[asyncio.Future[Any]] = field(default_factory=set)
    model_calls: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def notify(self, name: str, value: Any) -> None:
        """Call the caller's function `name`; a failure of it is logged, and does not touch the run."""
        callback: Callable[[Any], object] | None = getattr(self.callbacks, name)
        if callback is None or self.is_left:
            return
        try:
            result = callback(value)
        except Exception:  # noqa: BLE001 - the caller's function may raise anything
            self._failed(name)
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(result)
            self.notified.add(task)
            task.add_done_callback(lambda done: self._settled(name, done))

    async def answer(self, call: Coroutine[Any, Any, Any]) -> Any:
        """The result of a call that ends with its run.

        Raises:
            RunCancelled: the run ended before.
        """
        task = asyncio.ensure_future(call)
        self.calls.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            raise RunCancelled("the run is over.") from None
        finally:
            self.calls.discard(task)

    async def end(self) -> None:
        """End the calls of tools, wait for callbacks, and say how often one failed after its first, logged failure."""
        for task in [*self.calls, *(self.notified if self.is_left else ())]:
            task.cancel()
        await asyncio.gather(*self.notified, return_exceptions=True)
        for name, times in self.failures.items():
            if times > 1:
                log.error("%s failed %d times in this run; the first failure is logged above", name, times)

    def _settled(self, name: str, task: asyncio.Future[Any]) -> None:
        self.notified.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._failed(name, fault)

    def _failed(self, name: str, fault: BaseException | None = None) -> None:
        self.failures[name] = self.failures.get(name, 0) + 1
        if self.failures[name] == 1:
            log.error("%s failed; the run continues", name, exc_info=fault or True)


def live_run(arguments: Arguments, *, watch: Callable[[dict[str, Any]], object]) -> LiveRun:
    """The state of a run that is about to begin."""
    callbacks = arguments.callbacks
    is_watched = callbacks.on_event is not None
    return LiveRun(callbacks, arguments.tools, watch, arguments.provider, is_watched=is_watched)
