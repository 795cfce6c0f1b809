"""Logs of other systems: samples that their real programs wrote, read as events; refused forms, and broken lines.

`tests/golden/foreign` holds the samples; `make_logs.md` beside them says how each was made. The events made of each
stand beside it, and the page's readers make the same (`tests/worker/log/other_logs.test.js`).
`WRITE_GOLDEN=1 pytest tests/server/test_other_logs.py` writes them anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rlm_core import ProtocolError
from rlm_core.events import (
    BlockFinished,
    BlockStarted,
    CallFinished,
    CallStarted,
    IterationFinished,
    RunFinished,
    RunStarted,
)
from rlm_core.trajectory import read, to_json
from rlm_server.command.cli import main
from rlm_server.command.other_logs.forms import OtherLog, read_other_log

GOLDEN = Path(__file__).parents[1] / "golden" / "foreign"
SAMPLES = {
    "dspy-3.4.1.json": "dspy.RLM",
    "fast-rlm-0.5.0.jsonl": "fast-rlm",
    "droste-0.26.0.ndjson": "droste",
}


def sample(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


def of(log: OtherLog, kind: type[Any]) -> list[Any]:
    return [event for event in log.events if isinstance(event, kind)]


@pytest.mark.parametrize(("name", "system"), SAMPLES.items())
def test_a_sample_makes_the_events_beside_it(name: str, system: str) -> None:
    log = read_other_log(sample(name))
    lines = [to_json(event) for event in log.events]
    expected = (GOLDEN / name).with_suffix(".events.jsonl")
    if os.environ.get("WRITE_GOLDEN"):
        expected.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert (log.system, list(log.notes)) == (system, [])
    assert lines == expected.read_text(encoding="utf-8").splitlines()
    assert read(expected).notes == ()


def test_a_trajectory_of_dspy_has_its_code_output_and_answer() -> None:
    log = read_other_log(sample("dspy-3.4.1.json"))
    assert [event.code for event in of(log, BlockStarted)][:1] == ["print(len(context)); print(context[:50])"]
    outputs = [event.observation for event in of(log, BlockFinished)]
    assert outputs[0].stdout.startswith("1896\n")
    assert outputs[2].error == "[Error] ZeroDivisionError: division by zero"
    assert of(log, IterationFinished)[0].reply.startswith("I look at the data first.\n\n```repl\nprint(len(context))")
    (ending,) = of(log, RunFinished)
    assert (ending.answer, ending.iterations, ending.stopped_by) == (
        "Mara Lindqvist, [[ ## answer ## ]]\n1931",
        4,
        "final_answer",
    )


def test_the_trajectory_alone_is_read_too() -> None:
    prediction = json.loads(sample("dspy-3.4.1.json"))
    (ending,) = of(read_other_log(json.dumps(prediction["trajectory"])), RunFinished)
    assert ending.answer.startswith("{'answer': 'Mara Lindqvist, ")
    (cut,) = of(read_other_log(json.dumps(prediction["trajectory"][:2])), RunFinished)
    assert (cut.answer, cut.stopped_by) == ("", "max_iterations")
    extracted = {**prediction, "final_reasoning": "Extract forced final output"}
    (ending,) = of(read_other_log(json.dumps(extracted)), RunFinished)
    assert ending.stopped_by == "max_iterations"


def test_agents_of_fast_rlm_are_a_tree_of_runs() -> None:
    log = read_other_log(sample("fast-rlm-0.5.0.jsonl"))
    assert [event.path for event in of(log, RunStarted)] == [(), (0,)]
    assert {event.path: event.answer for event in of(log, RunFinished)} == {(0,): "1931", (): "Mara Lindqvist, 1931"}
    assert [event.usage.input_tokens for event in of(log, CallFinished)] == [50] * 5
    failed = [event.observation for event in of(log, BlockFinished) if event.observation.error]
    assert [(one.stdout.startswith("[FULL OUTPUT SHOWN]... before"), one.error.splitlines()[-1]) for one in failed] == [
        (True, "ZeroDivisionError: division by zero")
    ]
    starts = [event.code for event in of(log, BlockStarted) if event.path == () and "llm_query" in event.code]
    position = next(
        at for at, event in enumerate(log.events) if isinstance(event, BlockStarted) and event.code in starts
    )
    assert log.events[position + 1].path == (0,)


def test_a_trace_of_droste_has_replies_code_sub_calls_and_errors() -> None:
    log = read_other_log(sample("droste-0.26.0.ndjson"))
    assert [event.reply.splitlines()[0] for event in of(log, IterationFinished)] == [
        "I look at the data first.",
        "I ask.",
        "```python",
    ]
    assert [event.kind for event in of(log, CallStarted)] == ["root", "root", "sub", "root"]
    assert [event.observation.error for event in of(log, BlockFinished)] == [
        None,
        "ZeroDivisionError: division by zero",
        None,
    ]
    (ending,) = of(log, RunFinished)
    assert (ending.answer, ending.stopped_by) == ("Mara Lindqvist, 1931", "final_answer")


def test_a_result_of_droste_with_its_run_record_is_read_too() -> None:
    rows = [json.loads(line) for line in sample("droste-0.26.0.ndjson").splitlines()]
    kept = [row for row in rows if row["persistence_class"] != "transient"]
    log = read_other_log(json.dumps({"answer": "x", "run_record": {"version": 10, "events": kept}}, indent=1))
    assert (log.system, of(log, RunFinished)[0].answer) == ("droste", "Mara Lindqvist, 1931")


def test_lines_of_later_versions_and_a_cut_last_line_are_counted() -> None:
    for name in ("fast-rlm-0.5.0.jsonl", "droste-0.26.0.ndjson"):
        lines = sample(name).splitlines()
        row = json.loads(lines[0])
        later = json.dumps({**row, "type": "mood", "event_type": "mood"})
        log = read_other_log("\n".join([lines[0], later, later, *lines[1:-1], lines[-1][:20]]))
        assert list(log.notes) == [
            f"line {len(lines) + 2}, the last, was cut off and is left out.",
            "2 lines of an unknown type left out (mood)",
        ]
        assert len(of(log, RunFinished)) >= 1


@pytest.mark.parametrize("text", ["", "{}", "[]", "[]x", '{"type": "run_started"}', "hello", "[1, 2]"])
def test_a_text_of_no_known_form_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match=r"no log of a known form|line 1: not JSON|line 1: no object"):
        read_other_log(text)


def test_the_command_imports_each(tmp_path: Path) -> None:
    for name in SAMPLES:
        done = CliRunner().invoke(main, ["import", str(GOLDEN / name)])
        assert done.exit_code == 0, done.output
        assert done.stdout == (GOLDEN / name).with_suffix(".events.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "row",
    [
        {"type": "code", "run_id": "a", "parent_run_id": "a", "persistence_class": "full", "code": "1"},
        {"event_type": "code_generated", "run_id": "a", "parent_run_id": "a", "step": 1, "code": "1"},
    ],
)
def test_a_run_that_names_itself_as_the_one_above_it_is_the_root(row: dict[str, Any]) -> None:
    log = read_other_log(json.dumps(row))
    assert [event.path for event in of(log, RunStarted)] == [()]


def test_a_line_that_is_nested_too_deeply_is_refused_by_its_number() -> None:
    first = {"event_type": "agent_start", "run_id": "a"}
    with pytest.raises(ProtocolError, match="line 2: not JSON"):
        read_other_log(f"{json.dumps(first)}\n{'[' * 200_000}\n{json.dumps(first)}\n")
