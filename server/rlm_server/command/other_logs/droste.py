"""Traces of `droste`: its events as lines, or in the run record of a result as JSON.

An event names its run and the run above it. Replies, code and output are there where the trace's retention keeps them;
prompts, sub-prompts and models are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rlm_core import ModelUsage

from .shown_run import Row, ShownBlock, ShownIteration, ShownRun, fenced, milliseconds, text_of, unknown_types

LEFT_OUT = (
    *("startup", "progress", "iteration_start", "reasoning_delta", "heartbeat", "repair", "extract", "replay"),
    *("usage_progress", "usage", "budget", "policy", "capability"),
)
"""Types that tell nothing more of a run than the others."""


def is_droste(row: Row) -> bool:
    """Whether an object is an event of such a trace."""
    return isinstance(row.get("type"), str) and isinstance(row.get("run_id"), str) and "persistence_class" in row


def record_in(value: object) -> list[Row] | None:
    """The events of a run record, or of a result with one; `None` for any other JSON value."""
    record = value.get("run_record", value) if isinstance(value, dict) else None
    events = record.get("events") if isinstance(record, dict) else None
    return (
        events if isinstance(events, list) and all(isinstance(row, dict) and is_droste(row) for row in events) else None
    )


@dataclass(slots=True)
class _Traced:
    """A run as it is read."""

    run: ShownRun = field(default_factory=ShownRun)
    draft: str | None = None
    at: int = 0


def read_droste(rows: list[Row]) -> tuple[ShownRun, list[str]]:
    """The root run of a trace, and notes on events that were left out."""
    runs: dict[str, _Traced] = {}
    unknown: list[str] = []
    for row in rows:
        if not is_droste(row):
            unknown.append(str(row.get("type")))
            continue
        traced = runs.get(row["run_id"])
        if traced is None:
            traced = _Traced(at=milliseconds(row, "timestamp"))
            if row.get("parent_run_id") in runs:
                _block(runs[row["parent_run_id"]].run).children.append(traced.run)
            runs[row["run_id"]] = traced  # only now: no run is its own child
        if not _take(traced, row):
            unknown.append(row["type"])
    for traced in runs.values():
        traced.run.answer = traced.draft if traced.run.answer is None else traced.run.answer
    return next(iter(runs.values()), _Traced()).run, unknown_types(unknown)


def _take(traced: _Traced, row: Row) -> bool:
    """Take an event; whether its type is known."""
    run, kind = traced.run, row["type"]
    if kind == "llm_response":
        run.iterations.append(ShownIteration(str(row.get("response") or "")))
    elif kind == "code":
        code = str(row.get("code") or "")
        if not run.iterations or run.iterations[-1].blocks:
            run.iterations.append(ShownIteration(fenced(code), usage=None))
        run.iterations[-1].blocks.append(ShownBlock(code))
    elif kind == "output":
        _block(run).stdout = str(row.get("stdout") or "")
    elif kind == "execution_error":
        _block(run).error = f"{row.get('error_type')}: {row.get('message')}"
    elif kind == "subcall":
        _take_subcall(run, row)
    elif kind == "checkpoint":
        traced.draft = str(row.get("draft") or "") or traced.draft
    elif kind == "result":
        _take_result(run, row.get("result"))
    elif kind == "done":
        _take_end(run, row)
    elif kind not in LEFT_OUT:
        return False
    if run.iterations:
        at = milliseconds(row, "timestamp")
        run.iterations[-1].seconds += max(0, at - traced.at) / 1_000
        traced.at = at
    return True


def _take_subcall(run: ShownRun, row: Row) -> None:
    if row.get("phase") not in ("completion", "error"):
        return
    failed = row["phase"] == "error" or row.get("error") is not None
    count = row.get("batch_count")
    calls = count if isinstance(count, int) and 0 < count <= 1_000 else 1
    _block(run).calls += [None if failed else ModelUsage(1)] * calls


def _take_result(run: ShownRun, result: Any) -> None:
    if isinstance(result, dict) and result.get("answer") is not None:
        run.answer = text_of(result["answer"])


def _take_end(run: ShownRun, row: Row) -> None:
    error = row.get("error")
    if row.get("extracted"):
        run.stopped_by, run.detail = "max_iterations", "The iterations ran out, and the answer was extracted."
    elif isinstance(error, dict):
        run.stopped_by, run.detail = "provider_error", str(error.get("message") or error.get("type") or "")
    elif not row.get("ready"):
        run.stopped_by = "max_iterations"


def _block(run: ShownRun) -> ShownBlock:
    """The block that runs; of a trace that keeps no code, an empty one."""
    if not run.iterations:
        run.iterations.append(ShownIteration("", usage=None))
    if not run.iterations[-1].blocks:
        run.iterations[-1].blocks.append(ShownBlock(""))
    return run.iterations[-1].blocks[-1]
