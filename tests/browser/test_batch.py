"""The command `batch` in a real browser: killed on the way and begun again, it pays nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lab import code
from tests.browser.leases import Lease, leases_in
from tests.browser.scripted_model import ScriptedModel, scripted_model

LINES = 8
JOBS = 2
KILLS = (5, 11, 17)
"""Numbers of calls after which the command is killed; undisturbed it makes 24."""


@pytest.fixture
def model(chromium: Path) -> Iterator[ScriptedModel]:
    with scripted_model() as model:
        model.sub_seconds = 0.2
        yield model


def begin(folder: Path, model: ScriptedModel, *flags: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    own = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{model.upstream}/v1", "OLLAMA_BASE_URL": "none"}
    line = [sys.executable, "-m", "rlm_server", "batch", "q.jsonl", "--out", "a.jsonl", "--jobs", str(JOBS), *flags]
    return subprocess.Popen(
        [*line, "--model", "openai:m"],
        cwd=folder,
        env={**kept, **own},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_killed_three_times_it_pays_for_what_was_under_way_and_for_nothing_else(
    model: ScriptedModel, tmp_path: Path
) -> None:
    (tmp_path / "c.txt").write_text("the context")
    blocks = [
        (code(f"print(llm_query('sub {number}'))"), code(f"FINAL(f'{number}: {{context}}')")) for number in range(LINES)
    ]
    questions = [{"id": str(n), "question": model.question(*two), "context": "c.txt"} for n, two in enumerate(blocks)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in questions))
    leases: set[Lease] = set()
    for calls in KILLS:
        command = begin(tmp_path, model)
        while len(model.asked) < calls and command.poll() is None:
            time.sleep(0.01)
        assert command.poll() is None, command.communicate()
        os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        leases |= leases_in(tmp_path / "a.jsonl.replies", tmp_path / f"killed at {calls}")
    command = begin(tmp_path, model)
    _, said = command.communicate(timeout=240)
    assert command.returncode == 0, said
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert {row["id"]: row["answer"] for row in rows} == {str(n): f"{n}: the context" for n in range(LINES)}
    assert f"{LINES} of {LINES} lines have their answer" in said
    made = Counter(text for _, text in model.asked)
    undisturbed = Counter({line["question"].partition(":")[0]: 2 for line in questions})
    undisturbed.update(f"sub {number}" for number in range(LINES))
    assert (made - undisturbed).total() <= len(leases) <= len(KILLS) * JOBS
    assert undisturbed - made == Counter()
