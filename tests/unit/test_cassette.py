"""Cassettes: answers from a recorded run, and refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rlm_core import Limits, ProtocolError, ProviderError, Recorder, ReplayError, run
from rlm_core.cassette import Cassette
from rlm_core.provider import Provider
from rlm_core.testing import ScriptedProvider
from rlm_core.types import RunResult

FENCE = "```"
COMMAND = Path(__file__).parents[1] / "golden" / "command"


def code(text: str) -> str:
    return f"{FENCE}repl\n{text}\n{FENCE}"


REPLIES = [
    code("x = llm_query('one'); print(x)"),
    code("print(llm_batch(['two', 'three', 'two']))"),
    code("FINAL(context[:3] + x)"),
]
CONTEXT = "abcdef"


def record(replies: list[str], provider: Provider | None = None, **arguments: object) -> tuple[list[str], RunResult]:
    lines: list[str] = []
    asked = provider or ScriptedProvider(replies, sub=lambda prompt: f"sub:{prompt}")
    result = run("What?", CONTEXT, provider=asked, emit=Recorder(lines.append), **arguments)  # type: ignore[arg-type]
    return lines, result


def facts(lines: list[str]) -> list[str]:
    """The log without the times."""
    return [re.sub(r'"seconds": [^,}]+', "", line) for line in lines]


def test_the_same_question_is_answered_from_the_log() -> None:
    lines, first = record(REPLIES)
    cassette = Cassette(lines)
    again, second = record([], cassette)
    assert (second.answer, second.stopped_by) == (first.answer, first.stopped_by) == ("abcsub:one", "final_answer")
    assert second.usage == first.usage
    assert facts(again) == facts(lines)
    assert cassette.unused == ()


def test_a_log_of_a_worker_with_other_packages_is_answered_all_the_same() -> None:
    lines, first = record(REPLIES)
    made_there = [line.replace("You answer", "You can import pypdf. You answer") for line in lines]
    assert made_there != lines
    assert record([], Cassette(made_there))[1].answer == first.answer


def test_a_log_says_what_was_asked_of_whom(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("".join(record(REPLIES, model="m", sub_model="s")[0]), encoding="utf-8")
    cassette = Cassette(path)
    assert (cassette.question, cassette.model, cassette.sub_model) == ("What?", "m", "s")
    assert [one.call.kind for one in cassette.unused] == ["root", "sub", "root", "sub", "sub", "sub", "root"]


def test_child_runs_are_answered_too() -> None:
    replies = [code("print(rlm_query('child?', 'data'))"), code("FINAL('child says ' + context)"), code("FINAL('end')")]
    lines, first = record(replies, limits=Limits(max_depth=2))
    again, second = record([], Cassette(lines), limits=Limits(max_depth=2))
    assert (second.answer, facts(again)) == (first.answer, facts(lines))
    assert any("child says data" in line for line in again)


def test_a_recorded_failure_fails_again() -> None:
    replies = [code("try: llm_query('one')\nexcept SubCallError as error: FINAL(str(error))")]
    broken = ScriptedProvider(replies, sub=lambda prompt: ProviderError("the model is down."))
    lines, first = record([], broken)
    assert "the model is down." in first.answer
    assert record([], Cassette(lines))[1].answer == first.answer


def test_the_same_prompt_is_answered_in_the_recorded_order() -> None:
    answers = iter(["first", "second"])
    replies = [code("FINAL(llm_query('same') + llm_query('same'))")]
    lines, _ = record([], ScriptedProvider(replies, sub=lambda prompt: next(answers)))
    assert record([], Cassette(lines))[1].answer == "firstsecond"


def test_a_call_that_no_code_asked_for_answers_none() -> None:
    lines, _ = record([code("print(llm_query('same'))"), code("FINAL(llm_query('same'))")])
    first = next(index for index, line in enumerate(lines) if '"kind": "sub"' in line)
    lines[first] = lines[first].replace('"ahead": null', '"ahead": "unused"')
    with pytest.raises(ReplayError, match="this sub call was not recorded: all 1 recorded sub calls were asked"):
        record([], Cassette(lines))


def test_what_was_not_recorded_is_refused_with_the_difference() -> None:
    lines, _ = record(REPLIES)
    with pytest.raises(ReplayError, match=r"this root call was not recorded; next was call 0, and its message 2 of 2"):
        run("Who?", CONTEXT, provider=Cassette(lines))
    with pytest.raises(
        ReplayError, match=r"differs from character \d+ on: recorded '.*6 characters.*', asked '.*7 char"
    ):
        run("What?", "another", provider=Cassette(lines))


def test_another_model_is_refused_by_its_name() -> None:
    lines, _ = record(REPLIES, model="m")
    with pytest.raises(ReplayError, match="its model differs: recorded m, asked n"):
        run("What?", CONTEXT, provider=Cassette(lines), model="n")


def test_a_call_more_than_recorded_is_refused() -> None:
    lines, _ = record(REPLIES)
    cassette = Cassette(lines)
    record([], cassette)
    with pytest.raises(ReplayError, match="all 3 recorded root calls were asked already"):
        record([], cassette)


def test_a_run_that_stops_early_leaves_calls_unused() -> None:
    lines, _ = record(REPLIES)
    cassette = Cassette(lines)
    record([], cassette, limits=Limits(max_sub_calls=1))
    assert [one.call.messages[-1].content for one in cassette.unused if one.call.kind == "sub"] == [
        "two",
        "three",
        "two",
    ]


def test_what_is_no_log_is_refused() -> None:
    lines, _ = record(REPLIES)
    with pytest.raises(ReplayError, match="does not begin with run_started"):
        Cassette(lines[1:])
    with pytest.raises(ReplayError, match="does not begin with run_started"):
        Cassette([])
    with pytest.raises(ProtocolError, match="line 2: not JSON"):
        Cassette([lines[0], "{", lines[1]])


def read_run(code_text: str, context: object) -> tuple[list[str], RunResult]:
    """A run whose REPL has a `read`, as the worker's has."""

    class Reading(ScriptedProvider):
        functions = {"read": lambda file, pages=None: Path(file).read_text() if isinstance(file, Path) else file}

    lines: list[str] = []
    asked = Reading([code(code_text), code("FINAL('done')")], sub=lambda prompt: f"sub:{prompt}")
    return lines, run("What?", context, provider=asked, emit=Recorder(lines.append))


def test_code_that_reads_plain_text_replays_without_the_worker(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Ada signed.", encoding="utf-8")
    for context in ("Ada signed.", path):
        lines, first = read_run("print(llm_query(read(context)))", context)
        cassette = Cassette(lines)
        assert run("What?", context, provider=cassette).answer == first.answer == "done"
        assert cassette.unused == ()


def test_a_log_of_the_command_replays_without_the_packages_of_its_worker() -> None:
    """`pyodide-rlm run "Who signed the lease of the mill?" --context notes.txt --model builtin:extractive --record`."""
    cassette = Cassette(COMMAND / "extractive.jsonl")
    context = (COMMAND / "notes.txt").read_text(encoding="utf-8")
    result = run(cassette.question, context, provider=cassette, model=cassette.model, sub_model=cassette.sub_model)
    assert result.answer.startswith("The lease of the mill was signed by Mara Lindqvist on 3 May 1931.\n(Found in")
    assert (result.stopped_by, cassette.unused) == ("final_answer", ())


@pytest.mark.parametrize(
    ("call", "name"),
    [("read(b'%PDF-1.7 ...')", "read"), ("read('<html><p>Ada</p></html>')", "read"), ("tables(context)", "tables")],
)
def test_code_that_needs_a_reader_of_the_worker_ends_the_replay_with_its_name(call: str, name: str) -> None:
    lines, _ = read_run(f"try: {call}\nexcept BaseException: pass", "x")
    with pytest.raises(
        ReplayError, match=rf"the recorded code calls `{name}` on more than plain text.*pyodide-rlm replay"
    ):
        run("What?", "x", provider=Cassette(lines))


def test_a_log_of_another_build_answers_though_its_system_message_differs() -> None:
    lines: list[str] = []
    run("Who?", "x", provider=ScriptedProvider(["FINAL(It is 7.)"]), system_prompt="Old.", emit=Recorder(lines.append))
    assert run("Who?", "x", provider=Cassette(lines)).answer == "It is 7."
