"""Workbooks of Excel 2003 in XML (SpreadsheetML), which programs still export under the suffix xls: sheets as rows."""

from __future__ import annotations

import csv
import io
from typing import Any
from xml.etree import ElementTree

from readers.source import ReadError, Source, check_numbers

_SS = "{urn:schemas-microsoft-com:office:spreadsheet}"
MAX_ROWS, MAX_COLUMNS = 1 << 20, 1 << 14
"""Rows and columns that a sheet has at most."""
MAX_CELLS = 4_000_000
"""Cells of a sheet, with the empty ones that an index stands for."""


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    sheets = list(tables(source, kind).items())
    wanted = sorted(pages or range(1, len(sheets) + 1))
    check_numbers(source, "sheet", wanted, len(sheets))
    parts = []
    for name, rows in (sheets[number - 1] for number in wanted):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        parts.append(f'[sheet "{name}"]\n{out.getvalue()}'.rstrip("\n"))
    return "\n\n".join(parts)


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    try:
        root = ElementTree.fromstring(source.content())
    except ElementTree.ParseError as fault:
        raise ReadError(f"{source.name} is a workbook in XML that is broken: {fault}.") from None
    return {sheet.get(f"{_SS}Name", ""): _rows(sheet) for sheet in root.iter(f"{_SS}Worksheet")}


def _rows(sheet: ElementTree.Element) -> list[list[Any]]:
    rows: list[list[Any]] = []
    room = MAX_CELLS
    for row in sheet.iter(f"{_SS}Row"):
        rows += [[] for _ in range(_gap(row, len(rows), MAX_ROWS))]
        cells: list[Any] = []
        for cell in row.iter(f"{_SS}Cell"):
            cells += [""] * _gap(cell, len(cells), MAX_COLUMNS)
            cells += [_value(cell), *[""] * min(int(cell.get(f"{_SS}MergeAcross", 0)), MAX_COLUMNS)]
        rows.append(cells)
        room -= len(cells)
        if room < 0:
            raise ReadError(f"a sheet of the workbook has more than {MAX_CELLS:,} cells. Save it as xlsx, or split it.")
    return rows


def _gap(element: ElementTree.Element, count: int, most: int) -> int:
    """Number of empty rows or cells before one that has an index."""
    return min(max(int(element.get(f"{_SS}Index", count + 1)) - count - 1, 0), most - count)


def _value(cell: ElementTree.Element) -> Any:
    """A number as such, anything else as its text, a comment behind it with a mark."""
    data = cell.find(f"{_SS}Data")
    words = "" if data is None else "".join(data.itertext())
    words = words or (cell.get(f"{_SS}Formula") or "")  # whose value no program has computed yet
    note = cell.find(f"{_SS}Comment")
    if note is not None:
        return f"{words}\n[comment] {''.join(note.itertext()).strip()}"
    if data is None or data.get(f"{_SS}Type") != "Number" or not data.text:
        return words
    number = float(words)
    return int(number) if number.is_integer() else number
