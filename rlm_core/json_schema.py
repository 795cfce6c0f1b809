"""JSON Schema: a value of JSON against a schema of draft 2020-12, for the replies of sub-calls.

In: a schema that model code wrote, and a value. Out: sentences on how the value differs, with places (`$.names[0]`).
Keywords that are not applied here are refused by name, but for annotations; `format` is one. The answer of a run is
checked on the page instead (`worker/run/shape.js`): there the schema is the user's, here it is untrusted, and its
patterns and references may take any time, which is the block's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from typing import TypeAlias

from .ecma_pattern import compiled
from .schema_forms import TYPES, check_keywords, kind_of
from .schema_forms import same as same
from .types import Json

Part: TypeAlias = Json
"""A schema: an object, or a boolean."""
Check: TypeAlias = Callable[["Schema", Mapping[str, Json], Json, str], Iterator[str]]

MAX_DIFFERENCES = 8
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else")


_SAME_VALUE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")


class Schema:
    """A schema that can be applied.

    Args:
        schema: an object or a boolean.

    Raises:
        ValueError: it is none, or cannot be applied; the message says why.

    >>> names = Schema({"type": "array", "items": {"type": "string"}, "maxItems": 2})
    >>> names.differences(["Ada"]), names.differences(["Ada", 7])
    ([], ['$[1]: it is an integer, not a string'])
    """

    def __init__(self, schema: Part) -> None:
        self.root = schema
        self._anchors: Mapping[str, Part] = {}
        try:
            self._examine(schema)
            self.fits(schema, None)
        except RecursionError:
            raise ValueError("the schema leads back to itself without end, or is nested too deeply") from None

    def differences(self, value: Json) -> list[str]:
        """How `value` differs, in at most `MAX_DIFFERENCES` sentences; none where it fits."""
        try:
            return list(islice(self.of(self.root, value, "$"), MAX_DIFFERENCES))
        except RecursionError:
            return ["$: it is nested too deeply"]

    def of(self, part: Part, value: Json, place: str) -> Iterator[str]:
        """The differences of the value at `place` from a part of the schema."""
        if not isinstance(part, Mapping):
            if part is False:
                yield f"{place}: it is not allowed here"
            return
        for check, keywords in CHECKS:
            if any(keyword in part for keyword in keywords):
                yield from check(self, part, value, place)

    def fits(self, part: Part, value: Json) -> bool:
        return next(self.of(part, value, "$"), None) is None

    def target(self, reference: str) -> Part:
        """The part that a `$ref` leads to.

        Raises:
            ValueError: nowhere.
        """
        if reference.startswith("#") and reference[1:] in self._anchors:
            return self._anchors[reference[1:]]
        found: Json = self.root
        if reference not in ("#", "") and not reference.startswith("#/"):
            raise ValueError(f"$ref {reference!r} leads out of the schema")
        for name in reference.split("/")[1:]:
            key = _unescaped(name)
            if isinstance(found, list) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                raise ValueError(f"$ref {reference!r} leads nowhere")
        return found

    def _examine(self, schema: Part) -> None:
        """Refuse, before any value, what could not be applied: in the schema, and wherever its references lead."""
        self._anchors = {str(part["$anchor"]): dict(part) for part in _parts(schema) if "$anchor" in part}
        left, seen, ended = [schema], set[int](), set[int]()
        while left:
            for part in _parts(left.pop()):
                if id(part) in seen:
                    continue
                seen.add(id(part))
                check_keywords(part)
                if "$ref" in part:
                    left.append(self.target(str(part["$ref"])))
                self._check_end(part, set(), ended)

    def _check_end(self, part: object, path: set[int], done: set[int]) -> None:
        """Refuse references that lead back to themselves over the same value, as `RecursionError`."""
        if not isinstance(part, Mapping) or id(part) in done:
            return
        if id(part) in path:
            raise RecursionError
        path.add(id(part))
        if "$ref" in part:
            self._check_end(self.target(str(part["$ref"])), path, done)
        for keyword in _SAME_VALUE:
            inner = part.get(keyword)
            for each in inner if isinstance(inner, list) else [inner]:
                self._check_end(each, path, done)
        path.discard(id(part))
        done.add(id(part))


_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def _unescaped(name: str) -> str:
    """A step of a JSON Pointer in a URI: `a%20b~1c` is `a b/c`."""
    plain = _ESCAPED.sub(lambda match: bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace"), name)
    return plain.replace("~1", "/").replace("~0", "~")


def _parts(schema: Part) -> Iterator[Mapping[str, Json]]:
    """`schema` and all that are in it."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, bool):
            continue
        if not isinstance(part, Mapping):
            raise ValueError(f"a schema is an object or a boolean, not {kind_of(part)}")
        yield part
        for keyword in _NAMED:
            named = part.get(keyword, {})
            if not isinstance(named, dict):
                raise ValueError(f"{keyword!r} must be an object")
            left.extend(named.values())
        for keyword in _LISTED:
            listed = part.get(keyword, [])
            if not isinstance(listed, list):
                raise ValueError(f"{keyword!r} must be a list of schemas")
            left.extend(listed)
        left.extend(part[keyword] for keyword in _SINGLE if keyword in part)


# --- Keywords ---------------------------------------------------------------------------------------------------------


def _ref(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    yield from schema.of(schema.target(str(part["$ref"])), value, place)


def _type(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    wanted = part["type"] if isinstance(part["type"], list) else [part["type"]]
    if not any(TYPES[str(name)](value) for name in wanted):
        yield f"{place}: it is {kind_of(value)}, not {' or '.join(map(_with_article, map(str, wanted)))}"


def _with_article(name: str) -> str:
    return name if name == "null" else f"an {name}" if name[0] in "aio" else f"a {name}"


def _enum(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    allowed = part["enum"]
    if isinstance(allowed, list) and not any(same(value, one) for one in allowed):
        shown = ", ".join(repr(one) for one in allowed[:20]) + (", ..." if len(allowed) > 20 else "")
        yield f"{place}: {_shown(value)} is none of {shown}"


def _const(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    if not same(value, part["const"]):
        yield f"{place}: {_shown(value)} is not {_shown(part['const'])}"


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _bounds(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    """Every keyword that compares a number of the value with one of the schema."""
    for keyword, (measure, is_within, words) in BOUNDS.items():
        measured = measure(value) if keyword in part else None
        bound = part.get(keyword)
        if measured is not None and isinstance(bound, int | float) and not is_within(measured, bound):
            yield f"{place}: {words.format(measured, part[keyword])}"


def _measured(kind: type) -> Callable[[Json], float | None]:
    return lambda value: len(value) if isinstance(value, kind) else None  # type: ignore[arg-type]


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_multiple(value: float, of: float) -> bool:
    """By the decimals as they are written: 0.3 is a multiple of 0.1, and 2**53 + 1 is odd."""
    if any(isinstance(number, float) and not math.isfinite(number) for number in (value, of)):
        return False
    return (Fraction(str(value)) / Fraction(str(of))).denominator == 1


def _at_least(value: float, least: float) -> bool:
    return value >= least


def _at_most(value: float, most: float) -> bool:
    return value <= most


BOUNDS: Mapping[str, tuple[Callable[[Json], float | None], Callable[[float, float], bool], str]] = {
    "minimum": (_number, _at_least, "{} is less than {}"),
    "maximum": (_number, _at_most, "{} is more than {}"),
    "exclusiveMinimum": (_number, lambda value, least: value > least, "{} is not more than {}"),
    "exclusiveMaximum": (_number, lambda value, most: value < most, "{} is not less than {}"),
    "multipleOf": (_number, _is_multiple, "{} is no multiple of {}"),
    "minLength": (_measured(str), _at_least, "it has {} characters, {} are the least"),
    "maxLength": (_measured(str), _at_most, "it has {} characters, {} are the most"),
    "minItems": (_measured(list), _at_least, "it has {} items, {} are the least"),
    "maxItems": (_measured(list), _at_most, "it has {} items, {} are the most"),
    "minProperties": (_measured(dict), _at_least, "it has {} properties, {} are the least"),
    "maxProperties": (_measured(dict), _at_most, "it has {} properties, {} are the most"),
}


def _pattern(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    if isinstance(value, str) and not compiled(str(part["pattern"])).search(value):
        yield f"{place}: {_shown(value)} does not match {part['pattern']!r}"


def _items(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        return
    first = part.get("prefixItems", [])
    own = first if isinstance(first, list) else []
    for index, item in enumerate(value):
        wanted = own[index] if index < len(own) else part.get("items", True)
        yield from schema.of(wanted, item, f"{place}[{index}]")


def _unique(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    if part["uniqueItems"] is not True or not isinstance(value, list):
        return
    for index, item in enumerate(value):
        if any(same(item, other) for other in value[:index]):
            yield f"{place}[{index}]: {_shown(item)} is there already"
            return


def _contains(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        return
    found = sum(schema.fits(part["contains"], item) for item in value)
    least, most = part.get("minContains", 1), part.get("maxContains", math.inf)
    if not float(str(least)) <= found <= float(str(most)):
        yield f"{place}: {found} items are of the kind that it must contain"


def _properties(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    named, patterns = part.get("properties", {}), part.get("patternProperties", {})
    assert isinstance(named, dict)
    assert isinstance(patterns, dict)
    for name, item in value.items():
        wanted = [named[name]] if name in named else []
        wanted += [inner for pattern, inner in patterns.items() if compiled(pattern).search(name)]
        if not wanted:
            wanted = [part.get("additionalProperties", True)]
        for inner in wanted:
            yield from schema.of(inner, item, f"{place}.{name}")


def _required(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    names = part.get("required", [])
    dependent = part.get("dependentRequired", {})
    assert isinstance(names, list)
    assert isinstance(dependent, dict)
    also = [name for owner, others in dependent.items() if owner in value for name in _listed(others)]
    for name in [*names, *also]:
        if name not in value:
            yield f"{place}: it has no property {name!r}"


def _names(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        yield from schema.of(part["propertyNames"], name, f"{place}: the name {name!r}")


def _dependent(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    dependent = part["dependentSchemas"]
    if isinstance(value, dict) and isinstance(dependent, dict):
        for name, inner in dependent.items():
            if name in value:
                yield from schema.of(inner, value, place)


def _all(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    for inner in _listed(part["allOf"]):
        yield from schema.of(inner, value, place)


def _any(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    first = [next(schema.of(inner, value, place), None) for inner in _listed(part["anyOf"])]
    if first and None not in first:
        yield f"{place}: it fits none of {len(first)} alternatives ({'; '.join(map(str, first[:3]))})"


def _one(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    alternatives = _listed(part["oneOf"])
    count = sum(schema.fits(inner, value) for inner in alternatives)
    if count != 1:
        yield f"{place}: it fits {count} of {len(alternatives)} alternatives, and must fit one"


def _not(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    if schema.fits(part["not"], value):
        yield f"{place}: it is of the kind that it must not be"


def _if(schema: Schema, part: Mapping[str, Json], value: Json, place: str) -> Iterator[str]:
    yield from schema.of(part.get("then" if schema.fits(part["if"], value) else "else", True), value, place)


def _listed(parts: Json) -> Sequence[Json]:
    return parts if isinstance(parts, list) else []


CHECKS: tuple[tuple[Check, tuple[str, ...]], ...] = (
    (_ref, ("$ref",)),
    (_type, ("type",)),
    (_enum, ("enum",)),
    (_const, ("const",)),
    (_bounds, tuple(BOUNDS)),
    (_pattern, ("pattern",)),
    (_items, ("prefixItems", "items")),
    (_unique, ("uniqueItems",)),
    (_contains, ("contains",)),
    (_properties, ("properties", "patternProperties", "additionalProperties")),
    (_required, ("required", "dependentRequired")),
    (_names, ("propertyNames",)),
    (_dependent, ("dependentSchemas",)),
    (_all, ("allOf",)),
    (_any, ("anyOf",)),
    (_one, ("oneOf",)),
    (_not, ("not",)),
    (_if, ("if",)),
)
"""Each check, and the keywords that it applies together."""
