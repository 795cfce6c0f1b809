"""Numbers of answers, checked from the logs of real runs: none of a right answer is listed, an altered one is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rlm_core import run
from rlm_core.trajectory import Recorder
from tests.needles import case
from tests.stand_in import StandIn

ROOT = Path(__file__).parents[2]
GOLDEN = [
    path
    for path in sorted((ROOT / "tests/golden").rglob("*.jsonl"))
    if '"run_finished"' in path.read_text(encoding="utf-8")
]
CHECK = """
import { readFileSync } from "node:fs";
import { atOnce, checksOf, eventsIn } from "./worker/log/number_check.js";

const found = JSON.parse(readFileSync(0, "utf8")).map((log) => {
  const ending = JSON.parse(log.trimEnd().split("\\n").at(-1));
  return atOnce(checksOf({ evidence: [], ...ending }, () => eventsIn(log))).numbers.map(({ text }) => text);
});
process.stdout.write(JSON.stringify(found));
"""


def loose_numbers(logs: list[str]) -> list[list[str]]:
    node = [sys.executable, "hatch_build.py", "node", "--input-type=module", "-e", CHECK]
    done = subprocess.run(node, cwd=ROOT, input=json.dumps(logs), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def log_of(seed: int) -> str:
    """The log of a run of the whole loop over a small haystack, answered by the stand-in."""
    planted = case(seed, chars=4_000)
    lines: list[str] = []
    run(planted.question, planted.context, provider=StandIn(), emit=Recorder(lines.append, lambda: 0.0))
    return "".join(lines)


def written_by_the_model(log: str, answer: str) -> str:
    """The same run, whose model wrote `answer` itself in its last reply."""
    *events, last = [json.loads(line) for line in log.splitlines()]
    replies = [event for event in events if event["type"] == "iteration_finished"]
    replies[-1]["reply"] = f"FINAL({answer})"
    return "".join(f"{json.dumps(event)}\n" for event in [*events, {**last, "answer": answer}])


@pytest.mark.slow
def test_right_answers_of_real_runs_hold_no_loose_number_and_altered_ones_do() -> None:
    logs = [log_of(seed) for seed in range(60)] + [path.read_text(encoding="utf-8") for path in GOLDEN]
    answers = [json.loads(log.splitlines()[-1])["answer"] for log in logs]
    written = [written_by_the_model(log, answer) for log, answer in zip(logs, answers, strict=True)]
    altered = [re.sub(r"(?<![\d,])(?:\d{4,5}|\d{1,2},\d{3})(?![\d,])", "31,013", answer, count=1) for answer in answers]
    wrong = [
        (log, answer)
        for log, right, answer in list(zip(logs, answers, altered, strict=True))[:60]
        if answer != right and not re.search(r"3[01][,.]?\d{3}", right)
    ]
    assert len(logs) >= 60
    assert len(wrong) >= 20
    found = loose_numbers([*logs, *written, *(written_by_the_model(log, answer) for log, answer in wrong)])
    right, false = found[: 2 * len(logs)], found[2 * len(logs) :]
    alarms = [(answer, numbers) for answer, numbers in zip(answers * 2, right, strict=True) if numbers]
    assert alarms == []
    assert [numbers for numbers in false if numbers != ["31,013"]] == []
