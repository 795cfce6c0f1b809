"""Documents: kinds of files that are no text, by their first bytes or their directory, and the packages that read them.

In: bytes or an open file. Out: one sentence for the prompt, "It is an Excel workbook (xlsx), sheets: 2025. ...", or
`""` when nothing is certain. A package is named only where it can be imported; nothing is imported here.
"""

from __future__ import annotations

import html
import re
import zipfile
from functools import cache
from importlib.util import find_spec
from typing import BinaryIO

PACKAGES = {
    "pypdfium2": "PDF",
    "pypdf": "PDF",
    "python_calamine": "xlsx, xls, xlsb, ods",
    "openpyxl": "xlsx",
    "mammoth": "docx",
}
"""Packages for model code besides the standard library, with the files that they read."""
MAGIC = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive (or docx, xlsx, epub)"),
    (b"\x1f\x8b", "gzip data"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
)
MAX_NAMES = 20
MAX_NAME_CHARS = 40
WORKBOOK_BYTES = 64 << 10

_WORD = ("a Word document (docx)", "mammoth", "mammoth.extract_raw_text({file}).value")
_EXCEL = ("an Excel workbook (xlsx)", "openpyxl", "openpyxl.load_workbook({file}, read_only=True, data_only=True)")
_OFFICE = {"word/document.xml": _WORD, "xl/workbook.xml": _EXCEL}
_PDF = ("a PDF document", "pypdf", "pypdf.PdfReader({file})")


@cache
def packages() -> tuple[str, ...]:
    """Those of `PACKAGES` that can be imported here."""
    return tuple(name for name in PACKAGES if find_spec(name) is not None)


def kind_of(head: bytes) -> str:
    """Kind of a file that begins with `head`, or `""`.

    >>> kind_of(b"%PDF-1.7")
    'a PDF document'
    """
    return next((kind for magic, kind in MAGIC if head.startswith(magic)), "")


def is_text(head: bytes) -> bool:
    """Whether a file that begins with `head` may be text: a PDF may hold no byte but ASCII, and is none."""
    return b"\0" not in head and not kind_of(head)


def shape_of(file: BinaryIO, source: str) -> str:
    """Kind of a document, and how it is read.

    Args:
        file: at its beginning.
        source: an expression of model code that gives the file, open.
    """
    head = file.read(4)
    if head == b"%PDF":
        return _sentence(*_PDF, source)
    return _of_archive(file, source) if head == b"PK\x03\x04" else ""


def _sentence(kind: str, package: str, expression: str, source: str, inside: str = "") -> str:
    read = f" Read it with `{expression.format(file=source)}`." if package in packages() else ""
    return f"It is {kind}{inside}.{read}"


def _of_archive(file: BinaryIO, source: str) -> str:
    """Content of a zip archive, by the directory at its end."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            office = next((kind for name, kind in _OFFICE.items() if name in names), None)
            if office is not None:
                return _sentence(*office, source, _sheets(archive) if office is _EXCEL else "")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return ""
    files = [name for name in names if not name.endswith("/")]
    count = f"{len(files):,} file{'s' * (len(files) != 1)}"
    return f"It is a zip archive of {count}: {named(files)}. Read it with `zipfile.ZipFile({source})`."


def _sheets(archive: zipfile.ZipFile) -> str:
    with archive.open("xl/workbook.xml") as file:
        text = file.read(WORKBOOK_BYTES).decode("utf-8", "replace")
    sheets = [html.unescape(name) for name in re.findall(r'<sheet\b[^>]*?\bname="([^"]*)"', text)]
    return f", sheets: {named(sheets)}" if sheets else ""


def named(names: list[str]) -> str:
    """Names in a row, bounded in number and length.

    >>> named(["a", "b"])
    'a, b'
    """
    shown = [name if len(name) <= MAX_NAME_CHARS else name[:MAX_NAME_CHARS] + "..." for name in names[:MAX_NAMES]]
    rest = f", and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return ", ".join(shown) + rest
