"""Answer displays: the displayed values that belong to an answer, for Python and notebooks.

In: a trajectory and its answer. Out: values that the last iteration displayed, and those of earlier ones whose title
stands in the answer, as the page chooses them (worker/log/answer_displays.js). As values, or as HTML without a script.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from rlm_core.trajectory import lines_of

MAX_ITEMS = 20
LEAST_TITLE = 3
SHOWN_ROWS = 20
"""Rows of a table in HTML."""
SHOWN_CHARS = 4_000
"""Characters of JSON or Markdown in HTML."""
_MEANT = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r"}

Item = Mapping[str, Any]


def displayed_items(events: Iterable[Mapping[str, Any]], answer: str) -> list[Item]:
    """The items that belong to `answer`, as `display` wrote them."""
    last, blocks = 0, []
    for event in events:
        if event.get("path"):
            continue
        if event["type"] == "iteration_started":
            last = event["iteration"]
        elif event["type"] == "block_finished" and event["observation"].get("shown"):
            blocks.append((event["iteration"], event["observation"]["shown"]))
    found = [
        item
        for iteration, shown in blocks
        for item in json.loads(shown)
        if iteration == last or (len(item["title"]) >= LEAST_TITLE and item["title"] in answer)
    ]
    return found[:MAX_ITEMS]


def displayed_values(trajectory: str, answer: str) -> list[dict[str, Any]]:
    """The values for Python: `kind` and `title`, and by kind `columns` and `rows` (text), `data` (bytes) and `type`,
    `value`, or `text`."""
    events = map(json.loads, filter(str.strip, lines_of(trajectory)))
    return [_value(item) for item in displayed_items(events, answer)]


def _value(item: Item) -> dict[str, Any]:
    own = {"kind": item["kind"], "title": item["title"]}
    if item["kind"] == "table":
        return {**own, "columns": list(item["columns"]), "rows": list(rows_of(item)), "of": item["of"]}
    if item["kind"] == "image":
        return {**own, "type": item["type"], "data": base64.b64decode(item["data"])}
    if item["kind"] == "json" and item["of"] <= len(item["text"]):
        return {**own, "value": json.loads(item["text"])}
    return {**own, "text": item["text"]}


def rows_of(item: Item) -> Iterator[list[str]]:
    r"""Rows of a table, cells as text.

    >>> list(rows_of({"text": "1\\tx\\\\ty", "rows": 1}))
    [['1', 'x\\ty']]
    """
    if item["rows"] == 0:
        return
    for line in item["text"].split("\n"):
        yield [re.sub(r"\\[\\ntr]", lambda found: _MEANT[found[0]], cell) for cell in line.split("\t")]


def as_html(items: Iterable[Item]) -> str:
    """Figures in which text is text alone; a picture, SVG too, is an image element's, in which nothing runs."""
    return "".join(_figure(item) for item in items)


def _figure(item: Item) -> str:
    title = f"<figcaption>{escape(item['title'])}</figcaption>" if item["title"] else ""
    return f"<figure>{title}{_inside(item)}</figure>"


def _inside(item: Item) -> str:
    if item["kind"] == "image":
        return f'<img alt="{escape(item["title"])}" src="data:{escape(item["type"])};base64,{escape(item["data"])}">'
    if item["kind"] != "table":
        return f'<pre style="white-space: pre-wrap">{escape(item["text"][:SHOWN_CHARS])}</pre>'
    head = "".join(f"<th>{escape(name)}</th>" for name in item["columns"])
    rows = [row for row, _ in zip(rows_of(item), range(SHOWN_ROWS), strict=False)]
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{_more(item, len(rows))}"


def _more(item: Item, shown: int) -> str:
    return f"<p>The first {shown:,} of {item['of']:,} rows.</p>" if shown < item["of"] else ""
