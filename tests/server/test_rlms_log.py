"""Logs of the package `rlms`: written for its visualizer, read in both dialects."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from rlm_core import Event, Limits, ProtocolError, Recorder, run
from rlm_core.events import CallFinished, CallStarted, RunFinished, RunStarted
from rlm_core.testing import ScriptedProvider
from rlm_server.rlms_log import exported, imported

BEGAN = datetime(2026, 1, 2, 3, 4, 5)
REPLIES = [
    "```repl\nprint(llm_query('hi'))\n1/0\n```",
    "```repl\nx = rlm_query('Who?', 'data')\nx\n```",
    "```repl\nFINAL(context)\n```",
    "FINAL(done)",
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
    assert [row["final_answer"] for row in iterations] == [None, None, "done"]
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
    assert [event.answer for event in back if isinstance(event, RunFinished)] == ["data", "done"]
    assert [event.text for event in back if isinstance(event, CallFinished)] == [REPLIES[0], "hi", *REPLIES[1:]]
    assert [event.seq for event in back] == list(range(len(back)))


OLDER = [
    {"type": "metadata", "root_model": "m", "max_iterations": 3},
    {"type": "iteration", "iteration": 1, "prompt": [{"role": "user", "content": "q"}], "response": "code",
     "code_blocks": [{"code": "x", "result": {"stdout": "out", "stderr": "warning", "locals": {}, "execution_time": 0.5,
                                              "llm_calls": [{"root_model": "s", "prompt": "p", "response": "r"}]}}],
     "final_answer": ["FINAL_VAR", "42"], "iteration_time": 2.0},
]  # fmt: skip


def test_the_older_dialect_is_read_too() -> None:
    back = imported(json.dumps(row) for row in OLDER)
    (ending,) = [event for event in back if isinstance(event, RunFinished)]
    assert (ending.answer, ending.stopped_by, ending.seconds) == ("42", "final_answer", 2.0)
    assert [event.kind for event in back if isinstance(event, CallStarted)] == ["root", "sub"]


def test_a_run_without_a_final_answer_ran_out() -> None:
    back = imported([json.dumps({**OLDER[1], "final_answer": None})])
    assert [event.stopped_by for event in back if isinstance(event, RunFinished)] == ["max_iterations"]


@pytest.mark.parametrize("line", ["{", "[]", '{"type": "run_started"}'])
def test_a_line_of_another_kind_is_refused_by_number(line: str) -> None:
    with pytest.raises(ProtocolError, match="line 2:"):
        imported([json.dumps(OLDER[0]), line])
