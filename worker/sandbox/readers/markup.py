"""Markup: HTML and RTF as text, and the tables of HTML as rows.

Scripts and styles are left out; blocks become lines, cells are divided by tabs. Nothing is fetched.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from readers.plain import decode
from readers.source import ReadError, Source

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "caption",
        "dd",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "title",
        "tr",
        "ul",
    ]
)
_SILENT = frozenset(("script", "style", "template", "noscript"))
_CHARSET = re.compile(rb'<meta[^>]+charset=["\']?([\w-]+)', re.I)


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    if kind == "rtf":
        from striprtf import striprtf

        return str(striprtf.rtf_to_text(source.content().decode("latin-1"), errors="replace")).strip()  # type: ignore[no-untyped-call]
    return text_of(_page(source.content()))


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    if kind == "rtf":
        raise ReadError(f"{source.name} is an RTF document; its tables are not told apart. Read its text with `read`.")
    found = tables_of(_page(source.content()))
    if not found:
        raise ReadError(f"{source.name} is an HTML page without a table. Read its text with `read`.")
    return found


def _page(data: bytes) -> str:
    said = _CHARSET.search(data[:4_096])
    if said and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            return data.decode(said[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)[0]


def text_of(page: str) -> str:
    """The text of an HTML page, one line a block."""
    parser = _Text()
    parser.feed(page)
    parser.close()
    lines = (re.sub(r"[ \xa0]+", " ", line).strip(" ") for line in "".join(parser.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def tables_of(page: str) -> dict[str, list[list[Any]]]:
    """`table 1`, `table 2`, ... in the order of the page; a table inside a cell is one of its own."""
    parser = _Tables()
    parser.feed(page)
    parser.close()
    return {f"table {number}": rows for number, rows in enumerate(parser.found, 1) if rows}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        if tag in ("td", "th"):
            self.parts.append("\t")
        elif tag in _BLOCKS and tag != "br":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[list[list[str]]] = []
        self._open: list[list[list[str]]] = []
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
            self._open[-1][-1].append("")
            self._in_cell[-1] = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._open:
            self._open.pop()
            self._in_cell.pop()
        elif tag in ("td", "th") and self._in_cell and self._open[-1] and self._open[-1][-1]:
            self._in_cell[-1] = False
            self._open[-1][-1][-1] = re.sub(r"\s+", " ", self._open[-1][-1][-1]).strip()

    def handle_data(self, data: str) -> None:
        if self._in_cell and self._in_cell[-1] and self._open[-1] and self._open[-1][-1]:
            self._open[-1][-1][-1] += data
