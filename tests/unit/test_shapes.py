"""Shapes: what the beginning of a context tells of it; right or silent."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from rlm_core.contexts import describe
from rlm_core.shapes import of_bytes, of_text


def zipped(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return data.getvalue()


TEXTS = [
    ("id,name,age\n1,Ada,3\n2,Bo,4\n", "It looks like CSV, 3 columns: id, name, age."),
    ('id,name\n1,"Ada, B."\n2,Bo\n', "It looks like CSV, 2 columns: id, name."),
    ("\ufeffid\tname\n1\tA\n2\tB\n", "It looks like tab-separated values, 2 columns: id, name."),
    ("id;name\n1;A\n2;B\n", "It looks like CSV with semicolons, 2 columns: id, name."),
    ("id,name\n" + "1,Ada\n" * 10_000, "It looks like CSV, 2 columns: id, name."),
    ('{"a": 1, "b": 2}\n{"a": 2}\n', "It looks like JSON Lines; keys of the first: a, b."),
    ('{"a": [1]}', "It is JSON, a dict; keys: a."),
    ("[1, 2,\n3]", "It is JSON, a list of 3 items."),
    ('{"a": [' + "1, " * 20_000 + "1]}", "It may be JSON; `json.loads(context)` tells."),
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


BYTES = [
    (zipped("a.txt", "b/"), "It is a zip archive of 1 file: a.txt."),
    (zipped("word/document.xml"), "It is a Word document (docx)."),
    (zipped("xl/workbook.xml"), "It is an Excel workbook (xlsx)."),
    (zipped("a")[:30], ""),
    (b"\x00\x01", ""),
]


@pytest.mark.parametrize(("data", "shape"), BYTES)
def test_an_archive_is_told_by_its_directory(data: bytes, shape: str) -> None:
    assert of_bytes(data) == shape


def test_the_prompt_tells_the_shape_of_text_bytes_and_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped("one.txt", "two.txt"))
    table = tmp_path / "a.csv"
    table.write_text("id,name\n1,Ada\n2,Bo\n")
    assert describe("id,name\n1,Ada\n2,Bo\n").endswith("\nIt looks like CSV, 2 columns: id, name.")
    assert describe(zipped("one.txt")).endswith("\nIt is a zip archive of 1 file: one.txt.")
    assert describe(path).endswith("\nIt is a zip archive of 2 files: one.txt, two.txt.")
    assert describe(table).endswith("\nIt looks like CSV, 2 columns: id, name.")


def test_names_of_any_number_and_length_are_cut() -> None:
    names = [f"column_{'x' * 60}_{number}" for number in range(500)]
    assert len(of_text(json.dumps(dict.fromkeys(names, 1))[:16_000] + "}")) < 2_000
    assert len(of_bytes(zipped(*names))) < 2_000
