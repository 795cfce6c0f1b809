"""A result in a notebook: its answer, quotes and iterations, in which a model's text is text alone."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from rlm_server.headless import cell_progress
from rlm_server.headless.blocking import LoopThread
from rlm_server.headless.cell_progress import CellProgress, progress_for
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


class ListCell:
    """A cell that keeps each line, and `None` where it was cleared."""

    def __init__(self) -> None:
        self.lines: list[str | None] = []

    def show(self, markup: str) -> None:
        self.lines.append(markup)

    def clear(self) -> None:
        self.lines.append(None)


EVENTS: list[dict[str, Any]] = [
    {"type": "iteration_started", "iteration": 1, "path": []},
    {"type": "call_started", "path": [0]},
    {"type": "call_started", "path": []},
    {"type": "call_finished", "path": []},
    {"type": "block_started", "path": [0]},
    {"type": "call_finished", "path": []},
    {"type": "block_started", "path": []},
    {"type": "block_finished", "path": []},
]


def test_a_cell_shows_how_far_the_run_is() -> None:
    cell, now = ListCell(), [0.0]
    with CellProgress(cell, clock=lambda: now[0]) as progress:
        for event in EVENTS:
            now[0] += 0.5
            progress.take(event)
            progress.show()
        progress.show()  # too soon after the one before
    assert [None if line is None else line.removeprefix("<small>").removesuffix("</small>") for line in cell.lines] == [
        "starting Python, 0 s",
        "Iteration 1, 0 s",
        "Iteration 1, waiting for a model, 1 model call, 1 s",
        "Iteration 1, waiting for 2 model calls, 2 model calls, 2 s",
        "Iteration 1, waiting for a model, 2 model calls, 2 s",
        "Iteration 1, waiting for a model, 2 model calls, 2 s",
        "Iteration 1, 2 model calls, 3 s",
        "Iteration 1, running code, 2 model calls, 4 s",
        "Iteration 1, 2 model calls, 4 s",
        None,
    ]


def test_an_awaited_run_shows_the_last_event_before_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_progress, "SHOW_SECONDS", 0.01)
    cell = ListCell()

    async def awaited() -> None:
        progress = CellProgress(cell)
        async with progress.ticking():
            progress.take(EVENTS[0])
            async with asyncio.timeout(30):
                while "Iteration 1" not in str(cell.lines[-1]):
                    await asyncio.sleep(0)

    asyncio.run(awaited())
    assert cell.lines[-1] is None


def test_outside_a_notebook_and_for_a_reader_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress_for({}) is None
    monkeypatch.setattr(cell_progress, "running_cell", ListCell)
    assert progress_for({}, {}) is not None
    assert progress_for({"on_event": print}, {}) is None
    assert progress_for({}, {"onEvent": print}) is None


def test_a_wait_ticks_in_its_own_thread() -> None:
    loop, threads = LoopThread(), set[int]()

    async def until_ticked() -> str:
        while not threads:
            await asyncio.sleep(0.01)
        return "over"

    try:
        waited = loop.wait(until_ticked(), lambda: threads.add(threading.get_ident()))
        with pytest.raises(TimeoutError, match="its own"):
            loop.wait(_failing(), lambda: None)
    finally:
        loop.close()
    assert (waited, threads) == ("over", {threading.get_ident()})


async def _failing() -> None:
    raise TimeoutError("its own")


def test_line_ends_of_unicode_in_a_reply_are_shown() -> None:
    iteration = {"type": "iteration_finished", "path": [], "iteration": 1, "reply": "one\u2028two"}
    whole = result(trajectory=json.dumps(iteration, ensure_ascii=False) + "\n", iterations=1)
    assert "one\u2028two" in Tags(whole._repr_html_()).text
    assert whole.displayed == []
    assert "1 iteration, 1,200 model calls" in Tags(whole._repr_html_()).text
