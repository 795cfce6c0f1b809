"""Value shape: the schema of an answer's value, as Python programs give it.

In: a JSON Schema, or a type that pydantic knows. Out: the schema for the page, and the value of a result as that type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlm_core import ConfigError

if TYPE_CHECKING:
    from .result import HeadlessResult


@dataclass(frozen=True, slots=True)
class ValueShape:
    """A schema, and the pydantic adapter of the type that it was made of, or `None`."""

    schema: Any
    adapter: Any = None

    def valued(self, result: HeadlessResult) -> HeadlessResult:
        """`result` with its value as an instance of the type.

        The page has applied the schema; validators of the type that a schema cannot express run here. A value that they
        refuse is none, and the detail says why.
        """
        if self.adapter is None or result.value is None:
            return result
        from pydantic import ValidationError

        try:
            return replace(result, value=self.adapter.validate_json(json.dumps(result.value)))
        except ValidationError as fault:
            first = fault.errors(include_url=False, include_context=False)[0]
            where = "".join(f"[{part!r}]" for part in first["loc"])
            detail = f"The value fits the schema and not the type: value{where}: {first['msg']}."
            return replace(result, value=None, detail=f"{result.detail} {detail}".strip())


def shape_of(schema: Any) -> ValueShape | None:
    """The shape that a caller gives as `schema`.

    Raises:
        ConfigError: it is neither a JSON Schema nor a type that pydantic knows.
    """
    if schema is None:
        return None
    if schema is True or isinstance(schema, Mapping):
        try:
            return ValueShape(json.loads(json.dumps(schema, allow_nan=False)))
        except (TypeError, ValueError) as fault:
            raise ConfigError(f"schema is not JSON: {fault}.") from None
    return _of_type(schema)


def read_schema(path: Path) -> Any:
    """The JSON Schema in a file.

    Raises:
        ConfigError: it holds none.
    """
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise ConfigError(f"{path.name} cannot be read as JSON: {fault}.") from None
    if schema is not True and not isinstance(schema, dict):
        raise ConfigError(f"{path.name} must hold a JSON Schema, an object, not {type(schema).__name__}.")
    return schema


def _of_type(schema: Any) -> ValueShape:
    from pydantic import PydanticUserError, TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError

    if isinstance(schema, str | bytes | int | float | list | bool):
        raise ConfigError(
            f"schema must be a JSON Schema as a dict, or a type such as a pydantic model, not {schema!r:.60}."
        )
    try:
        adapter = TypeAdapter(schema)
        return ValueShape(adapter.json_schema(), adapter)
    except (PydanticUserError, PydanticSchemaGenerationError) as fault:
        raise ConfigError(
            f"schema: pydantic has no JSON Schema of {schema!r:.60}: {str(fault).splitlines()[0]}"
        ) from None
