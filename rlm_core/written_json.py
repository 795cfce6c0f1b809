"""Written JSON: the value that a model's words hold, though they are not exactly JSON.

In: the words of a reply, and what a schema says about a value. Out: the value that fits. Words, a fence or a key may
stand around it; commas, quotes, comments and `True` may be Python's or JavaScript's. Two values that differ, and one
inside of another that is cut off or no JSON, are not guessed at. Linear in the reply.

>>> next(values_in("It is:\\n```json\\n{'n': 4,}  # four\\n```"))
{'n': 4}
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn, TypeAlias

from .json_depth import nests_deeply
from .types import Json

Differences: TypeAlias = Callable[[Json], Sequence[str]]

MOST_TRIES = 50
"""Brackets in a reply that may begin a value among its words."""
MAX_LOOSE_CHARS = 1 << 20
"""Characters of the longest text that is read as nearly JSON."""
WRAPPERS = frozenset(
    [
        *("answer", "array", "content", "data", "final", "items", "json", "list", "object", "output", "reply"),
        *("response", "result", "results", "value", "values"),
    ]
)
"""Keys that models put around a value."""
ARGUMENTS = ("arguments", "parameters", "input")
"""Where a call of a tool has its value, beside its name."""

_OPENING = re.compile(r"[{\[]")
_LIKE_JSON = re.compile(r"[{\[]\s*(?:[\"'{\[\d-]|\w+\s*:)")
_FENCE = re.compile(r"(?:```|~~~)[^\n`]*\n(.*?)(?:```|~~~)", re.DOTALL)
_STRING = r"\"(?:[^\"\\]|\\.)*\""
_BRACKETS = re.compile(rf"{_STRING}|[{{}}\[\]]", re.DOTALL)
_QUOTED = re.compile(
    rf"{_STRING}|'(?:[^'\\\n]|\\.)*'|\u201c[^\u201c\u201d\"\n]*\u201d|//[^\n]*|\#[^\n]*|/\*.{{0,2000}}?\*/", re.DOTALL
)
_LOOSE = re.compile(
    rf"{_STRING}|,(?=\s*[}}\]])|\b(?:True|False|None)\b|(?<![\w)])\+(?=\d)|\u00a0|(?<=[{{,])\s*[A-Za-z_]\w*(?=\s*:)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WORDS = {"True": "true", "False": "false", "None": "null"}
_MARKS = "*_`'\" \t\n"


class Misfit(ValueError):
    """A reply holds no value that fits; `differences` says why."""

    def __init__(self, differences: list[str]) -> None:
        super().__init__("; ".join(differences))
        self.differences = differences


def fitting(reply: str, differences: Differences) -> Json:
    """The value in `reply` that fits: all of it, its last fence, or the JSON among its words.

    Args:
        differences: of a value from what is wanted; none where it fits.

    Raises:
        Misfit: none fits, or several do.
    """
    first: Misfit | None = None
    for value in values_in(reply):
        for candidate in (value, *_unwrapped(value)):
            found = list(differences(candidate))
            if not found:
                return candidate
            first = first or Misfit(found)
    for text in _texts(reply):
        if not differences(text):
            return text
    fitting = [value for value in _among(reply) if not differences(value)]
    if not fitting:
        raise first or Misfit(["the reply holds no JSON"])
    if any(value != fitting[0] for value in fitting):
        raise Misfit([f"the reply holds {len(fitting)} values that fit and differ; send one, alone"])
    return fitting[0]


def values_in(reply: str) -> Iterator[Json]:
    """The values that `reply` may mean, the likeliest first."""
    fences = reversed(_FENCE.findall(reply))
    texts = [reply.strip(), *(fence.strip() for fence in fences), _bare(reply)]
    yield from (value for text in texts for value in _read(text))
    among = list(_among(reply))
    yield from among if len(among) == 1 else ()


def _texts(reply: str) -> Iterator[str]:
    """The texts that `reply` may mean, where text is wanted."""
    yield reply.strip()
    yield from (fence.strip() for fence in reversed(_FENCE.findall(reply)))
    yield _bare(reply)


def _bare(reply: str) -> str:
    """`reply` without the marks and the full stop around one word."""
    bare = reply.strip(_MARKS).rstrip(".!").strip(_MARKS)
    return bare if "\n" not in bare else reply.strip()


def _read(text: str) -> Iterator[Json]:
    """The one value of `text`, as JSON or nearly so."""
    try:
        yield _decoded(text)
        return
    except (ValueError, RecursionError):
        pass  # it may nearly be JSON
    try:
        value = _decoded(_loose(text))
    except (ValueError, RecursionError):
        return
    if not isinstance(value, str):  # words in other quotes are words
        yield value


def _decoded(text: str) -> Json:
    if nests_deeply(text):
        raise ValueError("it nests too deeply")
    value: Json = _DECODER.decode(text)
    return value


def _loose(text: str) -> str:
    """`text` as JSON, where it is written as Python or JavaScript would have it."""
    if len(text) > MAX_LOOSE_CHARS:
        return ""
    return _LOOSE.sub(_strict, _QUOTED.sub(_double_quoted, text))


def _double_quoted(match: re.Match[str]) -> str:
    """A string as JSON has it; nothing for a comment."""
    text = match.group()
    if text[0] in "/#":
        return " "
    inside = text[1:-1] if text[0] == '"' else text[1:-1].replace('"', '\\"')
    return f'"{_ESCAPE.sub(_known_escape, inside)}"'


def _known_escape(match: re.Match[str]) -> str:
    if match[1] == "'":
        return "'"
    return match.group() if match[1] in '"\\/bfnrtu' else f"\\{match.group()}"


def _strict(match: re.Match[str]) -> str:
    token = match.group()
    if token[0] == '"':
        return token
    if token in (",", "+", "\u00a0"):
        return " " if token == "\u00a0" else ""
    return _WORDS.get(token) or f'"{token.strip()}"'


def _among(reply: str) -> Iterator[Json]:
    """The objects and lists that stand among the words of `reply`, one after another, and none inside of another."""
    at = 0
    for _ in range(MOST_TRIES):
        opening = _OPENING.search(reply, at)
        if opening is None:
            return
        begin = opening.start()
        if nests_deeply(reply, begin):
            return
        try:
            value, at = _DECODER.raw_decode(reply, begin)
        except (ValueError, RecursionError):
            is_doubled = reply.startswith("{{", begin)
            if is_doubled or _LIKE_JSON.match(reply, begin) is None:
                at = begin + 1
                continue
            end = _closing(reply, begin)
            if end is None:
                return
            at = end
            yield from _read(reply[begin:end])
        else:
            yield value


def _closing(text: str, begin: int) -> int | None:
    """The end of the value that begins with a bracket, `None` where it is cut off."""
    depth = 0
    for match in _BRACKETS.finditer(text, begin):
        token = match.group()
        depth += 1 if token in "{[" else -1 if token in "}]" else 0
        if depth == 0:
            return match.end()
    return None


def _unwrapped(value: Json) -> Iterable[Json]:
    """The values that `value` may wrap: by a key or a list, as a tool's arguments, or as JSON in a string."""
    if isinstance(value, str):
        return list(_read(value.strip()))
    if isinstance(value, list):
        return value if len(value) == 1 and not isinstance(value[0], str) else ()
    if not isinstance(value, dict):
        return ()
    if "name" in value:
        given = [value[name] for name in ARGUMENTS if name in value]
        return [*given, *(inner for text in given if isinstance(text, str) for inner in _read(text))]
    if len(value) != 1:
        return ()
    ((key, inner),) = value.items()
    if isinstance(inner, str) and key.lower() in WRAPPERS:
        return [inner, *_read(inner)]
    return [inner] if key.lower() in WRAPPERS or isinstance(inner, list | dict) else ()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_constant(text)


def _once(pairs: list[tuple[str, Json]]) -> Json:
    whole = dict(pairs)
    if len(whole) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return whole


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_once, strict=False)
"""Strings may hold control characters, as models write them."""
