"""Answers with a schema from Python and the command: instances of pydantic, also when resumed, replayed and forked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, field_validator

from rlm_core import ReplayError
from rlm_server.headless import BlockingBrowserRLM
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel


class Lamps(BaseModel):
    """A value with a rule that no JSON Schema expresses."""

    total: int
    keepers: list[str]

    @field_validator("keepers")
    @classmethod
    def _named(cls, keepers: list[str]) -> list[str]:
        if "nobody" in keepers:
            raise ValueError("nobody keeps a lamp")
        return keepers


REPLIES = (
    code("FINAL({'total': 'many', 'keepers': []})"),
    code("found = llm_query('who?')\nprint(found)"),
    code("FINAL({'total': 3, 'keepers': [found]})"),
)


def test_a_model_of_pydantic_comes_back_as_its_instance_also_from_a_log(
    rlm: BlockingBrowserRLM, model: ScriptedModel, tmp_path: Path
) -> None:
    done = rlm.run(model.question(*REPLIES), context="text", schema=Lamps)
    assert done.value == Lamps(total=3, keepers=["sub:who?"])
    assert "does not fit the schema" in json.dumps(model.bodies[-3]["messages"])
    log = tmp_path / "run.jsonl"
    log.write_text(done.trajectory)
    asked = len(model.asked)
    assert rlm.replay(log, context="text", schema=Lamps).value == done.value
    assert len(model.asked) == asked
    with pytest.raises(ReplayError, match="the schema differs"):
        rlm.replay(log, context="text", schema={"type": "object"})
    lines = done.trajectory.splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_text("".join(lines[: next(at for at, line in enumerate(lines) if '"iteration":3' in line)]))
    assert rlm.resume(cut, context="text", schema=Lamps).value == done.value
    assert len(model.asked) == asked  # the server had kept the third reply for this very run


def test_what_only_the_type_refuses_is_no_value(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    result = rlm.run(model.question(code("FINAL({'total': 0, 'keepers': ['nobody']})")), context="text", schema=Lamps)
    assert result.value is None
    assert "nobody keeps a lamp" in result.detail


def test_the_command_takes_a_schema_and_prints_the_value(model: ScriptedModel, tmp_path: Path) -> None:
    schema, log, text = tmp_path / "lamps.json", tmp_path / "run.jsonl", tmp_path / "text.txt"
    schema.write_text(json.dumps(Lamps.model_json_schema()))
    text.write_text("text")
    question = model.question(*REPLIES)
    own = {"OPENAI_BASE_URL": f"{model.upstream}/v1", "OPENAI_API_KEY": "k", "RLM_MODELS": "openai:m"}

    def printed(*more: str) -> object:
        line = [sys.executable, "-m", "rlm_server", "run", question, "--context", str(text), "--model", "openai:m"]
        done = subprocess.run(
            [*line, "--schema", str(schema), "--json", *more],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["value"]

    assert printed("--record", str(log)) == {"total": 3, "keepers": ["sub:who?"]}
    asked = len(model.asked)
    assert printed("--replay", str(log)) == {"total": 3, "keepers": ["sub:who?"]}
    assert len(model.asked) == asked
