"""Files of the kinds that people bring, small, each with one planted fact, made by the libraries that write them."""

from __future__ import annotations

import base64
import bz2
import datetime
import gzip
import io
import json
import lzma
import re
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

CODE = "K-4711-QX"
FACT = f"The access code for the harbor gate is {CODE}."
LINES = [f"Sentence {number} tells of rivers, ledgers and lamps." for number in range(12)]
TEXT = "\n".join([*LINES[:6], FACT, *LINES[6:]])
ROWS = [["id", "place", "remark"], *([str(n), f"site {n}", line] for n, line in enumerate(LINES)), ["99", "gate", FACT]]


def separated(delimiter: str, rows: list[list[str]] = ROWS) -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


def zipped(files: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def patched(data: bytes, edit: Callable[[str, bytes], bytes]) -> bytes:
    """A zip with each file changed by `edit`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({name: edit(name, archive.read(name)) for name in archive.namelist()})


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


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


def epub() -> bytes:
    from ebooklib import epub as books

    book = books.EpubBook()
    book.set_identifier("harbor")
    book.set_title("Harbor")
    chapters = []
    for number in range(3):
        chapter = books.EpubHtml(title=f"C{number}", file_name=f"c{number}.xhtml")
        chapter.content = "".join(f"<p>{line}</p>" for line in (TEXT.splitlines() if number == 1 else LINES))
        book.add_item(chapter)
        chapters.append(chapter)
    book.toc, book.spine = chapters, chapters
    book.add_item(books.EpubNcx())
    book.add_item(books.EpubNav())
    with tempfile.TemporaryDirectory() as folder:
        books.write_epub(str(Path(folder, "book.epub")), book)
        return Path(folder, "book.epub").read_bytes()


def mail(text: str = FACT, *, charset: str = "utf-8", cte: str = "base64") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@example.org", "bo@example.org", "Grüße vom Hafen"
    message.set_content(f"Grüße,\n\n{text}\n", charset=charset, cte=cte)
    return message


def mail_with_an_attachment() -> bytes:
    message = mail()
    message.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="x.csv")
    return message.as_bytes()


def html_mail() -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "ada@example.org", "gate"
    message.set_content(f"<html><body><p>{FACT}</p></body></html>", subtype="html", cte="quoted-printable")
    return message.as_bytes()


def mailbox() -> bytes:
    mails = [mail(FACT if number == 4 else LINES[number], charset="iso-8859-1", cte="8bit") for number in range(6)]
    return b"".join(b"From p@example.org Mon Jan  1 00:00:00 2025\n" + each.as_bytes() + b"\n" for each in mails)


def mhtml() -> bytes:
    page = EmailMessage()
    page["From"], page["Subject"] = "<Saved by a browser>", "Harbor"
    page["Content-Location"] = "https://example.org/"
    page.set_content("plain")
    page.clear_content()
    page.set_content(f"<html><body><p>{FACT}</p></body></html>", subtype="html", cte="quoted-printable")
    page.add_related(b"GIF89a", "image", "gif", cid="<x>")
    return page.as_bytes()


def srt() -> str:
    cues = [f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n<i>{line}</i>\n" for n, line in enumerate(LINES, 1)]
    return "\n".join([*cues, f"13\n00:01:00,000 --> 00:01:02,000\nThe access code for\nthe harbor gate is {CODE}.\n"])


def rtf() -> str:
    body = "".join(rf"\pard {line}\par " for line in LINES)
    fact = r"\pard The access code f\'6fr the h{\b arb}or gate is K-47\u49 ?1-QX.\par"
    return r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Calibri;}}" + body + fact + "}"


def html() -> str:
    table = (
        "<table><tr><th>gate</th><th>code</th></tr><tr><td>harbor&nbsp;gate</td><td>K-4711<b>-QX</b></td></tr></table>"
    )
    script = f"<script>var hidden = {json.dumps(LINES)};</script>"
    text = "".join(f"<p>{line}</p>" for line in LINES)
    fact = f"<p>The access&nbsp;code for the <b>har</b>bor gate is&#32;<span>K-4711</span>-QX.</p>{table}"
    return f"<!doctype html><html><head><title>Harbor</title>{script}</head><body>{text}{fact}</body></html>"


def notebook() -> str:
    picture = {"output_type": "display_data", "data": {"image/png": base64.b64encode(b"x" * 900).decode()}}
    cells = [
        {"cell_type": "markdown", "source": [LINES[0]]},
        {"cell_type": "code", "source": ["plot()"], "outputs": [picture]},
        {"cell_type": "code", "source": "say()", "outputs": [{"output_type": "stream", "text": [FACT]}]},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def database(*, wal: bool = False) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "notes.db")
        connection = sqlite3.connect(path)
        if wal:
            connection.execute("pragma journal_mode=wal")
        connection.execute("create table notes(id integer primary key, place text, remark text)")
        connection.executemany("insert into notes values(?, ?, ?)", ROWS[1:])
        connection.commit()
        connection.close()
        return path.read_bytes()


def tarred(mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, text in (("logs/a.log", LINES[0]), ("logs/b.log", FACT)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def photo(kind: str = "JPEG") -> bytes:
    """A picture with a camera's date and place."""
    from PIL import Image

    picture = Image.new("RGB", (64, 48))
    exif = picture.getexif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Lumen", "K 47", "2025:03:02 00:00:00"
    exif.get_ifd(0x8769)[0x9003] = "2025:03:01 10:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 36.0), 3: "W", 4: (8.0, 30.0, 0.0)})
    out = io.BytesIO()
    picture.save(out, kind, exif=exif)
    return out.getvalue()


def locked_zip() -> bytes:
    """A zip whose only file has the mark of encryption."""
    data = bytearray(zipped({"notes.txt": FACT}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def ole(stream: str) -> bytes:
    """The beginning of a compound file with one stream's name in its directory."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + f"{stream}\0".encode("utf-16-le") + bytes(448)


READABLE: dict[str, tuple[str, Callable[[], bytes | str]]] = {
    "plain text": ("notes.txt", lambda: TEXT),
    "UTF-8 with a mark": ("bom.txt", lambda: "\ufeff" + TEXT),
    "UTF-16": ("utf16.txt", lambda: ("\ufeff" + TEXT).encode("utf-16-le")),
    "UTF-16, the other order": ("utf16be.txt", lambda: b"\xfe\xff" + TEXT.encode("utf-16-be")),
    "UTF-16 without a mark": ("utf16-bare.txt", lambda: TEXT.encode("utf-16-le")),
    "cp1252": ("latin.txt", lambda: f"Größe, “zitiert”, Überall\n{TEXT}".encode("cp1252")),
    "Shift-JIS": (
        "kana.txt",
        lambda: ("これは港の日誌です。今日は雨が降っています。\n" * 20 + FACT).encode("shift_jis"),
    ),
    "a log with NUL bytes": ("app.log", lambda: TEXT.replace("Sentence 3", "\0\0\0\0").encode()),
    "CSV": ("rows.csv", lambda: separated(",")),
    "CSV with a mark": ("bom.csv", lambda: "\ufeff" + separated(",")),
    "CSV with sep=": ("sep.csv", lambda: "sep=;\n" + separated(";")),
    "CSV with a preamble": ("statement.csv", lambda: "Account statement\nHolder;A. Sample\n\n" + separated(";")),
    "CSV in UTF-16": ("utf16.csv", lambda: ("\ufeff" + separated("\t")).encode("utf-16-le")),
    "CSV in cp1252": ("latin.csv", lambda: ("id;ort;notiz\n1;Zürich;“Süd”\n" + separated(";")).encode("cp1252")),
    "a CSV with a huge cell": ("big.csv", lambda: f'id,body\n1,"{"x " * 100_000}"\n2,{FACT}\n'),
    "rows with bars": ("pipe.txt", lambda: separated("|")),
    "JSON": ("items.json", lambda: json.dumps([{"id": 1, "note": "x"}, {"id": 2, "note": FACT}])),
    "JSON Lines, cut": ("events.jsonl", lambda: json.dumps({"note": FACT}) + '\n{"note": "cut h'),
    "GeoJSON": ("sites.geojson", lambda: json.dumps({"type": "FeatureCollection", "features": [{"note": FACT}]})),
    "a notebook": ("analysis.ipynb", notebook),
    "subtitles": ("talk.srt", srt),
    "web subtitles": ("talk.vtt", lambda: "WEBVTT\n\n00:01.000 --> 00:02.000\n" + FACT + "\n"),
    "RTF": ("memo.rtf", rtf),
    "HTML": ("page.html", html),
    "HTML under the name xls": ("export.xls", lambda: html().replace("<!doctype html>", "")),
    "XML": ("dump.xml", lambda: f"<?xml version='1.0'?><log><page>{LINES[0]}</page><page>{FACT}</page></log>"),
    "a mail in base64": ("mail.eml", mail_with_an_attachment),
    "a mail in HTML": ("html.eml", html_mail),
    "a mailbox": ("inbox.mbox", mailbox),
    "a saved web page": ("page.mhtml", mhtml),
    "xlsx": ("book.xlsx", xlsx),
    "xlsx, wrong dimension": ("dim.xlsx", xlsx_with_a_wrong_dimension),
    "xlsx, formula without a value": ("formula.xlsx", xlsx_with_a_formula),
    "xlsx, comment": ("comment.xlsx", xlsx_with_a_comment),
    "xlsx, hidden sheet": ("hidden.xlsx", xlsx_with_a_hidden_sheet),
    "xls": ("old.xls", xls),
    "ods": ("table.ods", ods),
    "odt": ("letter.odt", odt),
    "docx": ("letter.docx", lambda: saved(word())),
    "docx, table": ("table.docx", docx_with_a_table),
    "docx, header": ("letterhead.docx", docx_with_a_header),
    "docx, comment": ("comment.docx", docx_with_a_comment),
    "docx, footnote": ("footnote.docx", docx_with_a_footnote),
    "docx, deletion": ("deleted.docx", docx_with_a_deletion),
    "docx of Word for the web": ("online.docx", docx_of_word_for_the_web),
    "pptx, grouped shape": ("deck.pptx", pptx),
    "PDF": ("plain.pdf", lambda: pdf(*LINES[:5], FACT)),
    "PDF, AES-256, empty password": ("aes256.pdf", lambda: encrypted(pdf(FACT), "", "AES-256")),
    "PDF, AES-128, empty password": ("aes128.pdf", lambda: encrypted(pdf(FACT), "", "AES-128")),
    "PDF, RC4, empty password": ("rc4.pdf", lambda: encrypted(pdf(FACT), "", "RC4-128")),
    "PDF, form": ("form.pdf", pdf_form),
    "PDF, attachment": ("attached.pdf", pdf_with_attachments),
    "PDF, two columns": ("twocol.pdf", pdf_of_two_columns),
    "EPUB": ("book.epub", epub),
    "SQLite": ("plain.db", database),
    "SQLite in WAL mode": ("app.db", lambda: database(wal=True)),
    "zip": ("notes.zip", lambda: zipped({"a/x.txt": LINES[0], "a/y.txt": FACT})),
    "zip in zip": ("outer.zip", lambda: zipped({"readme.txt": "x", "in.zip": zipped({"y.txt": FACT})})),
    "zip of documents": ("docs.zip", lambda: zipped({"a.pdf": pdf(*LINES), "b.docx": saved(word())})),
    "tar": ("logs.tar", lambda: tarred("w")),
    "tar.gz": ("logs.tar.gz", lambda: tarred("w:gz")),
    "tar.xz": ("logs.tar.xz", lambda: tarred("w:xz")),
    "gz": ("app.log.gz", lambda: gzip.compress(TEXT.encode())),
    "bz2": ("app.log.bz2", lambda: bz2.compress(TEXT.encode())),
    "xz": ("app.log.xz", lambda: lzma.compress(TEXT.encode())),
}
"""Kind -> file name and contents; `read` gives the fact in each."""


def columns(kind: str) -> bytes:
    """The rows as a column file, with numbers, dates, lists and gaps."""
    from arro3.core import Array, DataType, Table
    from arro3.io import write_ipc, write_parquet

    day = [int(row[0]) if row[0] != "3" else None for row in ROWS[1:]]
    table = Table.from_arrays(
        [
            Array([int(row[0]) for row in ROWS[1:]], DataType.int64()),
            Array(day, DataType.int32()).cast(DataType.date32()),
            Array([row[2] for row in ROWS[1:]], DataType.string()),
        ],
        names=["id", "day", "remark"],
    )
    out = io.BytesIO()
    (write_parquet if kind == "parquet" else write_ipc)(table, out)
    return out.getvalue()


WITH_A_PACKAGE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "Parquet": ("rows.parquet", lambda: columns("parquet")),
    "Arrow": ("rows.feather", lambda: columns("arrow")),
}
"""Kind -> file name and contents; `read` gives the fact in each where a run has the package arro3-io."""

REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "PDF with a password": ("locked.pdf", lambda: encrypted(pdf(FACT), "secret", "RC4-128"), "locked with a password"),
    "PDF without text": ("scan.pdf", scanned_pdf, "likely a scan"),
    "broken PDF": ("broken.pdf", lambda: b"%PDF-1.7 and then nothing", "broken"),
    "locked workbook": ("locked.xlsx", locked_xlsx, "locked with a password"),
    "broken archive": ("broken.docx", lambda: b"PK\x03\x04 cut", "broken"),
    "PNG": ("photo.png", lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\3\x20\0\0\1\x2c", "800 x 300 pixels"),
    "JPEG": ("photo.jpg", photo, "64 x 48 pixels, taken 2025-03-01 10:30:00, at 47.37667, -8.50000 (degrees)"),
    "WebP": ("photo.webp", lambda: photo("WEBP"), "camera Lumen K 47"),
    "locked archive": ("locked.zip", locked_zip, "locked with a password"),
    "Parquet": ("data.parquet", lambda: b"PAR1" + bytes(40), "Parquet"),
    "Arrow": ("data.feather", lambda: b"ARROW1\0\0" + bytes(40), "Arrow"),
    "7z": ("notes.7z", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(40), "7-Zip"),
    "RAR": ("notes.rar", lambda: b"Rar!\x1a\x07\x00" + bytes(40), "RAR"),
    "Word 97": ("old.doc", lambda: ole("WordDocument"), "Word 97"),
    "Outlook": ("mail.msg", lambda: ole("__properties_version1.0"), "Outlook"),
    "sound": ("talk.mp3", lambda: b"ID3\x04" + bytes(40), "sound or video"),
    "unknown bytes": ("core.bin", lambda: bytes(range(256)) * 4, "unknown kind"),
}
"""Kind -> file name, contents, and words of the reason why it cannot be read."""


def bytes_of(made: bytes | str) -> bytes:
    return made.encode() if isinstance(made, str) else made
