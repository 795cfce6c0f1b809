"""BrowserRLM: runs without a window, in the real page and worker in a headless Chromium, driven by Playwright.

In: a question, a context, tools, options, callbacks. Out: the run's result, and every event on the way. The code is the
page's, so a headless run and a run by hand are the same run. For programs without an event loop see `blocking.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from itertools import count
from types import TracebackType
from typing import Any, Unpack

from rlm_core import ConfigError
from rlm_core.value_text import Variable

from .arguments import Arguments, Log, QuestionArguments, RLMArguments, RunArguments, chosen, log_text, parsed
from .cell_progress import progress_for
from .execution import Execution, execution_of
from .opening import open_own_page, open_page_for_runs
from .own_server import own_server
from .page import LiveRun, Page, live_run
from .recording import question_of
from .report_form import ReportForm
from .result import HeadlessResult

_session_ids = count(1)
AT_WORK = "the session is at work on a question: await it before you ask the next."


class Run:
    """A run under way, made by `BrowserRLM.start`: `await run` gives its result, `async for` its events.

    >>> async def main():  # doctest: +SKIP
    ...     run = rlm.start("Who?", context=Path("book.txt"))
    ...     await asyncio.sleep(60)
    ...     await run.stop()
    ...     result = await run  # the best partial answer
    """

    def __init__(
        self, page: Page, question: str, arguments: Arguments, under_way: set[Run], session: str | None = None
    ) -> None:
        self._page = page
        self._question = question
        self._waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._is_watched = False
        self._live = live_run(arguments, watch=self._watch)
        self._task = asyncio.ensure_future(page.run(self._live, question, arguments, session))
        self._under_way = under_way
        under_way.add(self)
        self._task.add_done_callback(self._over)

    def __repr__(self) -> str:
        return f"<Run {self._question[:60]!r}, {'over' if self.done() else 'under way'}>"

    def __await__(self) -> Generator[Any, None, HeadlessResult]:
        return self._task.__await__()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Each event from now on; the last one is the root's `run_finished`. A run has one reader."""
        if self._is_watched:
            raise ConfigError("the events of this run are read already.")
        self._is_watched = True
        await self._page.watch(self._live)
        while (event := await self._waiting.get()) is not None:
            yield event

    def done(self) -> bool:
        """Whether the run is over."""
        return self._task.done()

    async def stop(self) -> None:
        """Stop the run, and no other: awaiting it gives the partial result."""
        if not self.done():
            await self._page.stop(self._live)

    async def ended(self) -> None:
        """Wait for the end of the run, whichever it is."""
        await asyncio.wait([self._task])

    async def leave(self) -> None:
        """Stop the run and wait for its end; its result is dropped."""
        self._task.cancel()
        await self.ended()

    def _over(self, task: asyncio.Task[HeadlessResult]) -> None:
        self._waiting.put_nowait(None)
        self._under_way.discard(self)

    def _watch(self, event: dict[str, Any]) -> None:
        if self._is_watched:
            self._waiting.put_nowait(event)


class BrowserRLM:
    """An RLM for Python programs: model code runs contained in a headless browser, never in this process.

    Args:
        url: address of a running server; without it one is started.
        token: token of that server.
        defaults: options, tools and callbacks of each run (`model="...", max_iterations=10`); see `RLMArguments`.

    >>> async def main():  # doctest: +SKIP
    ...     async with BrowserRLM(max_depth=2) as rlm:
    ...         result = await rlm.run("Who?", context=Path("book.txt"), tools={"today": lambda: "Monday"})

    Raises:
        ConfigError: an argument is unknown or impossible.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, **defaults: Unpack[RLMArguments]) -> None:
        self._url = url
        self._token = token
        self.defaults: Mapping[str, object] = defaults
        self._open = AsyncExitStack()
        self._page: Page | None = None
        self._runs: set[Run] = set()
        self._server: AbstractContextManager[str] | None = None
        self._has_spares = True
        parsed(defaults, RLMArguments)

    def __repr__(self) -> str:
        state = "closed" if self._page is None else f"open, runs: {len(self._runs)}"
        return f"<BrowserRLM {self._url or 'with its own server'}, {state}>"

    async def __aenter__(self) -> BrowserRLM:
        async with AsyncExitStack() as opening:
            self._page = await opening.enter_async_context(self._opening())
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(run.leave() for run in self._runs))
        self._page = None
        await self._open.__aexit__(kind, fault, trace)

    def start(self, question: str, **arguments: Unpack[RunArguments]) -> Run:
        """Begin a run; of several at once each has its own events, tools and stop.

        Raises:
            ConfigError: it is not open, or an argument is impossible; nothing ran.
        """
        page = self._opened()
        return Run(page, question, parsed(self._chosen(arguments), RunArguments), self._runs)

    async def run(self, question: str, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """Answer `question`; see `RunArguments`. A task that is cancelled meanwhile stops the run. A notebook's cell
        shows how far it is.

        Raises:
            ConfigError: it is not open, or an argument is impossible; nothing ran.
            ReplayError: the run is made from a log, and does not go as the recorded one.
            BrowserLost: the browser ended meanwhile; it holds the partial result.
            RLMError: the page failed; the message is its own.
        """
        progress = progress_for(arguments, self.defaults)
        if progress is None:
            return await self.start(question, **arguments)
        async with progress.ticking():
            return await self.start(question, **_with(arguments, on_event=progress.take))

    async def events(self, question: str, **arguments: Unpack[RunArguments]) -> AsyncIterator[dict[str, Any]]:
        """Run as `run` does, and give each event as it happens; the last one is the root's `run_finished`.

        A loop that is left early stops the run.
        """
        async with _left(self.start(question, **arguments)) as run:
            async for event in run:
                yield event
            await run

    async def replay(self, log: Log, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """Replay a recorded run over its context, without a model; its question is the recorded one.

        Raises:
            ReplayError: it does not go as recorded; the message names the first difference.
        """
        return await self.run(_question(log), **_with(arguments, replay=log))

    async def resume(self, log: Log, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """Continue a run that did not end, over the same context: no call that was answered is repeated."""
        return await self.run(_question(log), **_with(arguments, resume=log))

    async def fork(
        self,
        log: Log,
        iteration: int,
        question: str | None = None,
        *,
        code: str | list[str] | None = None,
        **arguments: Unpack[RunArguments],
    ) -> HeadlessResult:
        """Begin as a recorded run did and continue live from `iteration` on, with its question or another.

        Args:
            log: of the run, as text, a `Path` or lines.
            iteration: from 1.
            question: another than the recorded one.
            code: Python, or blocks of it, that this iteration runs in place of a reply; the next one is live then.
        """
        return await self.run(question or _question(log), **_with(arguments, fork=(log, iteration, code)))

    async def report(self, log: Log, form: ReportForm = "html") -> str:
        """A run that ended as a file to take along: `markdown`, `html` without a script, or `ipynb`, which runs.

        Raises:
            ConfigError: it is no log of a run that ended.
        """
        return await self._opened().report(log_text("log", log), form)

    def session(
        self, *, earlier: Sequence[Log] = (), context: object = None, **defaults: Unpack[RLMArguments]
    ) -> Session:
        """A session: several questions over one REPL.

        Args:
            earlier: logs of its questions so far, the first one first: variables and conversations are rebuilt from
                them before the next question, and no model is asked for that.
            context: that of the first of these.

        >>> async def main():  # doctest: +SKIP
        ...     async with rlm.session() as session:
        ...         await session.run("Who signs?", context=Path("lease.txt"))
        ...         await session.run("And when?")

        Raises:
            ConfigError: it is not open, or an argument is impossible.
        """
        logs = [log_text("earlier", log) for log in earlier]
        return Session(self._opened(), self._chosen(defaults), self._runs, logs, context)

    async def stop(self) -> None:
        """Stop all runs under way; `run` then returns the partial result."""
        await asyncio.gather(*(run.stop() for run in self._runs))

    def _opening(self) -> AbstractAsyncContextManager[Page]:
        if self._url is not None:
            return open_page_for_runs(self._url, self._token)
        return open_own_page(self._server or own_server(), has_spares=self._has_spares)

    def _opened(self) -> Page:
        if self._page is None:
            raise ConfigError("BrowserRLM is not open: use it in `async with BrowserRLM() as rlm:`.")
        return self._page

    def _chosen(self, arguments: Mapping[str, object]) -> dict[str, object]:
        return chosen(self.defaults, arguments)


class Session:
    """Several questions over one REPL: variables, contexts and conversations live on from one to the next.

    Made by `BrowserRLM.session`. One question at a time; `close` it, or use it in `async with`.
    """

    def __init__(
        self,
        page: Page,
        defaults: Mapping[str, object],
        under_way: set[Run],
        earlier: Sequence[str] = (),
        context: object = None,
    ) -> None:
        self._page = page
        self.defaults = defaults
        self._under_way = under_way
        self._earlier = earlier
        self._context = context
        self._settings = parsed(defaults, RLMArguments)
        self._id = f"session-{next(_session_ids)}"
        self._is_open = False
        self._is_closed = False
        self._opening = asyncio.Lock()
        self._current: Run | None = None
        self._entry: LiveRun | None = None

    def __repr__(self) -> str:
        return f"<Session {self._id}, {'closed' if self._is_closed else 'open'}>"

    async def __aenter__(self) -> Session:
        await self._opened()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self, question: str, **arguments: Unpack[QuestionArguments]) -> Run:
        """Begin to answer the next question; without a context the one before stays.

        Raises:
            ConfigError: it is closed, or at work on a question, or an argument is impossible.
        """
        parsed(arguments, QuestionArguments)
        await self._opened()
        self._check_free()
        own = parsed(chosen(self.defaults, arguments), RunArguments)
        self._current = Run(self._page, question, own, self._under_way, self._id)
        return self._current

    async def run(self, question: str, **arguments: Unpack[QuestionArguments]) -> HeadlessResult:
        """Answer the next question; errors as of `start` and of `BrowserRLM.run`."""
        progress = progress_for(arguments, self.defaults)
        if progress is None:
            return await (await self.start(question, **arguments))
        async with progress.ticking():
            return await (await self.start(question, **_with(arguments, on_event=progress.take)))

    async def events(self, question: str, **arguments: Unpack[QuestionArguments]) -> AsyncIterator[dict[str, Any]]:
        """As `BrowserRLM.events`, for the next question."""
        async with _left(await self.start(question, **arguments)) as run:
            async for event in run:
                yield event
            await run

    async def execute(self, code: str) -> Execution:
        """Run Python of your own in the REPL: no model is called, and later questions find its variables.

        Raises:
            ConfigError: the session is closed, or at work, or the code is empty.
            RLMError: the page failed, or the browser was lost.
        """
        return execution_of(await self._entered(code))

    async def variables(self) -> list[Variable]:
        """The context and the variables of the REPL, at most 500; errors as of `execute`."""
        return list(await self._entered(None))

    async def _entered(self, code: str | None) -> Any:
        await self._opened()
        self._check_free()
        self._entry = entry = live_run(self._settings, watch=lambda event: None)
        try:
            return await self._page.execute(entry, code, self._id, self._settings)
        finally:
            self._entry = None

    async def stop(self) -> None:
        """Stop the question or the code that is at work; `run` then returns the partial result."""
        if self._current is not None:
            await self._current.stop()
        if self._entry is not None:
            await self._page.stop(self._entry)

    async def close(self) -> None:
        """End the session; a question that is at work is stopped, and gives its partial result."""
        self._is_closed = True
        await self.stop()
        if self._current is not None:
            await self._current.ended()
        async with self._opening:
            if self._is_open:
                await self._page.close_session(self._id)
            self._is_open = False

    async def _opened(self) -> None:
        async with self._opening:
            if not self._is_open and not self._is_closed:
                await self._page.open_session(self._id, self._settings, self._earlier, self._context)
                self._is_open = True
            if self._is_closed:  # perhaps meanwhile
                raise ConfigError("the session is over: it was closed. Begin a new one.")

    def _check_free(self) -> None:
        """Refuse a second question or entry: events and tools of the page are those of one.

        Raises:
            ConfigError: something is at work.
        """
        if self._entry is not None or (self._current is not None and not self._current.done()):
            raise ConfigError(AT_WORK)


@asynccontextmanager
async def _left(run: Run) -> AsyncIterator[Run]:
    """`run`, left at the end of the block: one that is still at work is stopped."""
    try:
        yield run
    finally:
        await run.leave()


def rlm_over(server: AbstractContextManager[str], **defaults: Any) -> BrowserRLM:
    """A `BrowserRLM` over `server`, which it starts and ends."""
    rlm = BrowserRLM(**defaults)
    rlm._server = server
    return rlm


def for_one_run(server: AbstractContextManager[str]) -> BrowserRLM:
    """A `BrowserRLM` over `server`, which it starts and ends; no worker is booted for a next run."""
    rlm = rlm_over(server)
    rlm._has_spares = False
    return rlm


def _with(arguments: Mapping[str, object], **more: object) -> Any:
    return {**arguments, **more}


def _question(log: Log) -> str:
    return question_of(log_text("log", log))
