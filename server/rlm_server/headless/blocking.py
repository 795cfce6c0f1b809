"""Blocking: `BrowserRLM` for programs without an event loop.

In and out as there. The loop runs in a thread; so do callbacks and coroutine tools. Ctrl-C in a call stops its run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from rlm_core import ConfigError
from rlm_core.value_text import Variable

from .arguments import Log, QuestionArguments, RLMArguments, RunArguments
from .browser_rlm import BrowserRLM, Session
from .cell_progress import progress_for
from .execution import Execution
from .report_form import ReportForm
from .result import HeadlessResult

T = TypeVar("T")
TICK_SECONDS = 0.25


class LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="rlm-loop")
        self._thread.start()

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """The future result of `work`."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, work: Coroutine[Any, Any, T], tick: Callable[[], object] | None = None) -> T:
        """The result of `work`; Ctrl-C meanwhile cancels it, and is raised again when it has ended.

        Args:
            tick: called in this thread, again and again until then.
        """
        over = threading.Event()

        async def tracked() -> T:
            try:
                return await work
            finally:
                over.set()

        future = self.begin(tracked())
        try:
            while tick is not None and not future.done():
                wait([future], timeout=TICK_SECONDS)
                tick()
            return future.result()
        except BaseException:
            if not over.is_set():
                future.cancel()
                over.wait()
            raise

    def close(self) -> None:
        """End the loop, and its thread."""
        self.wait(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Blocking:
    """The loop of something that is opened by `async with`: here by `with`.

    Args:
        inner: opened with the block, and closed with it.
    """

    def __init__(self, inner: AbstractAsyncContextManager[Any]) -> None:
        self._inner = inner
        self._loop: LoopThread | None = None

    def __repr__(self) -> str:
        return f"<Blocking{repr(self._inner)[1:]}"

    def __enter__(self) -> Self:
        loop = LoopThread()
        try:
            loop.wait(self._inner.__aenter__())
        except BaseException:
            loop.close()
            raise
        self._loop = loop
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.wait(self._inner.__aexit__(None, None, None))
            finally:
                loop.close()

    def _opened(self) -> LoopThread:
        if self._loop is None:
            name = type(self).__name__
            short = name.removeprefix("Blocking").removeprefix("Browser").lower()
            raise ConfigError(f"{name} is not open: use it in `with {name}() as {short}:`.")
        return self._loop


class BlockingBrowserRLM(Blocking):
    """`BrowserRLM` without `async`: `with BlockingBrowserRLM() as rlm: rlm.run(...)`. Threads may share it.

    Raises:
        ConfigError: an argument is unknown or impossible.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, **defaults: Unpack[RLMArguments]) -> None:
        self._rlm = BrowserRLM(url, token=token, **defaults)
        super().__init__(self._rlm)

    def run(self, question: str, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """As `BrowserRLM.run`; Ctrl-C stops the run. A notebook's cell shows how far it is."""
        loop = self._opened()
        return _shown(loop, partial(self._rlm.run, question), arguments, self._rlm.defaults)

    def events(self, question: str, **arguments: Unpack[RunArguments]) -> Iterator[dict[str, Any]]:
        """As `BrowserRLM.events`; a loop that is left early stops the run."""
        yield from stepped(self._opened(), self._rlm.events(question, **arguments))

    def replay(self, log: Log, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """As `BrowserRLM.replay`."""
        return self._opened().wait(self._rlm.replay(log, **arguments))

    def resume(self, log: Log, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """As `BrowserRLM.resume`."""
        return self._opened().wait(self._rlm.resume(log, **arguments))

    def fork(
        self,
        log: Log,
        iteration: int,
        question: str | None = None,
        *,
        code: str | list[str] | None = None,
        **arguments: Unpack[RunArguments],
    ) -> HeadlessResult:
        """As `BrowserRLM.fork`."""
        return self._opened().wait(self._rlm.fork(log, iteration, question, code=code, **arguments))

    def report(self, log: Log, form: ReportForm = "html") -> str:
        """As `BrowserRLM.report`."""
        return self._opened().wait(self._rlm.report(log, form))

    def session(
        self, *, earlier: Sequence[Log] = (), context: object = None, **defaults: Unpack[RLMArguments]
    ) -> BlockingSession:
        """As `BrowserRLM.session`: `with rlm.session() as session: session.run(...)`."""
        return BlockingSession(self._opened(), self._rlm.session(earlier=earlier, context=context, **defaults))

    def stop(self) -> None:
        """Stop all runs under way, from another thread or a callback of one."""
        self._opened().wait(self._rlm.stop())


class BlockingSession:
    """`Session` without `async`."""

    def __init__(self, loop: LoopThread, session: Session) -> None:
        self._loop = loop
        self._session = session

    def __repr__(self) -> str:
        return f"<Blocking{repr(self._session)[1:]}"

    def __enter__(self) -> BlockingSession:
        self._loop.wait(self._session.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, question: str, **arguments: Unpack[QuestionArguments]) -> HeadlessResult:
        """As `Session.run`; Ctrl-C stops the question, and the session continues."""
        return _shown(self._loop, partial(self._session.run, question), arguments, self._session.defaults)

    def events(self, question: str, **arguments: Unpack[QuestionArguments]) -> Iterator[dict[str, Any]]:
        """As `Session.events`; a loop that is left early stops the question."""
        yield from stepped(self._loop, self._session.events(question, **arguments))

    def execute(self, code: str) -> Execution:
        """As `Session.execute`; Ctrl-C stops the code, and the session continues."""
        return self._loop.wait(self._session.execute(code))

    def variables(self) -> list[Variable]:
        """As `Session.variables`."""
        return self._loop.wait(self._session.variables())

    def stop(self) -> None:
        """As `Session.stop`, from another thread."""
        self._loop.wait(self._session.stop())

    def close(self) -> None:
        """As `Session.close`."""
        self._loop.wait(self._session.close())


def _shown(
    loop: LoopThread,
    run: Callable[..., Coroutine[Any, Any, HeadlessResult]],
    arguments: Mapping[str, Any],
    defaults: Mapping[str, object],
) -> HeadlessResult:
    """The result of a run, which shows its progress in the cell of a notebook."""
    progress = progress_for(arguments, defaults)
    if progress is None:
        return loop.wait(run(**arguments))
    with progress:
        return loop.wait(run(**arguments, on_event=progress.take), progress.show)


def stepped(loop: LoopThread, events: Any) -> Iterator[Any]:
    """Each item of an asynchronous generator, waited for in this thread; the run continues meanwhile in the loop's."""
    end = object()

    async def step() -> Any:
        return await anext(events, end)

    try:
        while (event := loop.wait(step())) is not end:
            yield event
    finally:
        loop.wait(events.aclose())
