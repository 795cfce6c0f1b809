"""PDFs with the fact: plain, encrypted, with a form or attachments, scanned, in columns."""

from __future__ import annotations

import io

from tests.readers.office import word
from tests.readers.planted import CODE, LINES, saved


def pdf(*lines: str, pages: int = 3) -> bytes:
    from reportlab.pdfgen import canvas

    out = io.BytesIO()
    drawn = canvas.Canvas(out)
    for page in range(pages):
        for number, line in enumerate(lines if page == pages - 1 else LINES):
            drawn.drawString(60, 800 - 18 * number, line)
        drawn.showPage()
    drawn.save()
    return out.getvalue()


def encrypted(data: bytes, password: str, algorithm: str) -> bytes:
    from pypdf import PdfReader, PdfWriter

    out = io.BytesIO()
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(password, "owner", algorithm=algorithm)
    writer.write(out)
    return out.getvalue()


def pdf_form() -> bytes:
    from reportlab.pdfgen import canvas

    out = io.BytesIO()
    drawn = canvas.Canvas(out)
    drawn.drawString(60, 780, "Access code for the harbor gate:")
    drawn.acroForm.textfield(name="harbor_gate_code", x=60, y=740, width=200, height=20, value=CODE)
    drawn.showPage()
    drawn.save()
    return out.getvalue()


def pdf_with_attachments() -> bytes:
    from pypdf import PdfReader, PdfWriter

    out = io.BytesIO()
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(*LINES[:5]))))
    writer.add_attachment("letter.docx", saved(word()))
    writer.add_attachment("notes.7z", b"7z\xbc\xaf\x27\x1c" + bytes(40))
    writer.write(out)
    return out.getvalue()


def scanned_pdf() -> bytes:
    """A page with a rectangle and no text."""
    from reportlab.pdfgen import canvas

    out = io.BytesIO()
    drawn = canvas.Canvas(out)
    drawn.rect(100, 100, 300, 200, fill=1)
    drawn.showPage()
    drawn.save()
    return out.getvalue()


def pdf_of_two_columns() -> bytes:
    from reportlab.pdfgen import canvas

    out = io.BytesIO()
    drawn = canvas.Canvas(out)
    left = [*LINES[:6], "The access code for", f"the harbor gate is {CODE}.", *LINES[6:]]
    for number, line in enumerate(left):
        drawn.drawString(40, 780 - 18 * number, line[:40])
        drawn.drawString(320, 780 - 18 * number, LINES[number % 12][:40])
    drawn.showPage()
    drawn.save()
    return out.getvalue()
