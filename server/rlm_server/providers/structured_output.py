"""Structured output: the fields by which a vendor keeps a reply to a JSON Schema.

In: the schema of a call, and the body that was refused where one was. Out: fields for the body, by dialect. A schema
that the vendor is known to refuse adds none, and one that it refuses all the same is left out of later bodies: the
prompt holds the schema too, and whoever asked checks the reply.

    openai      response_format: {type: "json_schema", json_schema: {name, schema, strict}}; the root is an object
    anthropic   output_config: {format: {type: "json_schema", schema}}; objects have additionalProperties: false
    ollama      format: schema
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias

from rlm_core.types import Json

Schema: TypeAlias = Mapping[str, Json]
Fields: TypeAlias = Mapping[str, object]
Form: TypeAlias = Literal["openai", "anthropic", "ollama"]

NAME = "reply"
"""Name of the schema, which OpenAI demands."""
REFUSAL = r"response_format|output_config|output_format|json_?schema|structured.output|schema|grammar|guided|\bformat\b"
"""Pattern of a refusal's words, in lower case."""
_PARTS_BY_NAME = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_PARTS_IN_ORDER = ("allOf", "anyOf", "oneOf", "prefixItems")
_PARTS = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")


def structured_output(form: Form, schema: Schema | None) -> Fields:
    """The fields of the body, for Anthropic those of its `output_config`; none where the vendor refuses the schema.

    >>> structured_output("ollama", {"type": "array"})
    {'format': {'type': 'array'}}
    """
    return {} if schema is None else FORMS[form](schema)


def _openai(schema: Schema) -> Fields:
    if schema.get("type") != "object":
        return {}
    wanted = {"name": NAME, "schema": schema, "strict": is_strict(schema)}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


def _anthropic(schema: Schema) -> Fields:
    if not all(part.get("additionalProperties") is False for part in _objects(schema)):
        return {}
    return {"format": {"type": "json_schema", "schema": schema}}


def _ollama(schema: Schema) -> Fields:
    return {"format": schema}


FORMS: Mapping[Form, Callable[[Schema], Fields]] = {"openai": _openai, "anthropic": _anthropic, "ollama": _ollama}


def is_strict(schema: Schema) -> bool:
    """Whether OpenAI can hold a reply to the letter of `schema`: each object is closed, and requires all it names."""
    objects = list(_objects(schema))
    return all(
        part.get("additionalProperties") is False and set(_names(part, "required")) == set(_names(part, "properties"))
        for part in objects
    )


def holds_structured_output(body: Fields) -> bool:
    """Whether `body` asks for it."""
    return "response_format" in body or "format" in body or "format" in _output_config(body)


def without_structured_output(body: Fields, _: int = 0) -> Fields:
    """`body` without its fields; other settings of `output_config` stay."""
    rest = {name: value for name, value in body.items() if name not in ("response_format", "format", "output_config")}
    kept = {name: value for name, value in _output_config(body).items() if name != "format"}
    return {**rest, "output_config": kept} if kept else rest


def _output_config(body: Fields) -> Fields:
    config = body.get("output_config")
    return config if isinstance(config, Mapping) else {}


def _names(part: Schema, keyword: str) -> list[str]:
    value = part.get(keyword)
    return [str(name) for name in value] if isinstance(value, list | dict) else []


def _objects(schema: Json | Schema) -> Iterator[Schema]:
    """The parts of `schema` that are about objects, itself among them."""
    left: list[Json | Schema] = [schema]
    while left:
        part = left.pop()
        if not isinstance(part, Mapping):
            continue
        if part.get("type") == "object" or "properties" in part:
            yield part
        for keyword in _PARTS_BY_NAME:
            named = part.get(keyword)
            left.extend(named.values() if isinstance(named, Mapping) else ())
        for keyword in _PARTS_IN_ORDER:
            listed = part.get(keyword)
            left.extend(listed if isinstance(listed, list) else ())
        left.extend(part[keyword] for keyword in _PARTS if keyword in part)
