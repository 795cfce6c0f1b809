"""Outbox: the core's seam `emit`, bound to the worker's channel.

In: events. Out: the same as JSON, output held back and joined; and, as a block begins and ends, the interrupt switched
on and off, and the interpreter's health checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from health import check_health
from host_line import Line
from host_requests import MAX_ANSWER_CHARS

from rlm_core import Event, protocol
from rlm_core.events import BlockFinished, BlockStarted, Output, RunFinished
from rlm_core.trajectory import to_json


class Outbox:
    """Sends events to the host: output is held back and joined, all else leaves at once and takes the output along.

    A line of output leaves at once while there is credit for a message: `OUTPUT_BURST` of them, refilled by one every
    `OUTPUT_SECONDS`. So the first lines are seen as they are printed, and a flood costs a bounded number of messages.
    """

    def __init__(self, line: Line, clock: Callable[[], float] = time.monotonic) -> None:
        self._line = line
        self._clock = clock
        self._held: list[Output] = []
        self._held_chars = 0
        self._credit = float(protocol.OUTPUT_BURST)
        self._counted_at = clock()

    def emit(self, event: Event) -> None:
        """Send `event`, or hold it back when it is output that may wait."""
        if isinstance(event, Output):
            self._hold(event)
            return
        if isinstance(event, BlockFinished):
            self._line.interruptible(False)
            self.flush()
            check_health(self._line)
            event = replace(event, partial=event.partial and event.partial[:MAX_ANSWER_CHARS])
        elif isinstance(event, RunFinished):
            event = replace(event, answer=event.answer[:MAX_ANSWER_CHARS])
        self._send([*self._joined(), event])
        if isinstance(event, BlockStarted):
            self._line.interruptible(True)

    def flush(self) -> None:
        """Send the output that is held back."""
        if self._held:
            self._send(self._joined())

    def _hold(self, event: Output) -> None:
        self._held.append(event)
        self._held_chars += len(event.text)
        now = self._clock()
        earned = (now - self._counted_at) / protocol.OUTPUT_SECONDS
        self._credit, self._counted_at = min(self._credit + earned, protocol.OUTPUT_BURST), now
        timely = self._credit >= 1 and (event.text.endswith("\n") or earned >= 1)
        if timely or self._held_chars >= protocol.OUTPUT_CHARS:
            self._credit -= 1
            self.flush()

    def _joined(self) -> list[Output]:
        """The held output as one event: a block's end sends all of it, so that it is always of one block."""
        held, self._held, self._held_chars = self._held, [], 0
        if not held:
            return []
        text = "".join(event.text for event in held)
        return [Output(iteration=held[0].iteration, block=held[0].block, text=text)]

    def _send(self, events: Sequence[Event]) -> None:
        self._line.emit(f"[{','.join(to_json(event) for event in events)}]")
