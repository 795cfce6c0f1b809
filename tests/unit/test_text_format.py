"""Text format: told from the beginning of a context; right or silent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rlm_core.contexts import describe
from rlm_core.text_format import MAX_DEPTH, of_text

TEXTS = [
    ("id,name,age\n1,Ada,3\n2,Bo,4\n", "It looks like CSV, 2 rows of 3 columns: id, name, age."),
    ('id,name\n1,"Ada, B."\n2,Bo\n', "It looks like CSV, 2 rows of 2 columns: id, name."),
    ('id,name\n1,A\n2,B\n3,"C\nD"\n\n4,E', "It looks like CSV, 4 rows of 2 columns: id, name."),
    ("\ufeffid\tname\n1\tA\n2\tB\n", "It looks like tab-separated values, 2 rows of 2 columns: id, name."),
    ("id;name\n1;A\n2;B\n", "It looks like CSV with semicolons, 2 rows of 2 columns: id, name."),
    ("id,name\n" + "1,Ada\n" * 10_000 + "\n", "It looks like CSV, 10,000 rows of 2 columns: id, name."),
    (f"a,b\n{'x' * 5_000_000},1\n2,3\n", ""),
    ('{"a": 1, "b": 2}\n\n{"a": 2}\n', "It looks like JSON Lines, 2 records; keys of the first: a, b."),
    ('{"a": 1}\n' * 600_000, "It looks like JSON Lines, 600,000 records; keys of the first: a."),
    ('{"a": [1]}', "It is JSON, a dict; keys: a."),
    ("[1, 2,\n3]", "It is JSON, a list of 3 items."),
    ('[{"id": 1}]', "It is JSON, a list of 1 item; keys of the first: id."),
    ('{"a": [' + "1, " * 20_000 + "1]}", "It looks like JSON, a dict; its first key: a."),
    ('[{"id": 1, "b": 2}, ' + "1, " * 20_000 + "1]", "It looks like JSON, a list; keys of the first: id, b."),
    ('[{"text": "' + "x" * 20_000 + '"}]', "It may be JSON; module `json` tells."),
    ("[" * (MAX_DEPTH + 1), ""),
    ("[" * (MAX_DEPTH + 1) + "1, " * 20_000, ""),
    ('["]", ' * 2_000, ""),
    ('{"a": ' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), ""),
    (f"{'[' * (MAX_DEPTH + 1)}\n" * 3, ""),
    ("[1] See the notes. " * 2_000, ""),
    ("{'python': 1} " * 2_000, ""),
    ("Once, there was a king.\nHe had a dog, a cat.\nAnd, so on, it went.", ""),
    ("Dear Ada,\nthe lamp, as you know,\nis, alas, out.", ""),
    ("{not json}", ""),
    ("[see note]\n[and this]\n", ""),
    ("a,b\n", ""),
    ("", ""),
]


@pytest.mark.parametrize(("text", "shape"), TEXTS)
def test_a_text_is_told_by_its_first_lines(text: str, shape: str) -> None:
    assert of_text(text) == shape


@pytest.mark.parametrize(
    ("text", "size", "shape"),
    [
        ("id,name\n" + "1,Ada\n" * 4_000, 240_080, "It looks like CSV, about 40,000 rows of 2 columns: id, name."),
        ('{"a": 1}\n' * 4_000, 360_000, "It looks like JSON Lines, about 40,000 records; keys of the first: a."),
        ("id,name\n1,Ada\n2,Bo\n", 19, "It looks like CSV, 2 rows of 2 columns: id, name."),
    ],
)
def test_rows_of_what_is_not_read_are_estimated(text: str, size: int, shape: str) -> None:
    told = of_text(text, size=size)
    numbers = re.compile(r"[\d,]*\d")
    assert numbers.sub("N", told) == numbers.sub("N", shape)
    assert abs(first_number(told) - first_number(shape)) <= first_number(shape) * 0.01


def first_number(text: str) -> int:
    return int(re.search(r"\d[\d,]*", text)[0].replace(",", ""))  # type: ignore[index]


def test_the_prompt_tells_the_shape_of_texts_and_files(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("id,name\n1,Ada\n2,Bo\n")
    assert describe("id,name\n1,Ada\n2,Bo\n").endswith("\nIt looks like CSV, 2 rows of 2 columns: id, name.")
    assert describe(table).endswith("\nIt looks like CSV, 2 rows of 2 columns: id, name.")


def test_names_of_any_number_and_length_are_cut() -> None:
    names = [f"column_{'x' * 60}_{number}" for number in range(500)]
    assert len(of_text(json.dumps(dict.fromkeys(names, 1))[:16_000] + "}")) < 2_000
    assert len(of_text(f"[{json.dumps(dict.fromkeys(names[:150], 1))}, {'1, ' * 20_000}1]")) < 2_000
