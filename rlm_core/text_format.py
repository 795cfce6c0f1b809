"""Text format: the form of a text, by its beginning.

In: text. Out: one sentence for the prompt, "It looks like CSV, 20 rows of 3 columns: id, name, age.", say, or `""`
when nothing is certain. It parses little, and is right or silent: prose with commas is not CSV.
"""

from __future__ import annotations

import csv
import io
import json
import re

from .documents import MAX_NAME_CHARS, named

HEAD_CHARS = 16_384
COUNTED_CHARS = 32 << 20
"""Characters in which lines are counted; beyond them the number is estimated."""
PARSED_CHARS = 4 << 20
"""Characters up to which rows of a table with quotes are counted as rows, not as lines."""
MAX_DEPTH = 100
"""How deep JSON may nest that is parsed here: the parser can exhaust the browser's stack, which no handler survives."""
LEAST_ROWS = 3
MOST_ROWS = 40

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(r"[][{}]")


def of_text(text: str, *, size: int | None = None) -> str:
    """Form of a text, by its first lines.

    Args:
        text: the whole, or its beginning.
        size: characters of the whole, where `text` is less; rows are estimated then.

    >>> of_text("id,name\\n1,Ada\\n2,Bo\\n")
    'It looks like CSV, 2 rows of 2 columns: id, name.'
    >>> of_text('{"a": 1}\\n{"a": 2}\\n')
    'It looks like JSON Lines, 2 records; keys of the first: a.'
    >>> of_text("Once upon a time, there was a king.")
    ''
    """
    size = len(text) if size is None else size
    head = text[:HEAD_CHARS].lstrip("\ufeff")
    is_whole = size <= HEAD_CHARS
    lines = head.splitlines()
    known = lines if is_whole else lines[:-1]
    return _json_lines(known, text, size) or _json(head, is_whole=is_whole) or _table(known, text, size)


def count_lines(text: str, size: int | None = None) -> tuple[int, bool]:
    """Number of lines of a text, and whether that is sure; see `of_text` for `size`."""
    size = len(text) if size is None else size
    counted = text.count("\n", 0, COUNTED_CHARS)
    seen = min(len(text), COUNTED_CHARS)
    if seen >= size:
        return counted + 1, True
    return round(counted * size / max(seen, 1)), False


def _json_lines(lines: list[str], text: str, size: int) -> str:
    rows = [line for line in lines if line.strip()][:LEAST_ROWS]
    if len(rows) < 2 or not all(row.lstrip().startswith(("{", "[")) for row in rows):
        return ""
    if not all(map(_is_shallow, rows)):
        return ""
    try:
        first, *_ = [json.loads(row) for row in rows]
    except (ValueError, RecursionError):
        return ""
    return f"It looks like JSON Lines, {_counted(*_filled(text, size), 'record')}{_keys('; keys of the first', first)}."


def _filled(text: str, size: int) -> tuple[int, bool]:
    """Number of lines that hold something; empty ones are subtracted at the end, and everywhere in short texts."""
    lines, sure = count_lines(text, size)
    if sure and len(text) <= PARSED_CHARS:
        return sum(1 for line in text.splitlines() if line.strip()), True
    return lines - text.endswith("\n") if sure else lines, sure


def _json(head: str, *, is_whole: bool) -> str:
    if not head.lstrip().startswith(("{", "[")) or not _is_shallow(head):
        return ""
    if not is_whole:
        return _begun(head)
    try:
        value = json.loads(head)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, list):
        return f"It is JSON, a {type(value).__name__}{_keys('; keys', value)}."
    items = _counted(len(value), True, "item")
    return f"It is JSON, a list of {items}{_keys('; keys of the first', value[0] if value else None)}."


def _is_shallow(text: str) -> bool:
    """Whether brackets outside of strings nest at most `MAX_DEPTH` deep."""
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            return False
    return True


def _begun(head: str) -> str:
    """JSON that is too long to be parsed here: its first item, or its first key."""
    begin = head.lstrip()
    inside = begin[1:].lstrip()
    try:
        first, end = json.JSONDecoder().raw_decode(inside)
    except (ValueError, RecursionError):
        return "It may be JSON; module `json` tells." if inside.startswith(("{", '"')) else ""
    after = inside[end:].lstrip()[:1]
    if begin.startswith("{"):
        return f"It looks like JSON, a dict; its first key: {named([first])}." if after == ":" else ""
    return f"It looks like JSON, a list{_keys('; keys of the first', first)}." if after == "," else ""


def _keys(title: str, value: object) -> str:
    return f"{title}: {named(list(map(str, value)))}" if isinstance(value, dict) and value else ""


def _table(lines: list[str], text: str, size: int) -> str:
    """Rows of one number of columns, two at least, whatever stands between them."""
    for delimiter, name in ((",", "CSV"), ("\t", "tab-separated values"), (";", "CSV with semicolons")):
        if not all(delimiter in line for line in lines[:LEAST_ROWS]):
            continue
        try:
            rows = list(csv.reader(lines[:MOST_ROWS], delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        widths = {len(row) for row in rows if row}
        if len(rows) >= LEAST_ROWS and len(widths) == 1 and _is_header(rows[0]):
            counted = _counted(*_rows(text, size, delimiter), "row")
            return f"It looks like {name}, {counted} of {len(rows[0])} columns: {named(rows[0])}."
    return ""


def _rows(text: str, size: int, delimiter: str) -> tuple[int, bool]:
    """How many rows stand below the header: lines, unless quotes may hold line breaks."""
    lines, sure = _filled(text, size)
    if sure and '"' in text:
        try:
            whole = len(text) <= PARSED_CHARS
            rows = [1 for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row] if whole else []
        except csv.Error:
            rows = []
        return (len(rows) - 1, True) if rows else (lines - 1, False)
    return max(lines - 1, 0), sure


def _counted(number: int, sure: bool, noun: str) -> str:
    return f"{'' if sure else 'about '}{number:,} {noun}{'s' * (number != 1)}"


def _is_header(row: list[str]) -> bool:
    """Names of columns: short, different from one another, none of them empty."""
    return len(set(row)) == len(row) > 1 and all(0 < len(name) <= MAX_NAME_CHARS for name in row)
