"""Displayed values of an answer: which belong to it, and as Python and a notebook show them."""

from __future__ import annotations

import base64
import json

from rlm_core import run
from rlm_core.testing import ScriptedProvider
from rlm_core.trajectory import Recorder
from rlm_server.headless.answer_displays import as_html, displayed_items, displayed_values
from tests.server.test_notebook import Tags, result

FENCE = "```"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
REPLIES = [
    f"{FENCE}repl\ndisplay([['a', 1]], 'Left out')\ndisplay([['city', 'n'], ['Os|lo\\tx', 1]], 'Cities')\n{FENCE}",
    f"{FENCE}repl\ndisplay({PNG!r}, '<b>')\ndisplay({{'a': {{'b': 1}}}})\ndisplay('**bold**')\n"
    f"FINAL('See Cities.')\n{FENCE}",
]


def log() -> str:
    lines: list[str] = []
    ended = run("Where?", "text", provider=ScriptedProvider(REPLIES), emit=Recorder(lines.append))
    assert ended.answer == "See Cities."
    return "".join(lines)


def test_values_of_the_last_iteration_and_those_that_the_answer_names_belong_to_it() -> None:
    values = displayed_values(log(), "See Cities.")
    assert values == [
        {"kind": "table", "title": "Cities", "columns": ["city", "n"], "rows": [["Os|lo\tx", "1"]], "of": 1},
        {"kind": "image", "title": "<b>", "type": "image/png", "data": PNG},
        {"kind": "json", "title": "", "value": {"a": {"b": 1}}},
        {"kind": "markdown", "title": "", "text": "**bold**"},
    ]
    assert len(displayed_values(log(), "None.")) == 3
    assert result(answer="See Cities.", trajectory=log()).displayed == values


def test_a_notebook_shows_them_and_their_text_is_text_alone() -> None:
    items = displayed_items(map(json.loads, log().splitlines()), "See Cities.")
    shown = Tags(as_html(items))
    assert {*shown.tags} == {"figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "img", "pre"}
    assert "<b>" in shown.text
    assert base64.b64encode(PNG).decode() in result(answer="", trajectory=log())._repr_html_()
