"""Source view: a document for the page: a picture of a PDF's page, the text around a quote, or all its text or tables.

In: the context of a run and an item of its evidence, or one file. Out: JSON text; a long one is packed. It runs in a
contained worker, without any model; text files need none of it, as the page reads them itself.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readers import ReadError, page_image, read, tables

from rlm_core.display import MAX_TABLE_CHARS, Item, item_of
from rlm_core.evidence import READ_CHARS
from rlm_core.quotes import occurrences

AROUND_CHARS = 600
SIDES = (1_400, 900, 500)
"""Longer sides of a page's picture, the first whose file is small enough for an answer."""
MAX_PICTURE_BYTES = 1_200_000
MAX_TEXT_CHARS = 32_000_000
MAX_PACKED_CHARS = 12_000_000
MAX_TABLES = 40


def shown(context: object, item: Mapping[str, Any]) -> str:
    """The place of `item` in `context`: `picture` and `marks`, or `before`, `quoted` and `after`; or a `reason`."""
    try:
        file = _source(context, str(item["source"]))
        if isinstance(file, Path | bytes) and _is_pdf(file) and item["page"]:
            return json.dumps(_page(file, int(item["page"]), str(item["quote"])))
        return json.dumps(_around(file, int(item["start"]), int(item["end"])))
    except (ReadError, LookupError, OSError) as fault:
        return json.dumps({"reason": str(fault)})


def text_of(file: Any) -> str:
    """All text of a file and the number of its pages, packed; a `reason` beside no text."""
    pages = 0
    try:
        if isinstance(file, Path | bytes) and _is_pdf(file):
            pages = _pages(file)
        text, reason = file if isinstance(file, str) else read(file), ""
    except (ReadError, OSError) as fault:
        text, reason = "", str(fault)
    facts = {"chars": len(text), "pages": pages, "reason": reason}
    room = min(len(text), MAX_TEXT_CHARS)
    while len(answer := _packed({"text": text[:room], **facts})) > MAX_PACKED_CHARS:
        room //= 2
    return answer


def tables_of(file: Any) -> str:
    """The tables of a file as items of `display`, `MAX_TABLE_CHARS` of all together, packed; or a `reason`."""
    room = MAX_TABLE_CHARS
    items: list[Item] = []
    try:
        for name, rows in list(tables(file).items())[:MAX_TABLES]:
            item = item_of(rows) if rows else Item(kind="table", columns=[], text="", rows=0, of=0)
            items.append(_fitted({**item, "title": name[:200]}, room))
            room -= len(items[-1]["text"])
    except (ReadError, OSError) as fault:
        return _packed({"reason": str(fault)})
    return _packed({"tables": items})


def _fitted(item: Item, room: int) -> Item:
    """The first rows of a table that `room` characters hold."""
    if len(item["text"]) <= room:
        return item
    text = item["text"][: item["text"].rfind("\n", 0, room + 1)] if "\n" in item["text"][: room + 1] else ""
    return {**item, "text": text, "rows": text.count("\n") + 1 if text else 0}


def _packed(value: object) -> str:
    return base64.b64encode(zlib.compress(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), 1)).decode()


def _pages(file: Path | bytes) -> int:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError:
        return 0  # `read` says why
    try:
        return len(document)
    finally:
        document.close()


def _source(context: object, name: str) -> Any:
    if not name:
        return context
    if isinstance(context, Mapping):
        return context[name] if name in context else context[int(name.strip("[]"))]
    if isinstance(context, list) and name.startswith("["):
        return context[int(name.strip("[]"))]
    return context


def _is_pdf(file: Path | bytes) -> bool:
    if isinstance(file, bytes):
        return b"%PDF-" in file[:1_024]
    with open(file, "rb") as stream:
        return b"%PDF-" in stream.read(1_024)


def _page(file: Path | bytes, page: int, quote: str) -> dict[str, object]:
    """The page as a PNG, and the quote on it: left, top, width and height of each line, as parts of the page's."""
    pictures = (page_image(file, page, side) for side in SIDES)
    picture = next((picture for picture in pictures if len(picture) <= MAX_PICTURE_BYTES), b"")
    if not picture:
        raise ReadError(f"page {page} is too large a picture to show.")
    marks = _marks(file, page, quote) if quote else []
    return {"picture": base64.b64encode(picture).decode("ascii"), "marks": marks}


def _marks(file: Path | bytes, page: int, quote: str) -> list[list[float]]:
    import pypdfium2

    document = pypdfium2.PdfDocument(file)
    try:
        sheet = document[page - 1]
        words = sheet.get_textpage()
        [hits] = occurrences([quote], [words.get_text_range()])
        if not hits:
            return []
        width, height = sheet.get_size()
        count = words.count_rects(hits[0].start, hits[0].end - hits[0].start)
        boxes = [words.get_rect(index) for index in range(count)]
        return [
            [left / width, 1 - top / height, (right - left) / width, (top - bottom) / height]
            for left, bottom, right, top in boxes
        ]
    finally:
        document.close()


def _around(file: Any, start: int, end: int) -> dict[str, object]:
    from rlm_core.evidence import text_of_source

    text = text_of_source(file, read)
    if not 0 <= start < end <= len(text):
        raise ReadError("the source has changed: the place is beyond its end.")
    first = max(0, start - AROUND_CHARS)
    return {
        "before": text[first:start],
        "quoted": text[start : min(end, start + READ_CHARS)],
        "after": text[end : end + AROUND_CHARS],
    }
