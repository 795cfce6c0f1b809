"""Files that are no text: their kinds, and the package that model code reads them with, where it is there."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from rlm_core import documents, prompts
from rlm_core.contexts import describe


def zipped(*names: str, **texts: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, texts.get("workbook", "x"))
    return data.getvalue()


@pytest.fixture(autouse=True)
def _all_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "packages", lambda: tuple(documents.PACKAGES))


WORKBOOK = '<sheets><sheet sheetId="1" name="A &amp; B"/><sheet name="Totals" sheetId="2"/></sheets>'
SHAPES = {
    "PDF": (b"%PDF-1.7\nplain", "It is a PDF document. Read it with `pypdf.PdfReader(F)`."),
    "zip": (zipped("a.txt", "b/"), "It is a zip archive of 1 file: a.txt. Read it with `zipfile.ZipFile(F)`."),
    "Word": (
        zipped("word/document.xml"),
        "It is a Word document (docx). Read it with `mammoth.extract_raw_text(F).value`.",
    ),
    "Excel": (
        zipped("xl/workbook.xml", workbook=WORKBOOK),
        "It is an Excel workbook (xlsx), sheets: A & B, Totals. "
        "Read it with `openpyxl.load_workbook(F, read_only=True, data_only=True)`.",
    ),
    "half a zip": (zipped("a")[:30], ""),
    "bytes": (b"\x00\x01", ""),
    "nothing": (b"", ""),
}
"""By name: the time in an archive is no part of a test's name, which each process of a run has to find the same."""


@pytest.mark.parametrize(("data", "shape"), SHAPES.values(), ids=SHAPES.keys())
def test_a_document_is_told_with_what_reads_it(data: bytes, shape: str) -> None:
    assert documents.shape_of(io.BytesIO(data), "F") == shape


def test_a_package_that_is_not_there_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "packages", lambda: ())
    assert documents.shape_of(io.BytesIO(b"%PDF-"), "F") == "It is a PDF document."
    assert "pypdf" not in prompts.system_prompt()


def test_the_system_prompt_names_the_packages() -> None:
    first = prompts.system_prompt("Hello.").splitlines()[2]
    assert "zipfile, ...), and to be imported like it pypdfium2 (PDF), " in first


def test_the_prompt_says_how_bytes_and_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped("one.txt", "two.txt"))
    assert describe(path.read_bytes()).endswith("two.txt. Read it with `zipfile.ZipFile(io.BytesIO(context))`.")
    assert describe(path).endswith('2 files: one.txt, two.txt. Read it with `zipfile.ZipFile(open(context, "rb"))`.')


@pytest.mark.parametrize(("head", "text"), [(b"%PDF-1.7 ascii", False), (b"a\0b", False), ("naïve".encode(), True)])
def test_a_document_of_ascii_alone_is_no_text(head: bytes, text: bool) -> None:
    assert documents.is_text(head) is text


def test_names_in_an_archive_are_cut() -> None:
    names = [f"file_{'x' * 60}_{number}" for number in range(500)]
    assert len(documents.shape_of(io.BytesIO(zipped(*names)), "F")) < 2_000
    sheets = "".join(f'<sheet name="{name}"/>' for name in names)
    assert len(documents.shape_of(io.BytesIO(zipped("xl/workbook.xml", workbook=sheets)), "F")) < 2_000
