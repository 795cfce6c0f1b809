"""Workbooks (xlsx, xls, xlsb, ods), by calamine: sheets as rows, and as text with one line a row.

Calamine gives no comments, and `""` for an error and for a formula whose value no program has computed yet: they are
read from the parts of an xlsx, so that none is lost in silence. Hidden sheets are read, and marked.
"""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import Any

from readers import drawings, opendocument
from readers.parts import embedded, part, related
from readers.source import ReadError, Source

Cell = tuple[int, int]
OUTLINE_BYTES = 2 << 20
"""Bytes of a workbook up to which the outline reads its rows."""
_FORMULA = re.compile(
    rb'<(?:\w+:)?c r="([A-Z]+)(\d+)"([^>]*)>\s*<(?:\w+:)?f\b([^>]*?)(?:/>|>([^<]*)</(?:\w+:)?f>)\s*'
    rb"(<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
"""A cell with a formula and no value; its attributes, those of the formula, the formula, and an empty value."""
_SHARED = re.compile(rb'<(?:\w+:)?c r="([A-Z]+\d+)"[^>]*>\s*<(?:\w+:)?f\b(?=[^>]*\bsi="(\d+)")[^>]*[^/>]>[^<]')
"""A cell whose formula others share, and the number by which they name it."""
_ZERO = re.compile(
    rb'<(?:\w+:)?c r="([A-Z]+)(\d+)"[^>]*>\s*<(?:\w+:)?f\b[^>]*>([^<]+)</(?:\w+:)?f>\s*<(?:\w+:)?v>0</(?:\w+:)?v>'
)
"""A cell with a formula and 0, which is no value where the workbook wants all computed when it is opened."""
_ERROR = re.compile(
    rb'<(?:\w+:)?c (?=[^>]*\bt="e")[^>]*\br="([A-Z]+)(\d+)"[^>]*>(?:<(?:\w+:)?f\b[^>]*(?:/>|>[^<]*</(?:\w+:)?f>))?'
    rb"<(?:\w+:)?v>([^<]+)</"
)
"""A cell with an error for a value."""
MAX_CELLS = 40_000_000
"""Cells between the first and the last of a sheet, empty ones too."""
_FAR_COLUMN = re.compile(rb'r="([A-Z]{2,3})\d{1,7}"')  # begins with text, which is searched for eight times as fast
_ROW = re.compile(rb'r="[A-Z]{1,3}(\d{1,7})"')
_FORMULA_STARTS = (b"<f>", b"<f ", b":f>", b":f ")


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    parts = []
    for number, (name, rows, hidden) in enumerate(_sheets(source, kind), 1):
        if pages is not None and number not in pages:
            continue
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        comments = [f"[comment {where}] {note}" for where, note in _comments(source, kind, number).items()]
        comments += _drawn(source, kind, number)
        mark = f'[sheet "{name}"]' + (" [hidden]" if hidden else "")
        parts.append("\n".join([mark, out.getvalue().rstrip("\n"), *comments]))
    if not parts:
        raise ReadError(f"{source.name} has no sheet {sorted(pages or [])}; sheets are counted from 1.")
    return "\n\n".join(parts)


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    return {name: rows for name, rows, _ in _sheets(source, kind)}


def outline(source: Source, kind: str) -> str:
    """Sheets with their size and first rows; of a large workbook the names alone."""
    from python_calamine import CalamineError, CalamineWorkbook

    if len(source.content()) > OUTLINE_BYTES:
        try:
            names = CalamineWorkbook.from_filelike(io.BytesIO(source.content())).sheet_names
        except CalamineError as fault:
            raise ReadError(f"{source.name} is a workbook ({kind}) that cannot be read: {fault}.") from None
        return f"sheets {', '.join(names[:20])}"
    return "; ".join(
        f'sheet "{name}"{" (hidden)" if hidden else ""}: {len(rows):,} rows'
        + "".join(f", {row[:12]}" for row in rows[:2])
        for name, rows, hidden in islice(_sheets(source, kind), 20)
    )


def _sheets(source: Source, kind: str) -> Iterator[tuple[str, list[list[Any]], bool]]:
    """Name, rows, and whether it is hidden, of each sheet in its order."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(source.content()))
        for number, sheet in enumerate(book.sheets_metadata, 1):
            unseen = _unseen(source, kind, number)
            rows = list(map(_whole_numbers, book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)))
            _fill(rows, unseen)
            yield sheet.name, rows, sheet.visible != SheetVisibleEnum.Visible
    except CalamineError as fault:
        raise ReadError(f"{source.name} is a workbook ({kind}) that cannot be read: {fault}.") from None


def _whole_numbers(row: list[Any]) -> list[Any]:
    """A sheet knows no integers: those that have no fraction are such, or 1001 would be read as 1001.0."""
    return [int(cell) if cell.__class__ is float and cell.is_integer() else cell for cell in row]


def _fill(rows: list[list[Any]], cells: dict[Cell, str]) -> None:
    """Text for cells of which calamine gives none."""
    for (row, column), words in cells.items():
        while len(rows) <= row:
            rows.append([""] * max(map(len, rows), default=0))
        rows[row] += [""] * (column + 1 - len(rows[row]))
        if rows[row][column] in ("", 0):
            rows[row][column] = words


def _unseen(source: Source, kind: str, number: int) -> dict[Cell, str]:
    """Formulas whose value no program has computed, and errors such as `#DIV/0!`."""
    if kind != "xlsx":
        return opendocument.errors(source, number) if kind == "ods" else {}
    with source.open() as file, zipfile.ZipFile(file) as archive:
        path = _sheet_path(archive, number)
        data = archive.read(path) if path else b""
        _check_area(source, data)
        has_formulas = any(start in data for start in _FORMULA_STARTS)
        found = list(_not_computed(data)) if has_formulas else []
        found += _ZERO.findall(data) if has_formulas and _is_not_computed(archive) else []
        errors = _ERROR.findall(data) if b't="e"' in data else []
    return {
        (int(row) - 1, _column(letters.decode())): mark + html.unescape(words.decode("utf-8", "replace"))
        for mark, cells in (("=", found), ("", errors))
        for letters, row, words in cells
    }


def _not_computed(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Column, row and formula of the cells without a value; an empty text is a value."""
    shared: dict[bytes, bytes] = {}
    for column, row, cell, attributes, formula, value in _FORMULA.findall(data):
        if value and b't="str"' in cell:
            continue
        if not formula and (number := re.search(rb'\bsi="(\d+)"', attributes)):
            shared = shared or {number: where for where, number in _SHARED.findall(data)}
            formula = b"[as in %s]" % shared.get(number[1], b"another cell")
        if formula:
            yield column, row, formula


def _check_area(source: Source, sheet: bytes) -> None:
    """Raises ReadError for cells that lie too far apart: calamine makes room for every cell between them.

    A sheet whose columns have one letter has 27 million cells at most, and is not looked at further.
    """
    if (far := max(_FAR_COLUMN.findall(sheet), key=lambda letters: (len(letters), letters), default=None)) is None:
        return
    columns = _column(far.decode()) + 1
    rows = max(map(int, _ROW.findall(sheet)), default=0)
    if rows * columns > MAX_CELLS:
        raise ReadError(
            f"{source.name} has a sheet that spans {rows:,} x {columns:,} cells; {MAX_CELLS:,} are read at most. "
            "Delete the cells far from the others."
        )


def _comments(source: Source, kind: str, number: int) -> dict[str, str]:
    """Cell -> its comment, of the sheet at `number` in an xlsx or an ods."""
    if kind != "xlsx":
        return opendocument.comments(source, number) if kind == "ods" else {}
    with source.open() as file, zipfile.ZipFile(file) as archive:
        path = _sheet_path(archive, number)
        targets = related(archive, path) if path else {}
        notes: dict[str, str] = {}
        for kind_, target in targets.values():
            if kind_.endswith(("/comments", "/threadedComment")) and target in archive.namelist():
                notes |= {
                    str(note.get("ref")): "".join(note.itertext()).strip()
                    for note in part(archive, target).iter()
                    if note.tag.rpartition("}")[2] in ("comment", "threadedComment")
                }
        return notes


def _is_not_computed(archive: zipfile.ZipFile) -> bool:
    """Whether a library wrote the workbook, with 0 for the value of each formula."""
    book = _book(archive)
    return book is not None and b'fullCalcOnLoad="1"' in archive.read(book)


def _drawn(source: Source, kind: str, number: int) -> list[str]:
    if kind != "xlsx":
        return []
    with source.open() as file, zipfile.ZipFile(file) as archive:
        path = _sheet_path(archive, number)
        return [*drawings.lines(archive, path), *embedded(source, archive, path)] if path else []


def _book(archive: zipfile.ZipFile) -> str | None:
    return next((name for name in archive.namelist() if re.fullmatch(r"xl/workbook\d*\.xml", name)), None)


def _sheet_path(archive: zipfile.ZipFile, number: int) -> str | None:
    """The part of the sheet at `number`, by the workbook's order."""
    if (book := _book(archive)) is None:
        return None
    sheets = [each for each in part(archive, book).iter() if each.tag.rpartition("}")[2] == "sheet"]
    ids = [next((value for key, value in sheet.items() if key.rpartition("}")[2] == "id"), "") for sheet in sheets]
    paths = related(archive, book)
    path = paths.get(ids[number - 1], ("", ""))[1] if number <= len(ids) else ""
    return path if path in archive.namelist() else None


def _column(letters: str) -> int:
    """`A` is 0, `AA` is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
