"""Trajectory: events <-> JSON lines.

In: events as the core emits them. Out: a log of one JSON object a line, from which the same events are read again. The
log holds all facts of a run: page, command line, tests and replay read nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from .errors import ChannelError, ProtocolError, ProviderError
from .events import EVENT_TYPES, FOR_WATCHING, CallFinished, CallStarted, Emit, Event, RunFinished, ignore
from .provider import Provider
from .types import Message, ModelCall, ModelUsage, Observation, Reply, Span

_TYPES: Mapping[str, type[Event]] = {event_type.type: event_type for event_type in EVENT_TYPES}


# --- One event ------------------------------------------------------------------------------------------------------


def to_json(event: Event) -> str:
    """One line of the log, without the line's end; plain ASCII, so that any text survives.

    >>> from .events import IterationStarted
    >>> to_json(IterationStarted(iteration=1))
    '{"type": "iteration_started", "seq": 0, "path": [], "seconds": 0.0, "iteration": 1}'
    """
    return json.dumps({"type": event.type} | dataclasses.asdict(event))


def from_json(line: str) -> Event:
    """The event in a line made by `to_json`.

    Raises:
        ProtocolError: the line is not an event; the message says why.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}.") from None
    name = fields.pop("type", None) if isinstance(fields, dict) else None
    event_type = _TYPES.get(name) if isinstance(name, str) else None
    if event_type is None:
        raise ProtocolError(f"not an event of a known type: {line[:80]!r}.")
    try:
        return event_type(**{name: _value(event_type, name, value) for name, value in fields.items()})
    except (TypeError, AttributeError) as error:
        raise ProtocolError(f"not a whole {event_type.type} event: {error}.") from None


def _value(event_type: type[Event], name: str, value: Any) -> Any:
    """The field's value with its own types, of which JSON knows only objects and arrays."""
    if name in ("path", "contexts", "args", "children"):
        return tuple(value)
    if name == "messages":
        return tuple(Message(**message) for message in value)
    if name == "spans":
        return tuple(Span(**span) for span in value)
    if name == "observation":
        return Observation(**value)
    if name == "usage" and event_type is RunFinished:
        return {model: ModelUsage(**used) for model, used in value.items()}
    if name == "usage":
        return ModelUsage(**value)
    return value


# --- The log --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Events of a log. `notes` are sentences about lines that were left out."""

    events: tuple[Event, ...]
    notes: tuple[str, ...] = ()


def read(source: str | os.PathLike[str] | Iterable[str]) -> Trajectory:
    """Read a log from a path or from its lines; a last line that was cut off is left out, and said so.

    Raises:
        ProtocolError: a line that is not the last is no event; the message gives its number.
    """
    if isinstance(source, str | os.PathLike):
        with open(source, encoding="utf-8") as file:
            return read(file.readlines())
    lines = [(number, line) for number, line in enumerate(source, start=1) if line.strip()]
    events: list[Event] = []
    for number, line in lines:
        try:
            events.append(from_json(line))
        except ProtocolError as error:
            if number == lines[-1][0] and not _is_json(line):
                return Trajectory(tuple(events), (f"line {number}, the last, was cut off and is left out.",))
            raise ProtocolError(f"line {number}: {error}") from None
    return Trajectory(tuple(events))


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


class Recorder:
    """Stamps events and writes them as they happen; pass it as `emit`.

    Args:
        sink: takes each line, its end included: `file.write`. Types in `FOR_WATCHING` are not logged.
        clock: seconds from any fixed point, monotonic.
        then: takes each stamped event afterwards, those too.
        path: position of the run in the tree; `()` is the root run, whose events may be those of its child runs too.
    """

    def __init__(
        self,
        sink: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
        *,
        then: Emit = ignore,
        path: tuple[int, ...] = (),
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._then = then
        self._path = path
        self._seq = 0
        self._began = clock()

    def __call__(self, event: Event) -> None:
        seconds = round(self._clock() - self._began, 6)
        path = self._path or event.path
        stamped: Event = dataclasses.replace(event, seq=self._seq, path=path, seconds=seconds)
        self._seq += 1
        if event.type not in FOR_WATCHING:
            self._sink(to_json(stamped) + "\n")
        self._then(stamped)


# --- Calls ----------------------------------------------------------------------------------------------------------


def recorded(provider: Provider, emit: Emit) -> Recorded:
    """`provider`, with an event for each call that leaves it and each that comes back."""
    return Recorded(provider, emit, count())


class Recorded:
    """A provider that emits events of its calls; `numbers` counts those of the whole tree of runs."""

    def __init__(self, provider: Provider, emit: Emit, numbers: Iterator[int]) -> None:
        self._provider = provider
        self._emit = emit
        self._numbers = numbers
        self._root: tuple[Message, ...] = ()

    def for_child(self, emit: Emit) -> Recorded:
        """The same provider for a child run, with the events of its calls to `emit`."""
        return Recorded(self._provider, emit, self._numbers)

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
        """Answer `calls` as the provider does."""
        numbers = [next(self._numbers) for _ in calls]
        for number, call in zip(numbers, calls, strict=True):
            self._emit(self._started(number, call, len(calls)))
        try:
            outcomes = self._provider.complete(calls)
        except (ProviderError, ChannelError) as error:
            for number, call in zip(numbers, calls, strict=True):
                self._emit(CallFinished(call=number, model=call.model or "", error=str(error)))
            raise
        for number, outcome in zip(numbers, outcomes, strict=False):
            self._emit(_finished(number, outcome))
        return outcomes

    def _started(self, number: int, call: ModelCall, batch: int) -> CallStarted:
        kept = 0
        if call.kind == "root":
            kept = _common(self._root, call.messages)
            self._root = call.messages
        return CallStarted(
            call=number, kind=call.kind, model=call.model, messages=call.messages[kept:], kept=kept, batch=batch
        )


def _common(before: Sequence[Message], now: Sequence[Message]) -> int:
    """Number of messages at the beginning of `now` that were sent before."""
    same = (old == new for old, new in zip(before, now, strict=False))
    return next((count for count, equal in enumerate(same) if not equal), min(len(before), len(now)))


def _finished(number: int, outcome: Reply | ProviderError) -> CallFinished:
    if isinstance(outcome, ProviderError):
        return CallFinished(call=number, model=outcome.upstream or "", error=str(outcome))
    return CallFinished(
        call=number, model=outcome.model, text=outcome.text, usage=outcome.usage, finish_reason=outcome.finish_reason
    )
