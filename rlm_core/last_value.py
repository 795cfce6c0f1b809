"""Last value: the value of a block's last expression, shown to the person where it is more than a line of text.

In: the value. Out: an item as of `display`, smaller, or `None`. The model reads the value's `repr` alone, as at any
prompt: nothing here prints, and a value that fails to show itself is left out. Markup (`_repr_html_`) is never asked
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from itertools import islice

from .display import MAX_TEXT_CHARS, Item, figure_of, item_of, picture_of, table_of, tree_of

MAX_ROWS = 1_000
MAX_ENTRIES = 10_000
"""Entries of a list or a dictionary up to which it is looked through for a tree."""


def last_item(value: object) -> Item | None:
    """`value` as an item: a figure, a picture, a table, or a tree of lists and dictionaries.

    >>> last_item([{"a": 1}, {"a": 2}])["rows"], last_item([1, 2]), last_item("text")
    (2, None, None)
    """
    if value is None or isinstance(value, str | int | float | bytes | bytearray):
        return _picture(value) if isinstance(value, bytes | bytearray) else None
    try:
        if figure_of(value) is not None:
            return item_of(value)
        return _table(value) or picture_of(value) or _tree(value)
    except Exception:  # noqa: BLE001 - a value of model code that cannot show itself is no fault of the block
        return None


def _picture(data: bytes | bytearray) -> Item | None:
    try:
        return item_of(data)
    except ValueError:
        return None


def _table(value: object) -> Item | None:
    """A DataFrame, or a list of dictionaries or of equally long rows; of many rows the first."""
    if isinstance(value, list | tuple):
        first = value[:MAX_ROWS]
        if not _is_table(first):
            return None
        item = item_of(first)
        return {**item, "of": item["of"] + len(value) - len(first)}
    if (found := table_of(value)) is None:
        return None
    columns, rows = found
    item = item_of([columns, *islice(rows, MAX_ROWS)])
    size = len(value) if isinstance(value, Sized) else 0
    return {**item, "of": max(size, item["of"])}


def _is_table(rows: Sequence[object]) -> bool:
    if rows and all(isinstance(row, Mapping) for row in rows):
        return True
    lengths = {len(row) if isinstance(row, list | tuple) else 0 for row in rows}
    return len(rows) > 1 and len(lengths) == 1 and 0 not in lengths


def _tree(value: object) -> Item | None:
    """A list or dictionary that holds others, as JSON; one of plain values is a line of text."""
    if not isinstance(value, list | dict) or len(value) > MAX_ENTRIES:
        return None
    entries = value.values() if isinstance(value, dict) else value
    if not any(isinstance(entry, Mapping | list | tuple) and entry for entry in entries):
        return None
    item = tree_of(value)
    return item if item["of"] <= MAX_TEXT_CHARS else None
