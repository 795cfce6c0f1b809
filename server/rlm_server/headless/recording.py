"""Recording: a log as the command line takes it, to be replayed or forked in the browser.

In: a file. Out: its text, its question, and in words the extent of a replay without a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlm_core import ConfigError, Event, ProtocolError
from rlm_core.events import RunFinished, RunStarted
from rlm_core.trajectory import lines_of, read

from .names import counted

CUT_OFF = {
    "cancelled": "it was stopped",
    "denied": "a call was denied",
    "max_seconds": "its time was up",
    "worker_lost": "its worker was lost",
}
"""Endings from outside a run: such a recording is replayed up to its last event."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A log that was read."""

    log: str
    question: str
    events: tuple[Event, ...]

    def agreed(self) -> str:
        """One line for a replay without a difference."""
        parts = [
            counted(sum(event.type == kind for event in self.events), noun)
            for kind, noun in (
                ("iteration_finished", "iteration"),
                ("block_finished", "block"),
                ("call_finished", "call"),
            )
        ]
        compared = ", ".join(parts)
        ended = next((event for event in self.events if isinstance(event, RunFinished) and not event.path), None)
        why = "it was cut off" if ended is None else CUT_OFF.get(ended.stopped_by)
        if why is not None:
            return f"The replay agrees with the recording as far as that goes ({compared}): {why}."
        return f"The replay agrees with the recording: {compared}, the same output and the same answer."


def read_recording(path: Path) -> Recording:
    """Read the log at `path`.

    Raises:
        ProtocolError: a line is no event, or the first is not a run's start; the message gives its number.
    """
    try:
        log = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise ProtocolError(f"{path.name} is no trajectory: byte {fault.start} is not UTF-8.") from None
    try:
        events = read(lines_of(log)).events
    except ProtocolError as fault:
        raise ProtocolError(f"{path.name} is no trajectory: {fault}") from None
    if not events or not isinstance(events[0], RunStarted):
        raise ProtocolError(f"{path.name} is no whole trajectory: it does not begin with run_started.")
    return Recording(log, events[0].question, events)


def question_of(log: str) -> str:
    """The question of the root run in a log.

    Raises:
        ConfigError: it is no whole trajectory.
    """
    try:
        events = read(lines_of(log)).events
    except ProtocolError as fault:
        raise ConfigError(f"the log is no trajectory: {fault}") from None
    if not events or not isinstance(events[0], RunStarted):
        raise ConfigError("the log is no whole trajectory: it does not begin with run_started.")
    return events[0].question
