"""Text format: told from the beginning of a context; right or silent."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from rlm_core.contexts import describe
from rlm_core.json_depth import MAX_DEPTH
from rlm_core.text_format import of_text

TEXTS = [
    ("id,name,age\n1,Ada,3\n2,Bo,4\n", "It looks like CSV, 2 rows of 3 columns: id, name, age."),
    ('id,name\n1,"Ada, B."\n2,Bo\n', "It looks like CSV, 2 rows of 2 columns: id, name."),
    ('id,name\n1,A\n2,B\n3,"C\nD"\n\n4,E', "It looks like CSV, 4 rows of 2 columns: id, name."),
    ("\ufeffid\tname\n1\tA\n2\tB\n", "It looks like tab-separated values, 2 rows of 2 columns: id, name."),
    ("id,sum\n1,2,\n3,4,\n", "It looks like CSV, 2 rows of 3 columns: id, sum, (column 3 without a name)."),
    (
        "mpg,cyl\nMazda,21,6\nHornet,22,4\n",
        "It looks like CSV, 2 rows of 3 columns: (column 1 without a name), mpg, cyl.",
    ),
    (
        "a;b\n1\u00a0000,50;x\n2\u202f000,00;y\n1\u2019000.50;z\n\u22125;w\n",
        "It looks like CSV with semicolons, 4 rows of 2 columns: a, b.",
    ),
    ("id;sum;\n1;2\n3;4\n", "It looks like CSV with semicolons, 2 rows of 2 columns: id, sum."),
    ("May,June\nid,a,b\n1,2,3\n4,5,6\n", "It looks like CSV, 2 rows of 3 columns: id, a, b; 1 line before that."),
    (
        "x: y\n\n" * 9 + "id;a;b\n1;x;1\n2;y;2\n",
        "It looks like CSV with semicolons, 2 rows of 3 columns: id, a, b; 9 lines before that.",
    ),
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
    ("2025-03-01 10:00:00,137 INFO worker idle\n" * 3, ""),
    ("2025-03-01 10:00:00,137 [main] WARN  c.e.App - retry 1\n" * 3, ""),
    ("Smith, Ada\nJones, Bo\nDoe, Cy\n", ""),
    ("1 Main Street, Springfield\n2 Main Street, Springfield\n3 Main Street, Springfield\n", ""),
    ("[12:01] Ada: yes, no\n[12:02] Ada: yes, no\n[12:03] Bo: well, no\n", ""),
    ("1\n00:00:01,000 --> 00:00:02,000\nHello, you\n\n" * 20, ""),
    ("from a import b, c\nimport d, e\nx, y = 1, 2\n" + "a, b = b, a\n" * 30, ""),
    ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n", ""),
    ("id,name\n1,a\n2,b\n\nregion,total\nEU,3\n", ""),
    ("id,name\n1,a\n2,b,c\n" + "3,d\n" * 9, ""),
    ("3,5\n4,2\n7,1\n", ""),
    (
        "1,Ada 1,1990-01-02,3\n2,Ada 2,1990-01-03,6\n" * 20,
        "It looks like CSV, 40 rows of 4 columns, no header; first row: 1, Ada 1, 1990-01-02, 3.",
    ),
    ("1,2,3\n4,5,6\n7,8,9\n", "It looks like CSV, 3 rows of 3 columns, no header; first row: 1, 2, 3."),
    (
        "0,5;0,25\n1,5;1,25\n2,5;2,25\n",
        "It looks like CSV with semicolons, 3 rows of 2 columns, no header; first row: 0,5, 0,25.",
    ),
    ("Preis;Menge\n1,5;1\n2,5;2\n", "It looks like CSV with semicolons, 2 rows of 2 columns: Preis, Menge."),
    (
        "Springfield,IL\nBoston,MA\nReno,NV\n",
        "It looks like CSV, 3 lines of 2 columns, with or without a header; first line: Springfield, IL.",
    ),
    ("# exported, 2025\nid,name\n1,a\n2,b\n", "It looks like CSV, 2 rows of 2 columns: id, name; 1 line before that."),
    (
        "Account statement\nHolder;A. Sample\nPeriod;01.01.2025\n\nid;place;sum\n1;a;2\n2;b;3\n",
        "It looks like CSV with semicolons, 2 rows of 3 columns: id, place, sum; 3 lines before that.",
    ),
    (
        "##fileformat=VCF\n#CHROM\tPOS\tID\n" + "1\t2\t3\n" * 30,
        "It looks like tab-separated values, 30 rows of 3 columns: #CHROM, POS, ID; 1 line before that.",
    ),
    (
        "sep=;\nid;name\n1;A\n2;B\n",
        "It looks like CSV with semicolons, 2 rows of 2 columns: id, name; its first line is `sep=`.",
    ),
    ("id|name\n1|A\n2|B\n", "It looks like rows with bars, 2 rows of 2 columns: id, name."),
    ("id,name,name\n1,a,b\n2,c,d\n", "It looks like CSV, 2 rows of 3 columns: id, name, name (name more than once)."),
    (",name,age\n0,a,3\n1,b,4\n", "It looks like CSV, 2 rows of 3 columns: (column 1 without a name), name, age."),
    ("id," + "q" * 60 + "\n1,2\n2,3\n", f"It looks like CSV, 2 rows of 2 columns: id, {'q' * 40}...."),
    ("id,body\n" + '1,"a\nb\n\nc"\n' * 400_000, "It looks like CSV, 400,000 rows of 2 columns: id, body."),
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


@pytest.mark.parametrize("cell", ["1" * 14_000 + "x", "1," * 7_000 + "x", "1 " * 7_000 + "x"], ids=["1", "1,", "1 "])
def test_a_cell_that_begins_like_a_long_number_takes_linear_time(cell: str) -> None:
    started = time.process_time()
    of_text(f"a;b\n{cell};2\n3;4\n5;6\n")
    assert time.process_time() - started < 2
