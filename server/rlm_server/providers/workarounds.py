"""Workarounds: known ways round a request that a server refuses because it speaks a little differently.

In: the body that was sent and the words of the refusal. Out: the changes that the next body gets, remembered for the
model. Each row applies only to a body that holds its cause, so that none is tried twice. An option that the user chose
is never dropped: such a refusal is the user's to know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .structured_output import REFUSAL, holds_structured_output, without_structured_output

Body: TypeAlias = Mapping[str, object]

OUTPUT_FIELDS = ("max_tokens", "max_completion_tokens")
UNMARKED = r"cache_control|\b(?:system|content)\b.{0,40}(?:should|must) be a (?:valid )?string"
"""Refusals of text with marks for the cache."""
REFUSING = frozenset({400, 404, 405, 409, 415, 422, 500, 501})
"""Statuses of servers that refuse a field."""


@dataclass(frozen=True, slots=True)
class Workaround:
    """One row.

    Attributes:
        holds: whether a body holds the cause.
        words: pattern of the refusal, in lower case; its last group may be a number that `change` needs.
        change: makes the body that the server takes.
        is_of_schema: whether it holds for calls with the same schema only.
    """

    name: str
    holds: Callable[[Body], bool]
    words: str
    change: Callable[[Body, int], Body]
    is_of_schema: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A workaround with its number, as remembered for a model."""

    row: Workaround
    number: int = 0


def workaround_for(body: Body, status: int, words: str) -> Change | None:
    """The change that may mend a refusal of `body`, or `None`."""
    if status not in REFUSING:
        return None
    for row in ROWS:
        match = re.search(row.words, words, re.DOTALL) if row.holds(body) else None
        if match is not None:
            number = int(match[match.lastindex].replace(",", "")) if match.lastindex else 0
            return Change(row, number)
    return None


def changed(body: Body, changes: Iterable[Change]) -> Body:
    """`body` with `changes` applied in their order."""
    for change in changes:
        if change.row.holds(body):
            body = change.row.change(body, change.number)
    return body


def _has(*names: str) -> Callable[[Body], bool]:
    return lambda body: any(name in body for name in names)


def _without(*names: str) -> Callable[[Body, int], Body]:
    return lambda body, _: {name: value for name, value in body.items() if name not in names}


def _renamed(old: str, new: str) -> Callable[[Body, int], Body]:
    return lambda body, _: {new if name == old else name: value for name, value in body.items()}


def _messages(body: Body) -> list[dict[str, object]]:
    messages = body.get("messages")
    return [dict(message) for message in messages] if isinstance(messages, list) else []


def _holds_system(body: Body) -> bool:
    return any(message.get("role") == "system" for message in _messages(body))


def _system_in_user(body: Body, _: int) -> Body:
    """The system message as the beginning of the first message of the user."""
    messages = _messages(body)
    system = "\n\n".join(str(message["content"]) for message in messages if message["role"] == "system")
    spoken = [message for message in messages if message["role"] != "system"]
    if not spoken or spoken[0]["role"] != "user":
        return {**body, "messages": [{"role": "user", "content": system}, *spoken]}
    first = {**spoken[0], "content": f"{system}\n\n{spoken[0]['content']}"}
    return {**body, "messages": [first, *spoken[1:]]}


def _capped(body: Body, number: int) -> Body:
    def capped(name: str, value: object) -> object:
        return min(value, number) if name in OUTPUT_FIELDS and isinstance(value, int) else value

    return {name: capped(name, value) for name, value in body.items()}


def _holds_cache_control(body: Body) -> bool:
    return "cache_control" in str(body.get("system"))[-200:] or any(
        isinstance(message.get("content"), list) for message in _messages(body)
    )


def _uncached(body: Body, _: int) -> Body:
    """The same text without cache marks, as plain strings."""
    plain = {**body, "messages": [{**turn, "content": _plain(turn.get("content"))} for turn in _messages(body)]}
    return {**plain, "system": _plain(body["system"])} if "system" in body else plain


def _plain(content: object) -> object:
    if not isinstance(content, list):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))


ROWS: tuple[Workaround, ...] = (
    Workaround(
        "no stream_options", _has("stream_options"), r"stream_?options|include_?usage", _without("stream_options")
    ),
    Workaround(
        "no stream",
        _has("stream"),
        r"to stream this model"
        r"|stream(?:ing|ed)?\b.{0,40}\b(?:not|un)(?: be)? ?(?:supported|allowed|available|enabled|implemented)"
        r"|stream(?:ing|ed)?\b.{0,40}\bdisabled|\bstream\W{0,3} (?:must|should) be false"
        r"|not (?:support|allow).{0,20}\bstream|\"param\": ?\"stream\""
        r"|unsupported.{0,40}\bstream\b",
        _without("stream", "stream_options"),
    ),
    Workaround(
        "system in user",
        _holds_system,
        r"\bsystem\b.{0,40}\b(?:not|un)(?: be)? ?(?:supported|allowed|available|enabled)"
        r"|not support.{0,20}\bsystem\b|developer instruction is not enabled|role.{0,20}must.{0,20}alternate"
        r"|only user and assistant roles|(?:expected|should be).{0,5}user.{1,2} or .{1,2}assistant",
        _system_in_user,
    ),
    Workaround(
        "max_completion_tokens",
        lambda body: "max_tokens" in body,
        r"max_completion_tokens",
        _renamed("max_tokens", "max_completion_tokens"),
    ),
    Workaround(
        "max_tokens",
        lambda body: "max_completion_tokens" in body,
        r"max_completion_tokens.{0,80}(?:extra|unsupported|unrecognized|unknown|not (?:supported|permitted|allowed))"
        r"|(?:extra|unsupported|unrecognized|unknown|not (?:supported|permitted|allowed)).{0,80}max_completion_tokens",
        _renamed("max_completion_tokens", "max_tokens"),
    ),
    Workaround(
        "output limit",
        _has(*OUTPUT_FIELDS),
        r"\d+ ?> ?(\d+), which is the maximum allowed number of output tokens",
        _capped,
    ),
    Workaround("output limit", _has(*OUTPUT_FIELDS), r"supports at most (\d+) (?:completion|output) tokens", _capped),
    Workaround(
        "output limit",
        _has(*OUTPUT_FIELDS),
        r"(?:max(?:_completion|_output|_new)?_tokens|maximum tokens).{0,60}"
        r"(?:less than or equal to|at most|<=|cannot exceed|greater than|maximum(?: value)?(?: is| of)|\[\d+, ?"
        r"|exceeds the (?:model )?limit)"
        r"\D{0,5}(\d[\d,]*)",
        _capped,
    ),
    Workaround(
        "output limit",
        _has(*OUTPUT_FIELDS),
        r"maximum (?:value )?(?:for|of) \W?max(?:_completion|_output|_new)?_tokens\W? is \W?(\d[\d,]*)",
        _capped,
    ),
    Workaround("no cache_control", _holds_cache_control, UNMARKED, _uncached),
    Workaround("no structured output", holds_structured_output, REFUSAL, without_structured_output, is_of_schema=True),
)
