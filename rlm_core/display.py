"""Display: values that model code shows to the person: tables, pictures, JSON, Markdown and plots.

In: a value. Out: an item of plain data, bounded, for the page and the log; the model sees one line about it. A table is
text with a row a line, its cells apart by tabs, so that a million short rows stay small. Nothing is drawn but a plot.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TypedDict, cast

from .images import image_type
from .plot import chart_of, drawn, points_of

MAX_TABLE_CHARS = 4_000_000
MAX_CELL_CHARS = 1_000
MAX_COLUMNS = 200
MAX_TEXT_CHARS = 200_000
MAX_IMAGE_BYTES = 1_000_000
MAX_ITEMS = 20
ESCAPED = 7
"""Characters that JSON within JSON makes of one that is not ASCII."""
MAX_BLOCK_CHARS = 12_000_000
"""Characters of all that one block shows, as JSON within an event; the rest is left out, and the model is told."""


class Item(TypedDict, total=False):
    """`kind` is table, image, json or markdown; `of` counts the rows or characters that there are, kept or not. `chart`
    holds the points of a plot, beside its picture."""

    kind: str
    title: str
    text: str
    columns: list[str]
    rows: int
    of: int
    type: str
    data: str
    chart: str


class Displays:
    """The items that a block displayed so far.

    >>> displays = Displays()
    >>> displays.display([{"a": 1, "b": "x"}, {"a": 2}])
    [the person sees a table of 2 rows and 2 columns]
    >>> [item["columns"] for item in json.loads(displays.take() or "")]
    [['a', 'b']]
    """

    def __init__(self) -> None:
        self._items: list[str] = []
        self._chars = 0

    def display(self, value: object, title: str = "") -> None:
        """Show `value` to the person: rows as a table, bytes of an image, a figure, text as Markdown, else JSON.

        A dictionary of tables, as `tables(file)` gives it, is a table for each.
        """
        if isinstance(value, dict) and value and all(table_of(each) is not None for each in value.values()):
            for name, each in value.items():
                self._add(item_of(each), f"{title} {name}".strip())
        else:
            self._add(item_of(value), title)

    def plot(self, rows: object, x: str | None = None, y: str | Sequence[str] | None = None, title: str = "") -> None:
        """Show rows as a chart of lines: column `x` across, columns `y` up; without names, those that hold numbers."""
        points = points_of(table_of(rows) or ([], iter(())), x, y)
        data = base64.b64encode(drawn(points).encode()).decode()
        item: Item = {"kind": "image", "type": "image/svg+xml", "data": data, "of": points.rows}
        if (chart := chart_of(points)) is not None:
            item["chart"] = chart
        self._add(item, title or points.title)

    def show_last(self, item: Item | None) -> None:
        """Show the value of a block's last expression, where it is an item; the model reads nothing of it."""
        if item is not None:
            self._keep(item, "")

    def take(self) -> str | None:
        """The items as JSON text, `None` where there are none; the next block begins with none."""
        items, self._items, self._chars = self._items, [], 0
        return f"[{','.join(items)}]" if items else None

    def functions(self) -> dict[str, Callable[..., object]]:
        """The functions of model code; closures, so that model code finds no way to the items."""

        def display(value: object, title: str = "") -> None:
            """Show a value to the person: rows as a table, an image's bytes, a figure, Markdown, JSON."""
            self.display(value, title)

        def plot(rows: object, x: str | None = None, y: str | Sequence[str] | None = None, title: str = "") -> None:
            """Show rows to the person as a chart of lines: column `x` across, columns `y` up."""
            self.plot(rows, x, y, title)

        return {"display": display, "plot": plot}

    def _add(self, item: Item, title: str) -> None:
        if self._keep(item, title):
            _say(f"the person sees {_named(item)}")
        else:
            _say(f"not shown: a block shows {MAX_ITEMS} values and {MAX_BLOCK_CHARS:,} characters at most")

    def _keep(self, item: Item, title: str) -> bool:
        """Whether there is room for it."""
        text = json.dumps({**item, "title": title[:200]})
        chars = len(text) + text.count("\\") + text.count('"')
        if len(self._items) == MAX_ITEMS or self._chars + chars > MAX_BLOCK_CHARS:
            return False
        self._items.append(text)
        self._chars += chars
        return True


def _say(sentence: str) -> None:
    """A line of the block's output, for the model."""
    sys.stdout.write(f"[{sentence}]\n")


def _named(item: Item) -> str:
    kind, of = item["kind"], item.get("of", 0)
    if kind == "table":
        left = f", the first {item['rows']:,} of them" if item["rows"] < of else ""
        return f"a table of {_count(of, 'row')} and {_count(len(item['columns']), 'column')}{left}"
    if kind == "image":
        return "a chart" if item["type"] == "image/svg+xml" and of else "a picture"
    left = f", the first {MAX_TEXT_CHARS:,} of its {of:,} characters" if of > MAX_TEXT_CHARS else ""
    return f"{'text' if kind == 'markdown' else 'a JSON value'}{left}"


def _count(many: int, noun: str) -> str:
    return f"{many:,} {noun}{'' if many == 1 else 's'}"


def item_of(value: object) -> Item:
    """`value` as an item.

    Raises:
        ValueError: an image is too large, or of a kind that no page shows.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return _image(bytes(value))
    if isinstance(value, str):
        return _text("markdown", value) if not _is_svg(value.encode(errors="replace")) else _image(value.encode())
    if (savefig := figure_of(value)) is not None:
        file = io.BytesIO()
        savefig(file, format="png")
        return _image(file.getvalue())
    table = table_of(value)
    if table is not None:
        return _table(*table)
    return picture_of(value) or tree_of(value)


def figure_of(value: object) -> Callable[..., object] | None:
    """The way to save a figure of matplotlib, or the figure that its axes stand in; `None` of another value."""
    for holder in (value, getattr(value, "figure", None)):
        if callable(savefig := getattr(holder, "savefig", None)):
            return cast("Callable[..., object]", savefig)
    return None


def picture_of(value: object) -> Item | None:
    """The picture that a value draws of itself, as it would in a notebook: PNG, JPEG or SVG; `None` of another value.

    Raises:
        ValueError: it is too large.
    """
    for method in ("_repr_png_", "_repr_jpeg_", "_repr_svg_"):
        draws = getattr(value, method, None)
        drawn = draws() if callable(draws) and not isinstance(value, type) else None
        data = drawn.encode() if isinstance(drawn, str) else drawn
        if isinstance(data, bytes) and (_is_svg(data) or image_type(data[:16]) is not None):
            return _image(data)
    return None


def tree_of(value: object) -> Item:
    """`value` as JSON."""
    return _text("json", _json(value))


def _json(value: object) -> str:
    """`value` as JSON; what JSON has not is text."""
    try:
        return json.dumps(value, ensure_ascii=False, default=repr)
    except (TypeError, ValueError, RecursionError):  # keys that are no text, a circle
        return json.dumps(repr(value), ensure_ascii=False)


def _text(kind: str, text: str) -> Item:
    return {"kind": kind, "text": text[:MAX_TEXT_CHARS], "of": len(text)}


def _is_svg(data: bytes) -> bool:
    head = data[:1_000].lstrip()
    return head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!DOCTYPE svg")) and b"<svg" in head)


def _image(data: bytes) -> Item:
    kind = "image/svg+xml" if _is_svg(data) else image_type(data[:16])
    if kind is None:
        raise ValueError("display: these bytes are no PNG, JPEG, WebP, GIF or SVG. Decode text first, or show repr().")
    if len(data) > MAX_IMAGE_BYTES:
        raise ValueError(f"display: an image of {len(data):,} bytes; {MAX_IMAGE_BYTES:,} are shown. Make it smaller.")
    return {"kind": "image", "type": kind, "data": base64.b64encode(data).decode()}


# --- Tables ---------------------------------------------------------------------------------------------------------

Rows = Iterator[Sequence[object]]


def table_of(value: object) -> tuple[list[str], Rows] | None:
    """Columns and rows of a value that is a table: a DataFrame, or a list of objects or of rows; `None` of another.

    A first row of different words is the header.

    >>> columns, rows = table_of([("name", "age"), ("Ada", 36)])
    >>> columns, list(rows)
    (['name', 'age'], [('Ada', 36)])
    """
    if callable(rows_of := getattr(value, "itertuples", None)) and hasattr(value, "columns"):
        names = _index_names(value)
        return [*names, *map(str, value.columns)], iter(rows_of(index=bool(names)))
    if not isinstance(value, list | tuple) or not value:
        return None
    if all(isinstance(row, Mapping) for row in value):
        names = list(islice(dict.fromkeys(chain.from_iterable(value)), MAX_COLUMNS))
        return [str(name) for name in names], ([row.get(name, "") for name in names] for row in value)
    if all(isinstance(row, list | tuple) for row in value):
        width = min(max(map(len, value)), MAX_COLUMNS)
        numbers = [str(number) for number in range(1, width + 1)]
        return (
            ([*value[0], *numbers[len(value[0]) :]], iter(value[1:])) if _is_header(value) else (numbers, iter(value))
        )
    return None


def _index_names(frame: object) -> list[str]:
    """Name of a DataFrame's index, as a list of one, where it says more than the numbers of the rows."""
    index = getattr(frame, "index", None)
    names = getattr(index, "names", None)
    if names is None or type(index).__name__ == "RangeIndex":
        return []
    return [", ".join(str(name) for name in names if name is not None)]


def _is_header(rows: Sequence[Sequence[object]]) -> bool:
    first = rows[0]
    words = [name for name in first if isinstance(name, str) and name and not name[0].isdigit()]
    return len(rows) > 1 and len(set(words)) == len(first) > 0


def _table(columns: list[str], rows: Rows) -> Item:
    lines: list[str] = []
    chars = of = 0
    for row in rows:
        of += 1
        if chars > MAX_TABLE_CHARS:
            continue
        line = "\t".join(cell(value) for value in islice(row, len(columns)))
        chars += 1 + (len(line) if line.isascii() else ESCAPED * len(line))
        if chars <= MAX_TABLE_CHARS:
            lines.append(line)
    names = [name[:MAX_CELL_CHARS] for name in columns[:MAX_COLUMNS]]
    return {"kind": "table", "columns": names, "text": "\n".join(lines), "rows": len(lines), "of": of}


_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"})


def cell(value: object) -> str:
    r"""`value` as the text of a cell, without a tab and on one line.

    >>> cell("a\tb"), cell(None), cell(1.5)
    ('a\\tb', '', '1.5')
    """
    text = "" if value is None else str(value)
    return text[:MAX_CELL_CHARS].translate(_ESCAPES)
