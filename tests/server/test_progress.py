"""Progress: the line of a terminal for each event."""

from __future__ import annotations

from typing import Any

import pytest

from rlm_server.headless.progress import CLEARED, Progress

OBSERVATION = {"stdout": "", "stdout_chars": 0, "value": None, "error": None, "seconds": 0.0}


def shown(*events: dict[str, Any]) -> str:
    written: list[str] = []
    progress = Progress(written.append)
    for event in events:
        progress({"seconds": 1.25, **event})
    return "".join(written)


def test_an_iteration_says_its_number_and_the_time() -> None:
    assert shown({"type": "iteration_started", "iteration": 2}) == "\nIteration 2  (1.2 s)\n"


def test_output_is_indented_once_for_each_line_however_it_is_cut() -> None:
    events = [{"type": "output", "text": text} for text in ("one\ntw", "o\n", "three")]
    assert shown(*events) == "    one\n    two\n    three"


def test_a_line_after_unfinished_output_begins_a_new_line() -> None:
    assert shown({"type": "output", "text": "half"}, {"type": "notice", "text": "hm"}) == "    half\n  note: hm\n"


def call(number: int, kind: str, error: str | None = None) -> list[dict[str, Any]]:
    return [
        {"type": "call_started", "call": number, "kind": kind},
        {"type": "call_finished", "call": number, "error": error},
    ]


def test_sub_calls_are_counted_with_their_failures_when_the_block_ends() -> None:
    calls = [*call(1, "sub"), *call(2, "sub", error="busy")]
    assert shown(*calls, {"type": "block_finished", "observation": OBSERVATION}) == "  sub-calls: 2, failed: 1\n"


def test_a_root_call_that_fails_is_no_failed_sub_call() -> None:
    calls = [*call(0, "root", error="busy"), *call(1, "sub")]
    assert shown(*calls, {"type": "block_finished", "observation": OBSERVATION}) == "  sub-calls: 1, failed: 0\n"


def test_the_value_and_the_error_of_a_block_are_shown() -> None:
    observation = {**OBSERVATION, "value": "42", "error": "Traceback\nZeroDivisionError"}
    assert shown({"type": "block_finished", "observation": observation}) == (
        "    42\n    Traceback\n    ZeroDivisionError\n"
    )


WRITING = {"type": "reply_written", "path": [], "call": 0, "at": 1_200, "text": "x" * 34}


def test_a_reply_being_written_is_one_line_that_grows_and_goes() -> None:
    written: list[str] = []
    progress = Progress(written.append, is_terminal=True)
    thinking = {**WRITING, "type": "reasoning_written", "at": 0}
    for event in (thinking, WRITING, {**WRITING, "at": 1_234}, {"type": "notice", "text": "hm"}):
        progress(event)
    thought = f"{CLEARED}  the root model is thinking: 34 characters of reasoning"
    grown = [f"{CLEARED}  the root model has written {chars} characters" for chars in ("1,234", "1,268")]
    assert written == [thought, *grown, CLEARED, "  note: hm\n"]


def test_a_reply_being_written_is_not_shown_where_lines_cannot_be_written_over() -> None:
    assert shown(WRITING) == ""


CALLED = {"type": "call_started", "call": 0, "kind": "root"}
SUBS = [{"type": "call_started", "call": number, "kind": "sub"} for number in (1, 2)]
RUNNING = {"type": "block_started", "code": "x"}
WAITS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "the root model": ([CALLED], "waiting for the root model"),
    "code": ([RUNNING], "running code"),
    "one sub-call": ([RUNNING, SUBS[0]], "waiting for 1 model call"),
    "two sub-calls": ([RUNNING, *SUBS], "waiting for 2 model calls"),
    "code again": ([RUNNING, SUBS[0], {"type": "call_finished", "call": 1, "error": None}], "running code"),
}


@pytest.mark.parametrize(("events", "work"), WAITS.values(), ids=WAITS.keys())
def test_a_long_wait_is_told_by_its_seconds(events: list[dict[str, Any]], work: str) -> None:
    now, written = [0.0], list[str]()
    progress = Progress(written.append, is_terminal=True, clock=lambda: now[0])
    for event in events:
        progress(event)
    before = len(written)
    for now[0] in (0.5, 1.2, 1.5, 62.0):
        progress.tick()
    progress({"type": "notice", "text": "hm"})
    told = [f"{CLEARED}  {work}: {seconds} s" for seconds in (1, 62)]
    assert written[before:] == [*told, CLEARED, "  note: hm\n"]


def test_a_long_wait_is_a_line_a_minute_where_lines_stay() -> None:
    now, written = [0.0], list[str]()
    progress = Progress(written.append, clock=lambda: now[0])
    progress(CALLED)
    for now[0] in range(130):
        progress.tick()
    assert written == [f"  waiting for the root model: {seconds} s\n" for seconds in (60, 120)]


def test_nothing_is_told_between_pieces_of_output_and_after_the_end() -> None:
    now, written = [0.0], list[str]()
    progress = Progress(written.append, is_terminal=True, clock=lambda: now[0])
    progress(RUNNING)
    progress({"type": "output", "text": "half a line"})
    written.clear()
    now[0] = 9.0
    progress.tick()
    assert written == []
    progress({"type": "run_finished", "usage": {}, "stopped_by": "cancelled", "iterations": 1, "seconds": 9.0})
    written.clear()
    now[0] = 99.0
    progress.tick()
    assert written == []


def test_events_that_say_nothing_to_a_reader_are_passed_over() -> None:
    assert shown({"type": "run_started"}, {"type": "something_new"}) == ""


@pytest.mark.parametrize(
    ("count", "counts"), [(1, "1 iteration, 1 model call"), (2, "2 iterations, 2 model calls")], ids=str
)
def test_the_end_counts_one_as_one(count: int, counts: str) -> None:
    end = {"type": "run_finished", "stopped_by": "final_answer", "iterations": count, "usage": {"m": {"calls": count}}}
    assert shown(end) == f"\nStopped by final_answer after {counts}, 1.2 s\n"
