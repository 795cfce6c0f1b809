"""PDF, by PDFium: the text page by page, form fields, and pages as pictures.

A page without text is named, since it is likely a scan. Form fields come from PDFium's own form layer where it has one,
attachments are read by their own kinds. A file that wants a password is refused.
"""

from __future__ import annotations

import ctypes
import io
import struct
import zlib
from typing import Any
from xml.etree import ElementTree

from readers.source import ReadError, Source, check_numbers

DIVIDED = "\ufffe"
"""PDFium's sign for a hyphen at a line's end, with the line break after it."""
MAX_STRANGE = 0.1
"""Share of control characters from which on a text is taken for none."""
OUTLINE_PAGES = 50
"""Pages of which the outline tells whether they have text."""


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    document = _opened(source)
    try:
        count = len(document)
        wanted = sorted(pages or range(1, count + 1))
        check_numbers(source, "page", wanted, count)
        document.init_forms()
        form = document.formenv is not None
        parts, empty, unmapped, attached = [], [], [], []
        for number in wanted:
            page = document[number - 1]
            words = page.get_textpage().get_text_range().replace("\r\n", "\n").replace(DIVIDED, "-\n").strip()
            fields = _fields(document, page) if form else []
            if not words and not fields:
                empty.append(number)
            if _is_unmapped(words):
                unmapped.append(number)
            attached += [] if pages else _attached_to(document, page)
            parts.append("\n".join([f"[page {number}]", *([words] if words else []), *fields, *_comments(page)]))
        form_data = [] if pages else _form_data(document, source)
        if form_data:
            parts.append("\n".join(form_data))
        head = [*_left_out(document, empty, len(wanted)), *_not_mapped(unmapped)]
        if len(empty) == len(wanted) and not document.count_attachments():
            raise ReadError(
                f"{source.name} is a PDF of {_pages(count)} without any text, so likely a scan. "
                "Look at a page with `page_image(file, page)`."
            )
        attached = [] if pages else [*_attachments(document), *attached]
        return "\n\n".join([*head, *parts, *attached])
    finally:
        document.close()


def outline(source: Source, kind: str) -> str:
    document = _opened(source)
    try:
        count = len(document)
        without = sum(not document[index].get_textpage().count_chars() for index in range(min(count, OUTLINE_PAGES)))
        if not without:
            return _pages(count)
        looked = "" if count <= OUTLINE_PAGES else f" among the first {OUTLINE_PAGES}"
        return f"{_pages(count)}, {_pages(without)} without text{looked}: look at them with page_image"
    finally:
        document.close()


def page_image(source: Source, page: int, max_side: int) -> bytes:
    document = _opened(source)
    try:
        check_numbers(source, "page", [page], len(document))
        drawn = document[page - 1]
        width, height = drawn.get_size()
        bitmap = drawn.render(scale=max_side / max(width, height), rev_byteorder=True)
        return _png(bitmap)
    finally:
        document.close()


def _opened(source: Source) -> Any:
    import pypdfium2
    from pypdfium2 import PdfiumError

    try:
        return pypdfium2.PdfDocument(source.content())
    except PdfiumError as fault:
        if "password" in str(fault).lower():
            raise ReadError(
                f"{source.name} is a PDF locked with a password. Remove it, and give the file again."
            ) from None
        raise ReadError(f"{source.name} is a PDF that is broken: {fault}.") from None


def _pages(count: int) -> str:
    return f"{count:,} page{'s' * (count != 1)}"


def _attachments(document: Any) -> list[str]:
    """Text of the attached files, each by its own kind; one that cannot be read is named with the reason."""
    return [_attachment(document.get_attachment(index)) for index in range(document.count_attachments())]


def _attached_to(document: Any, page: Any) -> list[str]:
    """Text of the files that a note on a page holds."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    texts = []
    for index in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        try:
            if pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_FILEATTACHMENT:
                held = pdfium.FPDFAnnot_GetFileAttachment(annotation)
                texts += [_attachment(pypdfium2.PdfAttachment(held, document))] if held else []
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return texts


def _attachment(attachment: Any) -> str:
    import pypdfium2

    import readers

    name = "".join(letter if letter.isprintable() else "?" for letter in attachment.get_name())
    try:
        source = Source(name, data=bytes(attachment.get_data()))
        return f"[attachment {name}]\n{readers.read_source(source)}"
    except (ReadError, pypdfium2.PdfiumError) as fault:
        return f"[attachment {name}, not read: {fault}]"


def _form_data(document: Any, source: Source) -> list[str]:
    """Values of a form in XFA, which the viewer of its maker alone draws: the pages ask to wait, or for that viewer."""
    import pypdfium2.raw as pdfium

    if document.get_formtype() != pdfium.FORMTYPE_XFA_FULL:
        return []
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        data = (PdfReader(io.BytesIO(source.content())).xfa or {}).get("datasets", b"")
        leaves = [each for each in ElementTree.fromstring(data).iter() if not len(each) and (each.text or "").strip()]
    except (PyPdfError, ElementTree.ParseError, KeyError) as fault:
        return [f"[a form in XFA, whose values are not read: {fault}. Print it to a PDF]"]
    return [
        "[a form in XFA: its pages are not drawn here; print it to a PDF for its labels]",
        *(f"[field {each.tag.rpartition('}')[2]}] {each.text}" for each in leaves),
    ]


def _is_unmapped(words: str) -> bool:
    """Whether a font names no letters, so that its text is the numbers of its shapes."""
    strange = sum(letter < " " and letter not in "\n\t\r" for letter in words)
    return strange > MAX_STRANGE * len(words)


def _not_mapped(pages: list[int]) -> list[str]:
    if not pages:
        return []
    shown = ", ".join(map(str, pages[:20])) + (f" and {len(pages) - 20:,} more" if len(pages) > 20 else "")
    return [f"[a font does not tell its letters, so the text is wrong: page {shown}; see page_image]"]


def _left_out(document: Any, empty: list[int], count: int) -> list[str]:
    """Lines at the head: pages without text."""
    lines = []
    if empty:
        shown = ", ".join(map(str, empty[:20])) + (f" and {len(empty) - 20:,} more" if len(empty) > 20 else "")
        lines.append(f"[without text, so likely scanned: page {shown}; see page_image]")
    return lines


def _fields(document: Any, page: Any) -> list[str]:
    """`[field name] value` for each form field of a page that has a value."""
    import pypdfium2.raw as pdfium

    form = document.formenv.raw
    found = []
    for index in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        try:
            if pdfium.FPDFAnnot_GetSubtype(annotation) != pdfium.FPDF_ANNOT_WIDGET:
                continue
            name = _wide(pdfium.FPDFAnnot_GetFormFieldName, form, annotation)
            value = _wide(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
            if value:
                found.append(f"[field {name}] {value}")
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return found


def _comments(page: Any) -> list[str]:
    """`[comment] ...` for each note, mark or typed text that lies over a page: no part of its own text."""
    import pypdfium2.raw as pdfium

    others = (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP, pdfium.FPDF_ANNOT_WIDGET)
    found = []
    for index in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        try:
            words = _wide(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents")
            if words.strip() and pdfium.FPDFAnnot_GetSubtype(annotation) not in others:
                found.append(f"[comment] {words.strip()}".replace("\r\n", "\n").replace("\r", "\n"))
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return found


def _wide(function: Any, *arguments: Any) -> str:
    """A text that PDFium writes into a buffer as UTF-16."""
    import pypdfium2.raw as pdfium

    size = function(*arguments, None, 0)
    buffer = (ctypes.c_char * size)()
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\0")


def _png(bitmap: Any) -> bytes:
    """A bitmap of PDFium as a PNG; written here since no imaging library need be loaded for it."""
    colours = {1: 0, 3: 2, 4: 6}[bitmap.n_channels]
    size = bitmap.width * bitmap.n_channels
    pixels = bytes(bitmap.buffer)
    lines = b"".join(b"\0" + pixels[row * bitmap.stride : row * bitmap.stride + size] for row in range(bitmap.height))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", bitmap.width, bitmap.height, 8, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 6)) + chunk(b"IEND", b"")
