"""The label of a file on the page before any run: its kind by its bytes, and its fault: empty, cut off or misnamed."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest
from playwright.sync_api import Page, expect

from tests.browser.papers import pdf


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("word/document.xml", "<w:document/>")
    return data.getvalue()


CUT = "Its end is missing"
KINDS = {
    "lease.pdf": (pdf("Rent is due."), "PDF", ""),
    "prefixed.pdf": (b"\r\n\r\n" + pdf("Rent is due."), "PDF", ""),
    "on-pdf.txt": (b"A file that begins with %PDF-1.7 is one.", "text", ""),
    "on-gif.txt": (b"GIF89a is a format.\n", "text", ""),
    "on-pdf.md": (b"# PDF\n\n%PDF-1.7\n\nis its first line.\n", "MD, text", ""),
    "cut.pdf": (pdf("Rent is due.")[:-20], "PDF, broken", CUT),
    "page.pdf": (b"<html>Sign in to read this.</html>", "text, named .pdf", "its bytes are no such file"),
    "letter.docx": (zipped(), "Word", ""),
    "cut.docx": (zipped()[:-30], "Word, broken", CUT),
    "old.docx": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        "older Office file, named .docx",
        "read as older Office file",
    ),
    "old.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "Word 97-2003", ""),
    "rows.xlsx": (b"", "empty file", "It is empty."),
    "empty.txt": (b"", "empty file", "It is empty."),
    "data.zip": (zipped(), "ZIP archive", ""),
    "log.gz": (gzip.compress(b"a log"), "gzip archive", ""),
    "base.db": (b"SQLite format 3\0" + b"\0" * 84, "SQLite database", ""),
    "dot.png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 20 + b"IEND\xaeB`\x82", "PNG image", ""),
    "plain.txt": (b"words", "text", ""),
    "rows.csv": (b"a,b\n1,2\n", "CSV, text", ""),
    "accents.txt": ("Café".encode("cp1252"), "text, not UTF-8", ""),
    "wide.txt": ("words".encode("utf-16"), "text, UTF-16", ""),
    "wider.txt": (("words and more words " * 9).encode("utf-16-le"), "text, UTF-16", ""),
    "server.log": (b"a line of a log\n" * 500 + b"\0\0\0", "LOG, text", ""),
    "fix.log": (b"8=FIX.4.4\x0149=A\x0156=B\x01\n" * 50, "LOG, text", ""),
    "cut-character.txt": (b"x" * 65_535 + "é".encode(), "text", ""),
    "noise.bin": (bytes(range(256)) * 8, "BIN, binary", ""),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_label_is_true_before_any_run(shared_page: Page, name: str) -> None:
    data, label, fault = KINDS[name]
    for button in shared_page.get_by_role("button", name="Remove").all():
        button.click()
    shared_page.set_input_files("#context-files", {"name": name, "mimeType": "", "buffer": data})
    expect(shared_page.locator(".attachments .name")).to_have_text(name)
    expect(shared_page.locator(".attachments .muted")).to_contain_text(f"{label}, ")
    if fault:
        expect(shared_page.locator(".attachments .fault")).to_contain_text(fault)
    else:
        expect(shared_page.locator(".attachments .fault")).to_have_count(0)
