"""Passages: a text cut into the smallest pieces worth quoting.

In: any text. Out: sentences of prose (hard-wrapped lines joined), whole lines of logs, tables and key-value data,
windows of text that has neither. Each is quoted as it stands, with its white space folded to single spaces. Nothing
here ranks; see `ranking.py`.
"""

# ruff: noqa: RUF001 - the quotation marks and full-width stops of other scripts are meant

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, pairwise

LONGEST = 400
"""Most characters of a passage that has no sentence end in it; longer ones are cut into windows."""
WINDOW = 300
OVERLAP = 100

_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[」』”]?")
_ABBREVIATION = re.compile(
    r"(?<![\w-])(?:[A-Z]|[A-Z]\.[A-Z]|Mrs?|Ms|Drs?|Prof|Capt|Col|Gen|Lt|Sgt|Rev|Hon|St|Jr|Sr|No|Nos|vs|etc|e\.g|i\.e|cf|"
    r"ca|approx|Fig|vol|pp?|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.$"
)
_RECORD = re.compile(r"\s*[\[{<|#]|\s*\d+[-/:.]\d|.*(?:\t|\||\w[,;]\w[^,;]*[,;]\w|[^;.]{1,40};[^;.]{1,40};|\w=\S)")
_LEANS_BACK = re.compile(r"(?:He|She|It|They|This|That|These|Those|His|Her|Its|Their|There|Here|Then)\b")


def passages(text: str) -> list[str]:
    """Cut `text` into passages, in reading order.

    A short paragraph also comes whole, and a sentence that leans on the one before it ("She hid it ...") also with that
    one: an answer is often said in two sentences.

    >>> passages("Dr. Holm left.  She took the key.")
    ['Dr. Holm left.', 'She took the key.', 'Dr. Holm left. She took the key.']
    """
    parts: list[str] = []
    for paragraph in _paragraphs(text):
        sentences = list(_sentences(paragraph))
        parts.extend(sentences)
        if len(sentences) > 1 and len(paragraph) <= LONGEST:
            parts.append(paragraph)
        else:
            parts.extend(_with_leads(sentences))
    parts.extend(_heads(text))
    return parts


def _heads(text: str) -> Iterator[str]:
    """The header of each table with the row below it: a question's words often stand in one, the answer in the other.

    >>> list(_heads("words\\n\\ngate\\tcode\\nharbor\\tK-47\\nquay\\tK-48"))
    ['gate code harbor K-47']
    """
    before = 0
    for line, following in pairwise(text.splitlines()):
        columns = _columns(line)
        is_head = columns > 1 and columns != before and columns == _columns(following)
        if is_head and len(line) + len(following) < LONGEST:
            yield " ".join(f"{line} {following}".split())
        before = columns


def _columns(line: str) -> int:
    """Number of columns of a row that is divided by tabs, or by commas without a space behind them; 1 for any other."""
    return line.count("\t") + 1 if "\t" in line else 1 if ", " in line else line.count(",") + 1


def _paragraphs(text: str) -> Iterator[str]:
    """Join the lines of hard-wrapped prose; every other line stands for itself."""
    for filled, lines in groupby((" ".join(line.split()) for line in text.splitlines()), key=bool):
        block = list(lines) if filled else []
        if _is_wrapped(block):
            yield " ".join(block)
        else:
            yield from block


def _is_wrapped(lines: list[str]) -> bool:
    """Whether `lines` are one text wrapped at a width: the next line's first word would seldom have fitted."""
    if len(lines) < 2:
        return False
    width = sorted(map(len, lines))[-1 - len(lines) // 8]  # a line or two may stick out
    if not 40 <= width <= 120:
        return False
    full = [len(line) + len(following.split(" ", 1)[0]) >= width - 2 for line, following in pairwise(lines)]
    return sum(full) >= 0.7 * len(full) and sum(map(bool, map(_RECORD.match, lines))) <= len(lines) // 4


def _sentences(paragraph: str) -> Iterator[str]:
    if len(paragraph) <= LONGEST and _RECORD.match(paragraph):
        yield paragraph
        return
    start = 0
    for end in _SENTENCE_END.finditer(paragraph):
        if paragraph[end.end() : end.end() + 1].islower() or _ABBREVIATION.search(
            paragraph, max(start, end.start() - 8), end.start() + 1
        ):
            continue
        yield from _windows(paragraph[start : end.end()].rstrip())
        start = end.end()
    if start < len(paragraph):
        yield from _windows(paragraph[start:])


def _windows(sentence: str) -> Iterator[str]:
    """Cut a text too long to quote into overlapping windows, at spaces and commas where there are any."""
    if len(sentence) <= LONGEST:
        yield sentence
        return
    start = 0
    while start < len(sentence):
        end = _breakpoint(sentence, start + WINDOW)
        yield sentence[start:end].strip()
        if end == len(sentence):
            return
        start = _breakpoint(sentence, end - OVERLAP)


def _breakpoint(text: str, near: int) -> int:
    """Return the end of the word or field at `near`; `near` itself in text that has no such ends."""
    if near >= len(text):
        return len(text)
    ends = [position + 1 for mark in (" ", ",", ";") if (position := text.rfind(mark, near - OVERLAP // 2, near)) >= 0]
    return max(ends, default=near)


def _with_leads(sentences: list[str]) -> Iterator[str]:
    for lead, sentence in pairwise(sentences):
        if _LEANS_BACK.match(sentence) and len(lead) + len(sentence) < LONGEST:
            yield f"{lead} {sentence}"
