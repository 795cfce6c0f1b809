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
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from readers.alphabets import coding_of
from readers.kinds import unmarked_utf
from readers.source import ReadError, Source
from rlm_core.table_format import LEAST_ROWS, table_format

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
PROBED_BYTES = 1 << 20
"""Bytes by which a coding that is no UTF is guessed."""
READ_BYTES = 4 << 20
"""Bytes of a large file that are read at once: each read asks the browser's process."""
ROOM_BYTES = 8 * READ_BYTES
"""Memory beside the text of such a file: two pieces of it, as bytes and decoded, and what they leave."""
MIXED = "utf-8 with cp1252"
"""Coding of a UTF-8 text with a few bytes of another, as a log that several programs write."""
_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]+encoding=["']([\w.-]+)|<meta[^>]+charset=["']?([\w.-]+)""", re.I)
DECLARED_BYTES = 4_096
"""Bytes of a text's beginning in which it may name its coding."""
_SUPERSETS = {
    "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "tis-620": "cp874",
}  # fmt: skip
"""Coding -> the larger one that is meant by its name, as in browsers."""
_JIS = re.compile(rb"\x1b\$[@B](?:[!-~]{2})+\x1b\([BJ]")
"""Letters of ISO-2022-JP, whose bytes are all ASCII."""
_OF_OTHERS = re.compile(rb"[A-Za-z][\x81-\x84\x87-\x8f\x94\x9a\x9d\x9f][a-z]")
"""A letter of DOS or of an old Macintosh in a word, where Windows has a quotation mark, a sign or nothing."""
_HAN, _HANGUL = re.compile("[\u4e00-\u9fff]"), re.compile("[\uac00-\ud7a3]")
_IN_C1 = ("cp437", "cp850", "cp852", "cp866", "mac_cyrillic", "mac_roman")
"""Codings of which a text has some of the bytes from 80 to 9F, whatever its language."""
LIKELY = (
    *_IN_C1, "big5", "cp037", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874",
    "cp932", "cp949", "euc_jp", "gb18030", "iso8859_2", "iso8859_5", "iso8859_7", "koi8_r",
)  # fmt: skip
"""Codings that programs have written; of the others that a library knows it guesses some for short texts."""
MAX_CELL_CHARS = 1 << 30
MAX_LINE_CHARS = 64 << 20
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
        mark, coding = _mark(head)
        coding = coding or _guessed(head)
        decoder = _decoder(coding, STRAY)
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

    A large one is decoded while it is read: the interpreter's memory, which never shrinks, never holds all its bytes.
    """
    if size <= PROBED_BYTES:
        return decode(file.readall())
    first = file.read(READ_BYTES)
    for coding, errors, start in _readings(first[:PROBED_BYTES]):
        file.seek(len(first))
        with suppress(UnicodeDecodeError):
            return _in_pieces(file, size, first[start:], _decoder(coding, errors)), coding
    raise AssertionError("the last reading takes every byte")


def _in_pieces(file: io.FileIO, size: int, data: bytes, decoder: codecs.IncrementalDecoder) -> str:
    """The text of `data`, and of what follows in the file."""
    text, form = "", (0, True)
    while data:
        text += decoder.decode(data)  # one reference to the text, so that it grows in its own memory
        if form != (form := _form(text)):
            _reserve(file, sys.getsizeof(text) * size // file.tell() + ROOM_BYTES)
        data = file.read(READ_BYTES)
    text += decoder.decode(b"", final=True)
    return text


def _form(text: str) -> tuple[int, bool]:
    """Bytes in memory of each letter of a long text, and whether all are ASCII: where that changes, the text moves."""
    return sys.getsizeof(text) // max(1, len(text)), text.isascii()


def _reserve(file: io.FileIO, size: int) -> None:
    """Take memory and give it back unused, by a read at the file's end: what grows then need not be moved."""
    position = file.tell()
    file.seek(0, io.SEEK_END)
    with suppress(MemoryError):  # a text that fits nevertheless is moved as it grows
        file.read(size)
    file.seek(position)


def decode(data: bytes) -> tuple[str, str]:
    """Text and coding of `data`, without a byte order mark.

    >>> decode(b"\\xff\\xfeh\\x00i\\x00")
    ('hi', 'utf-16-le')
    """
    for coding, errors, start in _readings(data[:PROBED_BYTES]):
        with suppress(UnicodeDecodeError):
            return data[start:].decode(_codec(coding), errors), coding
    raise AssertionError("the last reading takes every byte")


def _readings(head: bytes) -> Iterator[tuple[str, str, int]]:
    """Codings in which a text that begins with `head` is read, until one fits: each with the handler of its errors, and
    the length of its mark."""
    mark, coding = _mark(head)
    if mark:
        yield coding, STRAY, len(mark)
        return
    if not _unmarked(head):
        yield "utf-8", "strict", 0
    yield _guessed(head), STRAY, 0


def _decoder(coding: str, errors: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(_codec(coding))(errors)


def _mark(data: bytes) -> tuple[bytes, str]:
    """The byte order mark and its coding; some programs write a second one before a text that has it."""
    for mark, coding in _BOMS:
        if data.startswith(mark):
            return mark * (1 + data.startswith(mark * 2)), coding
    return b"", ""


def superset(coding: str) -> str:
    """The coding that is meant by a name in a page or a mail; raises LookupError for an unknown one.

    >>> superset("latin1"), superset("GB2312")
    ('cp1252', 'gb18030')
    """
    name = codecs.lookup(coding.lower().removeprefix("x-")).name
    return _SUPERSETS.get(name, name)


def _codec(coding: str) -> str:
    return "utf-8" if coding == MIXED else coding


def _stray(fault: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8, as letters of cp1252; a letter that was cut at the end, as a mark."""
    assert isinstance(fault, UnicodeDecodeError)
    is_letter = fault.encoding == "utf-8" and fault.reason != "unexpected end of data"
    bytes_ = fault.object[fault.start : fault.end]
    return bytes_.decode("cp1252", "replace") if is_letter else "\ufffd", fault.end


STRAY = "rlm-stray"
"""Name of the handler of bytes that are no letter of the coding."""
codecs.register_error(STRAY, _stray)


def _guessed(data: bytes) -> str:
    """The coding of text that is no UTF-8 and has no mark."""
    if coding := _unmarked(data):
        return coding
    if _is_in(data, "utf-8"):
        return "utf-8"  # the fault lies beyond what is probed, or at its cut
    if coding := _declared(data):
        return coding
    if _is_mostly_utf8(data):
        return MIXED
    if len(re.findall(rb"[\x80-\xff]", data)) <= max(3, len(data) // 200) and not _OF_OTHERS.search(data):
        return "cp1252"  # a few letters tell no coding from another: the commonest
    if coding := coding_of(data):
        return coding
    from charset_normalizer import from_bytes

    likely = [coding for coding in LIKELY if coding not in _IN_C1 or re.search(rb"[\x80-\x9f]", data)]
    best = from_bytes(data, cp_isolation=likely).best()
    if best is None or "cp1252" in best.could_be_from_charset:
        return "cp1252"  # of several that give the same text, the commonest
    if best.encoding == "cp949" and 10 * len(_HAN.findall(str(best))) > len(_HANGUL.findall(str(best))):
        return "gb18030"  # Korean is written in its own letters
    return best.encoding


def _is_in(data: bytes, coding: str) -> bool:
    """Whether `data` is in `coding`, but for a letter that is cut where the probe ends."""
    try:
        codecs.getincrementaldecoder(coding)().decode(data, final=len(data) < PROBED_BYTES)
    except UnicodeDecodeError:
        return False
    return True


def _declared(data: bytes) -> str:
    """The coding that an XML declaration or a page's `meta` names, where it fits; `""` otherwise."""
    found = _DECLARED.search(data[:DECLARED_BYTES])
    try:
        coding = superset((found[1] or found[2]).decode("ascii")) if found else ""
    except LookupError:
        return ""
    return coding if coding and _is_in(data, coding) else ""


def _is_mostly_utf8(data: bytes) -> bool:
    """Whether more letters are in UTF-8 than bytes are not: in no other coding that happens by chance."""
    decoded = data.decode("utf-8", "surrogateescape")
    others = len(re.findall("[\udc80-\udcff]", decoded))
    return len(re.findall("[^\0-\x7f]", decoded)) > 2 * others


def _unmarked(data: bytes) -> str:
    """UTF-16, UTF-32 or ISO-2022-JP without a mark; `""` otherwise."""
    return unmarked_utf(data) or ("iso2022_jp" if _JIS.search(data) else "")


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    """A CSV as one table named after the file; JSON where it is, or holds, a list of objects or of rows."""
    decoded, _ = decode(source.content())
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
