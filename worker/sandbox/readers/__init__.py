"""Readers: the text, the rows and the pictures of any file of a context.

In: a `Path` or bytes. Out: text whose marks keep places (`[page 3]`, `[sheet "Data"]`, `[file a/b.txt]`), tables as
rows of Python values, or a page as a PNG. `ReadError` names the kind of a file that cannot be read, the reason, and the
remedy. Each kind has one module; none is imported before a file of that kind is read, and no library either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias, cast

from readers.kinds import ARCHIVES, NO_READER, kind_of
from readers.source import ReadError, Source, check_unpacked
from rlm_core.images import PageImage
from rlm_core.plain_readers import PART_CHARS, check_chars, parts_of

Table: TypeAlias = list[list[Any]]

__all__ = ["ReadError", "page_image", "read", "read_parts", "tables"]

PICTURES = ("gif", "jpeg", "png", "webp")
MODULES = {
    "arrow": "columns",
    "parquet": "columns",
    "csv": "plain",
    "json": "plain",
    "text": "plain",
    "docx": "word",
    "eml": "mail",
    "epub": "books",
    "fodt": "opendocument",
    "html": "markup",
    "ipynb": "notebooks",
    "mbox": "mail",
    "mhtml": "mail",
    "odp": "opendocument",
    "ods": "sheets",
    "odt": "opendocument",
    "pdf": "pdf",
    "pptx": "slides",
    "rtf": "markup",
    "sqlite": "databases",
    "srt": "subtitles",
    "vtt": "subtitles",
    "xls": "sheets",
    "xlsb": "sheets",
    "xlsx": "sheets",
    "xlsxml": "xml_sheets",
    **dict.fromkeys(ARCHIVES, "archives"),
    **dict.fromkeys(PICTURES, "pictures"),
}
"""Kind of a file -> the module of this package that reads it."""
MAX_UNPACKED = {
    **dict.fromkeys(("docx", "epub", "odp", "odt", "pptx"), 256 << 20),
    **dict.fromkeys(("ods", "xlsb", "xlsx"), 1 << 30),
}
"""Kind of a document that is a zip -> bytes of its parts unpacked, in all."""


def read(file: Path | bytes | str, pages: int | Iterable[int] | None = None) -> str:
    """The text of `file`, with marks that keep places.

    Args:
        file: a file of the context, its bytes, or its text where that is markup, a mail, a notebook.
        pages: the pages (PDF), slides or sheets to read, counted from 1; all of them by default.

    Raises:
        ReadError: nothing can be read of it; it names the kind and the reason.
    """
    return read_source(Source.of(file), None if pages is None else {pages} if isinstance(pages, int) else set(pages))


def read_source(source: Source, pages: set[int] | None = None) -> str:
    """`read` for a file that has a name, such as one of an archive."""
    kind, reader = reader_of(source)
    with faults_named(source, kind):
        return cast(str, reader.text(source, kind, pages))


def read_parts(file: Path | bytes | str, chars: int = PART_CHARS) -> Iterator[str]:
    """What `read` gives, in parts of about `chars` characters that end at line ends: for a text beyond the memory.

    A pattern that stays within a line finds the same in the parts as in the whole. A line of more than 64 Mi characters
    is cut.

    Raises:
        ReadError: as `read` does, when the first part is asked for.
        ValueError: then too, where `chars` is less than 1.
    """
    check_chars(chars)
    source = Source.of(file)
    kind, reader = reader_of(source)
    if source.path is None or not hasattr(reader, "parts"):
        yield from parts_of(read_source(source), chars)
        return
    with faults_named(source, kind):
        yield from reader.parts(source, chars)


def tables(file: Path | bytes | str | Source) -> dict[str, Table]:
    """The tables of `file` by name, each a list of rows, the header first where there is one; values are Python's.

    Sheets of a workbook, tables of a document, a page or a database, and a CSV as one table.

    Raises:
        ReadError: it cannot be read, or is of a kind without tables.
    """
    source = Source.of(file)
    kind, reader = reader_of(source)
    found: Callable[[Source, str], dict[str, Table]] | None = getattr(reader, "tables", None)
    if found is None:
        remedy = "No text is read from pictures here." if kind in PICTURES else "Read its text with `read`."
        raise ReadError(f"{source.name} is {NAMES[kind]}, which has no tables. {remedy}")
    with faults_named(source, kind):
        return found(source, kind)


def page_image(file: Path | bytes, page: int, max_side: int = 1_500) -> bytes:
    """Page `page` (from 1) of a PDF as a PNG whose longer side has at most `max_side` pixels; it knows file and page.

    Raises:
        ReadError: it is no PDF, is locked, or has no such page.
    """
    source = Source.of(file)
    kind, reader = reader_of(source)
    if kind != "pdf":
        raise ReadError(f"{source.name} is {NAMES[kind]}; pages are drawn of PDF files only.")
    with faults_named(source, kind):
        return PageImage(reader.page_image(source, page, max_side), source.name, page)


def reader_of(source: Source) -> tuple[str, Any]:
    """The kind of a file, and the module that reads it."""
    kind = kind_of(source)
    if kind in NO_READER:
        raise ReadError(f"{source.name} {NO_READER[kind]}")
    if kind in MAX_UNPACKED:
        check_unpacked(source, MAX_UNPACKED[kind], NAMES[kind])
    return kind, import_module(f"readers.{MODULES[kind]}")


@contextmanager
def faults_named(source: Source, kind: str) -> Iterator[None]:
    """Faults of a reader and its library, as a ReadError that names the file and its kind."""
    try:
        yield
    except (ReadError, ImportError):
        raise
    except MemoryError:
        raise ReadError(f"{source.name} is {NAMES[kind]} that needs more memory than there is. Split it.") from None
    except Exception as fault:
        reason = f"{type(fault).__name__}: {fault}"[:300]
        raise ReadError(f"{source.name} is {NAMES[kind]} that is broken ({reason}).") from fault
    except BaseException as fault:
        if type(fault).__name__ != "PanicException":  # of a library in Rust, which derives it from BaseException
            raise
        raise ReadError(f"{source.name} is {NAMES[kind]} that is broken.") from None


NAMES = {
    "arrow": "an Arrow (Feather) file", "parquet": "a Parquet file",
    "csv": "a CSV file", "docx": "a Word document", "eml": "a mail", "epub": "an e-book (EPUB)", "html": "an HTML page",
    "ipynb": "a notebook", "mbox": "a mailbox", "mhtml": "a saved web page", "odp": "an OpenDocument presentation",
    "ods": "an OpenDocument sheet", "odt": "an OpenDocument text", "fodt": "an OpenDocument text", "pdf": "a PDF",
    "pptx": "a PowerPoint file", "rtf": "an RTF document", "sqlite": "an SQLite database", "srt": "subtitles",
    "vtt": "subtitles", "xls": "an Excel workbook (xls)", "xlsb": "an Excel workbook (xlsb)", "json": "JSON",
    "xlsx": "an Excel workbook (xlsx)", "xlsxml": "an Excel workbook in XML (2003)",
    "text": "a text", "tar": "a tar archive", "zip": "a zip archive",
    "gz": "gzip data", "bz2": "bzip2 data", "xz": "xz data", "zst": "zstd data",
    "gif": "a GIF picture", "jpeg": "a JPEG picture", "png": "a PNG picture", "webp": "a WebP picture",
}  # fmt: skip
"""Kind of a file -> its name in messages."""
