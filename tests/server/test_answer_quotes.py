"""Quotations in the answers of other packages' logs, looked for in files that the user gives."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from rlm_core.events import RunFinished
from rlm_core.trajectory import read
from rlm_server.command.cli import main
from tests.server.test_rlms_log import REAL

LEASE = (
    "The lease of the mill\nwas signed by Mara Lindqvist on 3 May 1931.\nThe rent is 40 pounds a year, at Michaelmas.\n"
)
ANSWER = (
    "The lease “was signed by  Mara Lindqvist”, and:\n\n> The rent is 50 pounds a year, at Michaelmas.\n\n"
    'It adds "nothing of the kind was ever said", and calls her "Mara".'
)


def log_of_rlms(path: Path) -> Path:
    """A log of the real logger, whose run ended with quotations in its answer."""
    rows = [json.loads(line) for line in REAL[-1].read_text(encoding="utf-8").splitlines()]
    assert any(row.get("final_answer") for row in rows)
    for row in rows:
        if row.get("final_answer"):
            row["final_answer"] = ANSWER
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_quotations_of_an_rlms_log_are_checked_after_import(tmp_path: Path) -> None:
    log, lease = log_of_rlms(tmp_path / "rlms.jsonl"), tmp_path / "lease.txt"
    lease.write_text(LEASE, encoding="utf-8")
    done = CliRunner().invoke(main, ["import", str(log), "--context", str(lease)])
    assert done.exit_code == 0, done.output
    ended = read(done.stdout.splitlines()).events[-1]
    assert isinstance(ended, RunFinished)
    assert [(item.status, item.source, item.line) for item in ended.evidence] == [
        ("found", "lease.txt", 2),
        ("changed", "lease.txt", 3),
        ("missing", None, None),
    ]
    assert '[1] lease.txt:2 "was signed by Mara Lindqvist"' in done.stderr
    assert "NOT IN THE CONTEXT" in done.stderr


def test_a_log_is_imported_without_files_as_before_and_a_document_is_refused(tmp_path: Path) -> None:
    log, book = log_of_rlms(tmp_path / "rlms.jsonl"), tmp_path / "book.pdf"
    plain = CliRunner().invoke(main, ["import", str(log)])
    ended = read(plain.stdout.splitlines()).events[-1]
    assert isinstance(ended, RunFinished)
    assert ended.evidence == ()
    book.write_bytes(b"%PDF-1.7")
    done = CliRunner().invoke(main, ["import", str(log), "--context", str(book)])
    assert (done.exit_code, "book.pdf is no text file" in done.output) == (2, True)


def test_two_files_of_one_name_are_refused_rather_than_one_left_out(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "lease.txt").write_text(LEASE)
    paths = [argument for folder in "ab" for argument in ("--context", str(tmp_path / folder / "lease.txt"))]
    done = CliRunner().invoke(main, ["import", str(log_of_rlms(tmp_path / "log.jsonl")), *paths])
    assert (done.exit_code, "2 files are named lease.txt. Rename them" in done.output) == (2, True)
