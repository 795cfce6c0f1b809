"""Reply values: the replies of sub-models as values that fit a schema.

In: the schema that model code gives with its prompts. Out: the prompts with the schema at their end, values read from
the replies, and for a reply that does not fit the prompt that asks once more. The schema stands in every prompt, so
that the ledger, the limits and the log have it, and so that it is there where a vendor has no structured output.
"""

from __future__ import annotations

import json

from . import prompts
from .json_schema import Schema
from .output import cut
from .types import Json
from .written_json import Misfit, fitting

MAX_SCHEMA_CHARS = 20_000
"""Characters of the largest schema of a sub-call, as JSON; the host and the server refuse more."""
MAX_REPLY_CHARS = 4_000
"""Characters of a reply that does not fit, as the sub-model is shown it again."""


class Wanted:
    """The value that sub-calls are asked for.

    Args:
        schema: a JSON Schema as model code gives it.

    Attributes:
        text: the schema as JSON.

    Raises:
        TypeError: it is no dict.
        ValueError: it is no schema that can be applied, or too long.

    >>> wanted = Wanted({"type": "integer"})
    >>> wanted.value("```json\\n41\\n```")
    41
    """

    def __init__(self, schema: object) -> None:
        if not isinstance(schema, dict):
            raise TypeError(f"schema must be a dict, a JSON Schema such as {{'type': 'array'}}, not {_named(schema)}.")
        try:
            self.text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
            plain = json.loads(self.text)
        except (TypeError, ValueError, RecursionError) as fault:
            raise ValueError(f"schema is no JSON: {fault}.") from None
        if len(self.text) > MAX_SCHEMA_CHARS:
            size = f"{len(self.text):,} of {MAX_SCHEMA_CHARS:,} characters"
            raise ValueError(f"schema is too long, {size} as JSON. Ask for less in one call.")
        try:
            self._schema = Schema(plain)
        except ValueError as fault:
            raise ValueError(f"schema cannot be applied: {fault}.") from None

    def prompt(self, prompt: str) -> str:
        """`prompt` with the schema."""
        return f"{prompt}\n\n{prompts.SUB_SCHEMA}\n{self.text}"

    def again(self, prompt: str, reply: str, misfit: Misfit) -> str:
        """`prompt` once more, after a reply that does not fit."""
        differences = cut(str(misfit), prompts.MAX_DIFFERENCE_CHARS)
        return self.prompt(
            f"{prompt}\n\n{prompts.SUB_MISFIT.format(reply=cut(reply, MAX_REPLY_CHARS), differences=differences)}"
        )

    def value(self, reply: str) -> Json:
        """The value in `reply`: all of it, its last fence, or the JSON among its words.

        Raises:
            Misfit: none fits.
        """
        return fitting(reply, self._schema.differences)


def _named(value: object) -> str:
    return f"the type {value.__name__}" if isinstance(value, type) else type(value).__name__
