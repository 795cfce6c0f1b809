"""Hostile and broken documents: each ends in text or in a ReadError, bounded in bytes, files and depth.

None is unpacked to disk, and nothing that they point at is opened. All are small, and the limits are lowered instead.
"""

from __future__ import annotations

import gzip
import sqlite3
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

import readers
from readers import ReadError, archives, databases, kinds, read, sheets, tables
from readers.about import about
from readers.source import Source

from tests.readers import files, office, planted
from tests.readers.test_readers import put


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(archives, "MAX_FILES", 50)


@pytest.mark.usefixtures("little_room")
def test_what_an_archive_unpacks_to_is_bounded() -> None:
    zeros = planted.zipped({"a.txt": b"0" * (2 << 20)})
    with pytest.raises(ReadError, match=r"no file can be read: .*unpacked, the archive is larger than 1 MiB"):
        read(zeros)
    with pytest.raises(ReadError, match="larger than 1 MiB"):
        read(gzip.compress(b"0" * (2 << 20)))


@pytest.mark.usefixtures("little_room")
def test_the_bound_is_one_for_all_archives_inside() -> None:
    inner = planted.zipped({"a.txt": b"0" * (400 << 10)})
    text = read(planted.zipped({f"{number}.zip": inner for number in range(5)}))
    assert text.count("[file a.txt]\n000") == 2
    assert "larger than 1 MiB" in text


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_small_archive_takes_little_memory_whatever_may_be_unpacked(mode: str) -> None:
    data = files.tarred(mode)
    read(data)  # imports
    tracemalloc.start()
    read(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 32 << 20


@pytest.mark.usefixtures("little_room")
def test_the_number_of_files_is_bounded() -> None:
    text = read(planted.zipped({f"{number}.txt": "x" for number in range(80)}))
    assert text.endswith("[file ...] [not read: 30 more, since 50 files of an archive are read at most]")


def test_archives_are_opened_four_deep() -> None:
    data: bytes = planted.FACT.encode()
    for depth in range(6):
        data = planted.zipped({f"{depth}.zip" if depth else "notes.txt": data})
    assert read(data).endswith("[not read: archives are opened 4 deep]")


def test_a_name_in_an_archive_is_neither_a_path_nor_a_mark(tmp_path: Path) -> None:
    before = sorted(tmp_path.parent.rglob("*"))
    text = read(planted.zipped({"../../up.txt": "one", "/etc/down.txt": "two", "a\n[page 9]\nb.txt": "three"}))
    assert "[file ../../up.txt]\none" in text
    assert "\n[page 9]" not in text
    assert sorted(tmp_path.parent.rglob("*")) == before


def xml_with_entities(inside: str) -> str:
    """`d` stands for thirty times thirty times thirty times twenty characters, half a megabyte; `f` for a file."""
    names = "abcd"
    entities = f'<!ENTITY a "{"x" * 20}">' + "".join(
        f'<!ENTITY {name} "{f"&{names[names.index(name) - 1]};" * 30}">' for name in names[1:]
    )
    return f'<!DOCTYPE t [{entities}<!ENTITY f SYSTEM "file:///etc/hostname">]>{inside}'


def test_entities_of_xml_are_bounded_and_none_is_fetched() -> None:
    with pytest.raises(ElementTree.ParseError, match="amplification"):  # the parser's own bound, which is relied on
        ElementTree.fromstring(xml_with_entities("<t>" + "&d;" * 40 + "</t>"))
    office = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    text = 'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    for entity in ("&d;" * 40, "&f;"):
        body = f"<office:document {office} {text}><text:p>{entity}</text:p></office:document>"
        with pytest.raises(ReadError, match="OpenDocument"):
            read(planted.zipped({"mimetype": "application/vnd.oasis.opendocument.text",
                               "content.xml": xml_with_entities(body)}))  # fmt: skip


def test_a_sheet_whose_cells_lie_far_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_CELLS", 1_000)
    book = office.workbook()
    book.active["AB200"] = "far"
    with pytest.raises(ReadError, match=r"spans 200 x 28 cells; 1,000 are read at most"):
        tables(planted.saved(book))
    assert planted.CODE in read(office.xlsx())


def test_a_document_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, made in (("docx", planted.saved(office.word())), ("xlsx", office.xlsx()), ("pptx", office.pptx())):
        monkeypatch.setitem(readers.MAX_UNPACKED, kind, 1_000)
        with pytest.raises(ReadError, match=r"MiB unpacked; 0 MiB are read at most\. Split it"):
            read(made)


def outcome(function: Callable[[Path], object], path: Path) -> str:
    """The message of a ReadError, or "text"; any other error fails the test."""
    try:
        function(path)
        return "text"
    except ReadError as fault:
        return str(fault)


@pytest.mark.parametrize("kind", files.READABLE)
def test_a_file_that_was_cut_gives_text_or_the_reason(kind: str, tmp_path: Path) -> None:
    name, make = files.READABLE[kind]
    data = planted.bytes_of(make())
    for part in (0.5, 0.95):
        path = put(tmp_path, name, data[: round(len(data) * part)])
        assert outcome(read, path).startswith((name, "text"))
        assert outcome(tables, path).startswith((name, "text"))
        assert isinstance(about(path), str)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["docx", "docx, comment", "pptx, grouped shape", "odt", "EPUB", "xlsx", "ods"])
def test_a_document_with_a_broken_part_says_so(kind: str, tmp_path: Path) -> None:
    name, make = files.READABLE[kind]

    def cut(part: str, data: bytes) -> bytes:
        return data[: len(data) // 2] if part.endswith((".xml", ".xhtml", ".rels")) and "Types" not in part else data

    path = put(tmp_path, name, planted.patched(planted.bytes_of(make()), cut))
    assert outcome(read, path).startswith((name, "text"))


def seconds(work: Callable[[], object]) -> float:
    """Processor time of `work`."""
    began = time.process_time()
    work()
    return time.process_time() - began


@pytest.mark.parametrize("token", ["<!---->", "<!--", "a:\n ", "From ", "00:00", '"', "1,", "{\\"])
def test_the_kind_of_a_text_is_told_in_time_linear_in_its_beginning(token: str, tmp_path: Path) -> None:
    """A pattern that goes back over one token in two ways takes twice as long for each more."""
    path = put(tmp_path, "notes.txt", token * (20_000 // len(token)) + "x")
    assert seconds(lambda: about(path)) < 2


def test_formulas_and_cues_that_never_end_are_passed_over() -> None:
    from readers import subtitles, word

    assert seconds(lambda: word._FORMULA.sub(b"", b"<m:oMath>" * 100_000)) < 2
    assert word._FORMULA.sub(b"", b"a<m:oMath x='1'><m:r/></m:oMath>b<m:oMath><m:r/></m:oMath>c") == b"abc"
    assert seconds(lambda: subtitles._TAGS.sub("", "<a" * 100_000 + "{\\" * 100_000)) < 2


@pytest.mark.parametrize("name", ["mimetype", "[Content_Types].xml"])
def test_the_part_that_tells_the_kind_is_not_unpacked_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    whole = zipfile.ZipExtFile.read

    def counted(part: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        sizes.append(len(whole(part, n)))
        return b"x" * sizes[-1]

    monkeypatch.setattr(kinds, "PART_BYTES", 1_000)
    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    assert about(planted.zipped({name: b"x" * (2 << 20)})).startswith("It is a zip archive")
    assert set(sizes) == {1_000}


def database(*statements: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in ("create table gates(code)", f"insert into gates values('{planted.CODE}')", *statements):
            connection.execute(statement)
        connection.commit()
        return connection.serialize()


ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n)"


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (f"create view v as {ENDLESS} select count(*) from n", "more than 200,000 steps"),
        (f"create view v as {ENDLESS} select x from n order by x", "more than 200,000 steps"),
        ("create view v as select * from missing", "no such table"),
        ("create view v as select hex(zeroblob(100000000)) as x", "too big"),
        ("create view v as select load_extension('x') as x", "unsafe use of load_extension"),
    ],
)
def test_a_view_is_bounded_and_the_tables_are_read(view: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "MAX_VIEW_STEPS", 200_000)
    data = database(view)
    assert planted.CODE in read(data)
    assert reason in read(data)
    assert tables(data)["gates"] == [["code"], [planted.CODE]]
    assert reason in str(tables(data)["v"])
    assert planted.CODE in about(data)


def test_no_file_is_attached_by_a_name_in_a_database(tmp_path: Path) -> None:
    target = tmp_path / "made.db"
    name = f'x"; attach "{target}" as y; create table y.z(a); --'
    data = database(f"create table {databases._quoted(name)}(a)")
    assert tables(data)[name] == [["a"]]
    assert planted.CODE in read(data)
    assert not target.exists()
    with closing(databases._opened(Source("x.db", data=data))) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("attach ? as y", (str(target),))


@pytest.mark.parametrize("depth", [200, 5_000])
def test_what_is_nested_deep_is_read_or_refused_in_words(depth: int, tmp_path: Path) -> None:
    for name, data in {
        "deep.html": "<html>" + "<div>" * depth + planted.FACT,
        "deep.json": "[" * depth + "]" * depth,
        "deep.ipynb": '{"nbformat": 4, "cells": ' + "[" * depth + "]" * depth + "}",
        "deep.fodt": '<?xml version="1.0"?><office:document>' + "<a>" * depth + "</a>" * depth + "</office:document>",
        "deep.rtf": "{\\rtf1 " + "{" * depth + planted.FACT + "}" * depth + "}",
    }.items():
        path = put(tmp_path, name, data)
        for function in (read, tables):
            assert outcome(function, path).startswith((name, "text", "the "))
        assert isinstance(about(path), str)


def test_a_page_is_never_fetched_from(tmp_path: Path) -> None:
    secret = put(tmp_path, "secret.txt", planted.FACT)
    page = f'<html><img src="file://{secret}"><iframe src="file://{secret}"></iframe><p>words</p></html>'
    assert read(page) == "words"
    access = f"message/external-body; access-type=local-file; name={secret}"
    mail = f"From: a@example.org\nSubject: b\nMIME-Version: 1.0\nContent-Type: {access}\n\n"
    assert planted.CODE not in read(mail.encode())
