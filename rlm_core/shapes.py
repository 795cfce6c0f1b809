"""Shapes: what the beginning of a text, or the directory of an archive, tells of the form of the whole.

In: text, bytes or an open file. Out: one sentence for the prompt, "It looks like CSV, 3 columns: id, name, age.", say,
or `""` when nothing is certain. It reads little, and is right or silent: prose with commas is not CSV.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import BinaryIO

HEAD_CHARS = 16_384
MAX_NAMES = 20
MAX_NAME_CHARS = 40
LEAST_ROWS = 3
MOST_ROWS = 40

_OFFICE = {"word/document.xml": "a Word document (docx)", "xl/workbook.xml": "an Excel workbook (xlsx)"}


def of_text(text: str) -> str:
    """What `text` looks like, from its first lines.

    >>> of_text("id,name\\n1,Ada\\n2,Bo\\n")
    'It looks like CSV, 2 columns: id, name.'
    >>> of_text('{"a": 1}\\n{"a": 2}\\n')
    'It looks like JSON Lines; keys of the first: a.'
    >>> of_text("Once upon a time, there was a king.")
    ''
    """
    head = text[:HEAD_CHARS].lstrip("\ufeff")
    lines = head.splitlines()
    whole = lines if len(text) <= HEAD_CHARS else lines[:-1]
    return _json_lines(whole) or _json(head, is_whole=len(text) <= HEAD_CHARS) or _table(whole)


def of_archive(file: BinaryIO) -> str:
    """What a zip archive holds, by its directory, which stands at its end."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return ""
    office = next((kind for name, kind in _OFFICE.items() if name in names), None)
    if office is not None:
        return f"It is {office}."
    files = [name for name in names if not name.endswith("/")]
    return f"It is a zip archive of {len(files):,} file{'s' * (len(files) != 1)}: {_named(files)}."


def of_bytes(data: bytes | bytearray) -> str:
    """The same for bytes: of a zip archive its directory, of all else nothing."""
    return of_archive(io.BytesIO(data)) if data[:4] == b"PK\x03\x04" else ""


def _json_lines(lines: list[str]) -> str:
    rows = [line for line in lines if line.strip()][:LEAST_ROWS]
    if len(rows) < 2 or not all(row.lstrip().startswith(("{", "[")) for row in rows):
        return ""
    try:
        first, *_ = [json.loads(row) for row in rows]
    except (ValueError, RecursionError):
        return ""
    return f"It looks like JSON Lines{_keys('; keys of the first', first)}."


def _json(head: str, *, is_whole: bool) -> str:
    if not head.lstrip().startswith(("{", "[")):
        return ""
    if not is_whole:
        return (
            "It may be JSON; `json.loads(context)` tells."
            if head.lstrip()[:2].rstrip() in ('{"', "{", "[", "[{")
            else ""
        )
    try:
        value = json.loads(head)
    except (ValueError, RecursionError):
        return ""
    many = f" of {len(value):,} items" if isinstance(value, list) else _keys("; keys", value)
    return f"It is JSON, a {type(value).__name__}{many}."


def _keys(what: str, value: object) -> str:
    return f"{what}: {_named(list(map(str, value)))}" if isinstance(value, dict) and value else ""


def _table(lines: list[str]) -> str:
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
            return f"It looks like {name}, {len(rows[0])} columns: {_named(rows[0])}."
    return ""


def _is_header(row: list[str]) -> bool:
    """Names of columns: short, different from one another, none of them empty."""
    return len(set(row)) == len(row) > 1 and all(0 < len(name) <= MAX_NAME_CHARS for name in row)


def _named(names: list[str]) -> str:
    shown = [name if len(name) <= MAX_NAME_CHARS else name[:MAX_NAME_CHARS] + "..." for name in names[:MAX_NAMES]]
    rest = f", and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return ", ".join(shown) + rest
