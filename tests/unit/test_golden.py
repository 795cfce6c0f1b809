"""Golden trajectories: a script of replies in, the event list out.

Each `tests/golden/<name>.json` holds `question`, `context`, `limits`, `replies` and `sub` (prompt part -> reply, or
`{"error": ...}`); beside it lies `<name>.jsonl`, the events that the run must leave. After a change that is meant,
write them anew with `WRITE_GOLDEN=1 pytest tests/unit/test_golden.py` and read the difference.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from rlm_core.errors import ProviderError
from rlm_core.events import BlockFinished, CallFinished, CallStarted, Event, RunFinished
from rlm_core.limits import Limits
from rlm_core.run import run
from rlm_core.testing import Line, ScriptedProvider
from rlm_core.trajectory import Recorder, read, to_json
from rlm_core.types import Message, ModelUsage

GOLDEN = Path(__file__).parents[1] / "golden"
CARETS = re.compile(r"\\n +[~^]+(?=\\n)")
"""The line of a traceback that underlines the fault, inside JSON; each version of Python draws it in its own way."""

SCRIPTS = sorted(path.stem for path in GOLDEN.glob("*.json"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_leaves_the_same_events_as_ever(name: str) -> None:
    lines = played(json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")))
    expected = GOLDEN / f"{name}.jsonl"
    if os.environ.get("WRITE_GOLDEN"):
        expected.write_text("".join(lines), encoding="utf-8")
    assert read(lines) == read(expected)


def test_there_are_golden_runs() -> None:
    assert len(SCRIPTS) >= 5


def played(script: dict[str, Any]) -> list[str]:
    """The log of a run over `script`, without the parts that differ from one run to the next."""
    lines: list[str] = []
    sub: dict[str, Any] = script.get("sub", {})

    def answered(prompt: str) -> Line:
        return line(next(reply for part, reply in sub.items() if part in prompt))

    run(
        script["question"],
        script.get("context"),
        provider=ScriptedProvider([line(reply) for reply in script["replies"]], sub=answered),
        limits=Limits(**script.get("limits", {})),
        emit=Recorder(lines.append, lambda: 0.0),
    )
    return [CARETS.sub("", to_json(steady(event))) + "\n" for event in read(lines).events]


def line(said: Any) -> Line:
    return ProviderError(said["error"]) if isinstance(said, dict) else str(said)


def steady(event: Event) -> Event:
    """`event` without measured seconds, and without the system prompt and its length, which have their own tests."""
    if isinstance(event, BlockFinished):
        return dataclasses.replace(event, observation=dataclasses.replace(event.observation, seconds=0.0))
    if isinstance(event, CallFinished):
        return dataclasses.replace(event, usage=ModelUsage(event.usage.calls))
    if isinstance(event, RunFinished):
        usage = {model: ModelUsage(used.calls) for model, used in event.usage.items()}
        return dataclasses.replace(event, usage=usage)
    if isinstance(event, CallStarted) and event.messages[0].role == "system":
        return dataclasses.replace(event, messages=(Message("system", "..."), *event.messages[1:]))
    return event
