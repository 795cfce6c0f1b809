"""Logs of `fast-rlm`: a line for each step of each agent, which name their run and the run above it.

They hold code and output, and no prompt, reply or model. The first step of a run is the program's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .shown_run import (
    Row,
    ShownBlock,
    ShownIteration,
    ShownRun,
    fenced,
    milliseconds,
    text_of,
    unknown_types,
    usage_of,
)

STEPS = ("code_generated", "execution_result")
TRACEBACK = "Error: Traceback"


def is_fast_rlm(row: Row) -> bool:
    """Whether a line is one of such a log."""
    return isinstance(row.get("event_type"), str) and isinstance(row.get("run_id"), str)


@dataclass(slots=True)
class _Agent:
    """A run as it is read: children wait for the step that began them, whose line follows theirs."""

    run: ShownRun = field(default_factory=ShownRun)
    waiting: list[ShownRun] = field(default_factory=list)
    step: Any = None
    at: int = 0


def read_fast_rlm(rows: list[Row]) -> tuple[ShownRun, list[str]]:
    """The root run of a log, and notes on lines that were left out."""
    agents: dict[str, _Agent] = {}
    unknown: list[str] = []
    for row in rows:
        if not is_fast_rlm(row):
            unknown.append(str(row.get("event_type")))
            continue
        agent = agents.get(row["run_id"])
        if agent is None:
            agent = _Agent(at=milliseconds(row, "time"))
            if row.get("parent_run_id") in agents:
                agents[row["parent_run_id"]].waiting.append(agent.run)
            agents[row["run_id"]] = agent  # only now: no run is its own child
        if row["event_type"] in STEPS:
            _take_step(agent, row)
        elif row["event_type"] == "final_result":
            agent.run.answer = text_of(row.get("result"))
        elif row["event_type"] not in ("agent_start", "agent_end"):
            unknown.append(row["event_type"])
    root = next(iter(agents.values()), _Agent())
    return root.run, unknown_types(unknown)


def _take_step(agent: _Agent, row: Row) -> None:
    code, output = str(row.get("code") or ""), str(row.get("output") or "")
    at = milliseconds(row, "time")
    if agent.step != row.get("step") or not agent.run.iterations:
        is_called = "llm_call_start" in (row.get("timestamps") or {})
        usage = usage_of(row.get("usage"), input="prompt_tokens", output="completion_tokens") if is_called else None
        reply = fenced(code, str(row.get("reasoning") or ""))
        agent.run.iterations.append(ShownIteration(reply, [ShownBlock(code)], usage))
    iteration = agent.run.iterations[-1]
    block = iteration.blocks[0]
    block.stdout, block.error = _parts(output) if row.get("hasError") else (output, None)
    block.children += agent.waiting
    iteration.seconds += max(0, at - agent.at) / 1_000
    agent.step, agent.at, agent.waiting = row.get("step"), at, []


def _parts(output: str) -> tuple[str, str]:
    """Printed text and traceback of a failed block."""
    printed, found, traceback = output.partition(TRACEBACK)
    return (printed, f"{found}{traceback}".strip()) if found else ("", output)
