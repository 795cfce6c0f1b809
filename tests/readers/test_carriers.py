"""Mails, archives, e-books and databases as the programs in use write them, whole, cut or odd."""

from __future__ import annotations

import base64
import gzip
import io
import sqlite3
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from readers import ReadError, read, tables
from readers.kinds import kind_of
from readers.source import Source

from tests.readers import files, planted

CODE = planted.CODE
HEAD = "From: J\u00fcrgen <a@b.c>\nSubject: Gr\u00fc\u00dfe\nMIME-Version: 1.0\nContent-Type: {}\n\n{}\n"


def mail(type_: str, body: str, coding: str = "utf-8") -> bytes:
    return HEAD.format(type_, body).encode(coding)


def parts(*inner: MIMEBase, subtype: str = "mixed") -> MIMEMultipart:
    whole = MIMEMultipart(subtype)
    for each in inner:
        whole.attach(each)
    return whole


def attached(data: bytes, name: str) -> MIMEApplication:
    part = MIMEApplication(data)
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


REPORT = f"""--B
Content-Type: text/plain

failed
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx

Diagnostic-Code: smtp; {CODE}
--B--"""
CALENDAR = MIMEText(f"BEGIN:VCALENDAR\nSUMMARY:{CODE}\nEND:VCALENDAR", "calendar")
PAGE = parts(MIMEText("plain"), MIMEText("<p>plain</p>", "html"), CALENDAR, subtype="alternative")
LIST = parts(parts(MIMEText("body"), attached(f"a,b\n1,{CODE}\n".encode(), "x.csv")), MIMEText("of the list"))
B64 = (
    "From: a@b.c\nTo: bo@b.c\nSubject: gate\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n"
    f"{base64.b64encode(CODE.encode()).decode()}\n\n"
)
SEPARATOR = "From a@b.c Mon Jan  1 00:00:00 2025\n"
EMLX = mail("text/plain", "short")
MAILS: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "a mail of a list": ("a.eml", LIST.as_bytes(), ("body", f"[attachment x.csv]\na,b\n1,{CODE}", "of the list")),
    "an invitation": ("a.eml", PAGE.as_bytes(), ("plain", CODE)),
    "a bounce": ("a.eml", mail("multipart/report; boundary=B", REPORT), ("failed", CODE)),
    "a mail that is one PDF": (
        "a.eml",
        mail("application/pdf", "the %PDF-1.4 of it"),
        ("[attachment application/pdf",),
    ),
    "a wrong boundary": ("a.eml", mail("multipart/mixed; boundary=B", f"--C\n\n{CODE}\n--C--"), (CODE,)),
    "headers in Latin-1": (
        "a.eml",
        mail("text/plain; charset=iso-8859-1", "K\u00f6ln", "latin-1"),
        ("J\u00fcrgen", "Gr\u00fc\u00dfe", "K\u00f6ln"),
    ),
    "cp1252 that is named Latin-1": (
        "a.eml",
        mail("text/plain; charset=iso-8859-1", "\u201ca\u201d 5 \u20ac", "cp1252"),
        ("\u201ca\u201d 5 \u20ac",),
    ),
    "UTF-8 that is named ASCII": ("a.eml", mail("text/plain; charset=us-ascii", "K\u00f6ln"), ("K\u00f6ln",)),
    "hidden recipients": (
        "a.eml",
        mail("text/plain", "x").replace(b"Subject", b"Bcc: bo@b.c\nSubject"),
        ("Bcc: bo@b.c",),
    ),
    "Apple Mail": ("1.emlx", b"%d   \n%s<?xml?><plist/>" % (len(EMLX), EMLX), ("Gr\u00fc\u00dfe\n\nshort",)),
    "one mail as a mailbox": ("a.mbox", mail("text/plain", CODE), (CODE,)),
    "a mailbox with long headers": (
        "takeout",
        b"From 1@x Mon Jan 01 00:00:00 +0000 2024\nX-A: " + b"y" * 9_000 + b"\n" + EMLX,
        ("[mail 1]", "short"),
    ),
    "a text in the form of a mail": (
        "memo.txt",
        b"From: a\nCase: K-99\nTo: b\nSubject: gate\n\nbody\n",
        ("Case: K-99", "body"),
    ),
    "a text with a subject": (
        "memo.txt",
        b"Title: a\nCase: K-99\nSubject: gate\n\nbody\n",
        ("Case: K-99\nSubject: gate\n\nbody",),
    ),
    "flowing lines": (
        "a.eml",
        mail("text/plain; format=flowed", "It goes \non and \non.\nNew\n> said \n> then\n-- \nAda"),
        ("It goes on and on.\nNew\n> said then\n-- \nAda",),
    ),
    "flowing lines in pieces of words": (
        "a.eml",
        mail("text/plain; format=flowed; delsp=yes", "foo \nbar"),
        ("foobar",),
    ),
    "a mark before the headers": ("a.eml", b"\xef\xbb\xbf" + B64.encode(), (f"Subject: gate\n\n{CODE}",)),
    "lines before the headers": ("a.eml", b"\n\r\n" + B64.encode(), (f"Subject: gate\n\n{CODE}",)),
    "a mark before a mailbox": ("a.mbox", b"\xef\xbb\xbf" + (SEPARATOR + B64).encode() * 2, ("[mail 1]", "[mail 2]")),
    "a recipient in each line": (
        "a.eml",
        B64.replace("To: bo@b.c", "To: bo@b.c\nTo: cy@b.c\nCc: d@b.c\nCc: e@b.c").encode(),
        ("bo@b.c", "cy@b.c", "d@b.c", "e@b.c"),
    ),
    "encoded words": (
        "a.eml",
        B64.replace("gate", "=?gb2312?B?1uzpRrv5?=\n =?utf-8?q?=C3=B6?= =?latin1?Q?=93a=94_=80?=").encode(),
        ("Subject: 朱镕基ö“a” €\n",),
    ),
    "an attachment in a coding of its own": (
        "a.eml",
        mail(
            "multipart/mixed; boundary=B",
            "--B\n\nbody\n--B\nContent-Type: text/csv; charset=koi8-r; name=x.csv\n"
            "Content-Transfer-Encoding: quoted-printable\n\nid,n\n1,=F0=CF=D2=D4\n--B--",
        ),
        ("[attachment x.csv]\nid,n\n1,Порт",),
    ),
    "a mail in base64 inside": (
        "a.eml",
        mail(
            "multipart/mixed; boundary=B",
            "--B\n\nbody\n--B\nContent-Type: message/rfc822\n"
            f"Content-Transfer-Encoding: base64\n\n{base64.b64encode(B64.encode()).decode()}\n--B--",
        ),
        (f"Subject: gate\n\n{CODE}",),
    ),
    "a saved page under the name html": ("a.html", files.mhtml(), (CODE,)),
}


@pytest.mark.parametrize("kind", MAILS)
def test_a_mail_is_read_with_all_of_its_parts(kind: str) -> None:
    name, data, words = MAILS[kind]
    text = read(Source(name, data=data))  # type: ignore[arg-type]
    assert [each for each in words if each not in text] == []
    assert "[attachment multipart" not in text


ODD_HEADERS = (
    'From: "',
    "From: a@[",
    f"From: {'(' * 900}",
    "Message-ID: <",
    "Date: never",
    "To: undisclosed:;",
    "From: =?u?q?",
)


@pytest.mark.parametrize("header", ODD_HEADERS, ids=lambda header: header[:16])
def test_a_header_that_is_no_header_costs_no_mail(header: str) -> None:
    odd = f"{header}\nSubject: gate\nX-A: 1\nMessage-ID: <2@x>\nTo: z@y\n\nthe body\n\n"
    assert "the body" in read(Source("a.eml", data=odd.encode()))  # type: ignore[arg-type]
    box = "".join(SEPARATOR + each for each in (B64, odd, B64))
    assert read(Source("a.mbox", data=box.encode())).count(CODE) == 2  # type: ignore[arg-type]


def test_styles_of_a_saved_page_are_no_attachments_and_its_frames_are() -> None:
    style, frame = MIMEText("p { color: red }", "css"), MIMEText("<p>in a frame</p>", "html")
    page = parts(MIMEText("<html><p>page</p></html>", "html"), style, frame, subtype="related")
    text = read(Source("a.mhtml", data=page.as_bytes()))  # type: ignore[arg-type]
    assert text.endswith("page\n[attachment text/html]\nin a frame")


def tarred(mode: str = "w", **files_: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.USTAR_FORMAT) as archive:  # type: ignore[call-overload]
        for name, data in files_.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def old_tar() -> bytes:
    """A tar of before 1988: without a sign, with a checksum."""
    data = bytearray(tarred(a=b"old words"))
    data[257:265] = bytes(8)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


def linked_tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("a")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"words"))
        for kind in (tarfile.LNKTYPE, tarfile.SYMTYPE):
            link = tarfile.TarInfo("b")
            link.type, link.linkname = kind, "a"
            archive.addfile(link)
    return out.getvalue()


def linked_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "../../etc/passwd")
        archive.writestr("b", "words")
    return out.getvalue()


def of_macos() -> bytes:
    """Names in UTF-8 without the flag that says so, and the entries of attributes."""
    made = planted.zipped(
        {"NNber.txt": "K\u00f6ln", "__MACOSX/._NNber.txt": b"\0\5\x16\7", ".DS_Store": b"\0\0\0\1Bud1"}
    )
    return made.replace(b"NNber", "\u00dcber".encode())


def cut_tar() -> bytes:
    return tarred(a=b"first " * 9, b=b"x" * 3_000)[:2_300]


BROKEN = "[file ...] [not read: the rest, since the data is broken ("
ARCHIVES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a zip made to be split": (
        "a.zip",
        lambda: b"PK\x07\x08" + planted.zipped({"a": "one word"}),
        "[file a]\none word",
    ),
    "links in a tar": ("a.tar", linked_tar, "[file a]\nwords\n\n[file b] [not read: it is a link to a]"),
    "a link in a zip": ("a.zip", linked_zip, "[file link] [not read: it is a link]\n\n[file b]\nwords"),
    "an archive behind a program": (
        "a.exe",
        lambda: b"MZ\x90\0" + bytes(range(256)) * 4 + planted.zipped({"a": "words"}),
        "[file a]\nwords",
    ),
    "a tar.gz of one file": ("a.tgz", lambda: gzip.compress(tarred(a=b"words")), "[file a]\nwords"),
    "an old tar": ("a.tar", old_tar, "[file a]\nold words"),
    "a zip of macOS": ("a.zip", of_macos, "[file \u00dcber.txt]\nK\u00f6ln"),
    "a tar that was cut": ("a.tar", cut_tar, f"[file a]\n{'first ' * 9}\n\n[file b] [not read"),
    "gzip that was cut": ("a.log.gz", lambda: gzip.compress(b"line one\n" * 999)[:-9], BROKEN),
    "gzip with junk behind it": (
        "a.log.gz",
        lambda: gzip.compress(b"line one\n") + b"junk",
        f"[file a.log]\nline one\n\n\n{BROKEN}",
    ),
    "gzip in members": ("a.log.gz", lambda: gzip.compress(b"one\n") + gzip.compress(b"two\n") + bytes(9), "one\ntwo\n"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_what_is_whole_of_an_archive_is_read_and_the_rest_is_named(kind: str) -> None:
    name, make, words = ARCHIVES[kind]
    text = read(Source(name, data=make()))  # type: ignore[arg-type]
    assert words in text
    assert not {"__MACOSX", "DS_Store"} & set(text.split("/"))


def test_tables_of_two_files_of_one_name_are_both_there() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", "id,name\n1,x\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.csv", "id,name\n1,y\n")
    found = tables(out.getvalue())
    assert found == {"a.csv": [["id", "name"], ["1", "x"]], "a.csv (2)": [["id", "name"], ["1", "y"]]}


def test_tables_of_data_that_was_cut_say_so() -> None:
    found = tables(Source("a.csv.gz", data=gzip.compress(b"id,name\n" + b"1,x\n" * 999)[:-9]))
    assert found["a.csv"][1] == ["1", "x"]
    assert "the rest, since the data is broken" in found["..."][0][0]


REFUSED: dict[str, tuple[bytes, str]] = {
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(50), "is a HEIC or AVIF picture"),
    "WebM": (b"\x1a\x45\xdf\xa3" + bytes(50), "is sound or video"),
    "BMP": (b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + bytes(86), "is a BMP picture"),
    "winmail.dat": (b"\x78\x9f\x3e\x22" + bytes(50), "is a mail packed by Outlook"),
    "Avro": (b"Obj\x01" + bytes(50), "is an Avro file"),
    "ORC": (b"ORC" + bytes(50), "is an ORC file"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "is an HDF5 file"),
    "Access": (b"\0\1\0\0Standard ACE DB\0" + bytes(50), "is an Access database"),
    "lz4": (b"\x04\x22\x4d\x18" + bytes(50), "is lz4 data"),
    "MP3 without a label": (b"\xff\xfb\x90\x64" + bytes(range(256)), "is sound or video"),
    "MP4": (b"\0\0\0\x20ftypisom" + bytes(50), "is sound or video"),
    "QuickTime": (b"\0\0\x10\0moov\0\0\0\x6cmvhd" + bytes(50), "is sound or video"),
    "AIFF": (b"FORM\0\0\1\0AIFF" + bytes(range(256)), "is sound or video"),
    "a transport stream": ((b"\x47\x40\0\x10" + bytes(184)) * 4, "is sound or video"),
    "Windows Media": (bytes.fromhex("3026b2758e66cf11") + bytes(range(256)), "is sound or video"),
    "Photoshop": (b"8BPS\0\1" + bytes(50), "is a picture in layers"),
    "an icon": (b"\0\0\1\0\1\0\x10\x10" + bytes(50), "is a picture of a format that is not read"),
    "compress": (b"\x1f\x9d\x90" + bytes(range(256)), "is an archive of a kind that is not opened"),
    "a package of Debian": (
        b"!<arch>\ndebian-binary" + bytes(range(256)),
        "is an archive of a kind that is not opened",
    ),
    "a pickle": (b"\x80\x04\x95\x10" + bytes(range(256)), "is a Python pickle: it can run code"),
    "NumPy": (b"\x93NUMPY\1\0" + bytes(range(256)), "is a file of NumPy"),
    "SPSS": (b"$FL2@(#) SPSS" + bytes(range(256)), "is a file of SPSS"),
    "a property list": (b"bplist00\xd1\1\2" + bytes(range(256)), "is a binary property list"),
    "a font": (b"wOF2\0\1\0\0" + bytes(range(256)), "is a font"),
    "MOBI": (b"A book".ljust(60, b"\0") + b"BOOKMOBI" + bytes(range(256)), "is a Kindle or MOBI e-book"),
    "DjVu": (b"AT&TFORM\0\0\1\0DJVM" + bytes(range(256)), "is a DjVu document"),
    "a capture": (b"\xd4\xc3\xb2\xa1\2\0\4\0" + bytes(range(256)), "is a capture of network traffic"),
    "WebAssembly": (b"\0asm\1\0\0\0" + bytes(range(256)), "is a program"),
    "a program": (b"MZ\x90\0" + bytes(range(256)), "is a program"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_kind_without_a_reader_is_named_with_the_remedy(kind: str) -> None:
    data, reason = REFUSED[kind]
    with pytest.raises(ReadError, match=reason):
        read(data)


@pytest.mark.parametrize(
    "text", ["BM is a firm.\n", "MZ and others\n", "ORC: a tale\n", "Obj 1\n", "[1] ftyp\n", "a %PDF- b\n"]
)
def test_a_text_that_begins_like_another_kind_is_one(text: str) -> None:
    assert read(text.encode()) == text


WORD_ROOT = bytes.fromhex("0609020000000000c000000000000046")


@pytest.mark.parametrize(("name", "root"), [("a.doc", bytes(16)), ("a", WORD_ROOT)])
def test_a_compound_file_is_of_the_kind_of_its_root(name: str, root: bytes) -> None:
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    header[30:32] = (9).to_bytes(2, "little")
    streams = b"".join(f"{stream}\0".encode("utf-16-le") for stream in ("Workbook", "WordDocument"))
    assert kind_of(Source(name, data=bytes(header) + bytes(80) + root + streams)) == "doc"


def test_an_arrow_stream_is_read() -> None:
    from arro3.core import Array, DataType, Table
    from arro3.io import write_ipc_stream

    out = io.BytesIO()
    write_ipc_stream(Table.from_arrays([Array([1, 2], DataType.int64())], names=["id"]), out)
    assert tables(out.getvalue()) == {"the data": [["id"], [1], [2]]}


def test_text_of_a_database_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute("create table t(a text)")
    connection.execute("insert into t values(cast(x'4df86c6c6572204bf66c6e' as text)), ('K\u00f6ln')")
    connection.commit()
    connection.close()
    assert tables(path) == {"t": [["a"], ["M\u00f8ller K\u00f6ln"], ["K\u00f6ln"]]}
    assert "M\u00f8ller" in read(path)


def test_names_of_a_tar_in_another_coding_are_text() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        entry = tarfile.TarInfo("Gr\u00f6\u00dfe.csv")
        entry.size = 9
        archive.addfile(entry, io.BytesIO(b"a,b\n1,22\n"))
    assert tables(out.getvalue()) == {"Gr\u00f6\u00dfe.csv": [["a", "b"], ["1", "22"]]}


def test_a_table_whose_name_begins_with_sqlite_and_those_beside_a_broken_one_are_read() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table sqlitenotes(a)")
    connection.execute("insert into sqlitenotes values('first')")
    connection.execute("create table b(x)")
    connection.executemany("insert into b values(?)", [("y" * 900,)] * 40)
    connection.commit()
    whole = connection.serialize()
    connection.close()
    assert tables(whole)["sqlitenotes"] == [["a"], ["first"]]
    broken = whole[:8_192] + b"\xff" * 200 + whole[8_392:]
    assert tables(broken)["sqlitenotes"] == [["a"], ["first"]]
    assert 'not read: the table "b": database disk image is malformed' in str(tables(broken)["b"])
    assert "first" in read(broken)


def book(edit: Callable[[str, bytes], bytes], more: dict[str, bytes | str] | None = None) -> bytes:
    with zipfile.ZipFile(io.BytesIO(files.epub())) as archive:
        made: dict[str, bytes | str] = {name: edit(name, archive.read(name)) for name in archive.namelist()}
    return planted.zipped(made | (more or {}))


def test_a_book_tells_its_title_and_the_chapters_that_are_missing() -> None:
    text = read(book(lambda name, data: data.replace(b"c2.xhtml", b"c9.xhtml") if name.endswith(".opf") else data))
    assert text.startswith("[book] Harbor\n\n[chapter 1, file EPUB/c0.xhtml]")
    assert text.endswith("[chapter 3, file EPUB/c9.xhtml]\n[not read: it is missing in the archive]")


def test_a_locked_book_says_so() -> None:
    lock = (
        '<encryption xmlns="a"><CipherReference URI="EPUB/c1.xhtml"/><CipherReference URI="EPUB/f.ttf"/></encryption>'
    )
    with pytest.raises(ReadError, match="locked by DRM: 1 of 3 chapters are encrypted"):
        read(book(lambda name, data: data, {"META-INF/encryption.xml": lock}))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.epub", files.epub(), "has 3 chapters, counted from 1; there is no chapter 9"),
        ("a.mbox", files.mailbox(), "has 6 mails, counted from 1; there is no mail 9"),
    ],
)
def test_a_chapter_or_a_mail_that_is_not_there_is_refused(name: str, data: Any, words: str) -> None:
    with pytest.raises(ReadError, match=words):
        read(Source(name, data=data), pages=9)  # type: ignore[arg-type]
