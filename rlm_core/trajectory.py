"""Trajectory: events <-> JSON lines.

In: events as the core emits them. Out: a log of one JSON object a line, from which the same events are read again. The
log holds all facts of a run: page, command line, tests and replay read nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from .errors import ChannelError, ProtocolError, ProviderError
from .events import EVENT_TYPES, FOR_WATCHING, CallFinished, CallStarted, Emit, Event, RunFinished, ignore
from .images import sent
from .provider import Provider
from .types import Evidence, Message, ModelCall, ModelUsage, Observation, Reply, SentImage, Span

_TYPES: Mapping[str, type[Event]] = {event_type.type: event_type for event_type in EVENT_TYPES}
_LISTS: Mapping[str, type[Any]] = {"messages": Message, "spans": Span, "evidence": Evidence, "images": SentImage}
"""Fields that hold a list of objects, with their class."""
_SHOWN_NAMES = 5
_SHOWN_CHARS = 40


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
        ProtocolError: the line is not an event, or has a field that its type has not; the message says why.
    """
    fields = _fields(line)
    event_type = _TYPES.get(fields["type"])
    if event_type is None:
        raise ProtocolError(f"not an event of a known type: {line[:80]!r}.")
    return _event(event_type, fields)


def _event(event_type: type[Event], fields: Mapping[str, Any]) -> Event:
    try:
        return event_type(**{name: _value(event_type, name, value) for name, value in fields.items() if name != "type"})
    except (TypeError, AttributeError) as error:
        raise ProtocolError(f"not a whole {event_type.type} event: {error}.") from None


def _fields(line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}.") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise ProtocolError(f"not an event: {line[:80]!r}.")
    return fields


def _value(event_type: type[Event], name: str, value: Any) -> Any:
    """The field's value with its own types, of which JSON knows only objects and arrays."""
    if name in ("path", "contexts", "args", "children"):
        return tuple(value)
    nested = _nested(event_type).get(name)
    if nested is None:
        return value
    if name in _LISTS:
        return tuple(nested(**item) for item in value)
    if name == "usage" and event_type is RunFinished:
        return {model: nested(**used) for model, used in value.items()}
    return nested(**value)


def _nested(event_type: type[Event]) -> Mapping[str, type[Any]]:
    """The classes of fields that hold objects, by name."""
    classes = {**_LISTS, "observation": Observation, "usage": ModelUsage}
    return {field.name: classes[field.name] for field in dataclasses.fields(event_type) if field.name in classes}


# --- Logs of other versions -----------------------------------------------------------------------------------------


def _upgraded(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event as an earlier version wrote it, with those that came later.

    Each was a sentence then; only here does the program read one.
    """
    later: dict[str, Any] = {}
    match fields:
        case {"type": "call_finished", "error": "the call was stopped"}:
            later = {"stopped": "cancelled"}
        case {"type": "block_finished", "observation": {"error": str(error)}}:
            later = {
                "lost": error.startswith("The Python interpreter died in this block"),
                "stopped": _stop_in(error),
            }
        case {"type": "notice", "text": str(text)} if text.startswith("the run is continued from its journal"):
            later = {"code": "continued"}
    return later | fields


def _stop_in(error: str) -> str | None:
    if error.startswith("the block was stopped after"):
        return "timed_out"
    return "cancelled" if error == "KeyboardInterrupt: the run was stopped." else None


def _known(fields: dict[str, Any], event_type: type[Event]) -> tuple[dict[str, Any], list[str]]:
    """The fields that an event of its type has, those of the objects in it too, and the names of the others."""
    unknown: list[str] = []

    def picked(value: Any, names: set[str], where: str) -> Any:
        if not isinstance(value, dict):
            return value
        unknown.extend(f"{where}.{name}" for name in value if name not in names)
        return {name: item for name, item in value.items() if name in names}

    own = picked(fields, {"type", *(field.name for field in dataclasses.fields(event_type))}, event_type.type)
    for name, cls in _nested(event_type).items():
        names, where = {field.name for field in dataclasses.fields(cls)}, f"{event_type.type}.{name}"
        if name in _LISTS and isinstance(own.get(name), list):
            own[name] = [picked(item, names, where) for item in own[name]]
        elif name == "usage" and event_type is RunFinished and isinstance(own.get(name), dict):
            own[name] = {model: picked(used, names, where) for model, used in own[name].items()}
        elif name in own:
            own[name] = picked(own[name], names, where)
    return own, list(dict.fromkeys(unknown))


# --- The log --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A log that was read. `notes` says what had to be left out, with counts."""

    events: tuple[Event, ...]
    notes: tuple[str, ...] = ()


def read(source: str | os.PathLike[str] | Iterable[str]) -> Trajectory:
    """Read a log of this version, an earlier or a later one, from a path or from its lines.

    A last line that was cut off, events of an unknown type and unknown fields are left out, and counted in the notes.

    Raises:
        ProtocolError: a line that is not the last is no event; the message gives its number.
    """
    if isinstance(source, str | os.PathLike):
        with open(source, encoding="utf-8") as file:
            try:
                return read(file.readlines())
            except UnicodeDecodeError as error:
                raise ProtocolError(f"byte {error.start} is not UTF-8.") from None
    lines = [(number, line) for number, line in enumerate(source, start=1) if line.strip()]
    events: list[Event] = []
    types: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    notes: list[str] = []
    for number, line in lines:
        try:
            fields = _upgraded(_fields(line))
            event_type = _TYPES.get(fields["type"])
            if event_type is None:
                types[fields["type"]] += 1
                continue
            known, others = _known(fields, event_type)
            unknown.update([", ".join(others)] if others else [])
            events.append(_event(event_type, known))
        except ProtocolError as error:
            if number != lines[-1][0] or _is_json(line):
                raise ProtocolError(f"line {number}: {error}") from None
            notes.append(f"line {number}, the last, was cut off and is left out.")
    notes += _noted(types, "{} of an unknown type left out ({})")
    notes += _noted(unknown, "{} with unknown fields, which are left out ({})")
    return Trajectory(tuple(events), tuple(notes))


def lines_of(log: str) -> list[str]:
    """The lines of a log's text, without their ends. Text in JSON may hold other line ends of Unicode.

    >>> lines_of('{"a": "b\\u2028c"}\\n')
    ['{"a": "b\\u2028c"}']
    """
    return log.removesuffix("\n").split("\n") if log else []


def _noted(counts: Counter[str], sentence: str) -> list[str]:
    if not counts:
        return []
    total = counts.total()
    names = ", ".join(name[:_SHOWN_CHARS] for name in list(counts)[:_SHOWN_NAMES])
    more = ", …" if len(counts) > _SHOWN_NAMES else ""
    return [sentence.format(f"{total} event{'' if total == 1 else 's'}", names + more)]


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


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call of a log, with its whole messages; `outcome` is `None` where it was stopped or the log ends before it.

    Its images are their digests here: a log need not hold more. No code asked for an unused one; see `CallStarted`.
    """

    number: int
    path: tuple[int, ...]
    call: ModelCall
    outcome: Reply | ProviderError | None
    images: tuple[str, ...] = ()
    is_unused: bool = False


def recorded_calls(events: Iterable[Event]) -> list[RecordedCall]:
    """The calls of a log in the order in which they left; a log holds the new messages of a root call only."""
    calls: dict[int, RecordedCall] = {}
    conversations: dict[tuple[int, ...], tuple[Message, ...]] = {}
    for event in events:
        if isinstance(event, CallStarted):
            messages = event.messages
            if event.kind == "root":
                messages = (*conversations.get(event.path, ())[: event.kept], *messages)
                conversations[event.path] = messages
            call = ModelCall(messages, event.model, event.kind)
            images = tuple(image.sha256 for image in event.images)
            is_unused = event.ahead == "unused"
            calls[event.call] = RecordedCall(event.call, event.path, call, None, images, is_unused)
        elif isinstance(event, CallFinished) and event.call in calls and event.stopped is None:
            calls[event.call] = dataclasses.replace(calls[event.call], outcome=_outcome_of(event))
    return list(calls.values())


def _outcome_of(event: CallFinished) -> Reply | ProviderError:
    if event.text is None:
        return ProviderError(event.error or "the recorded call failed.", upstream=event.model or None)
    return Reply(event.text, event.model, event.usage, event.finish_reason, event.reasoning)


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
            call=number,
            kind=call.kind,
            model=call.model,
            messages=call.messages[kept:],
            kept=kept,
            batch=batch,
            images=tuple(map(sent, call.images)),
        )


def _common(before: Sequence[Message], now: Sequence[Message]) -> int:
    """Number of messages at the beginning of `now` that were sent before."""
    same = (old == new for old, new in zip(before, now, strict=False))
    return next((count for count, equal in enumerate(same) if not equal), min(len(before), len(now)))


def _finished(number: int, outcome: Reply | ProviderError) -> CallFinished:
    if isinstance(outcome, ProviderError):
        return CallFinished(call=number, model=outcome.upstream or "", error=str(outcome))
    return CallFinished(
        call=number,
        model=outcome.model,
        text=outcome.text,
        usage=outcome.usage,
        finish_reason=outcome.finish_reason,
        reasoning=outcome.reasoning,
    )
