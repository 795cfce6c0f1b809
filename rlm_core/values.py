"""Values: an answer as a JSON value, and whether it fits the schema of its run.

In: what the model finished with, a value of Python or text. Out: its JSON text, or sentences on how it differs from the
schema. The schema itself is applied by a function of the caller: the page's validator, or any other.
"""

from __future__ import annotations

import ast
import json
from typing import cast

from .json_depth import nests_deeply
from .python_source import nests_too_deeply
from .types import Json, Shape
from .written_json import Misfit, fitting

MAX_DIFFERENCES = 8
MAX_LITERAL_CHARS = 1 << 20


class NotJson(ValueError):
    """A value that JSON has not."""


def text_of_value(value: object) -> str:
    """JSON text of an answer, or the text that it is; for people, so that text of any script is as it is.

    >>> text_of_value({"naïve": [1]}), text_of_value("as it is")
    ('{"naïve": [1]}', 'as it is')
    """
    if isinstance(value, str):
        return str.__str__(value)
    try:
        return _json_text(value)
    except NotJson:
        return str.__str__(str(value))


def written_value(text: str) -> tuple[bool, object]:
    """Whether `text` is JSON or a literal of Python, and the value.

    >>> written_value("{'a': (1, True)}"), written_value("no value")[0]
    ((True, {'a': (1, True)}), False)
    """
    bare = text.strip()
    if len(bare) > MAX_LITERAL_CHARS or nests_deeply(bare) or nests_too_deeply(bare):
        return False, None
    for read in (json.loads, ast.literal_eval):
        try:
            return True, read(bare)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return False, None


def fitted(value: object, shape: Shape) -> tuple[str | None, list[str]]:
    """JSON text of `value` where it fits, or the differences; text may be the JSON of a value.

    >>> number = Shape({"type": "number"}, lambda value: [] if isinstance(value, int) else ["it is no number"])
    >>> fitted("41", number), fitted("none", number)
    (('41', []), (None, ['it is no number']))
    """
    text, differences = _as_it_is(value, shape)
    if text is None and isinstance(value, str):
        is_written, inner = written_value(value)
        if is_written:
            text, differences = _as_it_is(inner, shape)
        if text is None:
            text, differences = _among_words(value, shape, differences)
    return text, differences[:MAX_DIFFERENCES]


def _among_words(text: str, shape: Shape, otherwise: list[str]) -> tuple[str | None, list[str]]:
    """JSON text of the value that stands in a fence or among words, or the differences as they were."""
    try:
        return _as_it_is(fitting(text, shape.differences), shape)
    except Misfit:
        return None, otherwise


def _as_it_is(value: object, shape: Shape) -> tuple[str | None, list[str]]:
    """As `fitted`, with all differences, and for text the text alone."""
    try:
        text = _json_text(value)
    except NotJson as fault:
        return None, [str(fault)]
    differences = list(shape.differences(cast(Json, json.loads(text))))
    return (None, differences) if differences else (text, [])


def _json_text(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as fault:
        raise NotJson(f"it is no JSON value ({fault}): use text, numbers, booleans, None, lists and dicts") from None
