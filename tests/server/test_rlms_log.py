"""Logs of the package `rlms`: written for its visualizer, read in every form.

`tests/golden/rlms` holds logs that its real logger wrote; `make_logs.py` beside them says how.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rlm_core import Event, Limits, ProtocolError, Recorder, run
from rlm_core.events import BlockFinished, CallFinished, CallStarted, RunFinished, RunStarted
from rlm_core.testing import ScriptedProvider
from rlm_server.command.other_logs.forms import read_other_log
from rlm_server.command.rlms_log import exported, imported

BEGAN = datetime(2026, 1, 2, 3, 4, 5)
REPLIES = [
    "```repl\nprint(llm_query('hi'))\n1/0\n```",
    "```repl\nx = rlm_query('Who?', 'data')\nx\n```",
    "```repl\nFINAL(context)\n```",
    "FINAL(42)",
]


def events() -> list[Event]:
    kept: list[Event] = []
    recorder = Recorder(lambda line: None, then=kept.append)
    run("What?", "text", provider=ScriptedProvider(REPLIES), limits=Limits(max_depth=2), emit=recorder)
    return kept


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported(events(), began=BEGAN)]


def test_a_log_has_metadata_and_then_each_iteration() -> None:
    metadata, *iterations = rows()
    assert metadata["type"] == "metadata"
    assert (metadata["root_model"], metadata["max_iterations"], metadata["max_depth"]) == ("scripted", 20, 2)
    assert [row["iteration"] for row in iterations] == [1, 2, 3]
    assert [row["final_answer"] for row in iterations] == [None, None, "42"]
    assert [len(row["prompt"]) for row in iterations] == [2, 4, 6]


def test_a_block_has_its_output_its_error_and_its_calls() -> None:
    (block,) = rows()[1]["code_blocks"]
    assert block["code"].startswith("print(llm_query")
    assert block["result"]["stdout"] == "hi\n"
    assert "ZeroDivisionError" in block["result"]["stderr"]
    (call,) = block["result"]["rlm_calls"]
    assert (call["prompt"], call["response"], call["root_model"]) == ("hi", "hi", "scripted")
    assert call["usage_summary"]["model_usage_summaries"]["scripted"]["total_calls"] == 1
    assert "total_cost" not in call["usage_summary"]["model_usage_summaries"]["scripted"]


def test_a_child_run_is_a_call_with_a_trajectory() -> None:
    (call,) = rows()[2]["code_blocks"][0]["result"]["rlm_calls"]
    assert (call["prompt"], call["response"]) == ("Who?", "data")
    assert [row["final_answer"] for row in call["metadata"]["iterations"]] == ["data"]


def test_what_was_exported_can_be_imported() -> None:
    back = imported(exported(events(), began=BEGAN))
    assert [event.path for event in back if isinstance(event, RunStarted)] == [(), (0,)]
    assert [event.answer for event in back if isinstance(event, RunFinished)] == ["data", "42"]
    assert [event.text for event in back if isinstance(event, CallFinished)] == [REPLIES[0], "hi", *REPLIES[1:]]
    assert [event.seq for event in back] == list(range(len(back)))


def test_question_and_errors_survive_a_round_trip() -> None:
    first = events()
    back = imported(exported(first, began=BEGAN))
    for kind in (RunStarted, BlockFinished):
        assert [told_of(event) for event in back if isinstance(event, kind)] == [
            told_of(event) for event in first if isinstance(event, kind)
        ]


def told_of(event: Event) -> tuple[str, str, str | None]:
    if isinstance(event, RunStarted):
        return event.question, "", None
    assert isinstance(event, BlockFinished)
    shown = event.observation.stdout + (f"{event.observation.value}\n" if event.observation.value else "")
    return "", shown, event.observation.error


OLDER = [
    {"type": "metadata", "root_model": "m", "max_iterations": 3},
    {"type": "iteration", "iteration": 1, "prompt": [{"role": "user", "content": "q"}], "response": "code",
     "code_blocks": [{"code": "x", "result": {"stdout": "out", "stderr": "warning", "locals": {}, "execution_time": 0.5,
                                              "llm_calls": [{"root_model": "s", "prompt": "p", "response": "r"}]}}],
     "final_answer": ["FINAL_VAR", "42"], "iteration_time": 2.0},
]  # fmt: skip


def test_the_form_before_the_first_release_is_read_too() -> None:
    back = imported(json.dumps(row) for row in OLDER)
    (ending,) = [event for event in back if isinstance(event, RunFinished)]
    assert (ending.answer, ending.stopped_by, ending.seconds) == ("42", "final_answer", 2.0)
    assert [event.kind for event in back if isinstance(event, CallStarted)] == ["root", "sub"]


def test_a_run_without_a_final_answer_ran_out() -> None:
    back = imported([json.dumps({**OLDER[1], "final_answer": None})])
    assert [event.stopped_by for event in back if isinstance(event, RunFinished)] == ["max_iterations"]


@pytest.mark.parametrize("line", ["{", "[]"])
def test_a_broken_line_is_refused_by_number(line: str) -> None:
    with pytest.raises(ProtocolError, match="line 2:"):
        imported([json.dumps(OLDER[0]), line, json.dumps(OLDER[1])])


def test_unknown_lines_and_a_cut_last_line_are_counted() -> None:
    text = "\n".join(
        [json.dumps(OLDER[0]), '{"type": "mood"}', '{"type": "mood"}', json.dumps(OLDER[1]), '{"type": "it']
    )
    log = read_other_log(text)
    assert log.notes == [
        "line 5, the last, was cut off and is left out.",
        "2 lines of an unknown type left out (mood)",
    ]
    assert log.system == "rlms"
    assert [event.answer for event in log.events if isinstance(event, RunFinished)] == ["42"]


REAL = sorted((Path(__file__).parents[1] / "golden" / "rlms").glob("*.jsonl"))
real = pytest.mark.parametrize("log", REAL, ids=[log.stem for log in REAL])


def rows_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@real
def test_a_log_of_the_real_logger_is_read(log: Path) -> None:
    back = imported(log.read_text(encoding="utf-8").splitlines())
    endings = {event.path: event for event in back if isinstance(event, RunFinished)}
    assert {path: ending.answer for path, ending in endings.items()} == {(0,): "four", (): "four lines"}
    assert [event.question for event in back if isinstance(event, RunStarted)] == [
        "How many lines?",
        "a child of the root",
    ]
    asked = [event.messages[-1].content for event in back if isinstance(event, CallStarted) and event.kind == "sub"]
    assert asked[0] == "one"
    assert endings[(0,)].usage["scripted"].cost == 0.5


OPEN = {"locals", "backend_kwargs", "environment_kwargs", "model_usage_summaries"}
"""Objects whose keys are names of the run's own."""


def keys_and_types(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Where each value is -> its type; `*` stands for the names in an open object, `[]` for places in a list."""
    yield path, type(value).__name__
    if isinstance(value, dict):
        is_open = path.rpartition(".")[2] in OPEN
        for key, item in value.items():
            if not is_open or path.endswith("model_usage_summaries"):
                yield from keys_and_types(item, f"{path}.{'*' if is_open else key}")
    elif isinstance(value, list):
        for item in value:
            yield from keys_and_types(item, f"{path}[]")


def form(log: list[dict[str, Any]]) -> dict[str, set[str]]:
    found = defaultdict[str, set[str]](set)
    for row in log:
        for path, kind in keys_and_types(row, row["type"]):
            found[path].add(kind)
    return found


def test_an_export_has_exactly_the_keys_and_types_of_the_real_logger() -> None:
    written, ours = form(rows_of(REAL[-1])), form(rows())
    costs = {path for path in written if path.endswith("total_cost")}
    assert ours.keys() == written.keys() - costs, "a cost is left out where no price is known"
    for path, kinds in ours.items():
        assert kinds <= written[path], path


@real
def test_a_real_log_is_exported_again_as_it_was(log: Path) -> None:
    again = [json.loads(line) for line in exported(imported(log.read_text().splitlines()), began=BEGAN)]
    assert [told(row) for row in again] == [told(row) for row in rows_of(log)]


def told(row: dict[str, Any]) -> Any:
    """The part of a row that a trajectory of ours can hold: no times, no variables, stderr within stdout."""
    if row["type"] == "metadata":
        return row["root_model"], row["max_depth"], row["max_iterations"]
    blocks = [(block["code"], *told_result(block["result"])) for block in row["code_blocks"]]
    return row["iteration"], row["prompt"], row["response"], row["final_answer"], blocks


def told_result(result: dict[str, Any]) -> tuple[str, list[Any]]:
    calls = [
        (call["root_model"], call["prompt"], call["response"], call["usage_summary"],
         [told(row) for row in call.get("metadata", {}).get("iterations", [])])
        for call in result["rlm_calls"]
    ]  # fmt: skip
    return result["stdout"] + result["stderr"], calls
