"""PowerPoint (pptx): the text of each slide, of grouped shapes, tables, charts, diagrams, comments and notes too."""

from __future__ import annotations

import re
import zipfile
from typing import Any
from xml.etree import ElementTree

from readers.markup import RAISED, lowered
from readers.parts import embedded, part, related
from readers.source import ReadError, Source, check_numbers

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    with source.open() as file, zipfile.ZipFile(file) as archive:
        slides = _slides(archive)
        wanted = sorted(pages or range(1, len(slides) + 1))
        check_numbers(source, "slide", wanted, len(slides))
        parts = []
        for number in wanted:
            notes = _lines(archive, _notes(archive, slides[number - 1]))
            slide = slides[number - 1]
            shown = [*_lines(archive, slide), *beside(archive, slide), *embedded(source, archive, slide)]
            lines = [f"[slide {number}]", *shown, *(f"[notes] {line}" for line in notes)]
            parts.append("\n".join(lines))
        return "\n\n".join(parts)


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    with source.open() as file, zipfile.ZipFile(file) as archive:
        for number, slide in enumerate(_slides(archive), 1):
            for index, table in enumerate(part(archive, slide).iter(f"{_A}tbl"), 1):
                rows = [[_cell(cell) for cell in row.iter(f"{_A}tc")] for row in table.iter(f"{_A}tr")]
                found[f"slide {number} table {index}"] = rows
    if not found:
        raise ReadError(f"{source.name} is a PowerPoint file without a table. Read its text with `read`.")
    return found


def _slides(archive: zipfile.ZipFile) -> list[str]:
    """The slides' parts in the order of the presentation, hidden ones too."""
    names = archive.namelist()
    paths = related(archive, "ppt/presentation.xml")
    root = part(archive, "ppt/presentation.xml")
    ids = [
        next((value for key, value in each.items() if key.endswith("}id")), "")
        for each in root.iter()
        if each.tag.endswith("}sldId")
    ]
    return [paths[each][1] for each in ids if each in paths and paths[each][1] in names]


def _notes(archive: zipfile.ZipFile, slide: str) -> str | None:
    return next((path for _, path in related(archive, slide).values() if "/notesSlide" in path), None)


def _lines(archive: zipfile.ZipFile, name: str | None) -> list[str]:
    """The paragraphs of a part; cells of a table stand in one line."""
    if name is None or name not in archive.namelist():
        return []
    root = part(archive, name)
    in_tables = {id(paragraph) for table in root.iter(f"{_A}tbl") for paragraph in table.iter(f"{_A}p")}
    lines = [_text(each) for each in root.iter(f"{_A}p") if id(each) not in in_tables]
    rows = ["\t".join(_cell(cell) for cell in row.iter(f"{_A}tc")) for row in root.iter(f"{_A}tr")]
    return [line for line in lines + rows if line.strip()]


def beside(archive: zipfile.ZipFile, slide: str) -> list[str]:
    """Lines of the charts, diagrams and comments that a slide or a document names: they are parts of their own."""
    lines: list[str] = []
    for _, path in related(archive, slide).values():
        if path not in archive.namelist():
            continue
        if re.search(r"/charts/chart[^/]*\.xml$", path):
            lines += _chart(part(archive, path))
        elif re.search(r"/diagrams/data[^/]*\.xml$", path):
            lines += _lines(archive, path)
        elif re.search(r"/comments/[^/]*\.xml$", path):
            notes = part(archive, path).iter()
            words = [_text(each) or each.text or "" for each in notes if each.tag.endswith(("}text", "}txBody"))]
            lines += [f"[comment] {each}" for each in words if each.strip()]
    return lines


def _chart(root: ElementTree.Element) -> list[str]:
    """The title of a chart, and a line for each series: its name, and each value after its category."""
    lines = [f"[chart] {title}".strip() for title in [" ".join(_text(each) for each in root.iter(f"{_C}title"))]]
    for series in root.iter(f"{_C}ser"):
        name, names, values = (_points(series, tags) for tags in (("tx",), ("cat", "xVal"), ("val", "yVal")))
        paired = [f"{names[at]}: {value}" if at < len(names) else value for at, value in enumerate(values)]
        lines.append("\t".join([*name, *paired]))
    return lines


def _points(series: ElementTree.Element, tags: tuple[str, ...]) -> list[str]:
    found = [each for tag in tags for each in series.findall(f"{_C}{tag}")]
    return [value.text or "" for each in found for value in each.iter(f"{_C}v")]


def _cell(cell: ElementTree.Element) -> str:
    return " ".join(filter(None, (_text(each) for each in cell.iter(f"{_A}p"))))


def _text(element: ElementTree.Element) -> str:
    """The text of a paragraph without the slide's number; a line break in it becomes a space."""
    numbers = {id(each) for field in element.iter(f"{_A}fld") if field.get("type") == "slidenum" for each in field}
    raised = {id(run.find(f"{_A}t")) for run in element.iter(f"{_A}r") if _is_raised(run.find(f"{_A}rPr"))}
    return lowered(
        "".join(
            " " if each.tag == f"{_A}br" else f"{RAISED if id(each) in raised else ''}{each.text or ''}"
            for each in element.iter()
            if each.tag in (f"{_A}t", f"{_A}br", f"{_M}t") and id(each) not in numbers
        )
    )


def _is_raised(properties: ElementTree.Element | None) -> bool:
    return properties is not None and properties.get("baseline", "0")[0] in "123456789"
