"""`pyodide-rlm run`, `demo` and `doctor` as a person types them: a process, a real page, a real worker."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from rlm_core.events import CallStarted
from rlm_core.trajectory import read
from rlm_server.headless.result import ResultJson
from tests.browser.headless.driving import MOST_LATE, SUB_SECONDS
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel, scripted_model
from tests.server.fake_upstream import Seen, Turn, fake_upstream, json_turn, openai_turn, usage_of_all

FILLER = "The committee met again and decided nothing of note about the garden.\n"
NEEDLE = "The vault in Lisbon opens with the code 48-17-93.\n"
STAND_IN = ("--model", "builtin:extractive")
IN_LISBON = "What is the code of the vault in Lisbon?"
LIMITS = {
    "--max-iterations": ("7", "max_iterations", 7),
    "--max-timeout": ("50", "max_seconds", 50),
    "--block-timeout": ("9.5", "max_block_seconds", 9.5),
    "--max-errors": ("2", "max_errors", 2),
    "--max-output-chars": ("300", "max_output_chars", 300),
    "--max-sub-calls": ("5000", "max_sub_calls", 5_000),
    "--max-depth": ("3", "max_depth", 3),
    "--max-concurrency": ("2", "max_concurrency", 2),
    "--max-input-tokens": ("1000000", "max_input_tokens", 1_000_000),
    "--max-output-tokens": ("100000", "max_output_tokens", 100_000),
    "--max-cost": ("0.5", "max_cost", 0.5),
    "--max-prompt-chars": ("99999", "max_prompt_chars", 99_999),
    "--max-context-chars": ("999999", "max_context_chars", 999_999),
    "--window-tokens": ("64000", "window_tokens", 64_000),
    "--compact-at": ("0", "compact_at", None),
}


@pytest.fixture(scope="module")
def haystack(tmp_path_factory: pytest.TempPathFactory, chromium: Path) -> Path:
    path = tmp_path_factory.mktemp("context") / "minutes.txt"
    path.write_text(FILLER * 2_000 + NEEDLE + FILLER * 2_000, encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True)
class Started:
    """A command that ended, with the folder of the files that it wrote; several tests read one."""

    done: subprocess.CompletedProcess[str]
    folder: Path


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    line = [sys.executable, "-m", "rlm_server", *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, env=environment, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def plain_run(haystack: Path, tmp_path_factory: pytest.TempPathFactory) -> Started:
    """A run that prints text, with its log and its ledger."""
    folder = tmp_path_factory.mktemp("plain")
    files = ("--trajectory", str(folder / "run.jsonl"), "--ledger", str(folder / "ledger.json"))
    return Started(command("run", IN_LISBON, "--context", str(haystack), *STAND_IN, *files), folder)


@pytest.fixture(scope="module")
def limited_run(haystack: Path, tmp_path_factory: pytest.TempPathFactory) -> Started:
    """A run that prints JSON, with its log, and with every limit of the command set."""
    folder = tmp_path_factory.mktemp("limited")
    flags = [text for flag, (value, _, _) in LIMITS.items() for text in (flag, value)]
    question = ("run", "What is the code of the vault?", "--context", str(haystack), *STAND_IN)
    return Started(command(*question, "--json", "--trajectory", str(folder / "run.jsonl"), *flags), folder)


def test_run_prints_the_answer_and_writes_the_trajectory(plain_run: Started) -> None:
    done, log = plain_run.done, plain_run.folder / "run.jsonl"
    assert done.returncode == 0, done.stderr
    assert "48-17-93" in done.stdout
    assert "Iteration 1" in done.stderr
    types = [event.type for event in read(log).events]
    assert types[0] == "run_started"
    assert types[-1] == "run_finished"
    assert "call_finished" in types


def test_run_json_is_one_object(limited_run: Started) -> None:
    done = limited_run.done
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert TypeAdapter(ResultJson).validate_json(done.stdout, strict=True) == result
    assert result["usage_by_path"] == {"": result["usage"]}
    assert (result["stopped_by"], result["detail"], result["fault"]) == ("final_answer", "", None)
    assert result["egress"]["calls"] == result["usage"]["builtin:extractive"]["calls"]
    assert result["usage"]["builtin:extractive"]["calls"] > result["iterations"]


def test_a_spent_limit_is_status_3_with_what_there_is(haystack: Path) -> None:
    done = command("run", "What is the code?", "--context", str(haystack), *STAND_IN, "--max-timeout", "0.05", "--json")
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["stopped_by"] == "max_seconds"
    assert "time limit reached" in done.stderr


def test_every_limit_of_the_command_reaches_the_run(limited_run: Started) -> None:
    done, log = limited_run.done, limited_run.folder / "run.jsonl"
    assert done.returncode == 0, done.stderr
    assert json.loads(log.read_text().splitlines()[0])["limits"] == {name: value for _, name, value in LIMITS.values()}


def test_a_file_of_options_reaches_the_run_and_flags_win(haystack: Path, tmp_path: Path) -> None:
    log, options = tmp_path / "run.jsonl", tmp_path / "options.json"
    options.write_text('{"maxIterations": 3, "max_errors": 2, "max_cost": 0.5, "allowUnknownPrice": true}')
    flags = ("--options", str(options), "--max-errors", "4", "--trajectory", str(log))
    done = command("run", "What is the code?", "--context", str(haystack), *STAND_IN, *flags)
    assert done.returncode == 0, done.stderr
    limits = json.loads(log.read_text().splitlines()[0])["limits"]
    assert (limits["max_iterations"], limits["max_errors"], limits["max_cost"]) == (3, 4, 0.5)


def test_the_ledger_tells_what_left_and_the_limit_keeps_the_rest(
    plain_run: Started, haystack: Path, tmp_path: Path
) -> None:
    log, ledger = plain_run.folder / "run.jsonl", plain_run.folder / "ledger.json"
    assert plain_run.done.returncode == 0, plain_run.done.stderr
    told = json.loads(ledger.read_text())
    text = haystack.read_text()
    sent = [entry for event in read(log).events if isinstance(event, CallStarted) for entry in event.messages]
    assert told["calls"] == len(told["entries"]) > 1
    assert told["context"]["size"] == len(text)
    for entry in told["entries"]:
        for span in entry["spans"]:
            part = text[span["start"] : span["end"]]
            for piece in (part[:32], part[-32:]):
                assert any(piece in message.content or repr(piece)[1:-1] in message.content for message in sent)
    left = tmp_path / "ledger.json"
    left.write_bytes(ledger.read_bytes())
    question = ("run", IN_LISBON, "--context", str(haystack), *STAND_IN)
    few = command(*question, "--ledger", str(left), "--max-context-chars", "100")
    assert few.returncode == 3
    assert "No final answer: denied before it left: context limit reached" in few.stderr
    assert json.loads(left.read_text())["context"]["chars"] <= 100


def on_a_terminal(*arguments: str, answer: bytes) -> tuple[int, str]:
    """The exit status and all that is said, where each question that ends in `[y/N] ` is answered."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "rlm_server", *arguments])
    said = b""
    while True:
        try:
            said += os.read(terminal, 1 << 16)
        except OSError:  # the other end is closed
            break
        if said.endswith(b"[y/N] "):
            os.write(terminal, answer)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 3)])
def test_confirm_asks_before_each_request(haystack: Path, answer: bytes, status: int) -> None:
    question = ("run", IN_LISBON, "--context", str(haystack), *STAND_IN)
    found, said = on_a_terminal(*question, "--confirm", answer=answer)
    assert found == status, said
    assert "the root model's conversation, 1 prompts" in said
    assert "\x1b[7m pyodide-rlm " in said
    assert ("48-17-93" in said) == (status == 0)
    assert ("denied: onEgress said no" in said) == (status == 3)


def test_confirm_without_a_terminal_is_wrong_usage(haystack: Path) -> None:
    done = command("run", "What?", "--context", str(haystack), "--confirm")
    assert done.returncode == 2
    assert "--confirm asks on the terminal, and there is none" in done.stderr


def test_a_process_that_was_killed_is_resumed_from_its_log(tmp_path: Path, chromium: Path) -> None:
    replies = [code("x = llm_query('one')"), code("y = llm_query('two')"), code("FINAL(x + ' ' + y + ' ' + context)")]
    asked: list[str] = []

    def answer(seen: Seen) -> Turn:
        if seen.method == "GET":
            return json_turn({"data": [{"id": "m"}]})
        messages: Any = seen.json()["messages"]
        iterations = sum(message["role"] == "assistant" for message in messages)
        is_root = messages[0]["role"] == "system"
        asked.append(f"root {iterations}" if is_root else messages[-1]["content"])
        if asked == ["root 0", "one", "root 1", "two"]:
            return Turn(silent=True)
        text = replies[iterations] if is_root else f"sub:{asked[-1]}"
        return openai_turn(seen, text, usage=usage_of_all(seen))

    context, log, whole = tmp_path / "context.txt", tmp_path / "run.jsonl", tmp_path / "whole.jsonl"
    context.write_text("over files", encoding="utf-8")
    with fake_upstream() as upstream:
        upstream.answer = answer
        line = [sys.executable, "-m", "rlm_server", "run", "What?", "--context", str(context), "--model", "openai:m"]
        environment = {**os.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": upstream.url}
        started = subprocess.Popen(
            [*line, "--trajectory", str(log)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert started.stderr is not None
        while not (asked[-1:] == ["two"] and '"two"' in log.read_text(encoding="utf-8")):
            assert started.poll() is None, started.stderr.read()
            time.sleep(0.01)
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        resumed = [*line, "--resume", str(log), "--trajectory", str(whole)]
        done = subprocess.run(resumed, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "sub:one sub:two over files\n"), done.stderr
    assert asked == ["root 0", "one", "root 1", "two", "two", "root 2"]
    events = read(whole).events
    assert (events[0].type, events[-1].type) == ("run_started", "run_finished")
    assert [event.seq for event in events] == list(range(len(events)))


@pytest.fixture(scope="module")
def model(chromium: Path) -> Iterator[ScriptedModel]:
    with scripted_model() as scripted:
        scripted.sub_seconds = SUB_SECONDS
        yield scripted


def test_model_options_of_a_file_reach_the_vendor_and_the_log(model: ScriptedModel, tmp_path: Path) -> None:
    options, log = tmp_path / "options.json", tmp_path / "run.jsonl"
    options.write_text('{"modelOptions": {"topP": 0.5, "seed": 7}, "sub_model_options": {"temperature": 1.5}}')
    question = model.question(code("FINAL(llm_query('one'))"))
    run = started(model, question, "--options", str(options), "--record", str(log))
    out, err = run.communicate(timeout=120)
    assert (run.returncode, out) == (0, "sub:one\n"), err
    root, sub = model.bodies[-2:]
    assert [(body.get("top_p"), body.get("seed"), body.get("temperature")) for body in (root, sub)] == [
        (0.5, 7, None),
        (None, None, 1.5),
    ]
    called = [event.options for event in read(log).events if isinstance(event, CallStarted)]
    assert called == [{"top_p": 0.5, "seed": 7}, {"temperature": 1.5}]


PARTLY = code("answer['content'] = 'partly'") + code("n = 0\nwhile True:\n    n += 1\n    llm_query(f'sub {n}')")


def started(model: ScriptedModel, *arguments: str, name: str = "run") -> subprocess.Popen[str]:
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": model.upstream}
    line = [sys.executable, "-m", "rlm_server", name, *arguments, "--model", "openai:m"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(line, env=environment, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload, no-any-return]


def test_chat_asks_line_by_line_over_one_session(model: ScriptedModel, haystack: Path) -> None:
    first = model.question(code("n = context.count('vault')\nFINAL(n)"))
    second = model.question(code("FINAL([n + 1, len(context) > 1000])"))
    last = model.question(PARTLY)
    model.asked.clear()
    chat = started(model, "--context", str(haystack), name="chat")
    assert chat.stdin is not None
    assert chat.stdout is not None
    chat.stdin.write(f"{first}\n\n{second}\n")
    chat.stdin.flush()
    assert [chat.stdout.readline(), chat.stdout.readline()] == ["1\n", "[2, True]\n"]
    chat.stdin.write("/py m = n + 1; m\n/vars\n")
    chat.stdin.flush()
    said = [chat.stdout.readline() for _ in range(4)]
    assert [said[0], said[2], said[3]] == ["2\n", "n: int = 1\n", "m: int = 2\n"]
    assert said[1].startswith("context: ")
    chat.stdin.write(f"{last}\n")
    chat.stdin.flush()
    while "sub 1" not in [text for _, text in model.asked]:
        assert chat.poll() is None, chat.communicate()
        time.sleep(0.01)
    os.killpg(chat.pid, signal.SIGINT)
    out, err = chat.communicate(timeout=60)
    assert (chat.returncode, out) == (130, "partly\n"), err
    assert "No final answer: " in err


def test_a_chat_whose_process_was_killed_is_continued_from_its_file(
    model: ScriptedModel, haystack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question that was cut off continues first; no model is asked for the one before it again."""
    first = model.question(code("n = context.count('vault')\nFINAL(n)"))
    second = model.question(code("m = llm_query('sub 7')\nprint(m)"), code("FINAL([n, m, len(history_0) > 0])"))
    third = model.question(code("FINAL([n, 'm' in globals()])"))
    record = tmp_path / "chat.jsonl"
    model.asked.clear()
    chat = started(model, "--context", str(haystack), "--record", str(record), name="chat")
    assert chat.stdin is not None
    assert chat.stdout is not None
    chat.stdin.write(f"{first}\n")
    chat.stdin.flush()
    assert chat.stdout.readline() == "1\n"
    monkeypatch.setattr(model, "sub_seconds", 10.0)
    chat.stdin.write(f"{second}\n")
    chat.stdin.flush()
    while "sub 7" not in [text for _, text in model.asked]:
        assert chat.poll() is None, chat.communicate()
        time.sleep(0.01)
    os.killpg(chat.pid, signal.SIGKILL)
    chat.communicate()
    monkeypatch.undo()
    asked = len(model.asked)
    later = started(model, "--context", str(haystack), "--resume", str(record), name="chat")
    out, err = later.communicate(f"{third}\n", timeout=120)
    assert later.returncode == 0, err
    assert out.splitlines() == ["[1, 'sub:sub 7', True]", "[1, True]"]
    assert f"continued: {second}" in err
    assert first.split(":")[0] not in [text for _, text in model.asked[asked:]]
    assert record.read_text().count('"run_started"') == 3
    refused = started(model, "--resume", str(record), name="chat")
    _, why = refused.communicate("", timeout=60)
    assert "Give it again with --context." in why


@pytest.mark.parametrize("to_all", [False, True], ids=["process", "group"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_and_the_partial_answer_is_printed(
    model: ScriptedModel, tmp_path: Path, number: signal.Signals, status: int, to_all: bool
) -> None:
    """Also where the browser gets it too: a terminal and a service manager signal the whole group."""
    model.asked.clear()
    log = tmp_path / "run.jsonl"
    run = started(model, model.question(PARTLY), "--record", str(log))

    def is_recorded() -> bool:
        return log.is_file() and '"partial":"partly"' in log.read_text().replace('": ', '":')

    while "sub 1" not in [text for _, text in model.asked] or not is_recorded():
        assert run.poll() is None, run.communicate()
        time.sleep(0.01)
    send = os.killpg if to_all else os.kill
    send(run.pid, number)
    left = time.monotonic()
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (status, "partly\n"), err
    assert "No final answer: " in err
    assert len(model.calls_since(left)) <= MOST_LATE
    assert read(log).events[0].type == "run_started"


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6, 1.0, 1.5, 2.0])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_any_time_has_its_status(
    model: ScriptedModel, seconds: float, number: signal.Signals, status: int
) -> None:
    run = started(model, model.question(PARTLY))
    time.sleep(seconds)
    while seconds >= 1 and not is_caught(signal.SIGTERM, run):
        time.sleep(0.01)  # a busy machine needs longer to read the command
    os.killpg(run.pid, number)
    err = run.communicate(timeout=60)[1]
    shown = run.returncode if run.returncode >= 0 else 128 - run.returncode  # before Python has read its first line
    assert shown == status, err
    if seconds >= 1:
        assert (run.returncode, "Traceback" in err) == (status, False), err


def is_caught(number: signal.Signals, process: subprocess.Popen[str]) -> bool:
    """Whether a handler of `process` is set for a signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return int(caught, 16) >> (number - 1) & 1 == 1


def test_a_second_signal_ends_it_at_once(model: ScriptedModel) -> None:
    model.asked.clear()
    run = started(model, model.question(code("while True: pass")))
    while not model.asked:
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGINT)
    os.kill(run.pid, signal.SIGTERM)
    run.communicate(timeout=60)
    assert run.returncode in (130, 143)


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_spent(
    model: ScriptedModel, tmp_path: Path
) -> None:
    model.asked.clear()
    for option in ("--record", "--ledger"):
        run = started(model, model.question(code("FINAL(1)")), option, str(tmp_path / "missing" / "file"))
        err = run.communicate(timeout=60)[1]
        assert run.returncode == 2
        assert "cannot be written: No such file or directory. Nothing was asked." in err
    assert model.asked == []


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary folder for a browser too: the path of its socket may have at most 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_full_disk_loses_nothing_that_was_paid_for(model: ScriptedModel, short_path: Path) -> None:
    question = model.question(code("FINAL('paid for')"))
    line = [sys.executable, "-m", "rlm_server", "run", question, "--model", "openai:m", "--ledger", "/dev/full"]
    environment = {**os.environ, "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": model.upstream, "TMPDIR": str(short_path)}
    done = subprocess.run(
        [*line, "--record", "/dev/full"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (1, "paid for\n"), done.stderr
    assert done.stderr.count("error: /dev/full cannot be written: No space left on device. It is in") == 2
    texts = [path.read_text() for path in short_path.glob("full-*")]
    assert sorted(text.startswith("{\n") for text in texts) == [False, True]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line[:-2], env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1
    assert "stdout cannot be written: No space left on device. The answer:\npaid for" in done.stderr


def test_an_unknown_provider_is_a_fault_that_names_it(haystack: Path) -> None:
    done = command("run", "What?", "--context", str(haystack), "--model", "nobody:none")
    assert done.returncode == 1
    assert "no provider 'nobody'" in done.stderr


def test_an_empty_question_is_wrong_usage() -> None:
    done = command("run", "  ")
    assert done.returncode == 2
    assert "question" in done.stderr


def test_demo_answers_the_sample_and_leaves_where_there_is_no_terminal(chromium: Path) -> None:
    done = command("demo")
    assert done.returncode == 0, done.stderr
    sample = json.loads((Path(__file__).parents[2] / "web/samples/samples.json").read_text())[0]
    assert sample["expect"] in done.stdout
    assert "The page: http://127.0.0.1:" in done.stdout


def test_doctor_finds_a_healthy_set_up(chromium: Path) -> None:
    done = command("doctor")
    assert done.returncode == 0, done.stdout
    report = dict(line.split(maxsplit=1)[1].split(": ", 1) for line in done.stdout.splitlines())
    assert list(report) == ["browser", "node", "assets", "providers", "engine", "start"]
    version = re.search(r"(\d+)\.", report["browser"])
    assert version
    assert report["engine"] == f"Chromium {version[1]}; containment: full; channel: shared-memory"


COMMANDS = "\x1b]0;title\x07\x1b[31mred\u202e\x9b2J"


def test_text_of_models_cannot_command_the_terminal_and_elsewhere_it_is_kept(
    model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", model.upstream)
    block = code(f"print({COMMANDS!r})\n1/0 if {COMMANDS!r} in globals() else FINAL({COMMANDS!r})")
    line = ("run", model.question(block), "--model", "openai:m")
    status, said = on_a_terminal(*line, answer=b"")
    assert status == 0
    assert "\\x1b]0;title\\x07\\x1b[31mred\\u202e\\x9b2J" in said
    assert not {"\x07", "\u202e", "\x9b"} & set(said)
    assert "\x1b" not in said.replace("\x1b[K", "")
    done = subprocess.run([sys.executable, "-m", "rlm_server", *line], capture_output=True, timeout=120)
    assert done.stdout.decode() == f"{COMMANDS}\n"
    assert not {"\x07", "\x1b", "\u202e", "\x9b"} & set(done.stderr.decode())
