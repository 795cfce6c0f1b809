"""Results of headless runs: in Python, as JSON with its schema, and from the events of a run whose browser is gone."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from rlm_server.headless.result import SCHEMA, ResultJson, partial_result, result_of, schema

USED = {"calls": 1, "input_tokens": 10, "output_tokens": 5, "cached_tokens": 0, "cost": 0.5}
OK: dict[str, Any] = {
    "answer": "x" * 5_000,
    "value": {"total": 1},
    "valueJson": '{"total": 9007199254740993}',
    "evidence": [
        {"quote": "by Ada", "source": "a.txt", "status": "found", "start": 3, "end": 9, "byteStart": 3, "byteEnd": 9,
         "line": 1, "page": None, "sheet": None, "difference": None, "checkedBy": "host"},
    ],
    "checks": {"numbers": [{"text": "1,843", "start": 3, "end": 8}], "supported": True},
    "iterations": 2,
    "totalTime": 1500,
    "usage": {"a:b": USED},
    "usageByPath": {"": {"a:b": USED}},
    "usageFromRecord": {},
    "usageOfCompaction": {"a:b": USED},
    "egress": {
        "calls": 1, "denied": 0, "unused": 0, "bytes": 9, "chars": 9,
        "destinations": [
            {"to": "http://here → a:b", "origin": "http://here", "provider": "a", "model": "a:b", "host": None,
             "calls": 1, "bytes": 9, "chars": 9, "images": 0, "imageBytes": 0, "imageTokens": 0, "contextChars": 3},
        ],
        "images": 0, "imageBytes": 0, "imageTokens": 0,
        "contextChars": 3, "contextSize": 6, "share": 0.5, "unsearched": [],
    },
    "stoppedBy": "final_answer",
    "detail": "",
    "fault": None,
    "trajectory": "{}\n",
}  # fmt: skip


def test_a_result_is_in_pythons_spelling_and_units() -> None:
    result = result_of(OK)
    assert (result.total_time, result.stopped_by) == (1.5, "final_answer")
    assert result.egress["context_chars"] == 3
    assert (result.usage_from_record, result.usage_of_compaction["a:b"]["calls"]) == ({}, 1)
    assert result.value == {"total": 9007199254740993}
    assert (result.evidence[0]["byte_end"], result.evidence[0]["checked_by"]) == (9, "host")
    assert (result.checks["numbers"][0]["text"], result.checks["supported"]) == ("1,843", True)
    assert len(repr(result)) < 160


def test_the_schema_is_up_to_date() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema()


def test_results_are_as_the_schema_says() -> None:
    ResultJson.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[attr-defined]
    adapter = TypeAdapter(ResultJson)
    for result in (result_of(OK), partial_result([], detail="gone")):
        text = json.dumps(result.to_json())
        assert adapter.validate_json(text) == json.loads(text)


def event(type: str, path: list[int], **fields: Any) -> dict[str, Any]:
    return {"type": type, "seq": 0, "path": path, "seconds": 2.0, **fields}


def test_what_arrived_of_a_lost_run_is_its_partial_result() -> None:
    used = {"calls": 1, "input_tokens": 3, "output_tokens": 2, "cached_tokens": 0, "cost": None}
    events = [
        event("call_started", [], call=0),
        event("call_finished", [], call=0, model="a:b", usage=used, from_store=True),
        event("call_started", [0], call=1, kind="compaction", images=[{"width": 100, "height": 30}]),
        event(
            "egress",
            [0],
            call=1,
            denied=None,
            bytes=7,
            image_bytes=5,
            chars=6,
            left_chars=4,
            context_size=8,
            to="x",
            model="a:b",
            new_chars=4,
        ),
        event("call_finished", [0], call=1, model="a:b", usage=used),
        event("block_finished", [], partial="so far"),
        event("block_finished", [0], partial="of the child"),
        event("iteration_finished", []),
    ]
    result = partial_result(events, detail="gone")
    assert (result.answer, result.iterations, result.total_time) == ("so far", 1, 2.0)
    assert (result.stopped_by, result.detail) == ("cancelled", "gone")
    assert result.usage["a:b"]["calls"] == 2
    assert result.usage_by_path["0"]["a:b"]["input_tokens"] == 3
    assert (result.usage_from_record["a:b"]["calls"], result.usage_of_compaction["a:b"]["calls"]) == (1, 1)
    assert (result.egress["calls"], result.egress["share"]) == (1, 0.5)
    for totals in (result.egress, result.egress["destinations"][0]):
        assert (totals["images"], totals["image_bytes"], totals["image_tokens"]) == (1, 5, 4)
    assert [json.loads(line) for line in result.trajectory.splitlines()] == events
