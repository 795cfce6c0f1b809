"""`pyodide-rlm replay`, `run --record`, `--replay` and `--fork` as a person types them, where no model can be asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlm_core.trajectory import read
from tests.browser.test_cli import FILLER, NEEDLE, STAND_IN, command

QUESTION = "What is the code of the vault in Lisbon?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, chromium: Path) -> Path:
    """A context, another one, and the log of a run over the first."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "minutes.txt").write_text(FILLER * 500 + NEEDLE, encoding="utf-8")
    (folder / "other.txt").write_text(FILLER * 500 + NEEDLE.replace("93", "94"), encoding="utf-8")
    arguments = ("--context", str(folder / "minutes.txt"), *STAND_IN, "--record", str(folder / "run.jsonl"))
    done = command("run", QUESTION, *arguments)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_replay_prints_the_iterations_and_the_answer_and_says_that_it_agrees(folder: Path) -> None:
    done = command("replay", str(folder / "run.jsonl"), "--context", str(folder / "minutes.txt"))
    assert done.returncode == 0, done.stderr
    assert "48-17-93" in done.stdout
    assert "Iteration 1" in done.stderr
    events = read(folder / "run.jsonl").events
    iterations = sum(event.type == "iteration_finished" for event in events)
    calls = sum(event.type == "call_finished" for event in events)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"The replay agrees with the recording: {iterations} iterations, ")
    assert f", {calls} calls, the same output and the same answer." in last


def test_a_changed_context_is_a_difference_that_names_it(folder: Path) -> None:
    done = command("replay", str(folder / "run.jsonl"), "--context", str(folder / "other.txt"))
    assert (done.returncode, done.stdout) == (1, "")
    assert 'the context differs: recorded was "minutes.txt" (str, size ' in done.stderr
    assert '; given is "other.txt" (str, size ' in done.stderr


def test_a_run_is_answered_from_its_record_or_not_at_all(folder: Path) -> None:
    arguments = ("--context", str(folder / "minutes.txt"), "--replay", str(folder / "run.jsonl"))
    done = command("run", QUESTION, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert "48-17-93" in json.loads(done.stdout)["answer"]
    other = command("run", "What is the code of the safe?", *arguments)
    assert (other.returncode, other.stdout) == (1, "")
    assert "the question differs from character 25 on" in other.stderr


def test_a_fork_is_a_run_of_its_own_that_begins_as_the_recorded_one(folder: Path) -> None:
    log = folder / "fork.jsonl"
    context = ("--context", str(folder / "minutes.txt"))
    own = folder / "own.py"
    own.write_text("print('mine:', context.count('vault'))\n", encoding="utf-8")
    arguments = ("--at", "3", "--code", str(own), *context, "--record", str(log))
    done = command("run", "--fork", str(folder / "run.jsonl"), *arguments)
    assert done.returncode == 0, done.stderr
    assert "48-17-93" in done.stdout
    assert f'forked from iteration 3 of the run "{QUESTION}" by builtin:extractive' in done.stderr
    events = read(log).events
    assert (events[0].type, events[-1].type) == ("run_started", "run_finished")
    assert "mine: " in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "Missing argument 'QUESTION'"),
        (("run", "Who?", "--at", "2"), "--fork FILE and --at K belong together"),
        (("run", "Who?", "--code", "LOG"), "--code FILE is for a fork"),
        (("run", "--fork", "LOG"), "--fork FILE and --at K belong together"),
    ],
)
def test_half_a_command_is_wrong_usage(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = command(*(str(folder / "run.jsonl") if argument == "LOG" else argument for argument in arguments))
    assert done.returncode == 2
    assert message in done.stderr


def test_a_file_that_is_no_log_is_refused_by_its_line(folder: Path) -> None:
    done = command("replay", str(folder / "minutes.txt"))
    assert done.returncode == 1
    assert "minutes.txt is no trajectory: line 1: not JSON" in done.stderr
