"""`read`, `tables` and `page_image` over files of each kind, on this interpreter; the worker's are in tests/browser."""

from __future__ import annotations

import io
import re
import struct
import sys
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from readers import ReadError, page_image, plain, read, read_parts, tables
from readers.about import about

from rlm_core.plain_readers import PlainReaders
from tests.readers import files, office, pdfs, planted


def put(folder: Path, name: str, made: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(planted.bytes_of(made))
    return path


@pytest.mark.parametrize("kind", files.READABLE)
def test_the_fact_is_in_the_text(kind: str, tmp_path: Path) -> None:
    name, make = files.READABLE[kind]
    made = make()
    assert planted.CODE in read(put(tmp_path, name, made))
    if kind != "docx, deletion":
        assert planted.CODE in read(planted.bytes_of(made)) or Path(name).suffix in (".csv", ".ipynb")


@pytest.mark.parametrize("kind", files.REFUSED)
def test_a_file_that_cannot_be_read_says_which_kind_and_why(kind: str, tmp_path: Path) -> None:
    name, make, reason = files.REFUSED[kind]
    with pytest.raises(ReadError, match=re.escape(reason)) as refused:
        read(put(tmp_path, name, make()))
    assert str(refused.value).startswith(name)
    told = "look at them with page_image" if kind == "PDF without text" else reason
    assert told in about(tmp_path / name) or kind == "locked archive"


MARKS = {
    "PDF": "[page 3]",
    "PDF, form": "[field harbor_gate_code] K-4711-QX",
    "PDF, attachment": "[attachment notes.7z, not read: notes.7z is a 7-Zip archive",
    "xlsx": '[sheet "Data"]',
    "xlsx, comment": f"[comment C4] {planted.FACT}",
    "xlsx, hidden sheet": '[sheet "Codes & keys"] [hidden]',
    "docx, comment": f"[comment] {planted.FACT}",
    "docx, footnote": f"[footnote] {planted.FACT}",
    "docx, deletion": f"[deleted] {planted.FACT}",
    "docx, header": f"[header]\n{planted.FACT}",
    "pptx, grouped shape": "[notes] Speak slowly here.",
    "EPUB": "[chapter 2, file EPUB/c1.xhtml]",
    "a mailbox": "[mail 5]",
    "a mail in base64": "[attachment x.csv]\na,b\n1,2",
    "a notebook": "[picture image/png, not shown]",
    "zip in zip": "[file in.zip]\n[file y.txt]",
    "tar.gz": "[file logs/b.log]",
    "cp1252": "[cp1252]\n",
    "UTF-16": "[utf-16-le]\n",
    "SQLite": '[table "notes", 13 rows]',
    "subtitles": "[00:01:00] The access code for the harbor gate",
}


@pytest.mark.parametrize("kind", MARKS)
def test_marks_keep_places(kind: str, tmp_path: Path) -> None:
    name, make = files.READABLE[kind]
    assert MARKS[kind] in read(put(tmp_path, name, make()))


TABLES: dict[str, tuple[str, list[Any]]] = {
    "CSV": ("rows.csv", ["99", "gate", planted.FACT]),
    "CSV with sep=": ("sep.csv", ["99", "gate", planted.FACT]),
    "CSV in UTF-16": ("utf16.csv", ["99", "gate", planted.FACT]),
    "rows with bars": ("pipe.txt", ["99", "gate", planted.FACT]),
    "JSON": ("items.json", [2, planted.FACT]),
    "JSON Lines, cut": ("events.jsonl", [planted.FACT]),
    "xlsx": ("Data", ["99", "gate", planted.FACT]),
    "xlsx, wrong dimension": ("Data", ["99", "gate", planted.FACT]),
    "xls": ("Data", ["99", "gate", planted.FACT]),
    "ods": ("Data", ["99", "gate", planted.FACT]),
    "docx, table": ("table 1", ["harbor gate", planted.CODE]),
    "HTML": ("table 1", ["harbor gate", planted.CODE]),
    "SQLite": ("notes", [99, "gate", planted.FACT]),
    "SQLite in WAL mode": ("notes", [99, "gate", planted.FACT]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_rows(kind: str, tmp_path: Path) -> None:
    name, make = files.READABLE[kind]
    table, last = TABLES[kind]
    assert tables(put(tmp_path, name, make()))[table][-1] == last


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b"gate\n" * 400_000,
        ("gate\n" * 400_000 + "M\u00fcll\n").encode(),
        ("gate\n" * 400_000 + "M\u00fcll\n").encode("cp1252"),
        ("gate\n" * 400_000).encode("utf-16-le"),
        ("M\u00fcll\n" * 300_000).encode("utf-16"),
        b"\xef\xbb\xbf" + b"gate\n" * 400_000,
        ("abc" + "\u6587" * 700_000).encode(),
        ("\u00fc" * 600_000 + "\u6587" * 400_000 + "\U0001f98a" * 300_000 + "gate").encode(),
        ("gate\r\n" * 400_000 + "\U0001f98a").encode()[:-1],
        ("\u6587\n" * 400_000).encode("gb18030"),
        b"gate\n",
        b"",
    ],
)
def test_a_file_is_decoded_alike_in_pieces_and_whole(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "READ_BYTES", 1 << 20)
    path = put(tmp_path, "long.txt", data)
    with path.open("rb", buffering=0) as file:
        assert plain.decode_file(file, len(data)) == plain.decode(data)


class Counted(io.FileIO):
    """A file that notes how many bytes each read gave."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.given: list[int] = []

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(-1 if size is None else size)
        self.given.append(len(data))
        return data

    def readall(self) -> bytes:
        return self.read()


def test_a_long_file_of_ascii_is_read_once_in_large_pieces(tmp_path: Path) -> None:
    data = b"gate\n" * 2_000_000
    with Counted(put(tmp_path, "long.txt", data)) as file:
        assert plain.decode_file(file, len(data)) == (data.decode(), "utf-8")
    assert [given for given in file.given if given] == [4 << 20, 4 << 20, len(data) - (8 << 20)]


@pytest.mark.parametrize(
    ("letter", "coding"),
    [("\u00fc", "utf-8"), ("\u6587", "utf-8"), ("\u00fc", "cp1252"), ("\u00fc", "utf-16"), ("\u00fc", "utf-8-sig")],
)
def test_a_long_file_is_never_whole_beside_its_text(letter: str, coding: str, tmp_path: Path) -> None:
    text = "gate\n" * 1_600_000 + letter
    with Counted(put(tmp_path, "long.txt", data := text.encode(coding))) as file:
        assert plain.decode_file(file, len(data))[0] == text
    assert max(file.given) == plain.READ_BYTES


LOG = "".join(f"2025-03-01 10:00:{number:02},137 INFO worker idle\n" for number in range(40))
CHAT = "".join(f"[14/10/2024, 3:00:{number:02}] Bo Example: well, {number}\n" for number in range(40))


@pytest.mark.parametrize("text", [LOG, CHAT, "Smith, Ada\nJones, Bo\nDoe, Cy\n", planted.TEXT])
def test_text_that_is_no_table_has_no_tables(text: str, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"service.log is plain text, and no table that is certain\. Read it with"):
        tables(put(tmp_path, "service.log", text))
    with pytest.raises(ReadError, match="no table that is certain"):
        tables(text)


@pytest.mark.parametrize(
    ("name", "text", "first"),
    [
        ("statement.csv", "Account\nHolder;A. B.\n\nid;place;sum\n1;a;2\n2;b;3\n", ["id", "place", "sum"]),
        ("notes.csv", "# exported, 2025\nid,name\n1,a\n2,b\n", ["id", "name"]),
        ("ragged.csv", "id,name\n1,a\n2,b,c\n" + "3,d\n" * 30, ["id", "name"]),
        ("none.csv", "1,Ada,3\n2,Bo,4\n3,Cy,5\n", ["1", "Ada", "3"]),
        ("short.csv", "id,name\n1,a\n", ["id", "name"]),
    ],
)
def test_the_first_row_of_a_table_is_its_header(name: str, text: str, first: list[str], tmp_path: Path) -> None:
    assert tables(put(tmp_path, name, text))[name][0] == first


@pytest.mark.parametrize("kind", files.WITH_A_PACKAGE)
def test_column_files_are_rows_of_pythons_values(kind: str, tmp_path: Path) -> None:
    import datetime

    name, make = files.WITH_A_PACKAGE[kind]
    path = put(tmp_path, name, make())
    header, *rows = tables(path)[name]
    assert header == ["id", "day", "remark"]
    assert rows[-1] == [99, datetime.date(1970, 4, 10), planted.FACT]
    assert rows[3][1] is None
    assert planted.CODE in read(path)
    assert "13 rows of 3 columns: id, day, remark; first row [0, datetime.date(1970, 1, 1)" in about(path)


def test_nested_columns_are_read_whatever_their_compression() -> None:
    """A file of pyarrow 26, with a codec for each column: snappy, zstd, gzip, brotli, lz4; one in a dictionary."""
    [rows] = tables(Path(__file__).with_name("nested.parquet")).values()
    price = Decimal("1.50")
    assert rows == [
        ["id", "tags", "who", "kv", "deep", "dic", "dec"],
        [0, ["a", "b"], {"name": "Ada", "age": 3}, [("x", 1)], [{"p": [1, 2]}], "u", price],
        [1, [], None, [], [], "v", price],
        [2, None, {"name": None, "age": None}, None, None, "u", price],
        [3, ["c", None], {"name": planted.CODE, "age": 1}, [("y", None), ("z", 2)], [{"p": None}], None, price],
        [4, ["d"], {"name": "Bo", "age": 2}, [], [{"p": [3]}], "u", price],
    ]


def test_a_column_file_without_its_package_says_how_it_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "rows.parquet", files.columns("parquet"))
    monkeypatch.setitem(sys.modules, "arro3.io", None)
    with pytest.raises(ReadError, match=r"is a Parquet file, whose reader is not here.*packages add arro3-io"):
        tables(path)
    assert "packages add arro3-io" in about(path)


def test_a_wal_file_beside_a_database_is_read_with_it(tmp_path: Path) -> None:
    import sqlite3

    live = tmp_path / "live.db"
    connection = sqlite3.connect(live)
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table notes(remark)")
    connection.execute("insert into notes values('late')")
    connection.commit()
    assert (tmp_path / "live.db-wal").stat().st_size > 0
    assert tables(live) == {"notes": [["remark"], ["late"]]}
    connection.close()


def test_values_are_those_of_python(tmp_path: Path) -> None:
    import datetime

    name, make = files.READABLE["xlsx, hidden sheet"]
    [_, row] = tables(put(tmp_path, name, make()))["Codes & keys"]
    assert row == ["harbor gate", planted.CODE, datetime.date(2025, 3, 1)]


def test_pages_can_be_chosen() -> None:
    data = pdfs.pdf(*planted.LINES[:5], planted.FACT)
    assert read(data, pages=3).startswith("[page 3]")
    assert "[page 1]" not in read(data, pages=[3])
    with pytest.raises(ReadError, match="has 3 pages, counted from 1; there is no page 9"):
        read(data, pages=9)


def test_a_word_divided_at_a_line_end_keeps_its_hyphen() -> None:
    assert "closed for main-\ntenance until" in read(pdfs.pdf("It is closed for main-", "tenance until Monday."))


def test_a_page_is_a_picture() -> None:
    picture = page_image(pdfs.pdf(planted.FACT), 3, max_side=500)
    assert picture.startswith(b"\x89PNG")
    assert max(struct.unpack(">II", picture[16:24])) in (499, 500)
    with pytest.raises(ReadError, match="pages are drawn of PDF files only"):
        page_image(b"plain text", 1)


def test_a_kind_without_tables_says_so() -> None:
    for data in (pdfs.pdf(planted.FACT), planted.saved(office.word())):
        with pytest.raises(ReadError, match=r"table.*Read its text with `read`"):
            tables(data)


def test_markup_that_is_bound_as_text_is_read_too() -> None:
    assert planted.FACT in read(files.html()).replace("\xa0", " ")
    assert read("plain words") == "plain words"
    assert about(files.html()) == "It is an HTML page. `read(context)` gives its text, `tables(context)` its rows."


def test_the_prompt_tells_kind_and_outline(tmp_path: Path) -> None:
    def told(kind: str) -> str:
        name, make = files.READABLE[kind]
        return about(put(tmp_path, name, make()))

    assert told("PDF").startswith("It is a PDF, 3 pages. `read(context)` gives its text")
    assert "sheet \"Data\": 14 rows, ['id', 'place', 'remark'], ['0', 'site 0'" in told("xlsx")
    assert 'table "notes" (id, place, remark; first row (0, ' in told("SQLite")
    assert "2 files: a/x.txt, a/y.txt" in told("zip")


def test_a_pile_tells_each_kind_once(tmp_path: Path) -> None:
    paths = {name: put(tmp_path, name, make()) for name, make in list(files.READABLE.values())[-12:]}
    paths["locked.xlsx"] = put(tmp_path, "locked.xlsx", office.locked_xlsx())
    line = about(paths)
    assert line.startswith("Not loaded: 3 x a zip archive")
    assert "1 x an Office file locked with a password" in line


def test_an_archive_reads_what_it_can_and_names_the_rest() -> None:
    text = read(planted.zipped({"a.7z": b"7z\xbc\xaf\x27\x1c", "b.txt": planted.FACT}))
    assert "[file a.7z]\n[not read: a.7z is a 7-Zip archive" in text
    assert planted.FACT in text


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(ReadError, match="a list is no file"):
        read([])  # type: ignore[arg-type]


LINES = "".join(f"gate {number} opened\n" for number in range(150_000))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("log.txt", LINES.encode()),
        ("log.txt", b"\xef\xbb\xbf" + LINES.replace("gate", "gåte").encode()),
        ("log.txt", b"\xef\xbb\xbf" + LINES.encode() + b"caf\xe9\n"),
        ("log.txt", LINES.replace("gate", "gåte").encode("cp1252")),
        ("log.csv", LINES.encode("utf-16")),
        ("log.txt", LINES.encode("utf-16-be")),
        ("long.txt", b"x" * 3_000_000 + b"\nend"),
        ("empty.txt", b""),
        ("page.html", b"<html>" + b"<p>one</p>" * 1_000),
    ],
)
def test_the_parts_of_a_file_are_its_text_and_end_at_line_ends(name: str, data: bytes, tmp_path: Path) -> None:
    path = put(tmp_path, name, data)
    for file in (path, data):
        parts = list(read_parts(file, chars=1_000))
        assert "".join(parts) == read(file)
        assert all(part.endswith("\n") for part in parts[:-1])
    assert len(parts) > 1 or len(data) < 1_000


def test_a_line_without_an_end_is_cut_and_no_more_than_it_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "MAX_LINE_CHARS", 3 << 20)
    path = put(tmp_path, "long.txt", b"x" * (24 << 20))
    tracemalloc.start()
    sizes = [len(part) for part in read_parts(path, chars=1 << 20)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) == 24 << 20
    assert max(sizes) == 3 << 20
    assert most < 12 << 20


def test_parts_of_what_cannot_be_read_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="7-Zip"):
        next(read_parts(put(tmp_path, "a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(40))))
    with pytest.raises(ReadError, match="a list is no file"):
        next(read_parts([]))  # type: ignore[arg-type]


@pytest.mark.parametrize("chars", [0, -1])
def test_parts_of_no_characters_are_refused_before_anything_is_lost(tmp_path: Path, chars: int) -> None:
    replayed: Any = PlainReaders().functions()["read_parts"]
    for file in (put(tmp_path, "a.txt", b"some words\n" * 200_000), "some words\n"):
        for parts in (read_parts, replayed):
            with pytest.raises(ValueError, match=f"chars is {chars}: a part has at least one character"):
                next(parts(file, chars=chars))
