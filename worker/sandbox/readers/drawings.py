"""Drawings: the text on a sheet of an xlsx that stands in no cell: shapes, titles of charts, header and footer."""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Iterator

from readers.parts import paragraphs, part, related

_EDGE = re.compile(rb"<(?:\w+:)?(?:odd|even|first)(Header|Footer)>([^<]*)<")
_CODES = re.compile(r'&(?:"[^"]*"|\d+|[A-Z])')
"""Codes in a header: its parts, fonts and sizes, the number of the page."""


def lines(archive: zipfile.ZipFile, sheet: str) -> Iterator[str]:
    """`[header] ...`, `[footer] ...`, `[shape] ...`, `[chart] ...` of the sheet whose part is `sheet`."""
    data = archive.read(sheet)
    for edge, coded in _EDGE.findall(data, max(0, data.rfind(b"sheetData"))):  # they stand behind the cells
        if words := _CODES.sub(" ", html.unescape(coded.decode("utf-8", "replace"))).split():
            yield f"[{edge.decode().lower()}] {' '.join(words)}"
    for kind, path in related(archive, sheet).values():
        if kind.endswith("/drawing") and path in archive.namelist():
            yield from _titled("shape", archive, path, "sp")
            for other, chart in related(archive, path).values():
                if other.endswith("/chart") and chart in archive.namelist():
                    yield from _titled("chart", archive, chart, "title")


def _titled(mark: str, archive: zipfile.ZipFile, path: str, tag: str) -> Iterator[str]:
    for each in part(archive, path).iter():
        if each.tag.endswith(f"}}{tag}") and (said := paragraphs(each)):
            yield f"[{mark}] {' '.join(said)}"
