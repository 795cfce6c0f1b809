"""The trajectory: events to JSON lines and back, unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlm_core.errors import ChannelError, ProtocolError, ProviderError
from rlm_core.events import (
    EVENT_TYPES,
    BlockFinished,
    BlockStarted,
    CallFinished,
    CallStarted,
    Egress,
    Event,
    IterationFinished,
    IterationStarted,
    Notice,
    Output,
    ReasoningWritten,
    ReplyWritten,
    RequestStarted,
    RunFinished,
    RunStarted,
    ToolCalled,
)
from rlm_core.run import run
from rlm_core.testing import ScriptedProvider
from rlm_core.trajectory import Recorder, from_json, read, recorded, recorded_calls, to_json
from rlm_core.types import Message, ModelCall, ModelUsage, Observation, Reply, SentImage, Span

EVENTS: list[Event] = [
    RunStarted(
        question="Who?", model="m", sub_model=None, limits={"max_iterations": 3}, contexts=({"name": "c", "size": 1},)
    ),
    IterationStarted(iteration=1, seq=1, path=(0, 2), seconds=1.5),
    CallStarted(call=0, kind="root", model=None, messages=(Message("user", "hi"),), kept=2, batch=3),
    CallFinished(call=0, model="m", text="a\ud800é\n", usage=ModelUsage(1, 2, 3)),
    CallFinished(call=1, error="down."),
    BlockStarted(iteration=1, block=0, code="print('x')"),
    Output(iteration=1, block=0, text="x\n"),
    BlockFinished(iteration=1, block=0, observation=Observation("x\n", 2, "1", None, 0.25), partial="p"),
    IterationFinished(iteration=1, reply="Done.", blocks=1),
    Notice(text="transport: shared memory"),
    RequestStarted(op="child", mark="9-abc", children=(0, 1)),
    ToolCalled(name="add", args=(1, [2]), kwargs={"b": None}, result={"sum": 3}),
    Egress(
        call=0,
        to="http://127.0.0.1:8000",
        model=None,
        chars=40,
        bytes=42,
        context_chars=33,
        new_chars=33,
        left_chars=33,
        context_size=900,
        spans=(Span("context", 7, 40, 7, 42),),
        more_spans=1,
        denied="no",
        image_bytes=3,
    ),
    RunFinished(answer="x", iterations=1, stopped_by="final_answer", usage={"m": ModelUsage(1, 2, 3)}),
    ReplyWritten(call=0, at=2, text="é"),
    ReasoningWritten(call=0, at=2, text="hm"),
    CallStarted(
        call=1,
        kind="sub",
        model="m",
        messages=(Message("user", "hi"),),
        images=(SentImage("scan.pdf", 3, "image/png", 7, 9, 120, "ab", "cd", "aGk="),),
    ),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    line = to_json(event)
    assert line.isascii()
    assert "\n" not in line
    assert from_json(line) == event


def test_every_event_type_is_covered_here() -> None:
    assert {type(event) for event in EVENTS} == set(EVENT_TYPES)


def test_the_json_form_is_the_contract() -> None:
    assert json.loads(to_json(EVENTS[2])) == {
        "type": "call_started",
        "seq": 0,
        "path": [],
        "seconds": 0.0,
        "call": 0,
        "kind": "root",
        "model": None,
        "kept": 2,
        "batch": 3,
        "options": {},
        "images": [],
        "ahead": None,
        "messages": [{"role": "user", "content": "hi"}],
    }


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        "{}",
        '{"type": "other"}',
        '{"type": ["x"]}',
        '{"type": "notice"}',
        '{"type": "notice", "text": "a", "odd": 1}',
    ],
)
def test_a_line_that_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ProtocolError):
        from_json(line)


def test_a_log_is_read_from_lines_or_from_a_file(tmp_path: Path) -> None:
    lines = [to_json(event) + "\n" for event in EVENTS]
    path = tmp_path / "run.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    assert list(read(lines).events) == list(read(path).events) == list(read(str(path)).events) == EVENTS


def test_blank_lines_are_no_events() -> None:
    assert read(["\n", to_json(EVENTS[0]), "", " \n"]).events == (EVENTS[0],)


def test_an_empty_log_has_no_events() -> None:
    assert read([]).events == ()


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_last_line_that_was_cut_off_is_left_out_and_said_so(kept: int) -> None:
    found = read([to_json(EVENTS[0]), to_json(EVENTS[1])[:kept]])
    assert found.events == (EVENTS[0],)
    assert found.notes == ("line 2, the last, was cut off and is left out.",)


def test_a_broken_line_before_the_last_is_named() -> None:
    with pytest.raises(ProtocolError, match="line 2: not JSON"):
        read([to_json(EVENTS[0]), "{", to_json(EVENTS[1])])


def test_a_last_line_that_is_whole_but_no_event_is_named() -> None:
    with pytest.raises(ProtocolError, match="line 1: not an event"):
        read(['{"kind": "other"}'])


def test_events_and_fields_of_a_later_version_are_left_out_and_counted() -> None:
    later = json.loads(to_json(EVENTS[3])) | {"mood": "good"}
    later["usage"]["joules"] = 3
    lines = [to_json(EVENTS[0]), '{"type": "surprise"}', json.dumps(later), '{"type": "surprise"}', '{"type']
    found = read(lines)
    assert found.events == (EVENTS[0], EVENTS[3])
    assert found.notes == (
        "line 5, the last, was cut off and is left out.",
        "2 events of an unknown type left out (surprise)",
        "1 event with unknown fields, which are left out (call_finished.mood, call_finished.usage.)",
    )


def facts(name: str) -> list[tuple[str, object]]:
    """Facts in a log that was recorded before they had fields: type of event and where."""
    log = read(Path(__file__).parents[1] / "golden" / "before_facts" / f"{name}.jsonl")
    assert log.notes == ()
    found: list[tuple[str, object]] = []
    for event in log.events:
        if isinstance(event, BlockFinished) and event.lost:
            found.append(("lost", event.iteration))
        if isinstance(event, Notice) and event.code:
            found.append(("code", event.code))
        if isinstance(event, CallFinished) and event.stopped:
            found.append((event.stopped, event.call))
    return found


def test_a_log_of_an_earlier_version_has_the_facts_that_it_told_as_sentences() -> None:
    assert facts("crashed") == [("lost", 2)]
    assert facts("continued") == [("code", "continued")]
    assert facts("stopped") == [("cancelled", 2)]
    assert facts("child") == []


@pytest.mark.parametrize(
    ("error", "lost", "stopped"),
    [
        (None, False, None),
        ("KeyboardInterrupt", False, None),
        ("KeyboardInterrupt: the run was stopped.", False, "cancelled"),
        ("the block was stopped after 2 s. Do it in smaller steps, or in another way.", False, "timed_out"),
        ("The Python interpreter died in this block: memory.", True, None),
    ],
)
def test_a_block_of_an_earlier_version_has_the_stop_that_its_error_told(
    error: str | None, lost: bool, stopped: str | None
) -> None:
    observation = {"stdout": "", "stdout_chars": 0, "value": None, "error": error, "seconds": 1.0}
    fields = {"type": "block_finished", "seq": 1, "path": [], "seconds": 1.0, "iteration": 1, "block": 0}
    [event] = read([json.dumps({**fields, "observation": observation, "partial": None})]).events
    assert isinstance(event, BlockFinished)
    assert (event.lost, event.stopped) == (lost, stopped)


def test_a_call_of_a_log_has_its_whole_messages_and_no_outcome_where_it_was_stopped() -> None:
    log = read(Path(__file__).parents[1] / "golden" / "before_facts" / "stopped.jsonl")
    calls = recorded_calls(log.events)
    assert [[message.role for message in one.call.messages] for one in calls] == [
        ["system", "user"],
        ["user"],
        ["system", "user", "assistant", "user"],
    ]
    assert isinstance(calls[1].outcome, Reply)
    assert (calls[1].outcome.text, calls[2].outcome) == ("sub:one", None)


def test_the_recorder_stamps_and_writes_all_but_what_is_for_watching() -> None:
    lines: list[str] = []
    watched: list[Event] = []
    clock = iter([100.0, 100.5, 101.0, 101.5, 102.0]).__next__
    recorder = Recorder(lines.append, clock, then=watched.append, path=(1,))
    for event in (EVENTS[1], EVENTS[6], EVENTS[-2], EVENTS[9]):
        recorder(event)
    assert [(event.seq, event.path, event.seconds) for event in watched] == [
        (0, (1,), 0.5),
        (1, (1,), 1.0),
        (2, (1,), 1.5),
        (3, (1,), 2.0),
    ]
    assert [event.type for event in read(lines).events] == ["iteration_started", "notice"]


def test_a_whole_run_is_in_its_log() -> None:
    lines: list[str] = []
    replies = ["```repl\nprint(llm_query('a'))\n```", "FINAL(7)"]
    run("Who?", "data", provider=ScriptedProvider(replies), emit=Recorder(lines.append))
    found = read(lines)
    assert [event.seq for event in found.events] == [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15]
    assert [event.reply for event in found.events if isinstance(event, IterationFinished)] == replies


@pytest.mark.parametrize("error", [ProviderError("down."), ChannelError("lost.")])
def test_calls_that_fail_as_one_are_finished_each(error: Exception) -> None:
    class Failing:
        def complete(self, calls: object) -> list[object]:
            raise error

    events: list[Event] = []
    call = ModelCall((Message("user", "a"),), None, "sub")
    with pytest.raises(type(error)):
        recorded(Failing(), events.append).complete([call, call])  # type: ignore[arg-type]
    assert [event.error for event in events if isinstance(event, CallFinished)] == [str(error)] * 2
