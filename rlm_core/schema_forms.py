"""Schema forms: the keywords of a JSON Schema by themselves, before any value is compared.

In: a part of a schema. Out: nothing, or a `ValueError` that names the keyword: of another draft, not applied here, or
with a value of the wrong kind. Kinds and equality of JSON values are here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .ecma_pattern import compiled
from .types import Json

REFUSED = ("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties", "$id")
"""Keywords that would be ignored; a schema that has one is refused."""
OTHER_DRAFTS = {
    "additionalItems": "items, after prefixItems",
    "dependencies": "dependentRequired or dependentSchemas",
    "nullable": 'null in type: ["string", "null"]',
}
"""Keywords of earlier drafts and of OpenAPI, and those that took their place."""


def check_keywords(part: Mapping[str, Json]) -> None:
    """Raise `ValueError` where a keyword is not applied here, or its value is none."""
    refused = next((keyword for keyword in REFUSED if keyword in part), None)
    if refused is not None:
        raise ValueError(f"the keyword {refused!r} is not applied here; say it in another way")
    other = next((keyword for keyword in OTHER_DRAFTS if keyword in part), None)
    if other is not None:
        raise ValueError(f"{other!r} is no keyword of draft 2020-12, use {OTHER_DRAFTS[other]}")
    for keyword, (is_one, must) in FORMS.items():
        if keyword in part and not is_one(part[keyword]):
            raise ValueError(f"{keyword!r} must be {must}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return _is_number(value) and is_whole and float(str(value)) >= 0


def _is_type(name: object) -> bool:
    names = name if isinstance(name, list) else [name]
    return all(isinstance(each, str) and each in TYPES for each in names)


def _is_pattern(pattern: object) -> bool:
    try:
        compiled(str(pattern))
    except (re.error, OverflowError, RecursionError):
        return False
    return isinstance(pattern, str)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


TYPES: Mapping[str, Callable[[Json], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or float(str(value)).is_integer()),
    "string": lambda value: isinstance(value, str),
}
_COUNT = (_is_count, "a whole number from 0")
_NUMBER = (_is_number, "a number")
FORMS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "type": (_is_type, f"one or a list of {', '.join(TYPES)}"),
    "enum": (lambda value: isinstance(value, list), "a list"),
    "pattern": (_is_pattern, "a regular expression"),
    "patternProperties": (lambda value: isinstance(value, dict) and all(map(_is_pattern, value)), "by patterns"),
    "required": (_are_names, "a list of names"),
    "dependentRequired": (
        lambda value: isinstance(value, dict) and all(map(_are_names, value.values())),
        "lists of names",
    ),
    "$ref": (lambda value: isinstance(value, str), "text"),
    "multipleOf": (lambda value: _is_number(value) and float(str(value)) > 0, "a number above 0"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"), _COUNT),
    **dict.fromkeys(("minProperties", "maxProperties"), _COUNT),
}
"""Keyword -> whether its value is one, and of which kind it must be."""


def kind_of(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    names = {str: "a string", int: "an integer", float: "a number", list: "an array", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")


def same(one: Json, other: Json) -> bool:
    """Equality of JSON: 1 is 1.0, and not true.

    >>> same(1, 1.0), same(1, True), same([0], [False])
    (True, False, False)
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one == other
