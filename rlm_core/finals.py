"""Finals: the final answers written in a reply's text, `FINAL(...)` and `FINAL_VAR(name)`.

In: the lines outside every code fence. Out: the text between the brackets, and its kind. Nothing here looks at
variables; see `finish.py`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Literal

from .json_depth import nests_deeply
from .python_source import string_value

FinalKind = Literal["literal", "quoted", "variable", "computed", "not_a_name", "unmatched"]


@dataclass(frozen=True, slots=True)
class Final:
    """A `FINAL(...)` or `FINAL_VAR(...)` on its own line, outside every fence.

    Attributes:
        kind: `"literal"` text; `"quoted"`: the text of a string literal; `"variable"`: the name of one;
            or why it cannot be read: `"computed"` (an f-string), `"not_a_name"`, `"unmatched"` (brackets).
        text: the text between the brackets, without quotes around it and without blanks at its ends.
        evidence: source of the argument behind `, evidence=`, which is no part of the text; `""` where there is none.
    """

    kind: FinalKind
    text: str
    evidence: str = ""


INVISIBLE = "\u00ad\u200b-\u200f\u2060\ufe0f\ufeff"
"""Characters without a width, for a character class."""

LEAD = re.compile(rf"[ \t\u00a0{INVISIBLE}]*(?:(?:[-*+•]|\d{{1,3}}[.)])[ \t]+)?")
"""Allowed before a fence: indentation and one list bullet."""

_AROUND = (
    rf"*_`#>|$\"'\u201c\u201d\u201e\u2018\u2019\u00a0{INVISIBLE}"  # of bold text, headings, quotes, tables, formulas
    "\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff"  # arrows, ticks, pictures
)
"""Marks that may stand around a final answer."""

_TAG = r"</?[A-Za-z][\w-]{0,20} ?/?>|<\|\w{1,40}\|>"
_MARKS = rf"(?:[{_AROUND} \t=-]|{_TAG}){{0,20}}"
_SAID_BEFORE = (
    r"(?:(?:so|thus|hence|therefore)[,:]? |(?:the |my )?(?:final )?answer(?: is)?"
    r"|(?:endgültige |meine )?antwort|réponse(?: finale)? ?|(?:la )?respuesta(?: final)?|resposta(?: final)?"
    r"|risposta(?: finale)?|(?:eind)?antwoord|svar|odpowiedź|cevap|(?:окончательный |итоговый )?ответ|відповідь"
    r"|(?:最终|最終)?(?:答案|回答|答え)|答|(?:최종 ?)?(?:답변|정답|답))"
)
"""Words before a final answer, in the languages that models answer in."""
_FINAL = re.compile(
    LEAD.pattern
    + rf"{_MARKS}(?:{_SAID_BEFORE}{_MARKS}[:\uff1a=]?{_MARKS})?(FINAL(?:\\?[_ -]?VAR)?)[ \t\u00a0*_`]{{0,20}}[(\uff08]",
    re.IGNORECASE,
)
"""The head of a final answer; bullets, marks and "Final answer:" may stand before it."""

_AFTER = re.compile(rf"(?:[{_AROUND}.;,!\u3002 \t]|{_TAG})*(?:[ \t]# .*)?")
"""Allowed after its closing bracket on the line."""

_BRACKET_AFTER = re.compile(rf"[)\uff09][{_AROUND}.;,! \t]*\Z")
"""A line that ends in one more closing bracket: where the answer ends is unclear."""

_LONE_BRACKET = re.compile(rf"[ \t]*[)\uff09][{_AROUND}.;,! \t]*")

_LABEL = re.compile(r"(?:^|(?<=\n))[ \t]*(?:[-*+\u2022][ \t]+)?(?:[A-Za-z]|[ivxIVX]{1,5}|\d{1,3})(\))(?=[ \t]+\S)")
"""The label of a list's item, `a) ...`, whose bracket closes nothing."""

_STRING = re.compile(r"\s*[rRbBuU]{0,2}(\"\"\"|\'\'\'|\"|\')")
_JSON = re.compile(r"\s{0,80}[{\[]")
_DECODER = json.JSONDecoder()
_COMPUTED = re.compile(r"\s*[rR]?[fF][rR]?[\"\']")
_ARGUMENT = re.compile(r",\s*evidence\s*=(?!=)")
_ANSWER_NAME = re.compile(
    r"\s*(?:(?:answer|value|name|var|variable|variable_name)\s*=(?!=)"
    r"|(?:text|content|result|response|output|final_answer)\s*=\s*(?=[\"']))\s*"
)
"""Arguments of `FINAL` and `FINAL_VAR` by their names; those that an answer may begin with, where a string follows."""
_FURTHER = re.compile(r"\s*,\s*[A-Za-z_]\w*\s*=(?!=)")
_PAIRS = {
    "\u201c": '\u201d"',
    "\u201e": '\u201c\u201d"',
    "\u201d": "\u201d",
    '"': "\u201c\u201d",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab",
    "\u2039": "\u203a",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
}
"""Quotes as other languages write them: each with those that close it."""
_BRACKETS = re.compile("[()\uff08\uff09]")
_LONE_BRACKETS = 20
"""Brackets below an answer that are looked at."""
_PARAGRAPH_CHARS = 20_000
"""Characters of the longest paragraph."""
_UNSEEN = re.compile(f"[{INVISIBLE}]")
_UNSEEN_ENDS = re.compile(rf"\A[\s{INVISIBLE}]+|[\s{INVISIBLE}]+\Z")
_MENTION = re.compile("final", re.IGNORECASE)


def is_final(line: str) -> bool:
    """Whether a final answer begins in `line`."""
    return _MENTION.search(line) is not None and _FINAL.match(line) is not None


class Finals:
    """Finds the closing bracket of each final answer, in one pass over the reply."""

    def __init__(self, reply: str) -> None:
        self.reply = reply
        self.starts = [0]
        self.partner: dict[int, int] = {}
        self.lone: list[int] = []
        if _MENTION.search(reply):
            self.starts += [match.end() for match in re.finditer("\n", reply)]
            self.partner, self.lone = _pairs(reply)

    def final(self, line: str, number: int) -> tuple[Final, int] | None:
        """The final answer that begins in line `number`, and the number of the line in which it ends."""
        head = _FINAL.match(line) if _MENTION.search(line) else None
        if head is None:
            return None
        begin = self.starts[number] + head.end()
        is_variable = len(head.group(1)) > len("FINAL")
        end = self._string_end(begin) or self.partner.get(begin - 1)
        if end is None:
            return Final("unmatched", line.strip()), number
        line_end = self.reply.find("\n", end)
        after = self.reply[end + 1 : len(self.reply) if line_end < 0 else line_end]
        if not _AFTER.fullmatch(after):
            is_unclear = _BRACKET_AFTER.search(after) or self._goes_on(begin, end, is_long=True)
            return (Final("unmatched", line.strip()), number) if is_unclear else None
        if self._goes_on(begin, end, is_long="\n" in self.reply[begin:end]):
            return Final("unmatched", line.strip()), number
        inside = self.reply[begin:end]
        last = number + inside.count("\n")
        return _final(inside, is_variable=is_variable), last

    def _goes_on(self, begin: int, end: int, *, is_long: bool) -> bool:
        """Whether a bracket below closes nothing: then the answer may reach that far."""
        if _STRING.match(self.reply, begin):
            return False
        paragraph = self.reply.find("\n\n", end, end + _PARAGRAPH_CHARS)
        below = bisect_right(self.lone, end)
        for lone in self.lone[below : below + _LONE_BRACKETS]:
            line = self.reply.rfind("\n", 0, lone) + 1
            line_end = self.reply.find("\n", lone)
            rest = self.reply[line : line_end if line_end >= 0 else len(self.reply)]
            if _LONE_BRACKET.fullmatch(rest) or (is_long and (paragraph < 0 or lone < paragraph)):
                return "```" not in self.reply[end:lone] and "~~~" not in self.reply[end:lone]
        return False

    def _string_end(self, begin: int) -> int | None:
        """The bracket after the one string or JSON that begins at `begin`; brackets inside strings do not count."""
        head = _STRING.match(self.reply, begin)
        if head is None:
            return self._json_end(begin)
        quote = head.group(1)
        limit = len(self.reply) if len(quote) == 3 else self.reply.find("\n", head.end())
        close = self.reply.find(quote, head.end(), limit if limit >= 0 else len(self.reply))
        while close > 0 and self.reply[close - 1] == "\\":
            close = self.reply.find(quote, close + 1, limit if limit >= 0 else len(self.reply))
        if close < 0:
            return None
        return self._bracket_at(close + len(quote))

    def _json_end(self, begin: int) -> int | None:
        """The bracket after the JSON that begins at `begin`; brackets in its strings do not count."""
        opening = _JSON.match(self.reply, begin)
        if opening is None or nests_deeply(self.reply, opening.end() - 1):
            return None
        try:
            return self._bracket_at(_DECODER.raw_decode(self.reply, opening.end() - 1)[1])
        except (ValueError, RecursionError):
            return None

    def _bracket_at(self, end: int) -> int | None:
        """The closing bracket at `end`, but for blanks."""
        end += len(self.reply[end : end + 80]) - len(self.reply[end : end + 80].lstrip())
        return end if self.reply[end : end + 1] in (")", "\uff09") else None


def _pairs(reply: str) -> tuple[dict[int, int], list[int]]:
    """Position of each round bracket -> position of the one that closes it; and those that close nothing."""
    labels = {match.start(1) for match in _LABEL.finditer(reply)}
    opened: list[int] = []
    partner: dict[int, int] = {}
    lone: list[int] = []
    for match in _BRACKETS.finditer(reply):
        if match.group() in "(\uff08":
            opened.append(match.start())
        elif match.start() in labels:
            continue
        elif opened:
            partner[opened.pop()] = match.start()
        else:
            lone.append(match.start())
    return partner, lone


def _final(inside: str, *, is_variable: bool) -> Final:
    """The final with `inside` between its brackets."""
    argument = next(reversed([*_ARGUMENT.finditer(inside)]), None)
    text = inside if argument is None else inside[: argument.start()]
    name = _ANSWER_NAME.match(text)
    named = text if name is None else text[name.end() :]
    if is_variable:
        final = _variable(named)
    else:
        final = _literal(named)
        if name is not None and final.kind != "quoted":
            final = Final("computed", inside.strip())
    return final if argument is None else replace(final, evidence=inside[argument.end() :].strip(" \n,") or "None")


def _variable(inside: str) -> Final:
    name = _UNSEEN.sub("", inside).replace("\\_", "_").strip().strip("\"'`*\u201c\u201d\u2018\u2019").strip()
    return Final("variable", name) if name.isidentifier() else Final("not_a_name", name)


def _literal(inside: str) -> Final:
    inside = _UNSEEN_ENDS.sub("", inside)
    if _COMPUTED.match(inside) or _has_further(inside):
        return Final("computed", inside.strip())
    if words := _in_other_quotes(inside):
        return Final("quoted", words)
    if _STRING.match(inside):
        text = _unquoted(inside.strip().removesuffix(",").rstrip())
        if text is not None:
            return Final("quoted", text.strip())
    return Final("literal", inside.strip())


def _has_further(inside: str) -> bool:
    """Whether an argument that is none of ours follows a string: `FINAL("a", sources=[])`."""
    head = _STRING.match(inside)
    end = -1 if head is None else inside.find(head.group(1), head.end())
    return head is not None and end >= 0 and _FURTHER.match(inside, end + len(head.group(1))) is not None


def _in_other_quotes(text: str) -> str:
    """The words between one pair of quotes of another language, `""` where there is none."""
    closing = _PAIRS.get(text[:1], "")
    words = text[1:-1].strip()
    return words if text[1:] and text[-1] in closing and not set(words) & {*closing, text[0]} else ""


def _unquoted(text: str) -> str | None:
    """The text between the quotes around `text`; line breaks may stand in any kind of quotes, unlike in Python."""
    value = string_value(text)
    if value is None and text[:1] == text[-1:] and text[:1] in ("'", '"') and text[:1] not in text[1:-1]:
        return text[1:-1]
    return value
