"""Plain text: coding, byte order marks, and CSV as rows.

In: a source. Out: its text as `str` whatever its coding, or its rows. A coding that is no UTF-8 is named in the text's
first line. Records of a CSV are split by the standard library, whose limit on a cell's length is lifted.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from readers.source import ReadError, Source
from rlm_core.table_format import table_format

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
PROBED_BYTES = 1 << 20
"""Bytes by which a coding that is no UTF is guessed."""
MAX_CELL_CHARS = 1 << 30
MAX_LINE_CHARS = 64 << 20
SAMPLE_CHARS = 64 << 10
DELIMITERS = ",;\t|"
TABLE_SUFFIXES = (".csv", ".tsv", ".tab")


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    """All of it; a first line in brackets names a coding that is no UTF-8."""
    if source.decoded is not None:
        return source.decoded
    decoded, coding = decode(source.content())
    return decoded if coding == "utf-8" else f"[{coding}]\n{decoded}"


def parts(source: Source, chars: int) -> Iterator[str]:
    """What `text` gives, in parts of about `chars` characters that end at line ends; a longer line is one by itself.

    One beyond `MAX_LINE_CHARS` is cut. No more than a part is in memory, and the rest of a line. Where the coding is no
    UTF, the beginning tells it.
    """
    with source.open() as file:
        head = file.read(PROBED_BYTES)
        mark, coding = next(((mark, coding) for mark, coding in _BOMS if head.startswith(mark)), (b"", _guessed(head)))
        decoder = codecs.getincrementaldecoder(coding)("replace")
        rest = "" if coding == "utf-8" else f"[{coding}]\n"
        data = head[len(mark) :]
        while data:
            rest += decoder.decode(data)
            end = rest.rfind("\n") + 1 if len(rest) < MAX_LINE_CHARS else len(rest)
            if end > 0:
                yield rest[:end]
                rest = rest[end:]
            data = file.read(chars)
        if rest := rest + decoder.decode(b"", final=True):
            yield rest


def decode_file(file: io.FileIO, size: int) -> tuple[str, str]:
    """Text and coding of an open file at its beginning, as `decode` gives them.

    A large one in ASCII is decoded while it is read: the interpreter's memory, which never shrinks, holds it once.
    """
    if size > PROBED_BYTES and (text := _ascii(file)) is not None:
        return text, "utf-8"
    file.seek(0)
    return decode(file.readall())


def _ascii(file: io.FileIO) -> str | None:
    """All of the file; `None` where it is not in ASCII, or may be in UTF-16 without a mark."""
    text = ""
    while piece := file.read(PROBED_BYTES):
        if not piece.isascii() or (not text and _alternates(piece)):
            return None
        text += piece.decode("ascii")  # one reference to the text, so that it grows in its own memory
    return text


def decode(data: bytes) -> tuple[str, str]:
    """Text and coding of `data`, without a byte order mark.

    >>> decode(b"\\xff\\xfeh\\x00i\\x00")
    ('hi', 'utf-16-le')
    """
    for mark, coding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(coding, "replace"), coding
    if not _alternates(data[:PROBED_BYTES]):
        try:
            return data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            pass
    coding = _guessed(data[:PROBED_BYTES])
    return data.decode(coding, "replace"), coding


def _guessed(data: bytes) -> str:
    """The coding of text that is no UTF-8 and has no mark."""
    if coding := _alternates(data):
        return coding
    try:
        data.decode("utf-8")
        return "utf-8"  # the fault lies beyond what is probed, or at its cut
    except UnicodeDecodeError as fault:
        if fault.start > len(data) - 4:
            return "utf-8"
    if len(re.findall(rb"[\x80-\xff]", data)) <= max(3, len(data) // 200):
        return "cp1252"  # a few letters tell no coding from another: the commonest
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None or "cp1252" in best.could_be_from_charset:
        return "cp1252"  # of several that give the same text, the commonest
    return best.encoding


def _alternates(data: bytes) -> str:
    """UTF-16 without a mark, where most other bytes are zero; `""` otherwise."""
    for start, coding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[start::2].count(0) > len(data) * 0.3 and data[1 - start :: 2].count(0) < len(data) * 0.1:
            return coding
    return ""


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    """A CSV as one table named after the file; JSON where it is a list of objects or of rows."""
    decoded, _ = decode(source.content())
    if kind == "json" or source.suffix in (".jsonl", ".ndjson") or (source.suffix == "" and _is_json(decoded)):
        return {source.name: _rows_of_json(source, decoded)}
    return {source.name: csv_rows(decoded, source)}


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
    said = re.match(r"sep=(.)\r?\n", decoded)
    start = form.start if form else said.end() if said else 0
    delimiter = form.delimiter if form else said[1] if said else delimiter_of(head)
    csv.field_size_limit(MAX_CELL_CHARS)
    rows = [row for row in csv.reader(io.StringIO(decoded[start:], newline=""), delimiter=delimiter) if row]
    if max((len(row) for row in rows[:100]), default=0) < (1 if source.suffix in TABLE_SUFFIXES else 2):
        raise ReadError(f"{source.name} is plain text without columns. Read it with `read`.")
    return rows


def delimiter_of(sample: str) -> str:
    """The delimiter that gives most lines the same number of columns.

    >>> delimiter_of("a;b,c\\n1;2\\n3;4,5\\n")
    ';'
    """
    best, score = ",", 0.0
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row)
        width, lines = max(widths.items(), key=lambda item: item[1] * (item[0] > 1), default=(1, 0))
        if width > 1 and lines / sum(widths.values()) > score:
            best, score = delimiter, lines / sum(widths.values())
    return best


def _is_json(decoded: str) -> bool:
    if decoded.lstrip()[:1] not in ("[", "{"):
        return False
    try:
        json.loads(decoded)
    except (ValueError, RecursionError):
        return False
    return True


def _objects(source: Source, decoded: str) -> list[Any]:
    """The values of JSON Lines; a last line that was cut is dropped."""
    lines = [line for line in decoded.splitlines() if line.strip()]
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(json.loads(line))
        except ValueError as fault:
            if number < len(lines):
                raise ReadError(
                    f"{source.name}: line {number:,} is no JSON ({fault}). "
                    "Read it with `read`, and parse its lines one by one."
                ) from None
    return values


def _rows_of_json(source: Source, decoded: str) -> list[list[Any]]:
    try:
        value = json.loads(decoded)
    except ValueError:
        value = _objects(source, decoded)
    if isinstance(value, dict):
        value = next((items for items in value.values() if isinstance(items, list)), [])
    if not isinstance(value, list):
        value = []
    if value and all(isinstance(item, dict) for item in value):
        names = list(dict.fromkeys(name for item in value for name in item))
        return [names, *([item.get(name) for name in names] for item in value)]
    if value and all(isinstance(item, list) for item in value):
        return [list(item) for item in value]
    raise ReadError(f"{source.name} is JSON that holds no list of objects. Use `json.loads(read(file))`.")
