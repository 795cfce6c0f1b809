"""A result in a notebook: its answer, quotes and iterations, in which a model's text is text alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from rlm_server.headless.result import HeadlessResult, partial_result

LOG = Path(__file__).parents[1] / "golden" / "errors_and_recovery.jsonl"
QUOTE = {"quote": "by <b>Ada</b>", "source": "lease.txt", "status": "missing", "line": None, "page": None,
         "sheet": None, "difference": None}  # fmt: skip
USAGE = {"openai:m": {"calls": 1_200, "input_tokens": 9, "output_tokens": 9, "cached_tokens": 0, "cost": 0.25}}


def result(**own: Any) -> HeadlessResult:
    partial = partial_result([], detail="")
    fields = {name: getattr(partial, name) for name in HeadlessResult.__slots__}
    return HeadlessResult(**{**fields, "answer": "Ada <script>", "stopped_by": "final_answer", "usage": USAGE, **own})


class Tags(HTMLParser):
    """The tags and the text of markup."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_of_a_model_is_text_alone() -> None:
    shown = Tags(result(evidence=[QUOTE], value={"a": "<img>"})._repr_html_())
    assert {*shown.tags} == {"div", "ul", "li", "details", "summary", "pre"}
    assert "Ada <script>" in shown.text
    assert '[1] lease.txt "by <b>Ada</b>"  (NOT IN THE CONTEXT)' in shown.text
    assert '"a": "<img>"' in shown.text


def test_iterations_are_folded_with_their_output() -> None:
    log = LOG.read_text()
    shown = Tags(result(trajectory=log, iterations=3)._repr_html_())
    assert re.findall(r"Iteration \d+", shown.text) == ["Iteration 1", "Iteration 2", "Iteration 3"]
    assert "Output:\nadding\n" in shown.text
    assert "3 iterations, 1,200 model calls, 0.2500 USD, 0.0 s" in shown.text


@pytest.mark.parametrize("why", ["The limit <5> was reached.", ""])
def test_a_run_without_a_final_answer_says_so(why: str) -> None:
    shown = Tags(result(answer="", stopped_by="max_iterations", detail=why)._repr_html_())
    assert f"(no answer)No final answer: {why or 'max_iterations'}" in shown.text
