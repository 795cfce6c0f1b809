"""Reply values: the replies of sub-models as values that fit a schema.

In: the schema that model code gives with its prompts. Out: the prompts with the schema at their end, values read from
the replies, and for a reply that does not fit the prompt that asks once more. The schema stands in every prompt, so
that the ledger, the limits and the log have it, and so that it is there where a vendor has no structured output.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import NoReturn

from . import prompts
from .json_schema import Schema
from .output import cut
from .types import Json
from .values import NotJson

MAX_SCHEMA_CHARS = 20_000
"""Characters of the largest schema of a sub-call, as JSON; the host and the server refuse more."""
MAX_REPLY_CHARS = 4_000
"""Characters of a reply that does not fit, as the sub-model is shown it again."""
MOST_TRIES = 50
"""Brackets in a reply that may begin a value among its words."""
_OPENING = re.compile(r"[{\[]")
_FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)```", re.DOTALL)


class Misfit(ValueError):
    """A reply holds no value that fits; `differences` says why."""

    def __init__(self, differences: list[str]) -> None:
        super().__init__("; ".join(differences))
        self.differences = differences


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
        first: Misfit | None = None
        for value in values_in(reply):
            differences = self._schema.differences(value)
            if not differences:
                return value
            first = first or Misfit(differences)
        if not self._schema.differences(reply.strip()):
            return reply.strip()
        fitting = [value for value in _values_among(reply) if not self._schema.differences(value)]
        if fitting and all(value == fitting[0] for value in fitting):
            return fitting[0]
        raise first or Misfit(["the reply holds no JSON"])


def values_in(reply: str) -> Iterator[Json]:
    """The values that `reply` may mean, the likeliest first."""
    for text in _candidates(reply):
        try:
            yield _DECODER.decode(text)
        except (ValueError, RecursionError):
            continue


def _candidates(reply: str) -> Iterator[str]:
    yield reply.strip()
    yield from reversed(_FENCE.findall(reply))
    for opening, closing in ("{}", "[]"):
        start, end = reply.find(opening), reply.rfind(closing)
        if 0 <= start < end:
            yield reply[start : end + 1]


def _values_among(reply: str) -> Iterator[Json]:
    """The objects and lists that stand among the words of `reply`, one after another."""
    at = 0
    for _ in range(MOST_TRIES):
        opening = _OPENING.search(reply, at)
        if opening is None:
            return
        try:
            value, at = _DECODER.raw_decode(reply, opening.start())
        except (ValueError, RecursionError):
            at = opening.end()
        else:
            yield value


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no value of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_constant(text)


def _once(pairs: list[tuple[str, Json]]) -> Json:
    whole = dict(pairs)
    if len(whole) < len(pairs):
        raise NotJson("a name stands twice in one object")
    return whole


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_once, strict=False)
"""Strings may hold control characters, as models write them."""


def _named(value: object) -> str:
    return f"the type {value.__name__}" if isinstance(value, type) else type(value).__name__
