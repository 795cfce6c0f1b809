"""Chat log: a conversation as one file, so that it continues after its process ended.

In: the file that `EventLog` wrote. Out: the logs of its questions, one after the other; the last one is cut off where
the process was.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

from rlm_core import ConfigError, ProtocolError
from rlm_core.events import RunFinished, RunStarted
from rlm_core.trajectory import lines_of, read


@dataclass(frozen=True, slots=True)
class KeptQuestion:
    """A question of the conversation, by its log."""

    log: str
    question: str
    model: str | None
    contexts: tuple[str, ...]
    """Names of its contexts."""
    is_ended: bool


def kept_questions(path: Path) -> list[KeptQuestion]:
    """The questions in the file at `path`, the first one first.

    Raises:
        ConfigError: it is no conversation: a line is no event, or a question that did not end is not the last.
    """
    try:
        text = path.read_text(encoding="utf-8")
        kept = [_kept(log) for log in _apart(text)]
    except (ProtocolError, UnicodeDecodeError) as fault:
        raise ConfigError(f"--resume: {path} is no conversation: {fault}") from None
    if not kept:
        raise ConfigError(f"--resume: {path} holds no question. `chat --record FILE` writes such a file.")
    if not all(question.is_ended for question in kept[:-1]):
        raise ConfigError(f"--resume: {path} is no conversation: a question that did not end is not the last of it.")
    return kept


def _apart(text: str) -> list[str]:
    logs: list[list[str]] = []
    for line in io.StringIO(text, newline="\n"):
        if _begins(line):
            logs.append([])
        if line.strip() and not logs:
            raise ProtocolError("it does not begin with run_started.")
        if logs:
            logs[-1].append(line)
    return ["".join(lines) for lines in logs]


def _begins(line: str) -> bool:
    """Whether a root run begins here."""
    if '"run_started"' not in line:
        return False
    try:
        event = json.loads(line)
    except ValueError:
        return False  # the last line, which was cut off
    return isinstance(event, dict) and event.get("type") == "run_started" and not event.get("path")


def _kept(log: str) -> KeptQuestion:
    events = read(lines_of(log)).events
    started = events[0]
    assert isinstance(started, RunStarted), "each log begins with it"
    names = tuple(str(described["name"]) for described in started.contexts)
    is_ended = any(isinstance(event, RunFinished) and not event.path for event in events)
    return KeptQuestion(log, started.question, started.model, names, is_ended)
