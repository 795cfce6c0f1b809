"""Answers of a batch: rows that a kill at any byte leaves usable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlm_core import ConfigError
from rlm_server.batch.answers import Answers

ROWS = [{"id": str(number), "key": f"{number}" * 8, "error": None, "answer": f"answer {number}"} for number in range(3)]
FAILED = {"id": "9", "key": "9" * 8, "error": {"type": "max_iterations", "message": "spent"}, "answer": "partly"}


def written(path: Path, *rows: object) -> None:
    with Answers(path) as answers:
        for row in rows:
            answers.add(row)  # type: ignore[arg-type]


def test_rows_are_kept_from_one_start_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    written(path, *ROWS[:2])
    with Answers(path) as answers:
        assert answers.answered == {"00000000", "11111111"}
        assert answers.mended == []
        answers.add(ROWS[2])
    assert [json.loads(line) for line in path.read_text().splitlines()] == ROWS


def test_a_file_that_is_cut_at_any_byte_loses_the_torn_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    whole = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with Answers(path) as answers:
            expected = sum(cut >= end - 1 for end in ends)  # a row without its line's end is whole
            assert len(answers.answered) == expected, cut
            for row in ROWS[expected:]:
                answers.add(row)
        assert path.read_bytes() == whole, cut


def test_rows_with_an_error_are_dropped_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    written(path, ROWS[0], FAILED, ROWS[1])
    with Answers(path) as answers:
        assert answers.answered == {"00000000", "11111111"}
        assert answers.mended == ["1 row without an answer dropped; their lines run again"]
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["0", "1"]


def test_rows_of_openais_form_are_known_by_their_id(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    written(path, {"id": "batch_req_abc", "custom_id": "1", "response": {"status_code": 200}, "error": None})
    with Answers(path) as answers:
        assert answers.answered == {"abc"}


def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("a diary\nof mine\n")
    with pytest.raises(ConfigError, match=r"notes\.txt:1 is no row of a batch. Nothing was asked."), Answers(path):
        pass
    assert path.read_text() == "a diary\nof mine\n"


def test_two_batches_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with Answers(path), pytest.raises(ConfigError, match="is written by another batch"), Answers(path):
        pass


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written: No such file or directory\. Nothing was asked"):
        Answers(tmp_path / "nowhere" / "a.jsonl").__enter__()
