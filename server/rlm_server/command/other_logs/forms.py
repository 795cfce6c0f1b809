"""Forms: a log of another system -> its reader, by the form of its first object.

In: the text of a log. Out: events, the system's name, and notes on parts that were left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlm_core import Event, ProtocolError

from ...json_text import json_in
from ..rlms_log import is_rlms, read_rlms
from .droste import is_droste, read_droste, record_in
from .dspy import is_dspy, read_dspy
from .fast_rlm import is_fast_rlm, read_fast_rlm
from .shown_run import Row, ShownRun, events_of, rows_of


@dataclass(frozen=True, slots=True)
class OtherLog:
    """A log that was read."""

    system: str
    events: Sequence[Event]
    notes: Sequence[str] = ()


IN_LINES: Sequence[tuple[str, Callable[[Row], bool], Callable[[list[Row]], tuple[ShownRun, list[str]]]]] = (
    ("fast-rlm", is_fast_rlm, read_fast_rlm),
    ("droste", is_droste, read_droste),
)
"""Name of a system, whether an object is of its log, and its reader."""


def read_other_log(text: str) -> OtherLog:
    """Read a log of the first system whose form it has.

    Raises:
        ProtocolError: it has none of them; or a line is broken, whose number the message gives.
    """
    whole = json_in(text)
    if is_dspy(whole):
        return OtherLog("dspy.RLM", events_of(read_dspy(whole)))
    record = record_in(whole)
    if record is not None:
        run, notes = read_droste(record)
        return OtherLog("droste", events_of(run), notes)
    rows, cut = rows_of(text)
    if rows and is_rlms(rows[0]):
        events, notes = read_rlms(rows)
        return OtherLog("rlms", events, [*cut, *notes])
    for system, is_one, read in IN_LINES:
        if rows and is_one(rows[0]):
            run, notes = read(rows)
            return OtherLog(system, events_of(run), [*cut, *notes])
    raise ProtocolError(
        "this is no log of a known form. Known are those of rlms, dspy.RLM (a prediction or its trajectory as JSON), "
        "fast-rlm and droste (events as lines, or a result with its run record)."
    )
