"""Values cross unchanged: 10,000 from Python to the REPL, through tools and back, with types and key order."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rlm_server.headless import BlockingBrowserRLM
from tests.browser.lab import code
from tests.browser.scripted_model import ScriptedModel

COUNT = 10_000
BATCH = 100
"""Values of one call of a tool."""

LETTERS = "".join(
    map(chr, [*range(0x20, 0x7F), 0, 9, 10, 0x7F, 0x9B, 0xE9, 0x202E, 0x2028, 0xDC00, 0xDFFF, 0xFFFF, 0x1F98A])
)
"""Surrogates are low halves alone: in JSON a high one before a low one is the character of the pair."""
TEXTS = st.text(LETTERS, max_size=8)
KEYS = st.one_of(TEXTS, st.sampled_from(["10", "2", "-1", "__proto__", "constructor", "toString", "length", ""]))
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**53 + 1, 1.0, -0.0, 0, -1.0, 1e16, 1e-7, 1e308, 5e-324, 10**40]),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, NUMBERS, TEXTS)
FLAT = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(KEYS, SCALARS, max_size=3))
VALUES = st.one_of(st.lists(FLAT, min_size=2, max_size=4), st.dictionaries(KEYS, FLAT, min_size=2, max_size=4))


def generated() -> list[Any]:
    """Values that hypothesis draws; the same each time."""
    drawn: list[Any] = []
    quick = settings(max_examples=COUNT, deadline=None, database=None, phases=[Phase.generate])

    @seed(20261128)
    @settings(quick, suppress_health_check=list(HealthCheck))
    @given(VALUES)
    def draw(value: Any) -> None:
        drawn.append(value)

    draw()
    assert len(drawn) >= COUNT
    assert len(set(map(repr, drawn))) > COUNT * 0.9
    return drawn[:COUNT]


def digests(values: list[Any]) -> list[str]:
    """A digest of each value's `repr`, which tells 1 from 1.0, 0.0 from -0.0, and one order of keys from another."""
    return [hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()[:16] for value in values]


IN_THE_REPL = """
import hashlib
def digests(values):
    return [hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()[:16] for value in values]
batches = [context[start : start + SIZE] for start in range(0, len(context), SIZE)]
report("context", digests(context))
report("value", digests(values))
report("arguments", [digest for batch in batches for digest in check(batch)])
report("keywords", [digest for batch in batches for digest in check(values=batch)])
report("results", [digest for number in range(len(batches)) for digest in digests(batch_of(number))])
FINAL(len(context))
"""


def test_10_000_values_cross_unchanged_each_way(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    values = generated()
    reported: dict[str, list[str]] = {}
    tools = {
        "SIZE": BATCH,
        "values": values,
        "check": lambda values: digests(values),
        "batch_of": lambda number: values[number * BATCH : (number + 1) * BATCH],
        "report": reported.__setitem__,
    }
    result = rlm.run(model.question(code(IN_THE_REPL)), context=values, tools=tools)
    assert (result.stopped_by, result.answer) == ("final_answer", str(COUNT)), result.detail
    expected = digests(values)
    for way in ("context", "value", "arguments", "keywords", "results"):
        different = [value for value, one, two in zip(values, expected, reported[way], strict=True) if one != two]
        assert different == [], way


def printed(trajectory: str) -> list[str]:
    """The output of each block."""
    events = map(json.loads, trajectory.splitlines())
    return [event["observation"]["stdout"] for event in events if event["type"] == "block_finished"][:1]


EXACT = [9007199254740993, 1.0, 123456789012345678901234567890, -0.0, {"10": 1, "2": 2, "__proto__": 3}, "\ud800"]


def test_a_replay_and_a_resume_give_what_was_recorded_unchanged(rlm: BlockingBrowserRLM, model: ScriptedModel) -> None:
    block = code("print(repr(exact()))\nprint(repr(same(exact())))"), code("FINAL(repr([context, exact()]))")
    tools = {"exact": lambda: EXACT, "same": lambda value: value}
    done = rlm.run(model.question(*block), context=EXACT, tools=tools)
    assert done.answer == repr([EXACT, EXACT])
    assert rlm.replay(done.trajectory, context=EXACT, tools=tools).answer == done.answer
    lines = done.trajectory.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if '"iteration_finished"' in line)
    resumed = rlm.resume("".join(lines[: first + 1]), context=EXACT, tools=tools)
    assert resumed.answer == done.answer
    assert "\n".join(printed(resumed.trajectory)) == f"{EXACT!r}\n{EXACT!r}\n"
