"""OpenDocument text and presentations (odt, odp, fodt): paragraphs, tables as rows, slides, notes and comments."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from readers.markup import RAISED, lowered
from readers.source import ReadError, Source, check_numbers

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_MARKS = {"}notes": "[notes] ", "}tracked-changes": "[deleted] "}
_ROW_GROUPS = tuple(f"{_TABLE}{name}" for name in ("table-rows", "table-row-group", "table-header-rows"))
MAX_CELLS = 4_000_000
"""Cells of a table, with those that one element stands for; the empty ones at the ends are none."""


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    root = _content(source)
    if (book := root.find(f".//{_OFFICE}spreadsheet")) is not None:
        return _text_of_sheets(source, book, pages)
    slides = list(root.iter(f"{_DRAW}page"))
    if slides:
        wanted = sorted(pages or range(1, len(slides) + 1))
        check_numbers(source, "slide", wanted, len(slides))
        return "\n\n".join("\n".join([f"[slide {number}]", *_lines(slides[number - 1])]) for number in wanted)
    return "\n".join([*_edges(source), *_lines(root)])


def _text_of_sheets(source: Source, book: ElementTree.Element, pages: set[int] | None) -> str:
    """Sheets of a flat workbook (fods), as those of an ods."""
    sheets = book.findall(f"{_TABLE}table")
    wanted = sorted(pages or range(1, len(sheets) + 1))
    check_numbers(source, "sheet", wanted, len(sheets))
    parts = []
    for sheet in (sheets[number - 1] for number in wanted):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(_rows(sheet))
        parts.append(f'[sheet "{sheet.get(f"{_TABLE}name", "")}"]\n{out.getvalue()}'.rstrip("\n"))
    return "\n\n".join(parts)


def comments(source: Source, number: int) -> dict[str, str]:
    """Cell -> its comment, of the sheet at `number` in an ods."""
    notes = {}
    for row, column, cell in _cells(source, number, b"office:annotation"):
        for note in cell.iter(f"{_OFFICE}annotation"):
            notes[f"{_letters(column)}{row + 1}"] = "\n".join(_words(each) for each in note.iter(f"{_TEXT}p"))
    return notes


def errors(source: Source, number: int) -> dict[tuple[int, int], str]:
    """Place -> the error of a cell, such as `#DIV/0!`, of the sheet at `number` in an ods."""
    return {
        (row, column): _of_cell(cell)
        for row, column, cell in _cells(source, number, b'value-type="error"')
        if any(key.endswith("}value-type") and value == "error" for key, value in cell.items())
    }


def _cells(source: Source, number: int, sign: bytes) -> Iterator[tuple[int, int, ElementTree.Element]]:
    """Row, column and element of each cell of a sheet; none where the file does not hold `sign`."""
    with source.open() as file, zipfile.ZipFile(file) as archive:
        data = archive.read("content.xml")
    sheets = ElementTree.fromstring(data).findall(f".//{_OFFICE}spreadsheet/{_TABLE}table") if sign in data else []
    row = 0
    for each in _own_rows(sheets[number - 1]) if number <= len(sheets) else ():
        column = 0
        for cell in each:
            yield row, column, cell
            column += int(cell.get(f"{_TABLE}number-columns-repeated", 1))
        row += int(each.get(f"{_TABLE}number-rows-repeated", 1))


def _letters(column: int) -> str:
    """`A` for 0, `AA` for 26."""
    return (_letters(column // 26 - 1) if column >= 26 else "") + chr(65 + column % 26)


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    found = {
        table.get(f"{_TABLE}name") or f"table {number}": _rows(table)
        for number, table in enumerate(_content(source).iter(f"{_TABLE}table"), 1)
    }
    if not found:
        raise ReadError(f"{source.name} is an OpenDocument file without a table. Read its text with `read`.")
    return found


def _content(source: Source) -> ElementTree.Element:
    try:
        if source.head.startswith(b"PK"):
            with source.open() as file, zipfile.ZipFile(file) as archive:
                return _marked(ElementTree.fromstring(archive.read("content.xml")))
        return _marked(ElementTree.fromstring(source.content()))
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile, RuntimeError) as fault:
        raise ReadError(f"{source.name} is an OpenDocument file that is broken or locked: {fault}.") from None


def _marked(root: ElementTree.Element) -> ElementTree.Element:
    """The content with a mark before raised text; its style tells that it is."""
    raised = {
        style.get(f"{_STYLE}name")
        for style in root.iter(f"{_STYLE}style")
        for each in style.iter(f"{_STYLE}text-properties")
        if each.get(f"{_STYLE}text-position", "").startswith("super")
    }
    for span in root.iter(f"{_TEXT}span"):
        if span.get(f"{_TEXT}style-name") in raised:
            span.text = f"{RAISED}{span.text or ''}"
    return root


def _edges(source: Source) -> list[str]:
    """Headers and footers, which stand in the part of the styles, each once."""
    if not source.head.startswith(b"PK"):
        return []
    with source.open() as file, zipfile.ZipFile(file) as archive:
        if "styles.xml" not in archive.namelist():
            return []
        styles = ElementTree.fromstring(archive.read("styles.xml"))
    edges = [
        f"[{each.tag.rpartition('}')[2]}]\n{words}"
        for each in styles.iter()
        if each.tag.startswith(_STYLE) and each.tag.endswith(("}header", "}footer"))
        if (words := "\n".join(_lines(each)))
    ]
    return list(dict.fromkeys(edges))


def _lines(root: ElementTree.Element) -> list[str]:
    lines: list[str] = []

    def walk(element: ElementTree.Element, mark: str = "") -> None:
        for child in element:
            if child.tag in (f"{_TEXT}p", f"{_TEXT}h"):
                lines.append(mark + lowered(_words(child)))
                for box in _boxes(child):
                    walk(box, mark)
                for note in child.iter():
                    if note.tag == f"{_TEXT}note-body":
                        walk(note, "[footnote] ")
                    elif note.tag == f"{_OFFICE}annotation":
                        walk(note, "[comment] ")
            elif child.tag == f"{_TABLE}table":
                lines.extend("\t".join(map(str, row)) for row in _rows(child))
            else:
                walk(child, next((each for end, each in _MARKS.items() if child.tag.endswith(end)), mark))

    walk(root)
    return [line for line in lines if line.strip()]


def _rows(table: ElementTree.Element) -> list[list[Any]]:
    """Its rows without the empty ones and cells at their ends, of which one element may stand for a million."""
    rows: list[list[Any]] = []
    blank, room = 0, MAX_CELLS
    for row in _own_rows(table):
        cells = _cells_of(row, room)
        count = int(row.get(f"{_TABLE}number-rows-repeated", 1))
        if not cells:
            blank += count
            continue
        room -= blank + count * len(cells)
        _check_room(room)
        rows += [[] for _ in range(blank)]
        rows += [list(cells) for _ in range(count)]
        blank = 0
    return rows


def _cells_of(row: ElementTree.Element, room: int) -> list[Any]:
    cells: list[Any] = []
    blank = 0
    for cell in row:
        if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            continue
        words, count = _of_cell(cell), int(cell.get(f"{_TABLE}number-columns-repeated", 1))
        if not words:
            blank += count
            continue
        _check_room(room - len(cells) - blank - count)
        cells += [*[""] * blank, *[words] * count]
        blank = 0
    return cells


def _check_room(room: int) -> None:
    if room < 0:
        raise ReadError(f"a table has more than {MAX_CELLS:,} cells, with those that one stands for. Split it.")


def _own_rows(table: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Rows of a table, of its groups too, but not those of tables in its cells."""
    for child in table:
        if child.tag == f"{_TABLE}table-row":
            yield child
        elif child.tag in _ROW_GROUPS:
            yield from _own_rows(child)


def _of_cell(cell: ElementTree.Element) -> str:
    """Text of a cell, its comment behind it with a mark."""
    notes = {id(each) for note in cell.iter(f"{_OFFICE}annotation") for each in note.iter()}
    said = [_words(each) for each in cell.iter(f"{_TEXT}p") if id(each) not in notes]
    marked = [f"[comment] {_words(each)}" for each in cell.iter(f"{_TEXT}p") if id(each) in notes]
    return lowered("\n".join(said + marked))


def _boxes(element: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Text boxes in a paragraph, without those inside of others."""
    for child in element:
        if child.tag == f"{_DRAW}text-box":
            yield child
        else:
            yield from _boxes(child)


def _words(element: ElementTree.Element) -> str:
    """The text of a paragraph without its notes; spaces and tabs that are elements become characters."""
    parts = [element.text or ""]
    for child in element:
        if child.tag == f"{_TEXT}s":
            parts.append(" " * int(child.get(f"{_TEXT}c", 1)))
        elif child.tag in (f"{_TEXT}tab", f"{_TEXT}line-break"):
            parts.append("\t" if child.tag.endswith("tab") else "\n")
        elif child.tag not in (f"{_TEXT}note", f"{_OFFICE}annotation", f"{_DRAW}text-box"):
            parts.append(_words(child))
        parts.append(child.tail or "")
    return "".join(parts)
