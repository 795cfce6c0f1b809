"""Blocking pool: `BrowserPool` for programs without an event loop.

In and out as there. The loop runs in a thread; so do callbacks and coroutine tools. Ctrl-C stops the runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Unpack

from .arguments import RLMArguments, RunArguments
from .blocking import Blocking, stepped
from .outcomes import Outcome, Row
from .pool import BrowserPool
from .result import HeadlessResult


class BlockingBrowserPool(Blocking):
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
        super().__init__(self._pool)

    def run(self, question: str, **arguments: Unpack[RunArguments]) -> HeadlessResult:
        """As `BrowserPool.run`; threads may share the pool."""
        return self._opened().wait(self._pool.run(question, **arguments))

    def map(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """As `BrowserPool.map`; `rows` is read in the loop's thread."""
        yield from stepped(self._opened(), self._pool.map(rows))
