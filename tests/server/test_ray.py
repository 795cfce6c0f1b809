"""Rows of a dataset as runs, over a pool that is played; `tests/scale/cluster` has Ray itself."""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rlm_core import ConfigError, RLMError
from rlm_server.batch.cluster import sent
from rlm_server.command.cli import main
from rlm_server.headless import BrowserLost, Outcome, Row
from rlm_server.headless.result import HeadlessResult, partial_result
from rlm_server.ray import Ask, fields_of


class PlayedPool:
    """Answers each row with its context; `asked` has the rows."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def opened(self) -> PlayedPool:
        return self

    async def outcome(self, index: int, row: Row) -> Outcome:
        self.asked.append(row)
        if row["question"] == "fail":
            return Outcome(index, row, None, RLMError("the page failed."), 2)
        partial = partial_result([], detail="")
        fields = {name: getattr(partial, name) for name in HeadlessResult.__slots__}
        result = HeadlessResult(**{**fields, "answer": str(row.get("context")), "stopped_by": "final_answer"})
        return Outcome(index, row, result, None, 1)


def answered(*rows: dict[str, Any], **arguments: Any) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """The rows that the pool was asked, and the values of the added columns."""
    ask, pool = Ask(**arguments), PlayedPool()
    ask._pool = pool  # type: ignore[assignment]
    return pool.asked, asyncio.run(ask._answered(rows))


def test_each_row_has_its_answer_or_its_error(tmp_path: Path) -> None:
    (tmp_path / "lease.txt").write_text("Ann")
    rows: list[dict[str, Any]] = [
        {"question": "Who?", "context": {"text": "the river", "path": None}},
        {"question": "Who?", "context": "lease.txt"},
        {"question": "Who?", "context": b"bytes"},
        {"question": "fail", "context": float("nan")},
        {"question": None},
        {"question": "Who?", "options": '{"colour": 1}'},
        {"question": "Who?", "options": "{"},
    ]
    asked, ended = answered(*rows, folder=str(tmp_path), max_iterations=7)
    assert [answer for answer, *_ in ended[:4]] == ["the river", f"({tmp_path / 'lease.txt'!r},)", "b'bytes'", None]
    assert [error for _, error, _, _ in ended[:4]] == [None, None, None, "RLMError: the page failed."]
    assert [attempts for *_, attempts in ended] == [1, 1, 1, 2, 0, 0, 0]
    assert [error.partition(":")[0] for _, error, _, _ in ended[4:]] == ["ConfigError"] * 3
    assert json.loads(ended[0][2])["stopped_by"] == "final_answer"
    assert [row["max_iterations"] for row in asked] == [7] * 4


def test_a_row_has_the_same_key_each_time_and_another_with_another_id() -> None:
    row = {"question": "Who?", "context": {"text": "Ann"}, "id": "1"}
    first, second = answered(row, {**row, "id": "2"})[0], answered(row, {**row, "context": {"text": "Bea"}})[0]
    keys = [asked["idempotency_key"] for asked in (*first, *second)]
    assert keys[0] == keys[2]
    assert len(set(keys)) == 3


def test_structs_lose_the_nulls_of_their_neighbours() -> None:
    schema = {"type": "object", "enum": None, "anyOf": [{"type": "string", "items": None}]}
    fields = fields_of({"question": "Who?", "schema": schema, "options": None, "page": 3})
    assert fields == {"question": "Who?", "schema": {"type": "object", "anyOf": [{"type": "string"}]}}


@pytest.mark.parametrize(
    ("batch", "named"), [({"text": []}, "no column 'question'"), ({"question": [], "answer": []}, "'answer' already")]
)
def test_columns_that_cannot_be_are_named(batch: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        asyncio.run(Ask()(batch))


def test_an_unknown_option_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="colour"):
        Ask(colour="red")  # type: ignore[call-arg]


def test_a_row_for_another_process_has_no_callback_and_whole_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    row: Row = {"question": "Who?", "context": (Path("lease.txt"),), "on_event": print}
    assert sent(row) == {"question": "Who?", "context": (Path.cwd() / "lease.txt",)}


def test_a_lost_browser_crosses_processes_with_what_is_left() -> None:
    event = {"type": "run_started", "seq": 0, "path": [], "seconds": 0.0}
    lost = pickle.loads(pickle.dumps(BrowserLost("gone", partial_result([event], detail="lost"))))
    assert (str(lost), lost.partial.detail) == ("gone", "lost")


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--actors", "2"], 2, "belong to --engine ray"),
        (["--address", "auto"], 2, "belong to --engine ray"),
        (["--engine", "ray"], 1, "pip install 'pyodide-rlm[ray]'"),
    ],
)
def test_the_command_says_what_the_engine_needs(
    flags: list[str], status: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    Path("q.jsonl").write_text('{"question": "Who?"}\n')
    done = CliRunner().invoke(main, ["batch", "q.jsonl", "--out", "a.jsonl", *flags])
    assert (done.exit_code, said in done.output) == (status, True), done.output
