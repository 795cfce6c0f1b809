"""Files inside others, and parts easily left out: tables of archives, forms of an output, the page of a mail."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import sys
import tarfile
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from readers import ReadError, read, tables
from readers.about import about

from tests.readers import files, office, planted
from tests.readers.test_readers import put

CSV = "a,b\n1,2\n3,4\n"
ROWS = [["a", "b"], ["1", "2"], ["3", "4"]]


def test_tables_of_a_compressed_file_are_those_inside(tmp_path: Path) -> None:
    assert tables(put(tmp_path, "x.csv.gz", gzip.compress(CSV.encode()))) == {"x.csv": ROWS}


def test_tables_of_an_archive_have_the_paths_of_their_files() -> None:
    inside: dict[str, bytes | str] = {
        "q/a.csv": CSV,
        "notes.txt": "words alone",
        "b.xlsx": office.xlsx(),
        "more.zip": planted.zipped({"c.csv": CSV}),
    }
    found = tables(planted.zipped(inside))
    assert found["q/a.csv"] == ROWS
    assert list(found) == ["q/a.csv", "b.xlsx: Data"]
    with pytest.raises(ReadError, match=r"no file has tables. Read its text with `read`"):
        tables(planted.zipped({"notes.txt": "words alone"}))


def test_tables_of_a_tar_are_read_through_its_compression() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        entry = tarfile.TarInfo("logs/a.csv")
        entry.size = len(CSV)
        archive.addfile(entry, io.BytesIO(CSV.encode()))
    assert tables(out.getvalue()) == {"logs/a.csv": ROWS}


@pytest.mark.parametrize(
    ("coding", "names"),
    [
        ("cp932", ["売上データ.csv", "請求書.txt"]),
        ("gbk", ["销售数据.csv", "发票.txt"]),
        ("cp866", ["Отчет.txt", "Счёт.csv"]),
        ("cp437", ["Übersicht Müller.txt", "é.csv"]),
        ("utf-8", ["Übersicht.txt", "売上.csv"]),
    ],
)
def test_names_in_a_zip_are_in_the_coding_of_the_system_that_made_it(coding: str, names: list[str]) -> None:
    data = planted.zipped({f"{number}{'x' * len(name.encode(coding))}": CSV for number, name in enumerate(names)})
    for number, name in enumerate(names):
        data = data.replace(
            f"{number}{'x' * len(name.encode(coding))}".encode(), str(number).encode() + name.encode(coding)
        )
    assert list(tables(data)) == [f"{number}{name}" for number, name in enumerate(names)]


def test_an_e_book_in_a_zip_is_read() -> None:
    assert planted.FACT in read(planted.zipped({"shelf/book.epub": files.epub()}))


def test_a_notebook_shows_outputs_that_have_no_plain_text(tmp_path: Path) -> None:
    forms = ({"text/markdown": ["**of** markdown"]}, {"text/latex": "x^2"})
    outputs = [{"output_type": "display_data", "data": data} for data in forms]
    cells = [{"cell_type": "code", "source": "show()", "outputs": outputs}]
    notebook = put(tmp_path, "n.ipynb", json.dumps({"cells": cells, "nbformat": 4}).encode())
    assert read(notebook).endswith("[output] **of** markdown\n[output] x^2")


def test_times_inside_a_cue_are_no_words(tmp_path: Path) -> None:
    cue = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ada>Hello <00:01.500>there <3\n"
    assert read(put(tmp_path, "s.vtt", cue.encode())) == "[00:01] Ada: Hello there <3"


def test_a_page_that_says_what_the_plain_text_does_not_is_read_too() -> None:
    def mail(plain: str) -> str:
        message = EmailMessage()
        message["Subject"] = "gate"
        message.set_content(plain)
        message.add_alternative(f"<p>{planted.FACT}</p>", subtype="html")
        return read(message.as_bytes())

    assert mail("Your program shows no HTML.").endswith(f"shows no HTML.\n\n[html]\n{planted.FACT}")
    assert "[html]" not in mail(f"{planted.FACT} Best, Ada")


def test_a_database_whose_rows_are_all_in_its_wal_says_so(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table t(a)")
        connection.execute("insert into t values(1)")
        connection.commit()
        assert tables(path) == {"t": [["a"], [1]]}
        alone = put(tmp_path, "alone.db", path.read_bytes())
    for reader in (read, tables):
        with pytest.raises(ReadError, match=r"all is in alone\.db-wal, which is not here"):
            reader(alone)
    assert "alone.db-wal" in about(alone)
