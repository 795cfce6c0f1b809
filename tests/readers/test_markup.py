"""HTML, RTF, notebooks and subtitles as people's programs write them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from readers import ReadError, read, tables
from readers.source import Source

PAGE = """<html><body><table><tr><th colspan=2>wide</th><th rowspan=2>tall</th></tr><tr><td>1<td>2</tr></table>
<pre>def f():
    return 1</pre><table><tr><td>menu</td><td><p>{words}</p><p>next</p></td></tr></table></body></html>"""


def test_rows_are_lines_and_layout_keeps_its_own() -> None:
    text = read(PAGE.format(words="long " * 90))
    assert text.startswith("wide\ttall\n1\t2\n")
    assert "def f():\n    return 1" in text
    assert "long\n" in text
    assert text.endswith("next")


def test_a_cell_that_covers_several_leaves_the_others_empty() -> None:
    assert tables(PAGE.format(words="short"))["table 1"] == [["wide", "", "tall"], ["1", "2", ""]]


def test_a_raised_number_is_an_exponent_and_no_part_of_the_number_before_it() -> None:
    page = "<p>10<sup>6</sup> m<sup>2</sup>, 5·10<sup>-3</sup>, 1<sup>st</sup>, 1998<sup>[1]</sup></p>"
    assert read(f"<html>{page}") == "10^6 m2, 5·10^-3, 1st, 1998[1]"
    assert tables(f"<table><tr><td>{page}<td>x</table>") == {
        "table 1": [["10^6 m2, 5·10^-3, 1st, 1998[1]", "x"]],
    }


def test_an_exponent_in_rtf_is_no_part_of_the_number_before_it() -> None:
    assert read(rb"{\rtf1\ansi 10{\super 6} m{\super 2}, 10\super\insrsid1 -3\nosupersub  s}") == "10^6 m2, 10^-3 s"


def test_fields_of_a_form_say_what_is_chosen() -> None:
    form = "<input type=checkbox checked> yes <input type=radio> no <input value=Ada>"
    assert read(f"<html><form>{form}</form>") == "[x] yes [ ] no Ada"
    assert tables(f"<table><tr><td>{form}<td>x</table>") == {"table 1": [["[x] yes [ ] no Ada", "x"]]}


def test_a_cell_of_all_rows_below_covers_them_and_blank_lines_of_code_stay() -> None:
    page = "<table><tr><td rowspan=0>a</td><td>b</td></tr><tr><td>c</td></tr></table><pre>x\n\n\n\ny</pre>"
    assert tables(page) == {"table 1": [["a", "b"], ["", "c"]]}
    assert read(page).endswith("x\n\n\n\ny")


@pytest.mark.parametrize("span", ["9" * 9, "-1", "x", ""])
def test_an_impossible_span_is_bounded(span: str) -> None:
    [row] = tables(f"<table><tr><td colspan='{span}'>a</td><td>b</td></tr></table>")["table 1"]
    assert (row[0], row[-1], len(row) <= 1_000) == ("a", "b", True)


def test_rtf_of_any_alphabet_with_notes_and_headers() -> None:
    body = r"Caf\'e9 \u8364 ?\u-10179 ?\u-8704 ?\par{\footnote the note}{\header the head}"
    assert read(rf"{{\rtf1\ansi\ansicpg1252\uc1 {body}}}").split("\n") == [
        "Café €😀", "", "[footnote] the note", "[header] the head",
    ]  # fmt: skip
    cyrillic = r"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset204 Arial;}}\f0 \'cf\'f0\'e8\'e2\'e5\'f2\par}"
    assert read(cyrillic) == "Привет"


def notebook(outputs: list[object]) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": "1/0", "outputs": outputs}], "nbformat": 4}).encode()


def test_outputs_of_a_notebook_are_read_or_named() -> None:
    outputs = [
        {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": []},
        {"output_type": "display_data", "data": {"text/html": "<p>only as HTML</p>"}},
        {"output_type": "display_data", "data": {"application/json": {"a": 1}}},
    ]
    assert _read("n.ipynb", notebook(outputs)).endswith(
        "[error] ZeroDivisionError: division by zero\n[output] only as HTML\n[output application/json, not shown]"
    )


def test_a_notebook_of_the_format_3_is_read() -> None:
    cell = {"cell_type": "code", "input": ["x = 1"], "outputs": [{"output_type": "pyout", "text": ["old"]}]}
    data = json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]}).encode()
    assert _read("null.ipynb", b'{"nbformat": 4, "cells": [{"source": "x", "outputs": null}]}') == "[cell 1, raw]\nx"
    assert _read("old.ipynb", data) == "[cell 1, code]\nx = 1\n[output] old"


def test_subtitles_keep_their_speakers() -> None:
    times = "00:00:01.000 --> 00:00:02.000 align:start"
    cue = f"WEBVTT\n\nNOTE a comment\n\n1\n{times}\n<v.loud Bo Ray>Hello <c.x>there</c>\n"
    assert read(cue.encode()) == "[00:00:01] Bo Ray: Hello there"


def test_a_text_of_the_context_is_known_by_the_name_of_its_file() -> None:
    rows, words = "id,place\n1,a\n", notebook([]).decode()
    Source.name_texts({"sub/rows.csv": rows, "n.ipynb": words})
    try:
        assert tables(rows) == {"rows.csv": [["id", "place"], ["1", "a"]]}
        assert read(words) == "[cell 1, code]\n1/0"
        with pytest.raises(ReadError, match=r"the text is plain text"):
            tables("other, words")
    finally:
        Source.name_texts({})
    assert read(words) == words


def test_json_and_tables_of_one_column_are_tables() -> None:
    assert tables('[{"a": 1}, {"a": 2}]') == {"the text": [["a"], [1], [2]]}
    assert tables(Source("one.csv", data=b"a\n1\n2\n")) == {"one.csv": [["a"], ["1"], ["2"]]}
    with pytest.raises(ReadError, match="holds no list of objects"):
        tables(Source("n.json", data=b"3"))


@pytest.mark.parametrize(
    "names", [{"columns": ["a", "b"]}, {"meta": [{"name": "a", "type": "I"}, {"name": "b"}]}], ids=["words", "objects"]
)
def test_rows_of_json_stand_below_the_names_beside_them(names: dict[str, object]) -> None:
    found = tables(json.dumps({**names, "index": [0, 1], "data": [[1, 2], [3, 4]]}))
    assert list(found.values())[-1] == [["a", "b"], [1, 2], [3, 4]]


def test_rows_of_json_that_begin_with_their_names_or_have_others_stay() -> None:
    for rows in ([["a", "b"], [3, 4]], [[1, 2, 3]]):
        assert list(tables(json.dumps({"columns": ["a", "b"], "rows": rows})).values()) == [rows]


def _read(name: str, data: bytes) -> str:
    return read(Source(name, data=data))  # type: ignore[arg-type]
