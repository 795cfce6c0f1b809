"""Text format: the form of a text, by its beginning.

In: text. Out: one sentence for the prompt, "It looks like CSV, 20 rows of 3 columns: id, name, age.", say, or `""`
when nothing is certain. It parses little, and is right or silent: prose with commas is not CSV.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from .documents import named
from .json_depth import nests_deeply
from .table_format import count_records, table_format

HEAD_CHARS = 16_384
COUNTED_CHARS = 32 << 20
"""Characters in which lines are counted; beyond them the number is estimated."""
PARSED_CHARS = 4 << 20
"""Characters up to which empty lines are left out wherever they stand."""
LEAST_ROWS = 3


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
    lines = head.split("\n")
    known = lines if is_whole else lines[:-1]
    if found := _json_lines(known, text, size) or _json(head, is_whole=is_whole):
        return found
    bare = text.removeprefix("\ufeff")
    return _table(bare, size - len(text) + len(bare), is_whole=is_whole)


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
    if any(map(nests_deeply, rows)):
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
        return sum(1 for line in text.split("\n") if line.strip()), True
    return lines - text.endswith("\n") if sure else lines, sure


def _json(head: str, *, is_whole: bool) -> str:
    if not head.lstrip().startswith(("{", "[")) or nests_deeply(head):
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


def _table(text: str, size: int, *, is_whole: bool) -> str:
    """Name, rows and columns of a table; what stands before its header, and whether it has one."""
    form = table_format(text[:HEAD_CHARS], is_whole=is_whole)
    if form is None:
        return ""
    count, sure = _records(text, size)
    count -= form.preamble + form.said
    columns = f"{len(form.first)} columns"
    if form.header == "yes":
        of = f"{_counted(count - 1, sure, 'row')} of {columns}: {_names(form.first)}"
    elif form.header == "no":
        of = f"{_counted(count, sure, 'row')} of {columns}, no header; first row: {_names(form.first)}"
    else:
        of = f"{_counted(count, sure, 'line')} of {columns}, with or without a header; first line: {_names(form.first)}"
    notes = f"; {_counted(form.preamble, True, 'line')} before that" if form.preamble else ""
    notes += "; its first line is `sep=`" if form.said else ""
    return f"It looks like {form.name}, {of}{notes}."


def _names(cells: Sequence[str]) -> str:
    """Names of columns; one without a name is numbered, and repeated ones are said to be."""
    names = [cell.strip() or f"(column {number} without a name)" for number, cell in enumerate(cells, 1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    return named(names) + (f" ({named(twice)} more than once)" if twice else "")


def _records(text: str, size: int) -> tuple[int, bool]:
    """Number of records, and whether it is sure: of a text that is not all here, or is very long, it is estimated."""
    counted = text if len(text) <= COUNTED_CHARS else text[:COUNTED_CHARS]
    records = count_records(counted)
    if len(counted) >= size:
        return records, True
    return round(records * size / max(len(counted), 1)), False


def _counted(number: int, sure: bool, noun: str) -> str:
    return f"{'' if sure else 'about '}{number:,} {noun}{'s' * (number != 1)}"
