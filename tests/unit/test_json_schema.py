"""json_schema: the worker's validator; on the table in golden/schemas it agrees with that of the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rlm_core.json_schema import MAX_DIFFERENCES, Schema

CIRCLE = {"x": {"$ref": "#/$defs/y"}, "y": {"allOf": [{"$ref": "#/$defs/x"}]}}
TABLE: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "golden" / "schemas" / "table.json").read_text())


def test_schemas_and_values_of_the_table() -> None:
    wrong = [row for row in TABLE if (Schema(row["schema"]).differences(row["value"]) == []) is not row["fits"]]
    assert (len(TABLE) >= 120, wrong) == (True, [])


@pytest.mark.parametrize(
    ("schema", "value", "differences"),
    [
        ({"type": "integer"}, "7", ["$: it is a string, not an integer"]),
        ({"type": ["array", "null"]}, True, ["$: it is a boolean, not an array or null"]),
        ({"enum": ["a", "b"]}, "c", ["$: 'c' is none of 'a', 'b'"]),
        ({"items": {"required": ["id"]}}, [{"id": 1}, {}], ["$[1]: it has no property 'id'"]),
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": [1]}, ["$.a[0]: it is an integer, not a string"]),
        ({"additionalProperties": False}, {"b": 1}, ["$.b: it is not allowed here"]),
        ({"maxItems": 1}, [1, 2], ["$: it has 2 items, 1 are the most"]),
        (
            {"anyOf": [{"type": "string"}, {"minimum": 3}]},
            2,
            ["$: it fits none of 2 alternatives ($: it is an integer, not a string; $: 2 is less than 3)"],
        ),
    ],
)
def test_a_difference_has_its_place_and_its_reason(schema: Any, value: Any, differences: list[str]) -> None:
    assert Schema(schema).differences(value) == differences


def test_of_many_differences_the_first_are_named() -> None:
    assert len(Schema({"items": {"type": "string"}}).differences([*range(1000)])) == MAX_DIFFERENCES


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "text"}, "'type' must be one or a list of null"),
        ({"pattern": "("}, "'pattern' must be a regular expression"),
        ({"patternProperties": {"[": {}}}, "'patternProperties' must be by patterns"),
        ({"properties": []}, "'properties' must be an object"),
        ({"properties": {"a": "string"}}, "a schema is an object or a boolean, not a string"),
        ({"anyOf": {}}, "'anyOf' must be a list of schemas"),
        ({"required": "a"}, "'required' must be a list of names"),
        ({"minItems": -1}, "'minItems' must be a whole number from 0"),
        ({"multipleOf": 0}, "'multipleOf' must be a number above 0"),
        ({"items": {"unevaluatedProperties": False}}, "'unevaluatedProperties' is not applied here"),
        ({"$ref": "#/$defs/nowhere"}, "$ref '#/$defs/nowhere' leads nowhere"),
        ({"$ref": "https://example.org/a"}, "leads out of the schema"),
        ({"$ref": "#"}, "leads back to itself without end"),
        ({"$ref": "#/x", "x": {"type": "text"}}, "'type' must be one or a list"),
        ([], "a schema is an object or a boolean, not an array"),
        ({"items": {"nullable": True}}, "'nullable' is no keyword of draft 2020-12, use null in type"),
        ({"dependencies": {}}, "'dependencies' is no keyword of draft 2020-12"),
        ({"prefixItems": [], "additionalItems": False}, "'additionalItems' is no keyword of draft 2020-12"),
        ({"items": [{}]}, "a schema is an object or a boolean, not an array"),
        ({"pattern": "\\p{L}"}, "'pattern' must be a regular expression"),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": CIRCLE}, "leads back to itself without end"),
    ],
)
def test_a_schema_that_cannot_be_applied_is_refused(schema: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Schema(schema)


def test_a_value_that_is_nested_too_deeply_does_not_fit() -> None:
    value: Any = []
    for _ in range(5_000):
        value = [value]
    assert Schema({"items": {"$ref": "#"}}).differences(value) == ["$: it is nested too deeply"]


LARGE = 2**53
"""From here on a float has not every whole number."""


@pytest.mark.parametrize(
    ("schema", "fitting", "other"),
    [
        ({"minimum": LARGE + 1}, LARGE + 1, LARGE),
        ({"maximum": LARGE}, LARGE, LARGE + 1),
        ({"exclusiveMinimum": LARGE}, LARGE + 1, LARGE),
        ({"multipleOf": 2}, LARGE, LARGE + 1),
        ({"multipleOf": 3}, 3 * 10**400, 10**400),
        ({"multipleOf": 0.1}, 0.7, 0.75),
        ({"type": "integer", "maximum": 1.5}, -(10**400), 10**400),
        ({"type": "integer"}, 1e300, float("inf")),
    ],
)
def test_numbers_of_any_size_are_compared_exactly(schema: Any, fitting: Any, other: Any) -> None:
    assert [Schema(schema).differences(value) == [] for value in (fitting, other)] == [True, False]


def test_references_that_meet_again_and_again_are_examined_in_linear_time() -> None:
    diamond: dict[str, Any] = {
        str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}, {"$ref": f"#/$defs/{n + 1}"}]} for n in range(18)
    }
    assert Schema({"properties": {"a": {"$ref": "#/$defs/0"}}, "$defs": {**diamond, "18": {}}}).differences({}) == []
