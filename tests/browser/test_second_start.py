"""The second start: one headless browser keeps a snapshot for the next, and nothing of a run is in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlm_core.events import Notice
from rlm_core.trajectory import read
from rlm_server.headless import BlockingBrowserRLM
from tests.browser.lab import code
from tests.browser.scripted_model import scripted_model

QUESTION, CONTEXT, PRINTED, REPLY, ANSWER = (
    f"{word}-of-this-run-0423" for word in ("ask", "text", "out", "sub", "end")
)
CODE = f"print('{PRINTED}', len(context))\nreply = llm_query('{REPLY}')\nFINAL('{ANSWER} ' + context.strip())"


def start_in(log: Path) -> str:
    """What the worker of the recorded run started from."""
    notices = [event.text for event in read(log).events if isinstance(event, Notice)]
    (start,) = [text.split("start: ")[1].partition(";")[0] for text in notices if "start: " in text]
    return start


def test_the_commands_second_start_has_a_snapshot_that_holds_nothing_of_the_first(
    chromium: Path, tmp_path: Path
) -> None:
    cache, context, log = tmp_path / "cache", tmp_path / "text.txt", tmp_path / "run.jsonl"
    context.write_text(f"{CONTEXT}\n" * 5_000)
    with scripted_model() as model:
        question = f"{QUESTION} {model.question(code(CODE))}"
        line = [sys.executable, "-m", "rlm_server", "run", question, "--model", "openai:m"]
        variables = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": model.upstream, "XDG_CACHE_HOME": str(cache)}
        environment = {name: value for name, value in os.environ.items() if name != "PYODIDE_RLM_CACHE"} | variables
        starts = []
        for _ in range(2):
            files = ["--context", str(context), "--trajectory", str(log)]
            done = subprocess.run([*line, *files], env=environment, capture_output=True, text=True, timeout=200)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith(ANSWER)
            starts.append(start_in(log))
    assert starts == ["no snapshot (none is made yet)", "snapshot"]
    (kept,) = (cache / "pyodide-rlm").iterdir()
    memory = kept.read_bytes()
    assert b"rlm_core" in memory
    for text in (QUESTION, CONTEXT, PRINTED, REPLY, ANSWER):
        for encoding in ("latin-1", "utf-16-le", "utf-32-le"):
            assert text.encode(encoding) not in memory


def answer_of_its_own() -> str:
    with BlockingBrowserRLM(model="builtin:extractive", sub_model="builtin:extractive") as rlm:
        return rlm.run("Where is the lamp?", context="The lamp is in the attic.").answer


def test_a_snapshot_that_workers_do_not_start_from_is_dropped(
    chromium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert "attic" in answer_of_its_own()  # keeps one, if no test did before
    source = Path(os.environ["PYODIDE_RLM_CACHE"])
    wrong = b"the memory of something else"
    for path in source.glob("*.snapshot"):
        name = path.name.partition("-")[0]
        (tmp_path / f"{name}-{hashlib.sha256(wrong).hexdigest()}.snapshot").write_bytes(wrong)
    tmp_path.chmod(0o700)
    monkeypatch.setenv("PYODIDE_RLM_CACHE", str(tmp_path))
    caplog.clear()
    assert "attic" in answer_of_its_own()
    assert "do not start from the snapshot" in caplog.text


def test_nothing_is_kept_where_the_cache_is_off(
    chromium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYODIDE_RLM_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "attic" in answer_of_its_own()
    assert not (tmp_path / "pyodide-rlm").exists()
