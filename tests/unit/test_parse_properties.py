"""No reply text crashes or hangs the reader or the loop."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rlm_core.events import RunFinished
from rlm_core.finish import last_answer, verdict
from rlm_core.limits import Limits
from rlm_core.parse import parse
from rlm_core.python_source import TripleQuotes, compiles, dedent
from rlm_core.repl import Repl
from rlm_core.run import run
from rlm_core.testing import ScriptedProvider

FENCES = ["```", "````", "~~~", "```repl", "```python", "```py\n", "``` REPL", "```json", "`"]
BLANKS = ["\n", "\r\n", "\n\n", " ", "    ", "\t"]
FINALS = ["FINAL(", "FINAL_VAR(", "FINAL", ")", "(", "- ", "1. ", "**", "_", "<think>", "</think>"]
CODE = ["x", "x = 1", "print('hi')", "1/0", "#", "answer['ready'] = True", "answer", "f'{x}'", "raise", "if x:", "["]
TEXT = ['"', "'", '"""', "'''", "\\", "\0", "\ud800", "\u00e9", "\u4e1c"]
PIECES = st.sampled_from([*FENCES, *BLANKS, *FINALS, *CODE, *TEXT])
REPLIES = st.lists(PIECES | st.text(max_size=8), max_size=40).map("".join)


@pytest.mark.slow
@given(REPLIES)
@settings(max_examples=600, deadline=2_000)
def test_any_reply_is_read(reply: str) -> None:
    parsed = parse(reply)
    assert all(block.code.strip() for block in parsed.blocks)
    repl = Repl("context")
    found = verdict(parsed, repl)
    assert found.answer is None or found.answer.strip()
    assert isinstance(last_answer(parsed, reply, repl), str)


@given(st.lists(REPLIES, min_size=1, max_size=3))
@settings(max_examples=200, deadline=5_000)
def test_any_replies_make_a_whole_run(replies: list[str]) -> None:
    events: list[object] = []
    provider = ScriptedProvider([*replies, *["FINAL(42)"] * 2])
    result = run("?", "context", provider=provider, limits=Limits(max_iterations=4), emit=events.append)
    assert isinstance(events[-1], RunFinished)
    assert result.answer or result.stopped_by != "final_answer"


@given(st.text(alphabet="abc\n \t'\"#\\`()", max_size=200))
@settings(max_examples=400)
def test_code_in_a_fence_comes_back_as_it_was_if_it_compiles(code: str) -> None:
    if (
        compiles(code)
        and code.strip()
        and "```" not in code
        and "\r" not in code
        and dedent(code.split("\n")) == code.split("\n")
    ):
        assert [block.code for block in parse(f"Look:\n```repl\n{code}\n```\nDone.").blocks] == [code]


@example('\'\\\n"""\'')
@given(st.text(alphabet="a\n'\"#\\", max_size=60))
@settings(max_examples=600)
def test_an_open_string_means_code_that_does_not_compile(code: str) -> None:
    strings = TripleQuotes()
    strings.feed(code.split("\n"))
    if compiles(code):
        assert not strings.quote
