"""Runs of a batch: its missing lines through the pool, and a row for each.

In: checked questions, the file of answers, a server with the budget of all. Out: rows. A row is written as soon as its
run ends. Once the budget is spent no further line begins, and those that it ended are left for the next start.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from rlm_core import RLMError

from ..command.outputs import EventLog
from ..headless.outcomes import Outcome, Row
from ..headless.result import HeadlessResult
from .answers import Answers
from .openai_lines import openai_row
from .progress import Counts, Progress
from .questions import Line, Questions

BUDGET = "budget-spent"
TICK_SECONDS = 0.5


class Pool(Protocol):
    """Answers rows: a `BrowserPool`, or one over a cluster."""

    async def __aenter__(self) -> Pool: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def map(self, rows: AsyncIterator[Row]) -> AsyncIterator[Outcome]:
        """The outcome of each row, as it ends."""


OpenPool = Callable[[int | None], Pool]


@dataclass(slots=True)
class BatchRuns:
    """The runs of one start.

    Attributes:
        record: folder for a log of each run; one that was left there is resumed.
        spent: gives the USD spent by all starts, `None` where it is unknown.
        is_stopped: no further line begins.
        open_pool: gives the pool for a number of runs at once; it starts and ends the server.
        budget_detail: why the budget lets no further call in, "" while it does.
    """

    questions: Questions
    answers: Answers
    counts: Counts
    progress: Progress
    size: int | None
    record: Path | None
    spent: Callable[[], float | None]
    open_pool: OpenPool
    is_stopped: bool = False
    budget_detail: str = ""
    _lines: dict[int, Line] = field(default_factory=dict)
    _logs: dict[int, EventLog] = field(default_factory=dict)

    async def run(self, missing: set[str]) -> None:
        """Run the lines with the keys `missing`, and write a row for each that ends.

        Raises:
            RLMError: the browser does not start.
            OSError: the answers cannot be written.
        """
        ticking = asyncio.create_task(self._ticks())
        try:
            async with self.open_pool(self.size) as pool:
                async for outcome in pool.map(self._rows(missing)):
                    self._take(outcome)
        finally:
            ticking.cancel()
            for log in self._logs.values():
                log.close()

    async def _rows(self, missing: set[str]) -> AsyncIterator[Row]:
        for number, line in enumerate(self.questions.missing(missing)):
            if self.is_stopped or self.budget_detail:
                return
            row = line.row()
            if self.record is not None:
                self._keep_log(number, line, row)
            self._lines[number] = line
            yield row

    def _keep_log(self, number: int, line: Line, row: Row) -> None:
        assert self.record is not None, "logs have a folder"
        path = self.record / log_name(line)
        if is_unfinished(path, line.key):
            row["resume"] = path.read_text(encoding="utf-8")
        log = self._logs[number] = EventLog(path)
        row["on_event"] = log.take

    def _take(self, outcome: Outcome) -> None:
        line, log = self._lines.pop(outcome.index), self._logs.pop(outcome.index, None)
        result = outcome.result
        if log is not None:
            if result is None:
                log.close()
            else:
                log.finish(result.trajectory)
        if result is not None and result.fault is not None and result.fault["type"] == BUDGET:
            self.budget_detail = self.budget_detail or result.detail
            return
        if result is not None and result.stopped_by == "cancelled":
            return
        self.answers.add(row_of(line, outcome))
        if outcome.is_answered:
            self.counts.answered += 1
        else:
            self.counts.failed += 1

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.counts.spent = self.spent()
            self.progress.tick()


def row_of(line: Line, outcome: Outcome) -> dict[str, Any]:
    """The row of one line: `{"id", "key", "error", "attempts", ...}`, and the fields of its result where it has one."""
    error = error_of(outcome.result, outcome.error)
    if line.form == "openai":
        return openai_row(line.id, line.key, outcome.result, error, line.schema)
    own = {} if outcome.result is None else outcome.result.to_json()
    return {"id": line.id, "key": line.key, "error": error, "attempts": outcome.attempts, **own}


def error_of(result: HeadlessResult | None, fault: RLMError | None) -> Mapping[str, Any] | None:
    """Why a line has no answer, `None` where it has one: `{"type", "message"}`."""
    if result is None:
        return {"type": type(fault).__name__, "message": str(fault)}
    if result.stopped_by == "final_answer":
        return None
    kind = result.stopped_by if result.fault is None else result.fault["type"]
    return {"type": kind, "message": result.detail}


def log_name(line: Line) -> str:
    """Name of the log of a line, in any folder."""
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', line.id)[:80].lstrip('.')}-{line.key[:12]}.jsonl"


def is_unfinished(path: Path, key: str) -> bool:
    """Whether the file at `path` is the log of a run under `key` that has not ended; a torn last line is dropped."""
    if not path.is_file():
        return False
    whole, _, torn = path.read_bytes().rpartition(b"\n")
    if torn:
        path.write_bytes(whole + b"\n" if whole else b"")
    lines = whole.splitlines()
    try:
        first, last = json.loads(lines[0]), json.loads(lines[-1])
    except (ValueError, IndexError):
        return False
    is_ended = any(event["type"] == "run_finished" and event["path"] == [] for event in (first, last))
    return first.get("type") == "run_started" and first.get("run") == key and not is_ended
