"""Schemas as Python programs and the command give them, values of a type, and evidence as lines of a terminal."""

from __future__ import annotations

import json
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from rlm_core import ConfigError
from rlm_server.headless.arguments import QuestionArguments, RunArguments, parsed
from rlm_server.headless.evidence_lines import check_lines, evidence_lines
from rlm_server.headless.result import HeadlessResult, result_of
from rlm_server.headless.value_shape import read_schema, shape_of
from tests.server.test_result import OK


class Total(BaseModel):
    total: int

    @field_validator("total")
    @classmethod
    def even(cls, total: int) -> int:
        if total % 2:
            raise ValueError("it is odd")
        return total


def result(value: Any) -> HeadlessResult:
    return result_of({**OK, "valueJson": json.dumps(value)})


def test_a_type_gives_its_schema_and_takes_values() -> None:
    shape = shape_of(Total)
    assert shape is not None
    assert shape.schema["properties"]["total"]["type"] == "integer"
    valued = shape.valued(result({"total": 4}))
    assert valued.value == Total(total=4)
    assert valued.to_json()["value"] == {"total": 4}
    numbers = shape_of(list[int])
    assert numbers is not None
    assert numbers.valued(result([1, 2])).value == [1, 2]


def test_a_value_that_only_the_type_refuses_is_none_with_the_reason() -> None:
    shape = shape_of(Total)
    assert shape is not None
    valued = shape.valued(result({"total": 3}))
    assert (valued.value, valued.answer) == (None, OK["answer"])
    assert "value['total']: Value error, it is odd" in valued.detail


@pytest.mark.parametrize("schema", [{"type": "object"}, True])
def test_a_schema_is_passed_on_as_it_is(schema: Any) -> None:
    for kind in (RunArguments, QuestionArguments):
        shape = parsed({"schema": schema}, kind).shape
        assert shape is not None
        assert (shape.schema, shape.valued(result({"a": 1})).value) == (schema, {"a": 1})


@pytest.mark.parametrize("schema", ["object", 5, [], False, {"a": {1}}, {"a": float("nan")}, object()])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(ConfigError, match="schema"):
        parsed({"schema": schema}, RunArguments)


def test_a_file_holds_a_schema_or_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shape.json"
    path.write_text('{"type": "object"}')
    assert read_schema(path) == {"type": "object"}
    for text in ("[]", "{", '"x"', "5"):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"shape\.json"):
            read_schema(path)


def test_evidence_is_listed_with_places_that_can_be_opened() -> None:
    place = {"line": None, "page": None, "sheet": None, "difference": None}
    evidence: list[dict[str, Any]] = [
        {**place, "quote": "by  Ada\nLovelace", "source": "a/lease.txt", "status": "found", "line": 3},
        {**place, "quote": "lamp 417", "source": "book.pdf", "status": "elsewhere", "line": 9, "page": 417},
        {**place, "quote": "5", "source": "t.xlsx", "status": "changed", "sheet": "2025", "difference": '"5" is "6"'},
        {**place, "quote": "x" * 200, "source": None, "status": "missing"},
    ]
    assert list(evidence_lines(evidence)) == [
        '[1] a/lease.txt:3 "by Ada Lovelace"',
        '[2] book.pdf page 417 "lamp 417"  (in another source than the model named)',
        '[3] t.xlsx sheet "2025" "5"  (not word for word: "5" is "6")',
        f'[4] (no source) "{"x" * 100}..."  (NOT IN THE CONTEXT)',
    ]


def test_what_nothing_bears_out_is_noted_in_a_line_each() -> None:
    numbers = [{"text": text, "start": 0, "end": 1} for text in ("1,843", "56 %", "1,843", *map(str, range(100, 125)))]
    unsupported, loose = check_lines("It is 1,843.", [], {"numbers": numbers, "supported": False})
    assert unsupported == "note: the answer is unsupported: it came without a quote of the context"
    assert loose.startswith("note: in no output, sub-reply or quote: 1,843, 56 %, 100, 101")
    assert loose.endswith("117 and 7 more")
    [missing] = check_lines("Ada.", [{"status": "missing"}], {"numbers": [], "supported": False})
    assert missing.endswith("none of its quotes stands in the context")
    assert list(check_lines("", [], {"numbers": [], "supported": False})) == []


class Kind(Enum):
    OLD = "old"


class Strict(BaseModel, strict=True):
    kind: Kind
    day: date


def test_a_strict_type_takes_what_json_has_for_it() -> None:
    shape = shape_of(Strict)
    assert shape is not None
    valued = shape.valued(result({"kind": "old", "day": "2026-11-29"}))
    assert (valued.value, valued.detail) == (Strict(kind=Kind.OLD, day=date(2026, 11, 29)), OK["detail"])
