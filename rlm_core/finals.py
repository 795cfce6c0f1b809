"""Finals: the final answers written in a reply's text, `FINAL(...)` and `FINAL_VAR(name)`.

In: the lines outside every code fence. Out: the text between the brackets, and its kind. Nothing here looks at
variables; see `finish.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .python_source import string_value

FinalKind = Literal["literal", "quoted", "variable", "computed", "not_a_name", "unmatched"]


@dataclass(frozen=True, slots=True)
class Final:
    """A `FINAL(...)` or `FINAL_VAR(...)` on a line of its own, outside every fence.

    Attributes:
        kind: `"literal"` text; `"quoted"`: the text of a string literal; `"variable"`: the name of one;
            or why it cannot be read: `"computed"` (an f-string), `"not_a_name"`, `"unmatched"` (brackets).
        text: the text between the brackets, without quotes around it and without blanks at its ends.
    """

    kind: FinalKind
    text: str


LEAD = re.compile(r"[ \t]*(?:(?:[-*+•]|\d{1,3}[.)])[ \t]+)?")
"""Allowed before a fence: indentation and one list bullet."""

_FINAL = re.compile(LEAD.pattern + r"[*_`]*(FINAL(?:\\?_VAR)?)[ \t]*\(")
"""The head of a final answer; bullets, bold and back-ticks may stand before it."""

_AFTER = re.compile(r"[*_`.;,! \t]*")
"""Allowed after its closing bracket on the line."""

_BRACKET_AFTER = re.compile(r"\)[*_`.;,! \t]*\Z")
"""A line that ends in one more closing bracket: where the answer ends is unclear."""

_STRING = re.compile(r"\s*[rRbBuU]{0,2}(\"\"\"|'''|\"|')")
_COMPUTED = re.compile(r"\s*[rR]?[fF][rR]?[\"']")


def is_final(line: str) -> bool:
    """Whether a final answer begins in `line`."""
    return "FINAL" in line and _FINAL.match(line) is not None


class Finals:
    """Finds the closing bracket of each final answer, in one pass over the reply."""

    def __init__(self, reply: str) -> None:
        self.reply = reply
        self.starts = [0]
        self.partner: dict[int, int] = {}
        if "FINAL" in reply:
            self.starts += [match.end() for match in re.finditer("\n", reply)]
            self.partner = dict(_pairs(reply))

    def final(self, line: str, number: int) -> tuple[Final, int] | None:
        """The final answer that begins in line `number`, and the number of the line in which it ends."""
        head = _FINAL.match(line) if "FINAL" in line else None
        if head is None:
            return None
        begin = self.starts[number] + head.end()
        is_variable = head.group(1) != "FINAL"
        end = self._string_end(begin) or self.partner.get(begin - 1)
        if end is None:
            return Final("unmatched", line.strip()), number
        line_end = self.reply.find("\n", end)
        after = self.reply[end + 1 : len(self.reply) if line_end < 0 else line_end]
        if not _AFTER.fullmatch(after):
            return (Final("unmatched", line.strip()), number) if _BRACKET_AFTER.search(after) else None
        inside = self.reply[begin:end]
        last = number + inside.count("\n")
        return (_variable(inside) if is_variable else _literal(inside)), last

    def _string_end(self, begin: int) -> int | None:
        """The bracket after the one string literal that begins at `begin`; brackets inside the string do not count."""
        head = _STRING.match(self.reply, begin)
        if head is None:
            return None
        quote = head.group(1)
        limit = len(self.reply) if len(quote) == 3 else self.reply.find("\n", head.end())
        close = self.reply.find(quote, head.end(), limit if limit >= 0 else len(self.reply))
        while close > 0 and self.reply[close - 1] == "\\":
            close = self.reply.find(quote, close + 1, limit if limit >= 0 else len(self.reply))
        if close < 0:
            return None
        end = close + len(quote)
        end += len(self.reply[end : end + 80]) - len(self.reply[end : end + 80].lstrip())
        return end if self.reply[end : end + 1] == ")" else None


def _pairs(reply: str) -> Iterator[tuple[int, int]]:
    """Position of each round bracket -> position of the one that closes it."""
    opened: list[int] = []
    for match in re.finditer(r"[()]", reply):
        if match.group() == "(":
            opened.append(match.start())
        elif opened:
            yield opened.pop(), match.start()


def _variable(inside: str) -> Final:
    name = inside.replace("\\_", "_").strip().strip("\"'`").strip()
    return Final("variable", name) if name.isidentifier() else Final("not_a_name", name)


def _literal(inside: str) -> Final:
    if _COMPUTED.match(inside):
        return Final("computed", inside.strip())
    if _STRING.match(inside):
        text = _unquoted(inside.strip())
        if text is not None:
            return Final("quoted", text.strip())
    return Final("literal", inside.strip())


def _unquoted(text: str) -> str | None:
    """The text between the quotes around `text`; line breaks may stand in any kind of quotes, unlike in Python."""
    value = string_value(text)
    if value is None and text[:1] == text[-1:] and text[:1] in ("'", '"') and text[:1] not in text[1:-1]:
        return text[1:-1]
    return value
