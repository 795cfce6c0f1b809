"""The log format of the PyPI package `rlms`: written from a trajectory of ours, and read into one.

In: events, or lines of such a log. Out: lines of such a log, which its visualizer opens, or events, for viewing. It
holds whole prompts at every iteration and knows nothing of limits or endings, which are left out.

Its releases 0.1.0 to 0.1.3 write one form, in which each has added keys; logs from before them keep sub-calls under
`llm_calls` and a final answer as a pair. All are read; the form of 0.1.3 is written.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rlm_core import Event, Limits, Message, ModelUsage, Observation
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
from rlm_core.trajectory import recorded_calls
from rlm_core.types import StoppedBy

from .other_logs.shown_run import rows_of, unknown_types

Path = tuple[int, ...]
BACKEND = "pyodide-rlm"
_QUESTION = re.compile(
    r'original prompt: "(?P<before>.+?)"\.\n|\AAnswer the following: (?P<since_0_1_3>.+?)\n\nYour context is', re.S
)
"""The question in a prompt of that package, whose log has no field for it."""
_EXCEPTION = re.compile(r"(?:^|\n)[\w.]*(?:Error|Exception|Interrupt|Exit|Iteration|Warning): .*\s*\Z")
"""The end of a traceback: stderr holds warnings too, which are no errors."""


def exported(events: Sequence[Event], *, began: datetime) -> Iterator[str]:
    """The lines of a log as 0.1.3 writes it; child runs are calls that hold a trajectory.

    Args:
        events: of the whole tree of runs.
        began: when the root run began; our events know only the seconds since then.
    """
    run = _Run(events, (), began)
    yield json.dumps({"type": "metadata", "timestamp": began.isoformat(), **run.metadata()})
    for iteration in run.iterations():
        yield json.dumps(iteration)


class _Run:
    """The events of one run of the tree, as that log has them."""

    def __init__(self, events: Sequence[Event], path: Path, began: datetime) -> None:
        self.all = events
        self.own = [event for event in events if event.path == path]
        self.path = path
        self.began = began
        self.finished = {event.call: event for event in events if isinstance(event, CallFinished)}

    def metadata(self) -> dict[str, Any]:
        started = next((event for event in self.own if isinstance(event, RunStarted)), None)
        limits = started.limits if started else {}
        answered = next((event.model for event in self.own if isinstance(event, CallFinished)), "")
        return {
            "root_model": (started.model if started else None) or answered or "unknown",
            "max_depth": limits.get("max_depth", Limits().max_depth),
            "max_iterations": limits.get("max_iterations", Limits().max_iterations),
            "backend": BACKEND,
            "backend_kwargs": {"question": started.question if started else ""},
            "environment_type": "pyodide",
            "environment_kwargs": {},
            "other_backends": None,
        }

    def iterations(self) -> list[dict[str, Any]]:
        rows = [self._iteration(number, part) for number, part in enumerate(self._parts(), start=1)]
        ending = next((event for event in self.own if isinstance(event, RunFinished)), None)
        if rows and ending is not None:
            rows[-1]["final_answer"] = ending.answer or None
        return rows

    def _parts(self) -> Iterator[list[Event]]:
        """The events of each iteration."""
        part: list[Event] = []
        for event in self.own:
            if isinstance(event, IterationStarted):
                part = []
            part.append(event)
            if isinstance(event, IterationFinished):
                yield part
                part = []

    def _iteration(self, number: int, part: Sequence[Event]) -> dict[str, Any]:
        last = part[-1]
        assert isinstance(last, IterationFinished)
        return {
            "type": "iteration",
            "iteration": number,
            "timestamp": (self.began + timedelta(seconds=last.seconds)).isoformat(),
            "prompt": self._prompt(last.seq),
            "response": last.reply,
            "code_blocks": list(self._blocks(part)),
            "final_answer": None,
            "iteration_time": last.seconds - part[0].seconds,
        }

    def _prompt(self, before: int) -> list[dict[str, str]]:
        """The conversation of the last root call before the event `before`."""
        calls = recorded_calls(event for event in self.own if event.seq < before)
        prompts = [recorded.call.messages for recorded in calls if recorded.call.kind == "root"]
        messages = prompts[-1] if prompts else ()
        return [{"role": message.role, "content": message.content} for message in messages]

    def _blocks(self, part: Sequence[Event]) -> Iterator[dict[str, Any]]:
        code, calls, began = "", list[dict[str, Any]](), 0
        for event in part:
            if isinstance(event, BlockStarted):
                code, calls, began = event.code, [], event.seq
            elif isinstance(event, CallStarted) and event.kind == "sub":
                calls.append(self._call(event))
            elif isinstance(event, BlockFinished):
                calls += self._children(began, event.seq)
                yield {"code": code, "result": _result(event.observation, calls)}

    def _call(self, started: CallStarted) -> dict[str, Any]:
        finished = self.finished.get(started.call)
        prompt = started.messages[-1].content if started.messages else ""
        row = _completion(finished.model if finished else "", prompt, (finished and finished.text) or "")
        if finished is None:
            return row
        usage = {finished.model: finished.usage} if finished.error is None else {}
        error = {} if finished.error is None else {"error": finished.error}
        return {**row, **error, "usage_summary": _usage(usage), "execution_time": finished.seconds - started.seconds}

    def _children(self, begin: int, end: int) -> Iterator[dict[str, Any]]:
        """The child runs that were started between two events."""
        for started in self.all:
            if isinstance(started, RunStarted) and begin < started.seq < end and self._is_parent_of(started.path):
                yield self._child(started)

    def _is_parent_of(self, path: Path) -> bool:
        return len(path) == len(self.path) + 1 and path[:-1] == self.path

    def _child(self, started: RunStarted) -> dict[str, Any]:
        run = _Run(self.all, started.path, self.began)
        ending = next((event for event in run.own if isinstance(event, RunFinished)), None)
        metadata = run.metadata()
        row = _completion(metadata["root_model"], started.question, ending.answer if ending else "")
        if ending is not None:
            row |= {"usage_summary": _usage(ending.usage), "execution_time": ending.seconds - started.seconds}
        return {**row, "metadata": {"run_metadata": metadata, "iterations": run.iterations()}}


def _completion(model: str, prompt: str, response: str) -> dict[str, Any]:
    row = {"root_model": model, "prompt": prompt, "response": response}
    return {**row, "usage_summary": _usage({}), "execution_time": 0.0}


def _usage(usage: Mapping[str, ModelUsage]) -> dict[str, Any]:
    costs = [used.cost for used in usage.values() if used.cost is not None]
    total = {"total_cost": sum(costs)} if costs else {}
    return {"model_usage_summaries": {model: _summary(used) for model, used in usage.items()}, **total}


def _summary(used: ModelUsage) -> dict[str, Any]:
    counts = {"total_calls": used.calls, "total_input_tokens": used.input_tokens}
    cost = {} if used.cost is None else {"total_cost": used.cost}
    return {**counts, "total_output_tokens": used.output_tokens, **cost}


def _result(observation: Observation, calls: Sequence[dict[str, Any]]) -> dict[str, Any]:
    shown = observation.stdout + (f"{observation.value}\n" if observation.value is not None else "")
    return {
        "stdout": shown,
        "stderr": observation.error or "",
        "locals": {},
        "execution_time": observation.seconds,
        "rlm_calls": list(calls),
        "final_answer": None,
    }


# --- Import ---------------------------------------------------------------------------------------------------------


def is_rlms(row: Mapping[str, Any]) -> bool:
    """Whether an object is a line of such a log."""
    return row.get("type") == "metadata" or (row.get("type") == "iteration" and "code_blocks" in row)


def imported(lines: Iterable[str]) -> list[Event]:
    """The events of a log in either dialect, as `read_rlms` gives them.

    Raises:
        ProtocolError: a line is no JSON object; the message gives its number.
    """
    return read_rlms(rows_of("\n".join(line.rstrip("\n") for line in lines))[0])[0]


def read_rlms(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Event], list[str]]:
    """The events of a log in either dialect, as far as it tells of them, and a note on lines of another type."""
    metadata = next((row for row in rows if row.get("type") == "metadata"), {})
    iterations = [row for row in rows if row.get("type") == "iteration"]
    others = [str(row.get("type")) for row in rows if row.get("type") not in ("metadata", "iteration")]
    events = list(_run_events({"prompt": _question(metadata, iterations)}, metadata, iterations, (), _Numbers()))
    return [dataclasses.replace(event, seq=seq) for seq, event in enumerate(events)], unknown_types(others)


def _question(metadata: Mapping[str, Any], iterations: Sequence[Mapping[str, Any]]) -> str:
    """The root's question, from our own metadata or from the first prompt; empty where neither has it."""
    if metadata.get("backend") == BACKEND:
        return str((metadata.get("backend_kwargs") or {}).get("question") or "")
    messages = [_message(message) for message in _listed(iterations[0].get("prompt"))] if iterations else []
    found = next((found for message in messages if (found := _QUESTION.search(message.content))), None)
    return found["before"] or found["since_0_1_3"] if found else ""


class _Numbers:
    """Numbers the calls of the tree, and keeps the time, which that log tells per iteration."""

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.0

    def next_call(self) -> int:
        self.calls += 1
        return self.calls - 1


def _run_events(
    call: Mapping[str, Any],
    metadata: Mapping[str, Any],
    iterations: Sequence[Mapping[str, Any]],
    path: Path,
    numbers: _Numbers,
) -> Iterator[Event]:
    """A run of the tree; `call` is how its parent's log tells of it, for the root its question alone."""
    began, question = numbers.seconds, str(call.get("prompt") or "")
    limits = {name: metadata[name] for name in ("max_iterations", "max_depth") if metadata.get(name) is not None}
    model = metadata.get("root_model")
    yield RunStarted(question=question, model=model, sub_model=None, limits=limits, path=path, seconds=began)
    children = _Numbers()
    for number, row in enumerate(iterations, start=1):
        yield from _iteration_events(number, row, model or "", path, numbers, children)
    answer = next((text for row in reversed(iterations) if (text := _final(row)) is not None), None)
    stopped_by: StoppedBy = "max_iterations" if answer is None else "final_answer"
    numbers.seconds = max(numbers.seconds, began + float(call.get("execution_time") or 0.0))
    ending = RunFinished(answer=answer or "", iterations=len(iterations), stopped_by=stopped_by, usage=_usages(call))
    yield dataclasses.replace(ending, path=path, seconds=numbers.seconds)


def _iteration_events(
    number: int, row: Mapping[str, Any], model: str, path: Path, numbers: _Numbers, children: _Numbers
) -> Iterator[Event]:
    began = numbers.seconds
    yield IterationStarted(iteration=number, path=path, seconds=began)
    call = numbers.next_call()
    messages = tuple(_message(message) for message in _listed(row.get("prompt")))
    yield CallStarted(call=call, kind="root", model=model, messages=messages, path=path, seconds=began)
    reply = str(row.get("response") or "")
    yield CallFinished(call=call, model=model, text=reply, usage=ModelUsage(1), path=path, seconds=began)
    blocks = _listed(row.get("code_blocks"))
    for index, block in enumerate(blocks):
        yield from _block_events(number, index, block, path, numbers, children)
    numbers.seconds = max(numbers.seconds, began + float(row.get("iteration_time") or 0.0))
    yield IterationFinished(iteration=number, reply=reply, blocks=len(blocks), path=path, seconds=numbers.seconds)


def _block_events(
    iteration: int, index: int, block: Mapping[str, Any], path: Path, numbers: _Numbers, children: _Numbers
) -> Iterator[Event]:
    result = block.get("result") or {}
    code = str(block.get("code") or "")
    yield BlockStarted(iteration=iteration, block=index, code=code, path=path, seconds=numbers.seconds)
    for call in _listed(result.get("rlm_calls") or result.get("llm_calls")):
        nested = call.get("metadata")
        if isinstance(nested, Mapping):
            below = (*path, children.next_call())
            rows = _listed(nested.get("iterations"))
            yield from _run_events(call, nested.get("run_metadata") or {}, rows, below, numbers)
        else:
            yield from _call_events(call, path, numbers)
    printed, stderr = str(result.get("stdout") or ""), str(result.get("stderr") or "")
    error = stderr if _EXCEPTION.search(stderr) else None
    printed += "" if error else stderr
    seconds = float(result.get("execution_time") or 0.0)
    observation = Observation(printed, len(printed), None, error, seconds)
    yield BlockFinished(
        iteration=iteration, block=index, observation=observation, path=path, seconds=numbers.seconds + seconds
    )


def _call_events(call: Mapping[str, Any], path: Path, numbers: _Numbers) -> Iterator[Event]:
    number, model = numbers.next_call(), str(call.get("root_model") or "")
    messages = tuple(_message(message) for message in _listed(call.get("prompt")))
    yield CallStarted(call=number, kind="sub", model=model, messages=messages, path=path, seconds=numbers.seconds)
    numbers.seconds += float(call.get("execution_time") or 0.0)
    error = call.get("error")
    text = None if error else str(call.get("response") or "")
    yield CallFinished(
        call=number, model=model, text=text, error=error, usage=_used(call), path=path, seconds=numbers.seconds
    )


def _used(call: Mapping[str, Any]) -> ModelUsage:
    usages = _usages(call)
    return sum(usages.values(), ModelUsage()) if usages else ModelUsage(1)


def _usages(call: Mapping[str, Any]) -> dict[str, ModelUsage]:
    summaries = (call.get("usage_summary") or {}).get("model_usage_summaries") or {}
    return {
        model: ModelUsage(
            used.get("total_calls") or 0,
            used.get("total_input_tokens") or 0,
            used.get("total_output_tokens") or 0,
            cost=used.get("total_cost"),
        )
        for model, used in summaries.items()
    }


def _final(row: Mapping[str, Any]) -> str | None:
    """The final answer: text, or a pair of kind and text in the older dialect; in a block's result in the newer one."""
    found = row.get("final_answer")
    results = [block.get("result") or {} for block in _listed(row.get("code_blocks"))]
    found = found or next((result["final_answer"] for result in results if result.get("final_answer")), None)
    if isinstance(found, list):
        found = found[-1] if found else None
    return None if found is None else str(found)


def _listed(value: Any) -> list[Any]:
    """A list as it is; a prompt that is one text, or one message, as a list of it."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _message(message: Any) -> Message:
    if not isinstance(message, Mapping):
        return Message("user", str(message))
    role = message.get("role")
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content)
    return Message(role if role in ("system", "user", "assistant") else "user", text)
