"""Cassette: a provider that answers from a recorded run, for tests and demos without a model.

In: a trajectory, as `pyodide-rlm run --record FILE` or a `trajectory.Recorder` writes it. Out: each recorded reply, or
failure, to each call that is the same: same kind, same model, same messages but for the system prompt, which names the
worker's packages. Anything else is an error, never a call.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from .errors import ProviderError, ReplayError
from .events import RunStarted
from .images import digest
from .plain_readers import PlainReaders
from .trajectory import RecordedCall, read, recorded_calls
from .types import ModelCall, Reply

_Compared: TypeAlias = tuple[ModelCall, tuple[str, ...]]
"""A call, and the digests of its images."""
_SHOWN_CHARS = 60
_BEFORE_CHARS = 15


class Cassette:
    """Answers calls from a log; a call recorded twice is answered twice, in the recorded order.

    Args:
        source: path of the log, or its lines.

    Attributes:
        question: of the recorded run.
        model: its root model, and `sub_model` the model of its sub-calls; `None` where it was the default.
        functions: where the recorded REPL had them, `read` for plain text, and its other functions for files, which end
            the replay.
        unused: recorded calls that have not been replayed, in their order.

    Raises:
        ProtocolError: a line is no event; the message gives its number.
        ReplayError: the log does not begin with a run's start; from `complete`, a call was not recorded, or as often,
            or the code needs a reader of the worker.

    >>> from .run import run
    >>> from .testing import ScriptedProvider
    >>> from .trajectory import Recorder
    >>> lines = []
    >>> first = run("6 * 7?", provider=ScriptedProvider(["```repl\\nFINAL(6 * 7)\\n```"]), emit=Recorder(lines.append))
    >>> cassette = Cassette(lines)
    >>> run(cassette.question, provider=cassette).answer, cassette.unused
    ('42', ())
    """

    def __init__(self, source: str | os.PathLike[str] | Iterable[str]) -> None:
        events = read(source).events
        if not events or not isinstance(events[0], RunStarted):
            raise ReplayError("the log does not begin with run_started: it is no whole run.")
        self.question = events[0].question
        self.model = events[0].model
        self.sub_model = events[0].sub_model
        self._readers = PlainReaders()
        self._calls = [one for one in recorded_calls(events) if one.outcome is not None and not one.is_unused]
        self.functions = self._readers.functions() if any(map(_has_readers, self._calls)) else {}
        self._left: dict[_Compared, deque[RecordedCall]] = {}
        for recorded in self._calls:
            self._left.setdefault((_compared(recorded.call), recorded.images), deque()).append(recorded)

    @property
    def unused(self) -> tuple[RecordedCall, ...]:
        """Recorded calls that have not been replayed."""
        left = {id(recorded) for alike in self._left.values() for recorded in alike}
        return tuple(recorded for recorded in self._calls if id(recorded) in left)

    def complete(self, calls: Sequence[ModelCall]) -> Sequence[Reply | ProviderError]:
        """Answer from the log."""
        if self._readers.missing:
            raise ReplayError(self._readers.missing)
        return [self._outcome(call) for call in calls]

    def _outcome(self, call: ModelCall) -> Reply | ProviderError:
        alike = self._left.get((_compared(call), tuple(map(digest, call.images))))
        if not alike:
            raise ReplayError(self._unknown(call))
        recorded = alike.popleft()
        assert recorded.outcome is not None  # others are no answers
        return recorded.outcome

    def _unknown(self, call: ModelCall) -> str:
        missing = f"this {call.kind} call was not recorded"
        nearest = next((one for one in self.unused if one.call.kind == call.kind), None)
        if nearest is None:
            count = sum(one.call.kind == call.kind for one in self._calls)
            return f"{missing}: all {count} recorded {call.kind} calls were asked already. Record the run again."
        position = self._calls.index(nearest)
        differs = _difference(nearest, call)
        return f"{missing}; next was call {position}, and {differs}. Record the run again if that is meant."


def _has_readers(recorded: RecordedCall) -> bool:
    """Whether the prompt names `read` among the functions of the REPL."""
    return any(message.role == "system" and "`read(" in message.content for message in recorded.call.messages)


def _compared(call: ModelCall) -> ModelCall:
    """The parts of a call that a recording must agree in.

    The system message is the program's own: it names the packages of the worker, and changes with versions. A summary
    was recorded as a sub-call in earlier versions.
    """
    messages = tuple(message for message in call.messages if message.role != "system")
    return ModelCall(messages, call.model, "root" if call.kind == "root" else "sub")


def _difference(one: RecordedCall, now: ModelCall) -> str:
    """Difference between `now` and the call recorded at its position."""
    recorded = one.call
    if recorded.model != now.model:
        return f"its model differs: recorded {recorded.model or 'the default'}, asked {now.model or 'the default'}"
    if len(recorded.messages) != len(now.messages):
        return f"its messages differ: recorded {len(recorded.messages)}, asked {len(now.messages)}"
    pairs = enumerate(zip(recorded.messages, now.messages, strict=True), start=1)
    others = ((number, old, new) for number, (old, new) in pairs if old != new)
    spoken = next((other for other in others if other[2].role != "system"), None)
    if spoken is None:
        return f"its images differ: recorded {len(one.images)}, asked {len(now.images)}, compared by their SHA-256"
    number, old, new = spoken
    texts = old.content, new.content
    at = next((at for at, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), min(map(len, texts)))
    begin = max(0, at - _BEFORE_CHARS)
    recorded_part, asked_part = (repr(text[begin : begin + _SHOWN_CHARS]) for text in texts)
    where = f"message {number} of {len(now.messages)} ({new.role})"
    return f"its {where} differs from character {at + 1} on: recorded {recorded_part}, asked {asked_part}"
