"""Day usage: calls, tokens and cost of each user on each day (UTC), kept in the store's file.

In: a user, the limits of a day, and a guess at a call's size, before it is made; its usage, after. Out: permission, or
the `Problem` that names the spent budget. The limits themselves and the rules of counting are those of `budgets.py`.

The numbers are in the database alone. A call is weighed and counted in one transaction before it is made, so that
neither calls at once, nor a second process on the file, nor a kill between call and reply lets more in than the
day has. Where the database fails no call is let in: a limit that cannot be counted is none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from rlm_core.types import ModelUsage

from ..http.problems import Problem
from ..providers.upstream import UpstreamError
from .budgets import Allowed, Settle, Tally, check_budget, usage_of_failure
from .reply_store import TURNS, open_database

logger = logging.getLogger("rlm_server.store")
T = TypeVar("T")
SCHEMA = """
CREATE TABLE IF NOT EXISTS day_usage (
    user TEXT, day TEXT, calls INTEGER, tokens INTEGER, cost REAL, unpriced INTEGER, PRIMARY KEY (user, day)
) WITHOUT ROWID;
"""
ADD = """
INSERT INTO day_usage VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (user, day) DO UPDATE SET
    calls = calls + excluded.calls, tokens = tokens + excluded.tokens,
    cost = cost + excluded.cost, unpriced = unpriced + excluded.unpriced
"""


class DayUsage:
    """The usage of all users, in its own thread.

    Args:
        path: the store's file, or `None` for memory.
        clock: seconds since the epoch.

    Raises:
        ConfigError: the file cannot be used.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time) -> None:
        self._rows = open_database(path, SCHEMA)
        self._clock = clock
        self._turn = TURNS[path]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="day-usage")

    @asynccontextmanager
    async def reserved(self, allowed: Allowed, user: str, guess: ModelUsage) -> AsyncIterator[Settle]:
        """Let one call of `user` in; call the yielded function with its usage.

        A failed call settles by itself; one that is broken off keeps its guess; one that is refused costs nothing.

        Raises:
            Problem: the day's budget is spent, or cannot be counted.
        """
        day = self._day()
        reserving = self._submit(self._reserve, allowed, user, day, guess)
        try:
            await self._done(reserving)
        except asyncio.CancelledError:
            reserving.add_done_callback(lambda done: self._give_back(done, user, day, guess))
            raise
        counted = guess

        def settle(usage: ModelUsage) -> None:
            nonlocal counted
            change = Tally()
            change.add(usage)
            change.add(counted, -1)
            counted = usage
            self._submit(self._add, user, day, change).add_done_callback(_log_fault)

        try:
            yield settle
        except UpstreamError as fault:
            settle(usage_of_failure(fault))
            raise
        except Problem:
            settle(ModelUsage())
            raise

    async def tally(self, user: str) -> tuple[Tally, str]:
        """The usage of `user` today, and the end of that day.

        Raises:
            Problem: it cannot be read.
        """
        day = self._day()
        end = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
        tally = await self._done(self._submit(self._tally, user, day))
        return tally, end.isoformat().replace("+00:00", "Z")

    def close(self) -> None:
        """Finish the writes under way."""
        self._thread.shutdown()
        self._rows.close()

    def _submit(self, work: Callable[..., T], *values: Any) -> Future[T]:
        return self._thread.submit(self._in_turn, work, *values)

    def _in_turn(self, work: Callable[..., T], *values: Any) -> T:
        with self._turn:
            return work(*values)

    def _day(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).date().isoformat()

    async def _done(self, work: Future[T]) -> T:
        try:
            return await asyncio.wrap_future(work)
        except sqlite3.Error as fault:
            raise Problem(
                "internal-error",
                f"Today's budget cannot be counted ({fault}), so no call is let in. See RLM_STORE_PATH.",
                status=503,
                retryable=True,
            ) from None

    def _reserve(self, allowed: Allowed, user: str, day: str, guess: ModelUsage) -> None:
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            check_budget(allowed, self._tally(user, day), guess)
            added = Tally()
            added.add(guess)
            self._rows.execute("DELETE FROM day_usage WHERE day < ?", (day,))
            self._rows.execute(ADD, _row(user, day, added))

    def _give_back(self, reserved: Future[None], user: str, day: str, guess: ModelUsage) -> None:
        """Take back the guess of a call that was cancelled while it was counted, if it was."""
        if not reserved.cancelled() and reserved.exception() is None:
            taken = Tally()
            taken.add(guess, -1)
            self._add(user, day, taken)

    def _add(self, user: str, day: str, change: Tally) -> None:
        self._rows.execute(ADD, _row(user, day, change))

    def _tally(self, user: str, day: str) -> Tally:
        columns = "SELECT calls, tokens, cost, unpriced FROM day_usage WHERE user = ? AND day = ?"
        return Tally(*(self._rows.execute(columns, (user, day)).fetchone() or ()))


def _row(user: str, day: str, tally: Tally) -> tuple[str, str, int, int, float, int]:
    return (user, day, tally.calls, tally.tokens, tally.cost, tally.unpriced)


def _log_fault(done: Future[None]) -> None:
    fault = done.exception()
    if fault is not None:
        logger.warning(json.dumps({"day usage": "not settled", "reason": str(fault)}))
