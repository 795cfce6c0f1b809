"""map_items: one question about many items; split, asked, put in order, asked again, merged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rlm_core.errors import ProviderError
from rlm_core.limits import Budget, Limits
from rlm_core.map_items import MapItems, split
from rlm_core.repl import Repl
from rlm_core.subcalls import SubCalls
from rlm_core.testing import Line, ScriptedProvider

COUNT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def wired(
    sub: Callable[[str], Line] = str, *, limits: Limits | None = None, piece_chars: int = 20
) -> tuple[Repl, ScriptedProvider, SubCalls]:
    provider, repl = ScriptedProvider(sub=sub), Repl()
    calls = SubCalls(provider, model=None, budget=Budget(limits or Limits()), check_running=repl.check_running)
    mapped = MapItems(calls, lambda file: f"text of {file.name}", piece_chars)
    repl.reserve({**calls.functions(), **mapped.functions(), "COUNT": COUNT, "Path": Path})
    return repl, provider, calls


def asked(provider: ScriptedProvider) -> list[str]:
    """The prompts without their question."""
    return [call.messages[0].content.removeprefix("What is it?\n\n") for call in provider.calls]


# name of the promise, items, the text of each prompt after the question
ITEMS = [
    ("a list of texts", "['a', 'b']", ["a", "b"]),
    ("a generator", "(c for c in 'ab')", ["a", "b"]),
    ("values as JSON", "[{'n': 1}, 2, None]", ['{"n": 1}', "2", "null"]),
    ("values that JSON has not", "[{1, }]", ['"{1}"']),
    ("a dict", "{'a.txt': 'one', 'b': 2}", ["a.txt:\none", "b:\n2"]),
    ("files in a list", "[Path('x/a.pdf')]", ["text of a.pdf"]),
    ("files in a dict", "{'a': Path('x/a.pdf'), 'b': 'text'}", ["a:\ntext of a.pdf", "b:\ntext"]),
    ("a file", "Path('x/a.pdf')", ["text of a.pdf"]),
    ("a text, by its lines", "'one two three\\nfour five\\nsix'", ["one two three\n", "four five\nsix"]),
    (
        "rows of a table",
        "{'S': [['name', 'n'], ['Ada', 1], ['Eve', 2]]}",
        ['{"name": "Ada", "n": 1}', '{"name": "Eve", "n": 2}'],
    ),
    (
        "rows of tables",
        "{'S': [['n'], [1]], 'T': [['n', 'n'], [2, 3]]}",
        ['S: {"n": 1}', 'T: {"columns": ["n", "n"], "row": [2, 3]}'],
    ),
]


@pytest.mark.parametrize(("name", "items", "texts"), ITEMS, ids=[case[0] for case in ITEMS])
def test_each_item_is_a_prompt_and_results_keep_their_order(name: str, items: str, texts: list[str]) -> None:
    repl, provider, _ = wired(lambda prompt: f"<{prompt[-1]}>")
    seen = repl.execute(f"print(map_items({items}, 'What is it?'))")
    assert (seen.stdout, seen.error) == (f"{[f'<{text[-1]}>' for text in texts]}\n", None)
    assert (asked(provider), provider.requests) == (texts, 1)


def test_no_items_ask_nobody() -> None:
    repl, provider, _ = wired()
    assert repl.execute("print(map_items([], 'a'), map_items('', 'a'))").stdout == "[] []\n"
    assert provider.calls == []


def test_pieces_are_of_so_many_characters_and_lose_none() -> None:
    text = "".join(f"line {n}, of some length\n" for n in range(200)) + "x" * 1_000
    pieces = list(split(text, 300))
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 300
    assert all(piece.endswith("\n") for piece in pieces[:16])


def grouped(prompt: str) -> Line:
    """Counts the characters of each item; a group with `bad` in it gets one answer too few, and `bad` alone none."""
    items = re.findall(r"Item \d+:\n(\w+)", prompt)
    values = [{"n": len(item)} for item in items]
    if items:
        return json.dumps({"values": values[1:] if "bad" in items else values})
    return "no value" if "\nbad\n" in prompt else json.dumps({"n": len(prompt.split()[3])})


def test_items_that_share_a_prompt_have_a_result_each() -> None:
    repl, provider, _ = wired(grouped)
    code = "print([v['n'] for v in map_items(['a' * n for n in range(1, 8)], 'What is it?', COUNT, pieces_of=3)])"
    assert repl.execute(code).stdout == "[1, 2, 3, 4, 5, 6, 7]\n"
    assert len(provider.calls) == 3
    assert "Item 3:\naaa" in asked(provider)[0]
    assert '"minItems": 3, "maxItems": 3' in (provider.calls[0].schema or "")


def test_of_a_group_that_does_not_fit_each_item_is_asked_about_alone() -> None:
    repl, provider, calls = wired(grouped)
    code = "map_items(['aa', 'bad', 'cccc', 'd', 'ee'], 'What is it?', schema=COUNT, pieces_of=3)"
    error = repl.execute(code).error or ""
    assert "1 of 5 sub-calls failed; item 1: the reply does not fit the schema, asked twice" in error
    shown = repl.execute("print(last_error.results, list(last_error.errors))").stdout
    assert shown == "[{'n': 2}, None, {'n': 4}, {'n': 1}, {'n': 2}] [1]\n"
    assert (calls.last_batch.missing, calls.last_batch.size) == (1, 5)
    assert len(provider.calls) == 2 + 1 + 3 + 1  # groups, one once more, its items, one of them once more


def test_a_failure_that_may_pass_is_asked_about_again_once_and_no_other() -> None:
    counts: dict[str, int] = {}

    def sub(prompt: str) -> Line:
        counts[prompt] = counts.get(prompt, 0) + 1
        if "busy" in prompt:
            return ProviderError("too busy.", retryable=True) if counts[prompt] == 1 else "passed"
        return ProviderError("refused.") if "refused" in prompt else "yes"

    repl, provider, _ = wired(sub)
    repl.execute("map_items(['busy', 'a', 'refused', 'b'], 'What is it?')")
    shown = repl.execute("print(last_error.results, last_error.errors)").stdout
    assert shown == "['passed', 'yes', None, 'yes'] {2: 'refused.'}\n"
    assert len(provider.calls) == 5


def test_a_limit_of_sub_calls_keeps_the_results_that_came() -> None:
    repl, provider, calls = wired(lambda prompt: ProviderError("busy.", retryable=True), limits=Limits(max_sub_calls=3))
    repl.execute("map_items(['a', 'b'], 'What is it?')")
    assert (len(provider.calls), calls.ending) == (3, None)


def test_definitions_of_a_schema_are_shared_by_a_group() -> None:
    repl, provider, _ = wired(lambda prompt: '{"values": [1, 2]}')
    code = "map_items(['a', 'b'], 'q', {'$defs': {'n': {'type': 'integer'}}, '$ref': '#/$defs/n'}, pieces_of=2)"
    assert repl.execute(code).value == "[1, 2]"
    assert len(provider.calls) == 1


PNG = b"\x89PNG\r\n\x1a\n"


def test_each_image_of_a_list_has_a_prompt_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(PNG + b"b")
    repl, provider, _ = wired(lambda prompt: "seen")
    code = f"from pathlib import Path\nmap_items([{PNG + b'a'!r}, Path({str(tmp_path / 'b.png')!r})], 'What is it?')"
    assert repl.execute(code).value == "['seen', 'seen']"
    shown = [
        (call.messages[-1].content, [(image.source, image.data) for image in call.images]) for call in provider.calls
    ]
    assert shown == [("What is it?", [("", PNG + b"a")]), ("What is it?", [("b.png", PNG + b"b")])]


def test_an_image_whose_call_fails_for_a_while_is_asked_about_once_more() -> None:
    failed: list[str] = []

    def sub(prompt: str) -> Line:
        failed.append(prompt)
        return ProviderError("busy", retryable=True) if len(failed) == 1 else "seen"

    repl, provider, _ = wired(sub)
    assert repl.execute(f"map_items([{PNG + b'a'!r}, {PNG + b'b'!r}], 'What?')").value == "['seen', 'seen']"
    assert [call.images[0].data[-1:] for call in provider.calls] == [b"a", b"b", b"a"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (f"map_items([{PNG!r}], 'a', pieces_of=2)", "pieces_of has no use with images"),
        ("map_items(5, 'a')", "takes a list, a dict, a text or a Path, not int"),
        ("map_items(b'a', 'a')", "takes a list, a dict, a text or a Path, not bytes"),
        ("map_items(['a'], '')", "the question is empty"),
        ("map_items(['a'], 'a', pieces_of=0)", "pieces_of must be a whole number from 1, not 0"),
        ("map_items(['a'], 'a', pieces_of=True)", "pieces_of must be a whole number from 1, not True"),
        ("map_items(['a'], 'a', schema='integer')", "schema must be a dict"),
        ("map_items(['a'], 'a', model='two words')", "model must be the name of a model"),
        (
            "map_items(['a', 'b'], 'a', {'items': {'$ref': '#'}}, pieces_of=2)",
            "with pieces_of, a $ref of the schema must lead into its $defs",
        ),
    ],
)
def test_an_impossible_call_is_refused_before_anything_is_asked(code: str, words: str) -> None:
    repl, provider, _ = wired()
    assert words in (repl.execute(code).error or "")
    assert provider.calls == []
