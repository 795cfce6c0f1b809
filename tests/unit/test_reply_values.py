"""reply_values: replies of sub-models as values, and those that do not fit asked for once more."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from rlm_core.errors import ProviderError
from rlm_core.limits import Budget, Limits
from rlm_core.repl import Repl
from rlm_core.reply_values import Wanted
from rlm_core.subcalls import SubCalls
from rlm_core.testing import Line, ScriptedProvider
from rlm_core.written_json import Misfit

LENGTH = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def wired(sub: Callable[[str], Line], limits: Limits | None = None) -> tuple[Repl, ScriptedProvider]:
    provider, repl = ScriptedProvider(sub=sub), Repl()
    calls = SubCalls(provider, model=None, budget=Budget(limits or Limits()), check_running=repl.check_running)
    repl.reserve({**calls.functions(), "schema": LENGTH})
    return repl, provider


@pytest.mark.parametrize(
    "reply",
    [
        '{"n": 4}',
        ' \n{"n": 4}\n',
        '```json\n{"n": 4}\n```',
        'Here it is:\n```\n{"n": 4}\n```\nAnything else?',
        'The value is {"n": 4}.',
        'First {} was tried.\n```json\n{"n": 4}\n```',
        'The set {x} has {"n": 4} of them, {see above}.',
        'First {"m": 0}, then {"n": 4}',
        '{"n": 4}\n{"n": 4}',
        '```json title="a"\r\n{"n": 4}\r\n```',
        '~~~json\n{"n": 4}\n~~~',
        '{"n": 4,}',
        "{'n': 4}",
        "{n: 4}",
        '{"n": +4}',
        '{"n": 4 // four\n}',
        '{"n": 4} # four',
        '{/* four */ "n": 4}',
        "{\u201cn\u201d: 4}",
        '{\u00a0"n": 4}',
        "```python\n{'n': 4,}\n```",
        'The set is {"n": 4,}, I think.',
        '{{"n": 4}}',
        '{"result": {"n": 4}}',
        '{"Answer": {"n": 4}}',
        '{"lease": {"n": 4}}',
        '[{"n": 4}]',
        '"{\\"n\\": 4}"',
        '{"value": "{\\"n\\": 4}"}',
        '{"name": "reply", "arguments": {"n": 4}}',
        '<tool_call>\n{"name": "reply", "parameters": "{\\"n\\": 4}"}\n</tool_call>',
    ],
)
def test_a_value_is_found_in_its_reply(reply: str) -> None:
    assert Wanted(LENGTH).value(reply) == {"n": 4}


@pytest.mark.parametrize(
    ("schema", "reply", "value"),
    [
        ({"type": "string"}, "plain words", "plain words"),
        ({"type": "string"}, '"quoted"', "quoted"),
        ({"enum": ["yes", "no"]}, " yes\n", "yes"),
        ({"type": "null"}, "null", None),
        ({"type": "array", "items": {"type": "integer"}}, "It is [1, 2].", [1, 2]),
        ({"type": "integer"}, "123456789012345678901234567890", 123456789012345678901234567890),
        ({"type": "integer"}, "**4**", 4),
        ({"type": "integer"}, "`4`.", 4),
        ({"type": "integer"}, '{"value": 4}', 4),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "true.", True),
        ({"type": ["integer", "null"]}, "None", None),
        ({"enum": ["yes", "no"]}, "**yes**", "yes"),
        ({"enum": ["yes", "no"]}, "'yes'.", "yes"),
        ({"enum": ["yes", "no"]}, "```\nyes\n```", "yes"),
        ({"enum": ["yes", "no"]}, '{"answer": "yes"}', "yes"),
        ({"type": "string"}, "'tis the season'", "'tis the season'"),
        ({"type": "string"}, '["a"]', '["a"]'),
        ({"type": "string"}, '{"a": "b"}', '{"a": "b"}'),
        ({"type": "array", "items": {"type": "integer"}}, "[1,\n2,  # two\n]", [1, 2]),
        ({"type": "array", "items": {"type": "integer"}}, '{"items": [1, 2]}', [1, 2]),
        ({"type": "object"}, '{"a": "C:\\path", "b": "it\\\'s"}', {"a": "C:\\path", "b": "it's"}),
    ],
)
def test_values_of_every_kind(schema: dict[str, object], reply: str, value: object) -> None:
    assert Wanted(schema).value(reply) == value


@pytest.mark.parametrize(
    ("schema", "reply"),
    [
        (LENGTH, '{"n": 4}\n{"n": 5}'),
        (LENGTH, 'It is {"n": 4}, or {"n": 5}.'),
        (LENGTH, '{"n": 4, "n": 5}'),
        ({"type": "number"}, "1e400"),
        ({"type": "number"}, "NaN"),
        (LENGTH, '{"n": 2+2}'),
        (LENGTH, '{"n": 4'),
        (LENGTH, '{"n": 4, "n": 5,}'),
        (LENGTH, '[{"n": 4}, {"n"'),
        (LENGTH, '{"total": 3, "first": {"n": 4}, "rest": ['),
        (LENGTH, '{"total": four, "first": {"n": 4}}'),
        (LENGTH, '[{"n": 4}, {"n": 5}]'),
        ({"type": "integer"}, '{"error": 404}'),
        ({"type": "integer"}, "4 or 5"),
        ({"type": "array", "items": {"type": "integer"}}, "[[1, 2], [3"),
        ({"enum": ["yes", "no"]}, "yes, no"),
    ],
)
def test_a_reply_that_means_two_values_or_none_is_not_guessed_at(schema: dict[str, object], reply: str) -> None:
    with pytest.raises(Misfit):
        Wanted(schema).value(reply)


def test_values_that_differ_are_named_as_the_fault() -> None:
    with pytest.raises(Misfit, match="2 values that fit and differ; send one, alone"):
        Wanted(LENGTH).value('It is {"n": 4}, or {"n": 5}.')


@pytest.mark.parametrize("piece", ["{", "[", '{"a": ', "/*", "'", '"', ", ", "```\n", "{'a': [", "\\", "\u201c", "+1"])
def test_a_hostile_reply_is_read_in_no_time(piece: str) -> None:
    started = time.perf_counter()
    with pytest.raises(Misfit):
        Wanted(LENGTH).value(piece * (50_000 // len(piece)))
    assert time.perf_counter() - started < 10


def test_a_string_may_hold_control_characters() -> None:
    assert Wanted({"type": "object"}).value('{"a": "b\tc\nd"}') == {"a": "b\tc\nd"}


def test_a_prompt_ends_with_the_schema_and_the_call_has_it_too() -> None:
    repl, provider = wired(lambda prompt: '{"n": 4}')
    assert repl.execute("print(llm_query('How long?', schema=schema))").stdout == "{'n': 4}\n"
    (call,) = provider.calls
    assert call.schema == Wanted(LENGTH).text
    assert call.messages[0].content.startswith("How long?\n\n")
    assert call.messages[0].content.endswith(call.schema)


def stubborn(prompt: str) -> Line:
    item = int(prompt.split()[1])
    was_asked = "does not fit the schema" in prompt
    if item == 17:
        return ProviderError("too busy.")
    if item in (3, 11, 29):
        return '{"n": "three"}'
    return '{"length": 1}' if item == 5 and not was_asked else f'{{"n": {item}}}'


def test_a_batch_keeps_what_fits_and_asks_the_rest_once_more() -> None:
    repl, provider = wired(stubborn)
    code = "llm_batch([f'item {i} of 40' for i in range(40)], schema=schema)"
    error = repl.execute(f"try:\n    {code}\nexcept SubCallError as e:\n    kept = e\nprint(e0 := str(kept))").stdout
    assert "4 of 40 sub-calls failed; prompt 3: the reply does not fit the schema, asked twice" in error
    assert "$.n: it is a string, not an integer" in error
    assert repl.execute("print([i for i, r in enumerate(kept.results) if r != {'n': i}])").stdout == "[3, 11, 17, 29]\n"
    assert repl.execute("print(list(kept.errors), kept.partial[3])").stdout == '[3, 11, 17, 29] {"n": "three"}\n'
    assert (provider.requests, len(provider.calls)) == (2, 44)
    again = [call.messages[0].content for call in provider.calls[40:]]
    assert all("Your last reply was:" in prompt and prompt.endswith(Wanted(LENGTH).text) for prompt in again)
    assert "$: it has no property 'n'" in again[1]


def test_a_second_question_counts_and_is_not_asked_beyond_the_limit() -> None:
    repl, provider = wired(lambda prompt: "no value", Limits(max_sub_calls=4))
    error = repl.execute("llm_batch(['item 0', 'item 1', 'item 2'], schema=schema)").error or ""
    assert "3 of 3 sub-calls failed" in error
    assert repl.execute("print(last_error.errors[2])").stdout.startswith(
        "the reply does not fit the schema, asked once; no sub-calls are left to ask again"
    )
    assert len(provider.calls) == 4


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("llm_query('a', schema='{}')", "TypeError: schema must be a dict, a JSON Schema such as"),
        ("llm_query('a', schema=int)", "not the type int"),
        ("llm_query('a', schema={'enum': [float('nan')]})", "ValueError: schema is no JSON"),
        ("llm_query('a', schema={'type': 'text'})", "ValueError: schema cannot be applied: 'type' must be"),
        ("llm_query('a', schema={'title': 'x' * 20_000})", "schema is too long, 20,013 of 20,000 characters"),
        ("llm_query('a', schema={}, allow_cut=True)", "allow_cut has no use with a schema"),
    ],
)
def test_an_impossible_schema_is_refused_before_anything_is_asked(code: str, words: str) -> None:
    repl, provider = wired(str)
    assert words in (repl.execute(code).error or "")
    assert provider.calls == []


def test_a_value_of_null_is_no_failure() -> None:
    repl, _ = wired(lambda prompt: "null")
    assert repl.execute("print(llm_batch(['a', 'b'], schema={'type': 'null'}))").stdout == "[None, None]\n"
