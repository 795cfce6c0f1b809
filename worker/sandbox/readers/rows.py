"""Rows: tables of delimited text, and of JSON.

In: a decoded text and its source. Out: its rows. Records of a CSV are split by the standard library, whose limit on a
cell's length is lifted.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from readers.source import ReadError, Source
from rlm_core.table_format import LEAST_ROWS, table_format

MAX_CELL_CHARS = 1 << 30
SAMPLE_CHARS = 64 << 10
DELIMITERS = "\t;|,\x01^~\x1f\xa7"
"""Delimiters in the order in which they are tried: the comma behind others, since numbers hold it."""
TABLE_SUFFIXES = (".csv", ".tsv", ".tab")
JSON_LINES = (".jsonl", ".ndjson")
MAX_JSON_DEPTH = 4
"""Objects inside objects in which lists are looked for."""
NAMES_KEYS = ("columns", "fields", "meta", "header", "headers")
"""Keys of the names of columns beside rows that are lists, as pandas, Datasette, Druid and ClickHouse write them."""
MAX_CELL_LINES = 1_000
"""Lines of a cell, where a text has quotes that do not match."""
_BETWEEN = " \t\r\n\x1e"
"""Characters between values of JSON; the last is that of JSON text sequences."""


def tables_of(source: Source, kind: str, decoded: str) -> dict[str, list[list[Any]]]:
    """A CSV as one table named after the file; JSON where it is, or holds, a list of objects or of rows."""
    is_named_json = (kind == "json" or source.suffix in JSON_LINES) and not _is_table(decoded)
    if is_named_json or _is_json(decoded):
        return _tables_of_json(source, decoded)
    return {source.name: csv_rows(decoded, source)}


def _is_table(decoded: str) -> bool:
    """Whether it is a CSV, under whatever name, and no JSON that is broken."""
    head = decoded[:SAMPLE_CHARS]
    begins_json = decoded.lstrip(_BETWEEN)[:1] in ("[", "{", "")
    return not begins_json and table_format(head, is_whole=len(decoded) <= SAMPLE_CHARS) is not None


def csv_rows(decoded: str, source: Source) -> list[list[str]]:
    """The records of a table, its header first where it has one; blank lines and what stands before it are left out.

    Raises:
        ReadError: it is no table. A file that is named `.csv` is one whatever its form.

    >>> csv_rows("sep=;\\na;b\\n1;2\\n", Source("x.csv"))
    [['a', 'b'], ['1', '2']]
    """
    head = decoded[:SAMPLE_CHARS]
    form = table_format(head, is_whole=len(decoded) <= SAMPLE_CHARS)
    if form is None and source.suffix not in TABLE_SUFFIXES:
        raise ReadError(f"{source.name} is plain text, and no table that is certain. Read it with `read`, or split it.")
    if not decoded.strip():
        raise ReadError(f"{source.name} is empty: it has no rows.")
    said = re.match(r'"?sep=(.)"?\r?\n', decoded, re.I)
    begin = said.end() if said else 0
    delimiter = form.delimiter if form else said[1] if said else delimiter_of(head)
    start = form.start if form and not _holds_rows(decoded[begin : form.start], delimiter) else begin
    rows = _records(decoded[start:], delimiter)
    if form and start == form.start and len(rows[0]) != len(rows[1]) == len(form.first):
        rows[0] = list(form.first)  # a header that was made as wide as the rows
    if max((len(row) for row in rows[:100]), default=0) < (1 if source.suffix in TABLE_SUFFIXES else 2):
        raise ReadError(f"{source.name} is plain text without columns. Read it with `read`.")
    return rows


def _holds_rows(before: str, delimiter: str) -> bool:
    """Whether what stands before a table is another one, whose rows are not to be lost."""
    widths = _widths(_split(before, delimiter))
    return any(width > 1 and count >= LEAST_ROWS for width, count in widths.items())


def delimiter_of(sample: str) -> str:
    """The delimiter that gives most lines the same number of columns.

    >>> delimiter_of("a;b,c\\n1;2\\n3;4,5\\n")
    ';'
    """
    between = max(DELIMITERS, key=lambda delimiter: sample.count(f'"{delimiter}"'))
    if sample.count(f'"{between}"') * 2 > sample.count("\n"):
        return between  # where most lines have quotes around it, it is no decimal comma
    best, score = ",", 0.0
    for delimiter in DELIMITERS:
        widths = _widths(_split(sample, delimiter))
        width, lines = max(widths.items(), key=lambda item: item[1] * (item[0] > 1), default=(1, 0))
        if width > 1 and lines / sum(widths.values()) > score:
            best, score = delimiter, lines / sum(widths.values())
    return best


def _records(text: str, delimiter: str) -> list[list[str]]:
    """Records by the dialect of `csv` that fits: quotes doubled, or behind a backslash; spaces before quotes or not.

    Where none does, as with a quote that is never closed, each line that is no record is split at the delimiters alone.

    >>> _records('a, "b, c"\\n1, "2"\\n', ",")
    [['a', 'b, c'], ['1', '2']]
    >>> _records('1\\t"open\\n2\\tb\\n', "\\t")
    [['1', '"open'], ['2', 'b']]
    """
    csv.field_size_limit(MAX_CELL_CHARS)
    head = text[:SAMPLE_CHARS]
    skips = f'{delimiter} "' in head and len(_widths(_split(head, delimiter, skipinitialspace=True))) < len(
        _widths(_split(head, delimiter))
    )
    quote = "'" if _is_quoted_once(head, delimiter) else '"'
    escapes: tuple[str | None, ...] = (None, "\\") if '\\"' in text else (None,)
    for escape in escapes:
        try:
            return _split(text, delimiter, strict=True, skipinitialspace=skips, escapechar=escape, quotechar=quote)
        except csv.Error:
            continue
    return list(_salvaged(io.StringIO(text, newline="").readlines(), delimiter))


def _is_quoted_once(head: str, delimiter: str) -> bool:
    """Whether cells stand in single quotes: with them all rows are of one width, and without them they are not."""
    if '"' in head or f"{delimiter}'" not in head:
        return False
    return len(_widths(_split(head, delimiter, quotechar="'"))) == 1 < len(_widths(_split(head, delimiter)))


def _split(text: str, delimiter: str, **dialect: Any) -> list[list[str]]:
    """The rows that hold something."""
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, **dialect) if row]


def _widths(rows: list[list[str]]) -> Counter[int]:
    return Counter(map(len, rows))


def _salvaged(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    at = 0
    while at < len(lines):
        end = at + 1
        is_open = _is_open(lines[at], delimiter)
        while is_open and end < min(len(lines), at + MAX_CELL_LINES):
            is_open = '"' not in lines[end] or _is_open(f'"{lines[end]}', delimiter)  # it begins inside of a cell
            end += 1
        try:
            rows = list(csv.reader(lines[at:end], delimiter=delimiter, strict=True))
        except csv.Error:
            end = at + 1
            rows = list(csv.reader(lines[at:end], delimiter=delimiter, quoting=csv.QUOTE_NONE))
        yield from filter(None, rows)
        at = end


def _is_open(line: str, delimiter: str) -> bool:
    """Whether a quote is open at the end: a line that follows is not a row by itself."""
    return list(csv.reader([line, "\n", "end"], delimiter=delimiter))[-1] != ["end"]


def _is_json(decoded: str) -> bool:
    if decoded.lstrip(_BETWEEN)[:1] not in ("[", "{"):
        return False
    try:
        _values(decoded)
    except (ValueError, RecursionError):
        return False
    return True


def _values(decoded: str) -> list[Any]:
    """The values of JSON, of JSON Lines, or of objects one after another; a last line that was cut is dropped.

    Raises:
        ValueError: as of module `json`; behind other values its position is in the line where the value begins.

    >>> _values('{"a": 1}\\n{"a": 2}{"a": 3}\\n{"a"')
    [{'a': 1}, {'a': 2}, {'a': 3}]
    """
    decoder = json.JSONDecoder()
    values: list[Any] = []
    at = _between(decoded, 0)
    while at < len(decoded):
        try:
            value, end = decoder.raw_decode(decoded, at)
        except json.JSONDecodeError as fault:
            line_end = decoded.find("\n", at)
            if values and decoded[at] in "[{" and (line_end < 0 or not decoded[line_end:].strip()):
                break
            raise json.JSONDecodeError(
                fault.msg, decoded, min(fault.pos, line_end) if values and line_end > 0 else fault.pos
            ) from None
        values.append(value)
        at = _between(decoded, end)
    return values


def _between(decoded: str, at: int) -> int:
    """Where the next value begins."""
    while at < len(decoded) and decoded[at] in _BETWEEN:
        at += 1
    return at


def _tables_of_json(source: Source, decoded: str) -> dict[str, list[list[Any]]]:
    """One table named after the file; or where an object holds several lists of objects, each by its path in it."""
    try:
        values = _values(decoded)
    except json.JSONDecodeError as fault:
        raise ReadError(
            f"{source.name}: line {fault.lineno:,} is no JSON ({fault}). "
            "Read it with `read`, and parse its lines one by one."
        ) from None
    is_lines = source.suffix in JSON_LINES or len(values) > 1
    found: dict[str, list[list[Any]]] = {}
    for path, rows in _lists(values if is_lines or not values else values[0]):
        found[path if path not in found else f"{path} ({len(found) + 1})"] = rows
    if not found:
        raise ReadError(
            f"{source.name} is JSON that holds no list of objects in its first {MAX_JSON_DEPTH} levels. "
            "Use `json.loads(read(file))`."
        )
    return found if len(found) > 1 else {source.name: next(iter(found.values()))}


def _lists(
    value: Any, path: str = "", depth: int = 0, names: Sequence[str] = ()
) -> Iterator[tuple[str, list[list[Any]]]]:
    """Path and rows of each list of objects or of lists in objects; lists below the `names` that stand beside them."""
    if (
        isinstance(value, list)
        and any(map(_is_object, value))
        and all(item is None or _is_object(item) for item in value)
    ):
        objects = [item or {} for item in value]
        keys = list(dict.fromkeys(key for item in objects for key in item))
        yield path, [keys, *([item.get(key) for key in keys] for item in objects)]
    elif isinstance(value, list) and value and all(isinstance(item, list) for item in value):
        is_named = value[0] != names and {len(item) for item in value} == {len(names)}
        yield path, [*([list(names)] if is_named else []), *(list(item) for item in value)]
    elif isinstance(value, dict) and depth < MAX_JSON_DEPTH:
        names = next(filter(None, (_names_in(value.get(key)) for key in NAMES_KEYS)), [])
        for name, item in value.items():
            yield from _lists(item, f"{path}.{name}" if path else name, depth + 1, names)


def _names_in(value: Any) -> list[str]:
    """Names of columns, alone or in objects; none where a value is something else."""
    listed = value if isinstance(value, list) else []
    names = [item.get("name") if _is_object(item) else item for item in listed]
    return names if all(isinstance(name, str) for name in names) else []


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
