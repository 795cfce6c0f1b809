"""BrowserPool: many runs in one headless browser, several at once, each in a page that has no other run.

In: rows, each a question with the arguments of a run. Out: an outcome for each row, as it ends. A renderer that dies
takes one run with it, and that run is resumed once on another page; then it is an error. The order of rows, their
files and their keys are the caller's business; see `batch/` for a command that has them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Unpack

from rlm_core import ConfigError, RLMError

from .arguments import Arguments, RLMArguments, RunArguments, chosen, parsed
from .outcomes import Outcome, Row, in_order_of_ends
from .own_server import own_server
from .page import BrowserLost, LiveRun, live_run
from .pages import Pages, PoolPage
from .result import HeadlessResult

MOST_PAGES = 8
"""Pages of a pool whose size is not chosen: two for each processor, as runs wait for models, and no more than these."""
PAGE_RUNS = 100
"""Runs after which a page is closed and another opened, so that memory stays bounded whatever a page holds on to."""
ATTEMPTS = 2


@dataclass(slots=True)
class _Slot:
    """Room for one page."""

    page: PoolPage | None = None


@dataclass(slots=True)
class Attempt:
    """A run on its way through the pool.

    Attributes:
        arguments: of the next attempt; after a lost page they resume the log that was left.
        count: pages that it was given to.
    """

    question: str
    arguments: Arguments
    count: int = 0
    live: LiveRun | None = field(default=None, repr=False)

    def begin(self) -> LiveRun:
        """The state of the next attempt."""
        self.count += 1
        self.live = live_run(self.arguments, watch=lambda event: None)
        return self.live

    def salvage(self, lost: RLMError) -> None:
        """Let the next attempt continue from the log of this one, unless the run is made from a log of its own."""
        log = lost.partial.trajectory if isinstance(lost, BrowserLost) else ""
        is_free = self.arguments.log.keys() <= {"resume"}
        if log and is_free:
            self.arguments = replace(self.arguments, log={"resume": log})


class BrowserPool:
    """Runs in one headless browser, `size` at once; each has a fresh worker, and the next one is prepared beside it.

    Args:
        size: most runs at once, and most pages; by default two for each processor, at most `MOST_PAGES`. A page with
            two workers takes about 250 MB.
        url: address of a running server; without it one is started.
        token: token of that server.
        defaults: options, tools and callbacks of each run; see `RLMArguments`.

    >>> async def main():  # doctest: +SKIP
    ...     rows = [{"question": "Who signs?", "context": path} for path in Path("leases").glob("*.pdf")]
    ...     async with BrowserPool(4, max_cost=0.1) as pool:
    ...         async for outcome in pool.map(rows):
    ...             print(rows[outcome.index]["context"], outcome.result or outcome.error)

    Raises:
        ConfigError: an argument is unknown or impossible.
    """

    def __init__(
        self,
        size: int | None = None,
        url: str | None = None,
        *,
        token: str | None = None,
        **defaults: Unpack[RLMArguments],
    ) -> None:
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise ConfigError(f"size must be a whole number of 1 or more, not {size!r}.")
        self.size = size or min(MOST_PAGES, 2 * (os.cpu_count() or 1))
        self._url = url
        self._token = token
        self._defaults: Mapping[str, object] = defaults
        self._server: AbstractContextManager[str] | None = None
        self._pages: Pages | None = None
        self._slots: list[_Slot] = []
        self._free: asyncio.LifoQueue[_Slot] = asyncio.LifoQueue()
        self._running: set[asyncio.Task[Any]] = set()
        self._has_opened = False
        self._fault: RLMError | None = None
        parsed(defaults, RLMArguments)

    def __repr__(self) -> str:
        state = "closed" if self._pages is None else f"open, runs: {len(self._running)}"
        return f"<BrowserPool of {self.size}, {state}>"

    async def __aenter__(self) -> BrowserPool:
        server = None if self._url is not None else self._server or own_server()
        self._pages = await Pages(self._url, self._token, server).__aenter__()
        self._free = asyncio.LifoQueue()  # the last one that was used has a page
        self._slots = [_Slot() for _ in range(self.size)]
        for slot in self._slots:
            self._free.put_nowait(slot)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        pages, self._pages = self._pages, None  # before a page is free: a run that waits for one begins no more
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        if pages is not None:
            await pages.__aexit__(kind, fault, trace)

    async def run(self, question: str, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """Answer `question` as soon as a page is free; see `RunArguments`. A caller that is cancelled stops the run.

        Raises:
            ConfigError: it is not open, or an argument is impossible; nothing ran.
            ReplayError: the run is made from a log, and does not go as the recorded one.
            BrowserLost: two pages were lost in turn; it holds the partial result.
            RLMError: the page failed; the message is its own.
        """
        return await self._attempted(self._attempt(question, arguments))

    async def map(self, rows: Iterable[Row] | AsyncIterable[Row]) -> AsyncIterator[Outcome]:
        """The outcome of each row, in the order in which they end; an error is one too, and ends no other run.

        Rows are taken as pages become free, and outcomes that nobody has taken yet hold the next rows back: memory does
        not grow with their number. A loop that is left early stops the runs under way.

        Raises:
            ConfigError: it is not open.
            BrowserMissing: there is no Chromium.
            RLMError: not even the first page opens.
        """
        self._opened()
        async with aclosing(in_order_of_ends(rows, self.size, self.outcome)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def outcome(self, index: int, row: Row) -> Outcome:
        """The outcome of `row`, as soon as a page is free.

        Raises:
            ConfigError: it is not open.
            BrowserMissing: there is no Chromium.
            RLMError: not even the first page opens.
        """
        self._opened()
        arguments: dict[str, Any] = {**row}
        question, attempt = arguments.pop("question", ""), None
        try:
            attempt = self._attempt(question, arguments)
            return Outcome(index, row, await self._attempted(attempt), None, attempt.count)
        except RLMError as fault:
            if fault is self._fault:  # no row's own: no page opens at all
                raise
            return Outcome(index, row, None, fault, 0 if attempt is None else attempt.count)

    def _attempt(self, question: str, arguments: Mapping[str, object]) -> Attempt:
        self._opened()
        return Attempt(question, parsed(chosen(self._defaults, arguments), RunArguments))

    async def _attempted(self, attempt: Attempt) -> HeadlessResult:
        slot = await self._free.get()
        task = asyncio.current_task()
        assert task is not None, "a coroutine that runs is a task"
        self._running.add(task)
        try:
            while True:
                self._opened()
                page = await self._ready(slot)
                try:
                    page.runs += 1
                    return await page.run(attempt.begin(), attempt.question, attempt.arguments)
                except RLMError as fault:
                    if not (isinstance(fault, BrowserLost) or page.is_lost):
                        raise
                    page.is_lost = True
                    attempt.salvage(fault)
                    if attempt.count >= ATTEMPTS:
                        raise
        finally:
            self._running.discard(task)
            self._free.put_nowait(slot)

    async def _ready(self, slot: _Slot) -> PoolPage:
        """The page of `slot`, or another where that one is lost or worn."""
        if slot.page is not None and (slot.page.is_lost or slot.page.runs >= PAGE_RUNS):
            worn, slot.page = slot.page, None
            await worn.close()
        if slot.page is None:
            slot.page = await self._opened_page()
        return slot.page

    async def _opened_page(self) -> PoolPage:
        try:
            page = await self._opened().open()
        except RLMError as fault:
            if not self._has_opened:
                self._fault = fault
            raise
        self._has_opened = True
        return page

    def _opened(self) -> Pages:
        if self._pages is None:
            raise ConfigError("BrowserPool is not open: use it in `async with BrowserPool() as pool:`.")
        return self._pages


def pool_over(server: AbstractContextManager[str], size: int | None = None, **defaults: Any) -> BrowserPool:
    """A pool over `server`, which it starts and ends."""
    pool = BrowserPool(size, **defaults)
    pool._server = server
    return pool
