"""Markup: HTML and RTF as text, and the tables of HTML as rows.

Scripts and styles are left out; blocks become lines, a row of a table one line whose cells are divided by tabs. Of a
cell that covers several the others are empty, as in a sheet. Nothing is fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from readers.plain import decode
from readers.source import ReadError, Source

_BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "br", "caption", "dd", "details", "dialog", "div", "dl", "dt",
     "fieldset", "figcaption", "figure",
     "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "option", "p",
     "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "title", "tr", "ul")
)  # fmt: skip
MAX_CELL_CHARS = 400
"""Characters of a cell whose row is one line of text; a longer one, or one with a table in it, is layout."""
MAX_COLUMNS, MAX_SPAN = 1_000, 1_000
"""Columns of a row, and rows or columns of a cell, that are filled with empty cells where one covers several."""
_TYPED = frozenset(("text", "date", "email", "month", "number", "search", "tel", "time", "url", "week"))
"""Types of fields whose value is text that a person typed."""
_KEPT_SPACE, _KEPT_LINE, RAISED = "\0", "\1", "\2"
_EXPONENT = re.compile(rf"(?<=\d){RAISED}(?=[-+\u2212\u2013]?\d)")
"""The beginning of a raised number behind another, which would be one number with it."""
_TABLE_PARTS = ("table", "tbody", "tfoot", "thead", "tr")
_SILENT = frozenset(("script", "style", "template", "noscript"))
_ASIDE = re.compile(r"\{\\(?:\*\\)?(footnote|header|footer|annotation|shptxt)[lrf]?(?![a-z]) ?")
_ASIDE_MARKS = {"annotation": "comment", "shptxt": "text box"}
"""Destinations of RTF that its library leaves out."""
_SUPER = re.compile(r"\\super(?![a-z])(?:\\[a-z]+-?\d*)* ?")


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    if kind == "rtf":
        from striprtf import striprtf

        opened = source.content().decode("latin-1").replace("{\\shp{\\*\\shpinst", "{{")
        opened = _SUPER.sub(rf"\g<0>{RAISED}", opened)
        marked = _ASIDE.sub(lambda found: f"{{\\par [{_ASIDE_MARKS.get(found[1], found[1])}] ", opened)
        words = lowered(str(striprtf.rtf_to_text(marked, errors="replace")))  # type: ignore[no-untyped-call]
        return words.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()  # an emoji is two escapes
    return text_of(decode(source.content())[0])


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    if kind == "rtf":
        raise ReadError(f"{source.name} is an RTF document; its tables are not told apart. Read its text with `read`.")
    found = tables_of(decode(source.content())[0])
    if not found:
        raise ReadError(f"{source.name} is an HTML page without a table. Read its text with `read`.")
    return found


def text_of(page: str) -> str:
    """The text of an HTML page, one line a block."""
    parser = _Text()
    parser.feed(page)
    parser.close()
    lines = (re.sub(r"[ \xa0]+", " ", line).strip(" ") for line in lowered(parser.text()).split("\n"))
    return (
        re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
        .replace(_KEPT_SPACE, " ")
        .replace(_KEPT_LINE, "")
        .replace("\xad", "")
        .strip()
    )


def tables_of(page: str) -> dict[str, list[list[Any]]]:
    """`table 1`, `table 2`, ... in the order of the page; a table inside a cell is one of its own."""
    parser = _Tables()
    parser.feed(page)
    parser.close()
    return {f"table {number}": _filled(rows) for number, rows in enumerate(parser.found, 1) if rows}


def lowered(words: str) -> str:
    """Text with `^` before each exponent, such as that of 10^6."""
    return _EXPONENT.sub("^", words).replace(RAISED, "")


def _filled(rows: list[list[_Cell]]) -> list[list[Any]]:
    """Rows in which a cell that covers several is followed, in its row and below it, by empty ones."""
    filled: list[list[Any]] = []
    below: dict[int, int] = {}
    for cells in rows:
        line: list[Any] = []
        for cell in [*cells, None]:
            while below.get(len(line), 0) > 0 and len(line) < MAX_COLUMNS:
                below[len(line)] -= 1
                line.append("")
            if cell is not None:
                covered = range(len(line), len(line) + min(cell.columns, max(1, MAX_COLUMNS - len(line))))
                words = lowered(cell.text).replace("\xad", "").split()
                line += [" ".join(words), *[""] * (len(covered) - 1)]
                below |= dict.fromkeys(covered, cell.rows - 1)
        filled.append(line)
    return filled


@dataclass
class _Row:
    """An open row of a table: its cells, and where its text goes."""

    outer: list[str]
    cells: list[list[str]] = field(default_factory=list)
    has_table: bool = False

    def text(self) -> str:
        cells = ["".join(cell) for cell in self.cells]
        folded = [" ".join(cell.split()) for cell in cells]
        is_line = len(cells) > 1 and not self.has_table and max(map(len, folded)) <= MAX_CELL_CHARS
        return "\t".join(folded) if is_line else "\n".join(cells)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._silent = 0
        self._kept = 0
        self._rows: list[_Row | None] = []

    def text(self) -> str:
        """All of it; tables that the page left open end here."""
        while self._rows:
            self.handle_endtag("table")
        return "".join(self._parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        self._kept += tag == "pre"
        if tag == "table":
            if self._rows and self._rows[-1]:
                self._rows[-1].has_table = True
            self._parts.append("\n")
            self._rows.append(None)
        elif tag == "tr" and self._rows:
            self._end_row()
            self._rows[-1] = _Row(self._parts)
        elif tag in ("td", "th") and self._rows:
            row = self._rows[-1] = self._rows[-1] or _Row(self._parts)
            row.cells.append([])
            self._parts = row.cells[-1]
        elif tag in _BLOCKS and tag not in _TABLE_PARTS:
            self._parts.append("\n")
        elif not self._silent:
            self._parts.append(_in_attributes(tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of XHTML that holds nothing, such as the empty cell `<td/>`."""
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)
        if tag in ("td", "th", "pre", "table"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        self._kept -= tag == "pre" and self._kept > 0
        if tag in ("td", "th"):
            if self._rows and self._rows[-1]:
                self._parts = self._rows[-1].outer
        elif tag in ("tr", "table") and self._rows:
            self._end_row()
            if tag == "table":
                self._rows.pop()
                self._parts.append("\n\n")
        elif tag in _BLOCKS and tag != "br" and tag not in _TABLE_PARTS:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._kept and not self._silent:
            kept = data.replace(" ", _KEPT_SPACE)
            self._parts.append(re.sub(r"\n(?=\n)", f"\n{_KEPT_LINE}", kept))
        elif not self._silent:
            self._parts.append(re.sub(r"\s+", " ", data))

    def _end_row(self) -> None:
        row, self._rows[-1] = self._rows[-1], None
        if row is not None:
            self._parts = row.outer
            self._parts.append(f"\n{row.text()}" if row.cells else "")


def _in_attributes(tag: str, attrs: dict[str, str | None]) -> str:
    """What a person sees of an element besides its text: a picture's description, a field's value, a raised line."""
    if tag == "img" and (said := (attrs.get("alt") or "").strip()):
        return f" [picture: {said}] "
    if tag == "sup":
        return RAISED
    kind = (attrs.get("type") or "text").lower() if tag == "input" else ""
    if kind in ("checkbox", "radio"):
        return " [x] " if "checked" in attrs else " [ ] "
    return f" {attrs.get('value') or ''} " if kind in _TYPED else ""


@dataclass
class _Cell:
    """A cell of a table, and how many rows and columns it covers."""

    columns: int
    rows: int
    text: str = ""


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[list[list[_Cell]]] = []
        self._open: list[list[list[_Cell]]] = []
        self._in_cell: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._open.append([])
            self._in_cell.append(False)
            self.found.append(self._open[-1])
        elif self._open and tag == "tr":
            self._open[-1].append([])
        elif self._open and tag in ("td", "th"):
            if not self._open[-1]:
                self._open[-1].append([])
            self._open[-1][-1].append(_Cell(_span(attrs, "colspan"), _span(attrs, "rowspan")))
            self._in_cell[-1] = True
        elif tag in _BLOCKS:
            self.handle_data("\n")
        elif tag in ("input", "sup"):
            self.handle_data(_in_attributes(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._open:
            self._open.pop()
            self._in_cell.pop()
        elif tag in ("td", "th") and self._in_cell:
            self._in_cell[-1] = False
        elif tag in _BLOCKS:
            self.handle_data("\n")

    def handle_data(self, data: str) -> None:
        if self._in_cell and self._in_cell[-1] and self._open[-1] and self._open[-1][-1]:
            self._open[-1][-1][-1].text += data


def _span(attrs: list[tuple[str, str | None]], name: str) -> int:
    said = next((value for key, value in attrs if key == name), None) or "1"
    if name == "rowspan" and said == "0":
        return MAX_SPAN  # all rows below
    return min(max(int(said), 1), MAX_SPAN) if said.isdecimal() and len(said) < 6 else 1
