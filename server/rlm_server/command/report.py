"""Report: a run as Markdown, from its log: question, answer, how it ended, and its quotes with their places.

In: events of a trajectory. Out: text. Quotes are the lines of `evidence_lines`, so that page, command and report agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rlm_core import Event, ProtocolError
from rlm_core.events import RunFinished, RunStarted

from ..headless.evidence_lines import evidence_lines


def report(events: Sequence[Event]) -> str:
    """The report of the root run.

    Raises:
        ProtocolError: the log has no ending, so that there is no answer to report.
    """
    started = next((event for event in events if isinstance(event, RunStarted) and event.path == ()), None)
    ended = next((event for event in events if isinstance(event, RunFinished) and event.path == ()), None)
    if ended is None:
        raise ProtocolError("the log has no ending: its run was cut off. `pyodide-rlm run --resume` continues it.")
    question = started.question.strip() if started is not None else ""
    parts = [f"# {question or '(a question that the log does not hold)'}", ended.answer.strip() or "(no answer)"]
    if ended.stopped_by != "final_answer":
        parts.append(f"No final answer: {ended.detail or ended.stopped_by}")
    lines = list(evidence_lines([asdict(item) for item in ended.evidence]))
    parts.append("## Evidence")
    parts.append("\n".join(f"- {line}" for line in lines) or "Unsupported: it came without a quote of the context.")
    return "\n\n".join(parts) + "\n"
