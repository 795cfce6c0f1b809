"""Files of the kinds that people bring, small, each with one planted fact, made by the libraries that write them."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

from tests.readers.office import (
    docx_of_word_for_the_web,
    docx_with_a_comment,
    docx_with_a_deletion,
    docx_with_a_footnote,
    docx_with_a_header,
    docx_with_a_table,
    docx_with_a_workbook,
    locked_xlsx,
    ods,
    odt,
    pptx,
    word,
    xls,
    xlsx,
    xlsx_with_a_comment,
    xlsx_with_a_formula,
    xlsx_with_a_hidden_sheet,
    xlsx_with_a_wrong_dimension,
)
from tests.readers.pdfs import encrypted, pdf, pdf_form, pdf_of_two_columns, pdf_with_attachments, scanned_pdf
from tests.readers.planted import CODE, FACT, LINES, ROWS, TEXT, saved, separated, zipped


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
    "UTF-16 in Cyrillic without a mark": (
        "cyrillic.txt",
        lambda: ("Порт закрыт до утра.\n" * 20 + f"{FACT}\n" + "Порт открыт.\n" * 40).encode("utf-16-le"),
    ),
    "UTF-32 without a mark": ("utf32.txt", lambda: TEXT.encode("utf-32-le")),
    "cp1252 in French": (
        "french.txt",
        lambda: ("Le code est écrit ci-dessous, près de la clé, là où ça a été noté.\n" * 3 + FACT).encode("cp1252"),
    ),
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
    "docx, workbook inside": ("holder.docx", docx_with_a_workbook),
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
    "MP3 without a label": ("raw.mp3", lambda: b"\xff\xfb\x90\x64" + bytes(range(256)), "sound or video"),
    "a pickle": ("model.pkl", lambda: b"\x80\x04\x95\x10" + bytes(range(256)), "a Python pickle: it can run code"),
    "sound": ("talk.mp3", lambda: b"ID3\x04" + bytes(40), "sound or video"),
    "unknown bytes": ("core.bin", lambda: bytes(range(256)) * 4, "unknown kind"),
}
"""Kind -> file name, contents, and words of the reason why it cannot be read."""
