"""Shown run: a run of another system, as far as its log tells, and its events.

In: iterations with code, output, calls and child runs, from a reader of one format. Out: the events of a trajectory of
ours. No format holds all of it: prompts, models and limits that a log lacks are left empty.

`worker/log/shown_run.js` is the same for the page; `tests/golden/foreign` holds the events that both make.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rlm_core import Event, ModelUsage, Observation, ProtocolError
from rlm_core.events import (
    BlockFinished,
    BlockStarted,
    CallFinished,
    CallStarted,
    IterationFinished,
    IterationStarted,
    RunFinished,
    RunStarted,
)
from rlm_core.types import StoppedBy

FENCE = "```"
SHOWN_NAMES = 5
Row = dict[str, Any]


@dataclass(slots=True)
class ShownBlock:
    """A code block; `calls` holds the usage of each sub-call, `None` for one that failed."""

    code: str
    stdout: str = ""
    error: str | None = None
    calls: list[ModelUsage | None] = field(default_factory=list)
    children: list[ShownRun] = field(default_factory=list)


@dataclass(slots=True)
class ShownIteration:
    """A reply with its blocks. `usage` is that of its call, `None` where no model wrote it; `seconds` its duration."""

    reply: str
    blocks: list[ShownBlock] = field(default_factory=list)
    usage: ModelUsage | None = field(default_factory=lambda: ModelUsage(1))
    seconds: float = 0.0


@dataclass(slots=True)
class ShownRun:
    """A run; an answer of `None` is one that the log does not hold."""

    iterations: list[ShownIteration] = field(default_factory=list)
    answer: str | None = None
    stopped_by: StoppedBy | None = None
    detail: str = ""


def events_of(run: ShownRun) -> list[Event]:
    """The events of `run` and the runs below it, numbered."""
    return [dataclasses.replace(event, seq=seq) for seq, event in enumerate(_Writer().run(run, ()))]


class _Writer:
    """Numbers the calls of the tree, and keeps its time."""

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.0

    def run(self, run: ShownRun, path: tuple[int, ...]) -> Iterator[Event]:
        yield RunStarted(question="", model=None, sub_model=None, limits={}, path=path, seconds=self.seconds)
        children = 0
        for number, iteration in enumerate(run.iterations, start=1):
            yield IterationStarted(iteration=number, path=path, seconds=self.seconds)
            ends = self.seconds + iteration.seconds
            if iteration.usage is not None:
                yield from self._call("root", iteration.reply, iteration.usage, path)
            for index, block in enumerate(iteration.blocks):
                where: dict[str, Any] = {"iteration": number, "block": index, "path": path}
                yield BlockStarted(code=block.code, seconds=self.seconds, **where)
                for usage in block.calls:
                    yield from self._call("sub", None if usage is None else "", usage or ModelUsage(), path)
                for child in block.children:
                    yield from self.run(child, (*path, children))
                    children += 1
                observation = Observation(block.stdout, len(block.stdout), None, block.error)
                yield BlockFinished(observation=observation, seconds=self.seconds, **where)
            self.seconds = round(max(self.seconds, ends), 3)
            blocks = len(iteration.blocks)
            yield IterationFinished(
                iteration=number, reply=iteration.reply, blocks=blocks, path=path, seconds=self.seconds
            )
        stopped_by: StoppedBy = run.stopped_by or ("max_iterations" if run.answer is None else "final_answer")
        ending = RunFinished(
            answer=run.answer or "", iterations=len(run.iterations), stopped_by=stopped_by, detail=run.detail
        )
        yield dataclasses.replace(ending, path=path, seconds=self.seconds)

    def _call(self, kind: str, text: str | None, usage: ModelUsage, path: tuple[int, ...]) -> Iterator[Event]:
        number, self.calls = self.calls, self.calls + 1
        where: dict[str, Any] = {"call": number, "path": path, "seconds": self.seconds}
        yield CallStarted(kind=kind, model=None, messages=(), **where)  # type: ignore[arg-type]
        error = "the call failed; the log does not say why." if text is None else None
        yield CallFinished(text=text, error=error, usage=usage, **where)


# --- Means of the readers -------------------------------------------------------------------------------------------


def fenced(code: str, reasoning: str = "") -> str:
    """A reply with `code`, as a model of ours writes it."""
    return "\n\n".join(filter(None, [reasoning.strip(), f"{FENCE}repl\n{code.strip()}\n{FENCE}"]))


def text_of(value: object) -> str:
    """A final answer as text: text as it is, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def rows_of(text: str) -> tuple[list[Row], list[str]]:
    """The objects of a log in lines, and a note where the last line was cut off.

    Raises:
        ProtocolError: another line is no JSON object; the message gives its number.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows: list[Row] = []
    for number, line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as fault:
            if number == lines[-1][0] and rows:
                return rows, [f"line {number}, the last, was cut off and is left out."]
            raise ProtocolError(f"line {number}: not JSON: {fault}.") from None
        if not isinstance(row, dict):
            raise ProtocolError(f"line {number}: no object.")
        rows.append(row)
    return rows, []


def unknown_types(types: Sequence[str]) -> list[str]:
    """A note on lines of unknown types, with their number."""
    if not types:
        return []
    names = list(dict.fromkeys(types))
    shown = ", ".join(names[:SHOWN_NAMES]) + (", …" if len(names) > SHOWN_NAMES else "")
    return [f"{len(types)} line{'' if len(types) == 1 else 's'} of an unknown type left out ({shown})"]


def milliseconds(row: Mapping[str, Any], name: str) -> int:
    """The time in a field of a row, whole milliseconds; 0 where there is none."""
    try:
        then = datetime.fromisoformat(str(row.get(name)))
    except ValueError:
        return 0
    return int(then.replace(microsecond=0).timestamp()) * 1_000 + then.microsecond // 1_000


def usage_of(used: object, *, input: str, output: str) -> ModelUsage:
    """The usage of one call, with the names that the format has for its tokens."""
    counts = used if isinstance(used, dict) else {}
    return ModelUsage(1, _whole(counts.get(input)), _whole(counts.get(output)))


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
