"""Outcomes: the ends of rows, as they come, of a pool in one browser or of one over many machines.

In: rows, and a coroutine function that answers one. Out: an outcome for each. What answers is the pool's business; see
`pool.py` and `../ray.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Required

from rlm_core import RLMError

from .arguments import RunArguments
from .result import HeadlessResult


class Row(RunArguments, total=False):
    """A question, and the arguments of its run; those of the pool are the defaults."""

    question: Required[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one row.

    Attributes:
        index: position of the row, from 0.
        row: as it came.
        result: of its run; `None` where there is an error.
        error: an impossible argument, or a page that failed or was lost twice.
        attempts: number of pages that the run was given to.
    """

    index: int
    row: Row
    result: HeadlessResult | None
    error: RLMError | None
    attempts: int

    @property
    def is_answered(self) -> bool:
        """Whether the run ended with a final answer."""
        return self.result is not None and self.result.stopped_by == "final_answer"


async def in_order_of_ends(
    rows: Iterable[Row] | AsyncIterable[Row], size: int, answered: Callable[[int, Row], Awaitable[Outcome]]
) -> AsyncGenerator[Outcome, None]:
    """The outcome of each row, in the order in which they end; `size` rows are under way at once.

    Rows are taken as others end, and outcomes that nobody has taken yet hold the next rows back. A loop that is left
    early cancels the rows under way.
    """
    source, turn = _numbered(rows), asyncio.Lock()
    ended: asyncio.Queue[Outcome | None] = asyncio.Queue()
    room = asyncio.Semaphore(size)

    async def work() -> None:
        while True:
            async with turn:
                numbered = await anext(source, None)
            if numbered is None:
                return
            outcome = await answered(*numbered)
            await room.acquire()
            ended.put_nowait(outcome)

    async def work_all() -> None:
        try:
            await asyncio.gather(*workers)
        finally:
            ended.put_nowait(None)

    workers = [asyncio.ensure_future(work()) for _ in range(size)]
    whole = asyncio.ensure_future(work_all())
    try:
        while (outcome := await ended.get()) is not None:
            room.release()
            yield outcome
        await whole  # raises the error of `rows`
    finally:
        for task in (*workers, whole):
            task.cancel()
        await asyncio.gather(*workers, whole, return_exceptions=True)


async def _numbered(rows: Iterable[Row] | AsyncIterable[Row]) -> AsyncIterator[tuple[int, Row]]:
    index = 0
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield index, row
            index += 1
        return
    for index, row in enumerate(rows):
        yield index, row
