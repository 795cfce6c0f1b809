"""Table format: the delimiter, the header and the lines before the header of a text that is a table.

In: the beginning of a text. Out: a `TableFormat`, or None where nothing is certain: logs, "Last, First" lists,
addresses and chats have commas too, and are no CSV. Rows are counted here; they are parsed by module `csv`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

DELIMITERS = {
    "\t": "tab-separated values",
    ";": "CSV with semicolons",
    "|": "rows with bars",
    ",": "CSV",
}
"""Delimiter -> name, in the order in which they are tried: the comma is last, since numbers and prose hold it."""
LEAST_ROWS = 3
MOST_ROWS = 40
MAX_PREAMBLE = 20
"""Lines before the table: a title, an account's holder, comments."""
MAX_NAME_CHARS = 80
MAX_NAME_WORDS = 8
PARSED_CHARS = 4 << 20
"""Characters up to which rows are counted by parsing them; of a longer text quotes are counted instead."""

_SAID = re.compile(r'"?sep=([,;\t|])"?\r?\n', re.I)
_COMMENT = re.compile(r"##|#\s")
_NUMBER = re.compile(r"[-+(\u2212]?[€$£]?\s?(?=[.,]?\d)[\d.,]*+(?:['\u2019\s][\d.,]+)*+(?:[eE][-+]?\d++)?\s?[%€$£)]?")
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d[\d:.,+-]*(?:\s?[A-Za-z][\w/:+-]*)?)?|\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?"
)
_LOGGED = re.compile(r"[^,]*\d\d:\d\d:\d\d,\d{3}(?!\d)[^,]")
"""A log line whose time has a comma before its milliseconds."""
_RULE = re.compile(r"[\s|:+-]+")
"""The line below the header of a table drawn with characters."""
_LINE_ENDS = re.compile(r"(?:[ \t]*(?:\r\n?|\n))+")


@dataclass(frozen=True)
class TableFormat:
    """Form of a table.

    Attributes:
        delimiter: one character.
        header: "yes", "no", or "unknown" where both would look the same.
        start: characters before the header, or before the first row.
        preamble: number of lines before it that hold something.
        said: whether the first line is `sep=` and the delimiter.
        first: cells of the header or of the first row.
    """

    delimiter: str
    header: Literal["yes", "no", "unknown"]
    start: int
    preamble: int
    said: bool
    first: tuple[str, ...]

    @property
    def name(self) -> str:
        return DELIMITERS[self.delimiter]


def table_format(head: str, *, is_whole: bool) -> TableFormat | None:
    """Form of the table that `head` begins.

    Args:
        head: the beginning of a text, without a byte order mark.
        is_whole: whether it is all of it; otherwise its last line is not looked at.

    >>> table_format("# exported, 2025\\nid,name\\n1,a\\n2,b\\n", is_whole=True).first
    ('id', 'name')
    >>> table_format("Smith, Ada\\nJones, Bo\\nDoe, Cy\\n", is_whole=True)
    """
    said = _SAID.match(head)
    begin = said.end() if said else 0
    for delimiter in said[1] if said else DELIMITERS:
        skipped, start = _skip_comments(head, begin)
        for _ in range(MAX_PREAMBLE):
            rows = _rows_at(head[start:], delimiter, is_whole=is_whole)
            if rows is None:
                break
            header = _header(rows, delimiter)
            if not header and _header(evened := _evened(rows), delimiter) == "yes":
                rows, header = evened, "yes"
            if header:
                if len(rows[0]) in _widths(head[begin:start], delimiter):
                    break  # rows of another width stand among those of the table: which one is the header is unsure
                return TableFormat(delimiter, header, start, skipped, bool(said), tuple(rows[0]))
            line, newline, _ = head[start:].partition("\n")
            if not newline:
                break
            skipped, start = skipped + bool(line.strip()), start + len(line) + 1
    return None


def count_records(text: str) -> int:
    """Number of records of a CSV, blank lines left out, line breaks inside quotes too.

    >>> count_records('a,b\\n1,"x\\ny"\\n\\n2,z')
    3
    """
    if '"' not in text or len(text) > PARSED_CHARS:
        outside = text.split('"')[::2]
        return sum(len(_LINE_ENDS.findall(part)) for part in outside) + (not text.endswith(("\n", "\r")))
    try:
        return sum(1 for row in csv.reader(io.StringIO(text, newline="")) if row)
    except csv.Error:
        return sum(1 for line in text.splitlines() if line.strip())


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, a date or a time, which no header does."""
    cell = cell.strip()
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def _skip_comments(head: str, start: int) -> tuple[int, int]:
    """Number and end of the lines at `start` that are comments or blank."""
    skipped = 0
    while start < len(head):
        line, newline, _ = head[start:].partition("\n")
        if not newline or (line.strip() and not _COMMENT.match(line)):
            break
        skipped, start = skipped + bool(line.strip()), start + len(line) + 1
    return skipped, start


def _widths(text: str, delimiter: str) -> set[int]:
    """Numbers of cells of the lines that are no comments."""
    lines = [line for line in text.splitlines() if not _COMMENT.match(line)]
    return {line.count(delimiter) + 1 for line in lines}


def _rows_at(text: str, delimiter: str, *, is_whole: bool) -> list[list[str]] | None:
    """The first rows, blank ones as `[]`; None where `text` is no CSV."""
    lines = list(islice(io.StringIO(text, newline=""), MOST_ROWS + 1))
    whole = is_whole and len(lines) <= MOST_ROWS
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        try:  # a cell may hold line breaks, and its end lie beyond
            rows = list(csv.reader(lines, delimiter=delimiter))
        except csv.Error:
            return None
        whole = False
    return rows if whole else rows[:-1]


def _evened(rows: list[list[str]]) -> list[list[str]]:
    """The rows with a first one that has one cell more or less than all others made as wide as they are.

    A name is missing over the numbers of rows, as R writes them, or over nothing behind each row; or an empty one
    stands at the end of the first alone.
    """
    first, *below = rows or [[]]
    width = next((len(row) for row in below if row), 0)
    if len(first) < 2:
        return rows
    if len(first) == width + 1 and not first[-1].strip():
        return [first[:-1], *below]
    if len(first) != width - 1:
        return rows
    is_numbered = any(row[-1].strip() for row in below if row)
    return [["", *first] if is_numbered else [*first, ""], *below]


def _header(rows: Sequence[Sequence[str]], delimiter: str) -> Literal["yes", "no", "unknown", ""]:
    """Whether the first row is a header; `""` where the rows are no table."""
    filled = [row for row in rows if row]
    if len(filled) < LEAST_ROWS or not rows[0] or len({len(row) for row in filled}) != 1 or len(filled[0]) < 2:
        return ""
    first, *data = filled
    if not any(cell.strip() for cell in first) or _is_drawn(data[0]) or _is_log(filled, delimiter):
        return ""
    columns = list(zip(*data, strict=True))
    typed = [_is_typed(column) for column in columns]
    names = not any(is_value(cell) for cell in first if cell.strip()) and all(map(_is_name, first))
    if _is_divided(rows):
        return ""
    if len(first) == 2 and not any(row[1].strip() for row in filled):
        return ""  # each line ends in the sign: statements of a program, items of a list
    if names and any(typed):
        return "yes"
    if delimiter == ";" and not any(typed) and _is_prose(filled):
        return ""
    if delimiter == "," and (_is_prose(filled) or _has_other(filled)):
        return ""
    if not names and any(kind and is_value(cell) for kind, cell in zip(typed, first, strict=True)):
        return "" if delimiter == "," and len(first) == 2 and all(typed) else "no"  # numbers with a decimal comma
    if list(first) in [list(row) for row in data]:
        return "no" if delimiter != "," or len(first) > 2 else ""
    return "unknown" if names or len(first) > 2 else ""


def _is_name(cell: str) -> bool:
    return len(cell) <= MAX_NAME_CHARS and len(cell.split()) <= MAX_NAME_WORDS


def _is_typed(column: Sequence[str]) -> bool:
    """Whether all cells that hold something are values."""
    cells = [cell for cell in column if cell.strip()]
    return bool(cells) and all(map(is_value, cells))


def _is_prose(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a space follows most commas, as in sentences and in names."""
    cells = [cell for row in rows for cell in row[1:]]
    return sum(cell.startswith(" ") for cell in cells) * 2 > len(cells)


def _has_other(rows: Sequence[Sequence[str]]) -> bool:
    """Whether each row holds another delimiter: the commas are those of numbers."""
    return any(all(other in ",".join(row) for row in rows) for other in DELIMITERS if other != ",")


def _is_log(rows: Sequence[Sequence[str]], delimiter: str) -> bool:
    return delimiter == "," and all(_LOGGED.match(",".join(row)) for row in rows)


def _is_drawn(row: Sequence[str]) -> bool:
    return bool(_RULE.fullmatch("|".join(row))) and any("-" in cell for cell in row)


def _is_divided(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a second table with a header follows a blank line: a count of rows would be one over both."""
    after_blank = [row for before, row in pairwise(rows) if not before and row]
    return any(not any(map(is_value, row)) for row in after_blank)
