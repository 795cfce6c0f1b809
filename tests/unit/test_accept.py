"""Answers with a value and with evidence, through the whole loop: corrections, endings, and the log."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from rlm_core import prompts
from rlm_core.errors import ProviderError
from rlm_core.events import Event, RunFinished, RunStarted
from rlm_core.limits import Limits
from rlm_core.run import run
from rlm_core.testing import Line, ScriptedProvider
from rlm_core.trajectory import from_json, read, to_json
from rlm_core.types import Json, RunResult, Shape

TEXT = "Ada did it on 4 May 1842, in the tower. Grace saw it from the harbour wall."


def differences(value: Json) -> Sequence[str]:
    if not isinstance(value, dict):
        return [f"$: {type(value).__name__} is no object"]
    wrong = [f"$.{name}: it is missing" for name in ("name", "year") if name not in value]
    if not isinstance(value.get("year", 0), int):
        wrong.append("$.year: it is no integer")
    return wrong


SHAPE = Shape({"type": "object", "required": ["name", "year"]}, differences)


def block(code: str) -> str:
    return f"```repl\n{code}\n```"


def ran(*replies: str, shape: Shape | None = None, **limits: int) -> tuple[RunResult, list[str], list[Event]]:
    events: list[Event] = []
    provider = ScriptedProvider(replies)
    result = run("Who?", TEXT, provider=provider, shape=shape, limits=Limits(**limits), emit=events.append)
    return result, [call.messages[-1].content for call in provider.root_calls], events


# --- Values ---------------------------------------------------------------------------------------------------------


def test_a_model_that_errs_three_ways_ends_right() -> None:
    result, asked, _ = ran(
        block("FINAL('Ada, in 1842')"),
        block("FINAL({'name': 'Ada'})"),
        block("FINAL({'name': 'Ada', 'year': {1842}})"),
        block("FINAL({'name': 'Ada', 'year': 1842})"),
        shape=SHAPE,
    )
    assert (result.value, result.answer) == ('{"name": "Ada", "year": 1842}',) * 2
    assert "fits this JSON Schema" in asked[0]
    assert [text.rpartition("schema. ")[2].partition(". Finish")[0] for text in asked[1:]] == [
        "$: str is no object",
        "$.year: it is missing",
        "it is no JSON value (Object of type set is not JSON serializable): use text, numbers, booleans, None, "
        "lists and dicts",
    ]


@pytest.mark.parametrize(
    "reply",
    [
        'FINAL({"name": "Ada", "year": 1842})',
        "FINAL({'name': 'Ada', 'year': 1842})",
        block("""FINAL('{"name": "Ada", "year": 1842}')"""),
        block("answer['content'] = {'name': 'Ada', 'year': 1842}\nanswer['ready'] = True"),
        block("found = {'name': 'Ada', 'year': 1842}\nFINAL_VAR('found')"),
        block("""found = '```json\\n{"name": "Ada", "year": 1842,}\\n```'\nFINAL_VAR('found')"""),
        block("""FINAL('It is {"name": "Ada", "year": 1842}.')"""),
        block("""FINAL("{'answer': {'name': 'Ada', 'year': 1842}}")"""),
    ],
)
def test_every_dialect_gives_a_value(reply: str) -> None:
    result, _, _ = ran(reply, shape=SHAPE)
    assert (result.stopped_by, json.loads(result.value or "null")) == ("final_answer", {"name": "Ada", "year": 1842})


def test_numbers_are_those_of_python() -> None:
    shape = Shape(True, lambda value: [])
    result, _, _ = ran(block("FINAL([9007199254740993, 1.0, 10**30])"), shape=shape)
    assert result.value == "[9007199254740993, 1.0, 1000000000000000000000000000000]"


def test_a_limit_gives_no_value_and_says_why() -> None:
    result, _, _ = ran(block("1"), "It was Ada.", shape=SHAPE, max_iterations=1)
    assert (result.value, result.answer, result.stopped_by) == (None, "It was Ada.", "max_iterations")
    assert "does not fit the schema: $: str is no object" in result.detail


def test_a_limit_gives_the_value_that_the_last_call_wrote() -> None:
    result, _, _ = ran(block("1"), 'FINAL({"name": "Ada", "year": 1842})', shape=SHAPE, max_iterations=1)
    assert (result.value, result.stopped_by) == ('{"name": "Ada", "year": 1842}', "max_iterations")


def test_without_a_schema_there_is_no_value_and_answers_are_text_as_before() -> None:
    result, asked, _ = ran(block("FINAL({'a': 1})"))
    assert (result.answer, result.value) == ("{'a': 1}", None)
    assert "JSON Schema" not in asked[0]


# --- Evidence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "FINAL('Ada [1]', evidence=['Ada did it on 4 May 1842'])",
        "FINAL('Ada [1]', evidence=[{'quote': 'Ada did it on 4 May 1842', 'source': 'context'}])",
        "FINAL('Ada [1]', ['Ada did it on 4 May 1842'])",
        "cite('Ada did it on 4 May 1842')\nFINAL('Ada [1]')",
        "who = 'Ada [1]'\nFINAL_VAR('who', evidence='Ada did it on 4 May 1842')",
        "answer['content'] = 'Ada [1]'\nanswer['evidence'] = ['Ada did it on 4 May 1842']\nanswer['ready'] = True",
        "answer = {'content': 'Ada [1]', 'evidence': ['Ada did it on 4 May 1842'], 'ready': True}",
    ],
)
def test_evidence_is_given_in_many_forms(code: str) -> None:
    result, _, _ = ran(block(code))
    [item] = result.evidence
    assert (result.answer, item.status, item.source, item.start, item.line) == ("Ada [1]", "found", "context", 0, 1)


def test_cite_numbers_quotes_and_lives_on_to_an_answer_in_text() -> None:
    result, _, _ = ran(block("print(cite('Ada did it'), cite('Grace saw it'), cite('Ada did it'))"), "FINAL(Both.)")
    assert [item.quote for item in result.evidence] == ["Ada did it", "Grace saw it"]


def test_a_missing_quote_goes_back_once_and_then_stands() -> None:
    made = block("FINAL('Bob', evidence=['Bob did it', 'Ada did it'])")
    result, asked, _ = ran(made, made)
    assert [item.status for item in result.evidence] == ["missing", "found"]
    assert asked[1].endswith(prompts.missing_quotes(["Bob did it"]))
    assert "Ada did it" not in asked[1]


def test_an_answer_without_evidence_is_an_answer() -> None:
    assert ran("FINAL(It was Ada.)")[0].evidence == ()


def test_evidence_that_is_none_is_a_fault_of_the_code() -> None:
    result, asked, _ = ran(block("FINAL('x', evidence=[1])"), "FINAL(Ada.)")
    assert "TypeError: evidence 1 must be a quote" in asked[1]
    assert result.answer == "Ada."


# --- Logs -----------------------------------------------------------------------------------------------------------


def test_value_schema_and_evidence_are_in_the_log_and_read_again() -> None:
    made = block("FINAL({'name': 'Ada', 'year': 1842}, evidence=['Ada did it'])")
    result, _, events = ran(made, shape=SHAPE)
    first, last = events[0], events[-1]
    assert isinstance(first, RunStarted)
    assert isinstance(last, RunFinished)
    assert (first.schema, last.value, last.evidence) == (SHAPE.schema, result.value, result.evidence)
    assert from_json(to_json(last)) == last
    assert read([to_json(event) for event in events]).notes == ()


def test_a_log_from_before_has_neither() -> None:
    line = (
        '{"type": "run_finished", "seq": 0, "path": [], "seconds": 1, "answer": "Ada", "iterations": 1, '
        '"stopped_by": "final_answer", "detail": "", "usage": {}}'
    )
    [event] = read([line]).events
    assert isinstance(event, RunFinished)
    assert (event.value, event.evidence) == (None, ())


def test_a_child_run_has_no_schema() -> None:
    replies = [block("FINAL({'name': rlm_query('Who?', 'Ada'), 'year': 1842})"), "FINAL(Ada!)"]
    result, asked, _ = ran(*replies, shape=SHAPE, max_depth=2)
    assert json.loads(result.value or "null")["name"] == "Ada!"
    assert "JSON Schema" not in asked[1]


# --- Items of a batch without a result ------------------------------------------------------------------------------


def of_batch(*replies: str, **limits: int) -> tuple[RunResult, list[str]]:
    """A run whose sub-model fails for prompts that hold `no`, until they are asked for the third time."""
    asked: list[str] = []

    def sub(prompt: str) -> Line:
        asked.append(prompt)
        return ProviderError("too busy.") if "no" in prompt and asked.count(prompt) < 3 else "yes"

    provider = ScriptedProvider(replies, sub=sub)
    result = run("Who?", TEXT, provider=provider, limits=Limits(**limits))
    return result, [call.messages[-1].content for call in provider.root_calls[1:]]


ASK = block("prompts = [f'item {i}' for i in range(37)] + ['no 1', 'no 2', 'no 3']\nllm_batch(prompts)")
MISSING = "3 of 40 items of your last batch have no result. Ask for them again"


def test_an_answer_while_items_of_the_last_batch_failed_is_asked_back_once() -> None:
    final = block("FINAL(len([r for r in last_error.results if r]))")
    result, asked = of_batch(ASK, final, final)
    assert (result.answer, result.stopped_by, result.iterations) == ("37", "final_answer", 3)
    assert [MISSING in text for text in asked] == [False, True]


@pytest.mark.parametrize(
    ("mend", "is_asked_back"),
    [
        ("for _ in '12':\n    try: llm_batch(['no 1', 'no 2', 'no 3'])\n    except SubCallError: pass", False),
        ("for p in ['no 1', 'no 2', 'no 3'] * 2:\n    try: llm_query(p)\n    except SubCallError: pass", False),
        ("llm_batch(['another', 'batch'])", False),
        ("for i in range(40): llm_query(f'part {i}')", False),
        ("llm_query('merge them')", True),
        ("try: llm_batch(['no 1', 'no 2'])\nexcept SubCallError: pass", True),
    ],
)
def test_items_that_are_asked_again_are_no_longer_missing(mend: str, is_asked_back: bool) -> None:
    final = block("FINAL('done, as far as it goes')")
    result, asked = of_batch(ASK, block(mend), final, final)
    assert result.answer == "done, as far as it goes"
    assert any(MISSING in text for text in asked) is is_asked_back


@pytest.mark.parametrize(
    ("batch", "limits"),
    [("llm_batch(['no 1', 'no 2'])", {}), ("llm_batch(['a', 'no 1'])", {"max_iterations": 2})],
)
def test_an_answer_stands_where_nothing_came_or_no_iteration_is_left(batch: str, limits: dict[str, int]) -> None:
    result, _ = of_batch(block(batch), block("FINAL('no more is known')"), **limits)
    assert (result.answer, result.stopped_by) == ("no more is known", "final_answer")


def test_one_message_names_missing_items_and_missing_quotes() -> None:
    final = block("FINAL('x', evidence=['stands nowhere at all'])")
    _, asked = of_batch(ASK, final, final)
    assert MISSING in asked[1]
    assert 'word for word: "stands nowhere at all"' in asked[1]
