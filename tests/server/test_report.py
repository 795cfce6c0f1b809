"""The report of a run, from its log, by the command."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from rlm_core import run
from rlm_core.testing import ScriptedProvider
from rlm_core.trajectory import Recorder
from rlm_server.command.cli import main

FINAL = "```repl\nFINAL('It was Ada [1], not Bob [2].', evidence=['signed by Ada', 'signed by Bob Smith, alone'])\n```"


def reported(path: Path, replies: list[str]) -> str:
    lines: list[str] = []
    run("Who?", "The lease\nwas signed by  Ada.", provider=ScriptedProvider(replies), emit=Recorder(lines.append))
    path.write_text("".join(lines), encoding="utf-8")
    done = CliRunner().invoke(main, ["export", str(path), "--format", "markdown"])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_report_has_the_answer_and_the_list_of_its_quotes(tmp_path: Path) -> None:
    assert reported(tmp_path / "run.jsonl", [FINAL, FINAL]) == (
        "# Who?\n\nIt was Ada [1], not Bob [2].\n\n## Evidence\n\n"
        '- [1] context:2 "signed by Ada"\n- [2] (no source) "signed by Bob Smith, alone"  (NOT IN THE CONTEXT)\n'
    )


def test_a_report_of_an_answer_without_quotes_says_so(tmp_path: Path) -> None:
    text = reported(tmp_path / "run.jsonl", ["FINAL(It was Ada.)"])
    assert text.endswith("It was Ada.\n\n## Evidence\n\nUnsupported: it came without a quote of the context.\n")


def test_a_log_without_an_ending_has_no_report(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    reported(log, ["FINAL(It was Ada.)"])
    log.write_text("".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    done = CliRunner().invoke(main, ["export", str(log), "--format", "markdown"])
    assert (done.exit_code, "cut off" in done.output) == (1, True)
