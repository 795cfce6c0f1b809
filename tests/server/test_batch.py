"""The command `batch` over a pool that is played: rows, restarts, the budget, the summary and the exit status."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from click.testing import CliRunner, Result

import rlm_server.headless.pool as pool_module
from rlm_core import ConfigError, ModelUsage, Reply
from rlm_server.calls.reply_store import Store, paid_in
from rlm_server.command.cli import main
from rlm_server.headless import HeadlessResult, Outcome
from rlm_server.headless.result import partial_result

End = Callable[[Any], HeadlessResult | Exception]


def result_of(answer: str, stopped_by: str = "final_answer", **more: Any) -> HeadlessResult:
    partial = partial_result([], detail="")
    fields = {name: getattr(partial, name) for name in HeadlessResult.__slots__}
    return HeadlessResult(**{**fields, "answer": answer, "stopped_by": stopped_by, **more})


class PlayedPool:
    """Ends each row by a function, one after the other; `asked` has the rows of all pools."""

    def __init__(self, end: End, asked: list[Any]) -> None:
        self.end, self.asked = end, asked

    async def __aenter__(self) -> PlayedPool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def map(self, rows: Any) -> AsyncIterator[Outcome]:
        index = 0
        async for row in rows:
            self.asked.append(row)
            ended = self.end(row)
            result = ended if isinstance(ended, HeadlessResult) else None
            yield Outcome(index, row, result, None if result else ended, 1)  # type: ignore[arg-type]
            index += 1


class Batch:
    """A folder with a file of questions, and the command over it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.asked: list[Any] = []
        self.made: list[dict[str, Any]] = []
        self.end: End = lambda row: result_of(f"answer to {row['question']}")

        def pool_over(server: object, size: int | None = None, **arguments: Any) -> PlayedPool:
            self.made.append(arguments)
            return PlayedPool(self.end, self.asked)

        monkeypatch.setattr(pool_module, "pool_over", pool_over)
        monkeypatch.chdir(folder)
        self.questions(*({"id": f"{number}", "question": f"q{number}"} for number in range(4)))

    def questions(self, *lines: Any) -> None:
        (self.folder / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run(self, *flags: str, status: int = 0) -> Result:
        self.asked.clear()
        result = CliRunner().invoke(main, ["batch", "q.jsonl", "--out", "a.jsonl", *flags])
        assert result.exit_code == status, (result.output, result.exception)
        return result

    def rows(self) -> dict[str, Any]:
        lines = (self.folder / "a.jsonl").read_text().splitlines()
        return {row["id"]: row for row in map(json.loads, lines)}

    def asked_questions(self) -> list[str]:
        return [row["question"] for row in self.asked]


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Batch:
    return Batch(tmp_path, monkeypatch)


def test_a_line_in_is_a_line_out_and_a_second_start_asks_nothing(batch: Batch) -> None:
    first = batch.run()
    assert {id: row["answer"] for id, row in batch.rows().items()} == {str(n): f"answer to q{n}" for n in range(4)}
    assert "4 of 4 lines have their answer; 0 failed, 0 not run." in first.stderr
    assert first.stdout == ""
    again = batch.run()
    assert batch.asked == []
    assert "4 of 4 lines have their answer, 4 of them by an earlier start" in again.stderr
    assert len((batch.folder / "a.jsonl").read_text().splitlines()) == 4


def test_each_run_has_its_own_key_that_is_the_same_at_every_start(batch: Batch) -> None:
    batch.end = lambda row: ConfigError("not today")
    batch.run(status=1)
    first = [row["idempotency_key"] for row in batch.asked]
    batch.run(status=1)
    assert [row["idempotency_key"] for row in batch.asked] == first
    assert len(set(first)) == 4


def test_errors_are_rows_and_run_again_at_the_next_start(batch: Batch) -> None:
    endings: dict[str, HeadlessResult | Exception] = {
        "q1": result_of("partly", "max_iterations", detail="The iterations are used."),
        "q2": ConfigError("a broken page"),
        "q3": result_of("", "provider_error", detail="No.", fault={"type": "upstream-failed", "status": 502}),
    }
    batch.end = lambda row: endings.get(row["question"], result_of("fine"))
    result = batch.run(status=1)
    rows = batch.rows()
    assert rows["0"]["error"] is None
    assert rows["1"]["error"] == {"type": "max_iterations", "message": "The iterations are used."}
    assert rows["1"]["answer"] == "partly"
    assert rows["2"]["error"] == {"type": "ConfigError", "message": "a broken page"}
    assert rows["3"]["error"] == {"type": "upstream-failed", "message": "No."}
    assert "1 of 4 lines have their answer; 3 failed, 0 not run." in result.stderr
    endings.clear()
    again = batch.run()
    assert sorted(batch.asked_questions()) == ["q1", "q2", "q3"]
    assert "3 rows without an answer dropped; their lines run again" in again.stderr
    assert sorted(batch.rows()) == ["0", "1", "2", "3"]


def test_a_line_that_changed_or_came_runs_and_no_other(batch: Batch) -> None:
    batch.run()
    batch.questions({"id": "0", "question": "q0"}, {"id": "1", "question": "q1 anew"}, {"id": "5", "question": "q5"})
    batch.run()
    assert batch.asked_questions() == ["q1 anew", "q5"]


def test_a_wrong_line_is_refused_before_anything_is_asked(batch: Batch) -> None:
    batch.questions({"question": "fine"}, {"question": "over", "context": "gone.pdf"})
    result = batch.run(status=2)
    assert "q.jsonl:2: context 'gone.pdf' looks like a path, and nothing is at it." in result.stderr
    assert batch.asked == []
    assert not (batch.folder / "a.jsonl").exists()


def test_once_the_budget_is_spent_no_line_begins_and_those_it_ended_are_left(batch: Batch) -> None:
    spent = "Since its start this server has used $1.00 of $1.00. Raise RLM_MAX_START_COST, and start it again."
    fault = {"type": "budget-spent", "status": 403, "retryable": False, "upstream": None}
    batch.end = lambda row: result_of("a") if row["question"] == "q0" else result_of(
        "", "provider_error", detail=spent, fault=fault
    )  # fmt: skip
    result = batch.run("--max-cost", "1", status=3)
    assert batch.asked_questions() == ["q0", "q1"]
    assert sorted(batch.rows()) == ["0"]
    assert "The budget is spent: --max-cost is $1.0000. Raise it, and start again." in result.stderr
    assert "1 of 4 lines have their answer; 0 failed, 3 not run." in result.stderr
    assert batch.made == [{"max_cost": 1.0}]


def test_the_budget_is_that_of_all_starts(batch: Batch) -> None:
    store = Store(batch.folder / "a.jsonl.replies", max_bytes=1 << 20, max_seconds=1e9)
    store._table.put(b"key", Reply("text", "openai:m", ModelUsage(1, 10, 10, 0, 0.75)))
    store.close()
    assert paid_in(batch.folder / "a.jsonl.replies").cost == 0.75
    refused = batch.run("--max-cost", "0.5", status=3)
    assert "$0.7500 of $0.5000 were spent before. Raise --max-cost, and start again." in refused.stderr
    assert batch.asked == []
    assert "spent $0.7500." in batch.run("--max-cost", "2").stderr


def test_limits_of_the_batch_and_flags_reach_each_run(batch: Batch) -> None:
    (batch.folder / "options.json").write_text('{"max_iterations": 7, "model": "openai:other"}')
    (batch.folder / "schema.json").write_text('{"type": "number"}')
    batch.questions({"question": "a"}, {"question": "b", "options": {"max_iterations": 3}, "schema": {"type": "null"}})
    batch.run("--options", "options.json", "--schema", "schema.json", "--model", "openai:m", "--allow-unknown-price")
    one, two = batch.asked
    assert (one["max_iterations"], one["model"], one["schema"]) == (7, "openai:m", {"type": "number"})
    assert (two["max_iterations"], two["model"], two["schema"]) == (3, "openai:m", {"type": "null"})
    assert batch.made == [{"allow_unknown_price": True}]


def test_a_log_is_kept_of_each_run_and_one_that_did_not_end_is_resumed(batch: Batch) -> None:
    batch.questions({"id": "a/b", "question": "q"})
    started = {"type": "run_started", "seq": 0, "path": [], "seconds": 0.0}

    def stop(row: Any) -> HeadlessResult:
        log = {**started, "run": row["idempotency_key"]}
        row["on_event"](log)
        return result_of("", "cancelled", trajectory=json.dumps(log) + "\n")

    batch.end = stop
    batch.run("--record", "logs", status=1)
    [path] = (batch.folder / "logs").iterdir()
    assert path.name.startswith("a_b-")
    with path.open("a") as file:
        file.write('{"type": "iteration_sta')  # torn by a kill
    batch.end = lambda row: result_of("done", trajectory="whole\n")
    batch.run("--record", "logs")
    assert batch.asked[0]["resume"].splitlines()[0] == json.dumps({**started, "run": batch.asked[0]["idempotency_key"]})
    assert len(batch.asked[0]["resume"].splitlines()) == 1
    assert path.read_text() == "whole\n"


def test_one_question_over_many_files(batch: Batch) -> None:
    for name in ("x.txt", "y.txt"):
        (batch.folder / name).write_text(name)
    done = CliRunner().invoke(main, ["batch", "--question", "Q?", "x.txt", "y.txt", "--out", "a.jsonl"])
    assert done.exit_code == 0, done.output
    assert sorted(batch.rows()) == ["x.txt", "y.txt"]
    assert [row["context"][0].name for row in batch.asked] == ["x.txt", "y.txt"]


def test_rows_of_openais_form_are_as_their_tools_read_them(batch: Batch) -> None:
    usage = {"openai:m": {"calls": 2, "input_tokens": 30, "output_tokens": 4, "cached_tokens": 1, "cost": 0.5}}
    batch.end = lambda row: result_of("fine", usage=usage)
    message = {"role": "user", "content": "Who?"}
    batch.questions({"custom_id": "c", "url": "/v1/chat/completions", "body": {"model": "rlm", "messages": [message]}})
    batch.run()
    [row] = [json.loads(line) for line in (batch.folder / "a.jsonl").read_text().splitlines()]
    assert (row["custom_id"], row["error"], row["response"]["status_code"]) == ("c", None, 200)
    body = row["response"]["body"]
    assert body["choices"][0]["message"]["content"] == "fine"
    assert (body["usage"]["total_tokens"], body["usage"]["cost"]) == (34, 0.5)
    batch.run()
    assert batch.asked == []


def test_ctrl_c_leaves_what_is_there_and_the_next_start_continues(batch: Batch) -> None:
    def interrupt(row: Any) -> HeadlessResult:
        if row["question"] == "q2":
            os.kill(os.getpid(), signal.SIGINT)
        return result_of("a")

    batch.end = interrupt
    result = batch.run(status=130)
    assert "not run" in result.stderr
    done = len(batch.rows())
    assert 2 <= done <= 4
    batch.end = lambda row: result_of("a")
    batch.run()
    assert len(batch.asked) == 4 - done


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["batch", "q.jsonl"], "--out"),
        (["batch", "--out", "a.jsonl"], "Name one file of questions"),
        (["batch", "--question", "Q?", "--out", "a.jsonl"], "needs the files to ask it over"),
        (["batch", "q.jsonl", "--out", "a.jsonl", "--jobs", "0"], "0 is not in the range"),
        (["batch", "q.jsonl", "--out", "a.jsonl", "--max-cost", "0"], "0.0 is not in the range"),
        (["batch", ".", "--out", "a.jsonl"], "is a folder. Name a file of questions"),
    ],
)
def test_wrong_usage_is_status_2(batch: Batch, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.output
