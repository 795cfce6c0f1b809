"""Recordings: the command line's use of a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlm_core import ProtocolError
from rlm_server.command.chat_log import kept_questions
from rlm_server.headless.recording import question_of, read_recording

GOLDEN = Path(__file__).parents[1] / "golden"


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_replay_that_agreed_says_with_what() -> None:
    recording = read_recording(GOLDEN / "needle_in_batches.jsonl")
    assert recording.question == "Who was the first harbour master?"
    expected = "4 iterations, 3 blocks, 7 calls, the same output and the same answer."
    assert recording.agreed() == f"The replay agrees with the recording: {expected}"


def test_one_that_was_cut_off_agrees_as_far_as_it_goes(tmp_path: Path) -> None:
    lines = (GOLDEN / "needle_in_batches.jsonl").read_text(encoding="utf-8").splitlines()
    assert read_recording(written(tmp_path / "log", *lines[:-1])).agreed().endswith("it was cut off.")
    stopped = lines[-1].replace('"final_answer"', '"max_seconds"')
    agreed = read_recording(written(tmp_path / "log", *lines[:-1], stopped)).agreed()
    assert agreed.endswith("(4 iterations, 3 blocks, 7 calls): its time was up.")


def test_a_last_line_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    lines = (GOLDEN / "needle_in_batches.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(read_recording(written(tmp_path / "log", *lines, lines[1][:20])).events) == len(lines)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "log is no whole trajectory: it does not begin with run_started"),
        (("{", "{}"), "log is no trajectory: line 1: not JSON"),
        (('{"type": "iteration_started", "iteration": 1}',), "it does not begin with run_started"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read_recording(written(tmp_path / "log", *lines))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"ab\xff")
    with pytest.raises(ProtocolError, match="log is no trajectory: byte 2 is not UTF-8"):
        read_recording(tmp_path / "log")


SEPARATORS = "one\u2028two\u2029three\x85four"


def test_line_ends_of_unicode_within_a_log_end_no_line_of_it(tmp_path: Path) -> None:
    lines = (GOLDEN / "needle_in_batches.jsonl").read_text(encoding="utf-8").splitlines()
    asked = lines[0].replace("Who was the first harbour master?", SEPARATORS)
    path = written(tmp_path / "log", asked, *lines[1:])  # as JSON.stringify writes it on the page
    assert SEPARATORS in path.read_text(encoding="utf-8")
    assert read_recording(path).question == question_of(path.read_text(encoding="utf-8")) == SEPARATORS
    assert [kept.question for kept in kept_questions(path)] == [SEPARATORS]
