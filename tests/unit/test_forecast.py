"""The page's forecast counts the system prompt as it is: a prompt that grows is noticed."""

from __future__ import annotations

import re
from pathlib import Path

from rlm_core import run
from rlm_core.testing import ScriptedProvider

FORECAST = Path(__file__).parents[2] / "web" / "forecast.js"
CHARS_PER_TOKEN = 4


def test_the_tokens_of_the_prompt_are_those_of_the_forecast() -> None:
    provider = ScriptedProvider(["FINAL(x y)"])
    run("?", "text", provider=provider)
    chars = sum(len(message.content) for message in provider.root_calls[0].messages if message.role == "system")
    found = re.search(r"PROMPT_TOKENS = ([\d_]+)", FORECAST.read_text(encoding="utf-8"))
    assert found is not None
    assert 0.8 < chars / CHARS_PER_TOKEN / int(found[1]) < 1.25
