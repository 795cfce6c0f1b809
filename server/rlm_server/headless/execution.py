"""Execution: the outcome of Python that a program runs in the REPL of a session, between two questions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlm_core.value_text import Variable


@dataclass(frozen=True, slots=True)
class Execution:
    """Outcome of `Session.execute`; a fault of the code is in `error`, and raises nothing.

    Attributes:
        stdout: output and errors in the order written; head and tail when it was over the cap.
        stdout_chars: number of characters it printed.
        value: `repr` of the last expression's value, or `None`.
        error: traceback of the exception that ended it, or why the interpreter did; or `None`.
        seconds: wall-clock time of the code.
        shown: values that it displayed, as `display` and `plot` make them.
        is_stopped: it was stopped.
        variables: those that there are now; `None` where the interpreter was ended.
        trajectory: the log, one JSON object a line.
    """

    stdout: str
    stdout_chars: int
    value: str | None
    error: str | None
    seconds: float
    shown: Sequence[Mapping[str, Any]]
    is_stopped: bool
    variables: Sequence[Variable] | None
    trajectory: str


def execution_of(ok: Mapping[str, Any]) -> Execution:
    """The page's outcome, in Python's spelling."""
    return Execution(
        stdout=ok["stdout"],
        stdout_chars=ok["stdoutChars"],
        value=ok["value"],
        error=ok["error"],
        seconds=ok["seconds"],
        shown=json.loads(ok["shown"] or "[]"),
        is_stopped=ok["isStopped"],
        variables=ok["variables"],
        trajectory=ok["trajectory"],
    )
