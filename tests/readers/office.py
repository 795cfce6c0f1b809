"""Office files: workbooks, letters and slides with the fact, made by the libraries that write them."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from typing import Any

from tests.readers.planted import CODE, FACT, LINES, ROWS, TEXT, bytes_of, patched, saved, zipped


def workbook(*, with_fact: bool = True) -> Any:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Data"
    for row in ROWS if with_fact else ROWS[:-1]:
        book.active.append(row)
    return book


def xlsx() -> bytes:
    return saved(workbook())


def xlsx_with_a_wrong_dimension() -> bytes:
    edit = re.compile(rb'<dimension ref="[^"]*"')
    return patched(xlsx(), lambda name, data: edit.sub(b'<dimension ref="A1"', data))


def xlsx_with_a_formula() -> bytes:
    book = workbook(with_fact=False)
    book.active["B20"] = 19
    book.active["C20"] = f'="{FACT[:-10]}"&"{CODE}."'
    return saved(book)


def xlsx_with_a_comment() -> bytes:
    from openpyxl.comments import Comment

    book = workbook(with_fact=False)
    book.active["C4"].comment = Comment(FACT, "Ada")
    return saved(book)


def xlsx_with_a_hidden_sheet() -> bytes:
    book = workbook(with_fact=False)
    sheet = book.create_sheet("Codes & keys")
    sheet.append(["gate", "code", "since"])
    sheet.append(["harbor gate", CODE, datetime.datetime(2025, 3, 1)])
    sheet.sheet_state = "veryHidden"
    return saved(book)


def locked_xlsx() -> bytes:
    from msoffcrypto.format.ooxml import OOXMLFile

    out = io.BytesIO()
    OOXMLFile(io.BytesIO(xlsx())).encrypt("secret", out)
    return out.getvalue()


def xls() -> bytes:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Data")
    for row, cells in enumerate(ROWS):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell)
    return saved(book)


def ods() -> bytes:
    from odf.opendocument import OpenDocumentSpreadsheet
    from odf.table import Table, TableCell, TableRow
    from odf.text import P

    document = OpenDocumentSpreadsheet()
    table = Table(name="Data")
    for row in ROWS:
        line = TableRow()
        for text in row:
            cell = TableCell(valuetype="string")
            cell.addElement(P(text=text))
            line.addElement(cell)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    return saved(document)


def odt() -> bytes:
    from odf.opendocument import OpenDocumentText
    from odf.text import P

    document = OpenDocumentText()
    for line in TEXT.splitlines():
        document.text.addElement(P(text=line))
    return saved(document)


def word(*lines: str) -> Any:
    import docx

    document = docx.Document()
    styles = document.styles.element
    for style in [each for each in styles if each.get(f"{{{WORD}}}styleId") not in STYLES]:
        styles.remove(style)  # some hundred of the library's own, whose parsing is the larger part of each test
    for line in lines or TEXT.splitlines():
        document.add_paragraph(line)
    return document


STYLES = ("Normal", "DefaultParagraphFont", "TableNormal", "Header", "Heading1")


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx_with_a_table() -> bytes:
    document = word(*LINES)
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["gate", "access code", "harbor gate", CODE], strict=True):
        cell.text = text
    return saved(document)


def docx_with_a_header() -> bytes:
    document = word(*LINES)
    document.sections[0].header.paragraphs[0].text = FACT
    return saved(document)


def docx_with_a_comment() -> bytes:
    document = word(*LINES)
    document.add_comment(document.paragraphs[3].runs, text=FACT, author="Ada", initials="A")
    return saved(document)


RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def docx_with_a_footnote() -> bytes:
    note = f'<w:footnote w:id="2"><w:p><w:r><w:t>{FACT}</w:t></w:r></w:p></w:footnote>'
    mark = b'<w:p><w:r><w:footnoteReference w:id="2"/></w:r></w:p><w:sectPr'
    part = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"

    def edit(name: str, data: bytes) -> bytes:
        if name == "word/document.xml":
            return data.replace(b"<w:sectPr", mark, 1)
        if name == "[Content_Types].xml":
            extra = f'<Override PartName="/word/footnotes.xml" ContentType="{part}"/></Types>'
            return data.replace(b"</Types>", extra.encode())
        if name == "word/_rels/document.xml.rels":
            extra = f'<Relationship Id="rN" Type="{RELATION}/footnotes" Target="footnotes.xml"/></Relationships>'
            return data.replace(b"</Relationships>", extra.encode())
        return data

    out = io.BytesIO(patched(saved(word(*LINES)), edit))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("word/footnotes.xml", f'<w:footnotes xmlns:w="{WORD}">{note}</w:footnotes>')
    return out.getvalue()


def docx_with_a_deletion() -> bytes:
    gone = f'<w:p><w:del w:id="7"><w:r><w:delText>{FACT}</w:delText></w:r></w:del></w:p><w:sectPr'.encode()
    return patched(
        saved(word(*LINES)),
        lambda name, data: data.replace(b"<w:sectPr", gone, 1) if name == "word/document.xml" else data,
    )


def docx_of_word_for_the_web() -> bytes:
    """Its main part is `word/document2.xml`."""
    with zipfile.ZipFile(io.BytesIO(saved(word()))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for name in ("_rels/.rels", "[Content_Types].xml"):
        files[name] = files[name].replace(b"word/document.xml", b"word/document2.xml")
    return zipped({name.replace("document.xml", "document2.xml"): data for name, data in files.items()})


def pptx() -> bytes:
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    for number, line in enumerate(LINES):
        slide = deck.slides.add_slide(deck.slide_layouts[6])
        slide.shapes.add_textbox(Inches(1), Inches(1), Inches(6), Inches(1)).text_frame.text = line
        if number == 7:
            box = slide.shapes.add_textbox(Inches(1), Inches(3), Inches(6), Inches(1))
            box.text_frame.text = FACT
            slide.shapes.add_group_shape([box])
        if number == 9:
            slide.notes_slide.notes_text_frame.text = "Speak slowly here."
    return saved(deck)


def with_part(made: bytes, rels: str, kind: str, target: str, path: str, data: bytes | str) -> bytes:
    """An Office file with one more part, which the part of `rels` names."""
    office_kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    named = f'<Relationship Id="{target}" Type="{office_kinds}/{kind}" Target="{target}"/></Relationships>'
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        files: dict[str, bytes | str] = {name: archive.read(name) for name in archive.namelist()}
    empty = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"></Relationships>'
    before = bytes_of(files.get(rels, empty))
    return zipped({**files, rels: before.replace(b"</Relationships>", named.encode()), path: data})


def docx_with_a_workbook() -> bytes:
    letter, rels = saved(word()), "word/_rels/document.xml.rels"
    return with_part(letter, rels, "package", "embeddings/a.xlsx", "word/embeddings/a.xlsx", xlsx())
