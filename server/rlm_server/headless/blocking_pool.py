"""Blocking pool: `BrowserPool` for programs without an event loop.

In and out as there. The loop runs in a thread; so do callbacks and coroutine tools. Ctrl-C stops the runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Unpack

from rlm_core import ConfigError

from .arguments import RLMArguments, RunArguments
from .blocking import LoopThread, stepped
from .pool import BrowserPool, Outcome, Row
from .result import HeadlessResult


class BlockingBrowserPool:
    """`BrowserPool` without `async`: `with BlockingBrowserPool(4) as pool: for outcome in pool.map(rows): ...`.

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
        self._pool = BrowserPool(size, url, token=token, **defaults)
        self._loop: LoopThread | None = None

    def __repr__(self) -> str:
        return f"<Blocking{repr(self._pool)[1:]}"

    def __enter__(self) -> BlockingBrowserPool:
        loop = LoopThread()
        try:
            loop.wait(self._pool.__aenter__())
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
                loop.wait(self._pool.__aexit__(None, None, None))
            finally:
                loop.close()

    def run(self, question: str, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """As `BrowserPool.run`; threads may share the pool."""
        return self._opened().wait(self._pool.run(question, **arguments))

    def map(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """As `BrowserPool.map`; `rows` is read in the loop's thread."""
        yield from stepped(self._opened(), self._pool.map(rows))

    def _opened(self) -> LoopThread:
        if self._loop is None:
            raise ConfigError("BlockingBrowserPool is not open: use it in `with BlockingBrowserPool() as pool:`.")
        return self._loop
