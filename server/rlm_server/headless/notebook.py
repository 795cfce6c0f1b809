"""Notebook: a result as HTML, which Jupyter and marimo show for the last value of a cell.

In: a result; answer, quotes and output are text of a model and of its code. Out: markup without a script, in which that
text is text alone: the answer, its quotes with their places, and the iterations folded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from rlm_core.trajectory import lines_of

from .answer_displays import as_html, displayed_items
from .evidence_lines import check_lines, evidence_lines
from .names import counted

if TYPE_CHECKING:
    from .result import HeadlessResult

SHOWN_CHARS = 4_000
"""Characters of a reply, or of a block's output, that a fold shows."""
SHOWN_ITERATIONS = 50
TEXT = 'style="white-space: pre-wrap; overflow-wrap: anywhere"'


def result_html(result: HeadlessResult) -> str:
    """The markup of a result."""
    parts = [f"<div {TEXT}>{escape(result.answer) or '(no answer)'}</div>"]
    if result.stopped_by != "final_answer":
        parts.append(f"<p><em>No final answer: {escape(result.detail or result.stopped_by)}</em></p>")
    if result.value is not None:
        parts.append(_folded("Value", json.dumps(result.to_json()["value"], ensure_ascii=False, indent=2)))
    lines = [*evidence_lines(result.evidence), *check_lines(result.answer, result.evidence, result.checks)]
    if lines:
        parts.append(f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>")
    events = map(json.loads, lines_of(result.trajectory))
    parts.append(as_html(displayed_items(events, result.answer)))
    parts.append(_iterations(result))
    return f'<div class="pyodide-rlm-result">{"".join(parts)}</div>'


def _iterations(result: HeadlessResult) -> str:
    """The iterations of the root run, each folded; below them the cost of it all."""
    costs = [used["cost"] for used in result.usage.values()]
    price = "unknown cost" if None in costs else f"{sum(costs):.4f} USD"
    calls = sum(used["calls"] for used in result.usage.values())
    work = f"{counted(result.iterations, 'iteration')}, {counted(calls, 'model call')}"
    about = f"{work}, {price}, {result.total_time:.1f} s"
    inside = "".join(_steps(result.trajectory))
    return f"<details><summary>{escape(about)}</summary>{inside}</details>"


def _steps(trajectory: str) -> Iterator[str]:
    outputs: list[str] = []
    for line in lines_of(trajectory):
        event = json.loads(line)
        if event.get("path"):
            continue
        if event["type"] == "block_finished":
            outputs.append(_output(event["observation"]))
        elif event["type"] == "iteration_finished":
            if event["iteration"] > SHOWN_ITERATIONS:
                yield f"<p>Iterations after the first {SHOWN_ITERATIONS} are in the trajectory.</p>"
                return
            text = "\n\n".join([event["reply"][:SHOWN_CHARS], *outputs])
            outputs.clear()
            yield _folded(f"Iteration {event['iteration']}", text)


def _output(observation: dict[str, Any]) -> str:
    """Output, value and error of a block."""
    said = (observation["stdout"], observation["value"], observation["error"])
    return "Output:\n" + "\n".join(part for part in said if part)[:SHOWN_CHARS]


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{escape(title)}</summary><pre {TEXT}>{escape(text)}</pre></details>"
