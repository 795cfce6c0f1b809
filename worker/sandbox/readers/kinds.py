"""Kinds: a file's kind, by its first bytes, its directory where it is an archive, and only then by its name.

In: a source. Out: a short name such as "pdf" or "xlsx", or one of `NO_READER`, which says why and what to do instead.
"""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from bisect import bisect
from collections import Counter
from uuid import UUID

from readers.source import HEAD_BYTES, ReadError, Source

NO_READER = {
    "doc": "is a Word 97 document (doc): no reader here takes it. Save it as docx or PDF.",
    "ppt": "is a PowerPoint 97 presentation (ppt): no reader here takes it. Save it as pptx or PDF.",
    "msg": "is an Outlook message (msg): no reader here takes it. Save it as eml.",
    "ole": "is an OLE compound file of an unknown program: no reader here takes it. Save it in a newer format.",
    "locked": "is an Office file locked with a password. Remove the password, and give it again.",
    "7z": "is a 7-Zip archive (7z): no reader here takes it. Unpack it, or make a zip of it.",
    "rar": "is a RAR archive: no reader here takes it. Unpack it, or make a zip of it.",
    "audio": "is sound or video: no reader here takes it. Give its transcript.",
    "iwork": "is an Apple iWork document: no reader here takes it. Export it as PDF, docx or xlsx.",
    "tiff": "is a TIFF picture: no reader here takes it. Save it as PNG or JPEG.",
    "heif": "is a HEIC or AVIF picture: no reader here takes it. Save it as PNG or JPEG.",
    "bmp": "is a BMP picture: no reader here takes it. Save it as PNG or JPEG.",
    "tnef": "is a mail packed by Outlook (winmail.dat): no reader here takes it. Have it sent as HTML or plain text.",
    "avro": "is an Avro file: no reader here takes it. Save it as CSV, JSON Lines or Parquet.",
    "orc": "is an ORC file: no reader here takes it. Save it as CSV or Parquet.",
    "hdf5": "is an HDF5 file: no reader here takes it. Save its tables as CSV.",
    "access": "is an Access database: no reader here takes it. Save its tables as CSV or xlsx.",
    "lz4": "is lz4 data: no reader here takes it. Unpack it, or pack it as gz or zst.",
    "picture": "is a picture of a format that is not read here. Save it as PNG or JPEG.",
    "design": "is a picture in layers (psd, xcf): no reader here takes it. Save it as PNG or PDF.",
    "packed": "is an archive of a kind that is not opened here (Z, lz, cab, deb, rpm). Unpack it, or make a zip.",
    "pickle": "is a Python pickle: it can run code, and is not opened here. Save its data as JSON, CSV or Parquet.",
    "numbers": "is a file of NumPy or MATLAB: no reader here takes it. Save its arrays as CSV.",
    "statistics": "is a file of SPSS, Stata or R: no reader here takes it. Save its data as CSV or Parquet.",
    "plist": "is a binary property list of Apple: no reader here takes it. Convert it to XML or JSON.",
    "font": "is a font, and no document.",
    "djvu": "is a DjVu document: no reader here takes it. Save it as PDF.",
    "mobi": "is a Kindle or MOBI e-book: no reader here takes it. Convert it to EPUB.",
    "help": "is compiled HTML help (chm): no reader here takes it. Unpack its pages.",
    "events": "is a Windows event log (evtx): no reader here takes it. Save it as XML, CSV or text.",
    "capture": "is a capture of network traffic: no reader here takes it. Export it as text or JSON.",
    "program": "is a program, and no document.",
    "unknown": "is of an unknown kind: its bytes are no text, and begin like no format known here.",
}
"""Kind -> the reason and the remedy, to follow the file's name."""

ARCHIVES = ("bz2", "gz", "tar", "xz", "zip", "zst")
"""Kinds that hold other files."""
PART_BYTES = 1 << 20
"""Bytes of a zip's part that are read to tell the kind of the whole."""
LEAST_GUESSED = 8
"""Bytes below which data that is no UTF-8 is not taken for text of another coding."""
_MAGIC = (
    (b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zst"),
    (b"SQLite format 3\x00", "sqlite"), (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "rar"), (b"PAR1", "parquet"), (b"ARROW1", "arrow"),
    (b"FEA1", "arrow"), (b"{\\rtf", "rtf"), (b"ID3", "audio"), (b"OggS", "audio"), (b"fLaC", "audio"),
    (b"II*\x00", "tiff"), (b"MM\x00*", "tiff"), (b"\x1a\x45\xdf\xa3", "audio"), (b"\x78\x9f\x3e\x22", "tnef"),
    (b"Obj\x01", "avro"), (b"\x89HDF\r\n", "hdf5"), (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x00\x01\x00\x00Standard ", "access"), (b"\xff\xff\xff\xff", "arrow"), (b"\x5d\x00\x00", "xz"),
    (b"\x7fELF", "program"), (b"\0asm", "program"), (b"\xca\xfe\xba\xbe", "program"), (b"MThd\0", "audio"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "audio"), (b"FLV\x01", "audio"), (b"\0\0\x01\xba", "audio"),
    (b"\0\0\x01\xb3", "audio"), (b".snd\0", "audio"), (b"caff\0", "audio"), (b"#!AMR\n", "audio"),
    (b"8BPS\0", "design"), (b"\0\0\x01\0", "picture"), (b"\0\0\0\x0cJXL ", "picture"), (b"\0\0\0\x0cjP  ", "picture"),
    (b"\xd7\xcd\xc6\x9a", "picture"), (b"gimp xcf ", "design"), (b"\x1f\x9d", "packed"), (b"LZIP\x01", "packed"),
    (b"MSCF\0", "packed"), (b"!<arch>\n", "packed"), (b"\xed\xab\xee\xdb", "packed"),
    (b"\x80\x02", "pickle"), (b"\x80\x03", "pickle"), (b"\x80\x04\x95", "pickle"), (b"\x80\x05\x95", "pickle"),
    (b"\x93NUMPY", "numbers"), (b"bplist00", "plist"), (b"$FL2", "statistics"), (b"$FL3", "statistics"),
    (b"<stata_dta>", "statistics"), (b"RDX2\n", "statistics"), (b"RDX3\n", "statistics"),
    (b"MATLAB 5.0 MAT", "numbers"),
    (b"wOF2", "font"), (b"wOFF", "font"), (b"OTTO\0", "font"), (b"\0\x01\0\0\0", "font"), (b"!BDN", "msg"),
    (b"AT&TFORM", "djvu"), (b"ITSF\x03", "help"), (b"ElfFile\0", "events"), (b"\xd4\xc3\xb2\xa1", "capture"),
    (b"\x0a\x0d\x0d\x0a", "capture"),
)  # fmt: skip
_PDF = re.compile(rb"(?:\A|[\r\n\0\x80-\xff])%PDF-\d")
_OBJECT = re.compile(rb"\d[ \t\r\n]+obj\b")
"""The beginning of an object of a PDF, by which one behind other bytes is told from words on the format."""
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK\x03\x04", b"PK00PK\x03\x04")
"""Beginnings of a zip; the last two are those of one that was made to be split, and fits in one part."""
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""First boxes of films."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STREAMS = {
    "EncryptedPackage": "locked", "Workbook": "xls", "Book": "xls", "WordDocument": "doc",
    "PowerPoint Document": "ppt", "__properties_version1.0": "msg",
}  # fmt: skip
"""Stream of a compound file -> its kind; a document that is embedded in another has its streams there too."""
_ROOTS = {
    UUID(root).bytes_le: kind
    for root, kind in (
        ("00020906-0000-0000-c000-000000000046", "doc"),
        ("00020810-0000-0000-c000-000000000046", "xls"),
        ("00020820-0000-0000-c000-000000000046", "xls"),
        ("64818d10-4f9b-11cf-86ea-00aa00b929e8", "ppt"),
        ("00020d0b-0000-0000-c000-000000000046", "msg"),
    )
}
"""Class of a compound file's root, which most programs name -> its kind."""
_MAIN_PART = re.compile(r"((?:[a-z]+ml|ms-[a-z]+)\.[a-z]+(?:\.binary)?)(?:\.macroEnabled(?:Template)?)?\.main\b")
_OFFICE = {
    "wordprocessingml.document": "docx", "wordprocessingml.template": "docx", "ms-word.document": "docx",
    "ms-word.template": "docx", "spreadsheetml.sheet": "xlsx", "spreadsheetml.template": "xlsx",
    "ms-excel.sheet": "xlsx", "ms-excel.template": "xlsx", "ms-excel.sheet.binary": "xlsb",
    "presentationml.presentation": "pptx", "presentationml.slideshow": "pptx", "presentationml.template": "pptx",
    "ms-powerpoint.presentation": "pptx", "ms-powerpoint.slideshow": "pptx", "ms-powerpoint.template": "pptx",
}  # fmt: skip
"""Type of a document's main part -> its kind; parts that are embedded, such as a chart's workbook, have others."""
_OPEN_DOCUMENT = {
    "text": "odt", "text-master": "odt", "text-web": "odt", "spreadsheet": "ods", "presentation": "odp",
    "graphics": "odp",
}  # fmt: skip
_LOCK = b":encryption-data"
"""An element in the list of an OpenDocument file's parts, one for each that is encrypted."""
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BY_SUFFIX = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".json": "json", ".geojson": "json", ".ipynb": "ipynb",
    ".srt": "srt", ".vtt": "vtt", ".eml": "eml", ".emlx": "eml", ".mbox": "mbox", ".mht": "mhtml", ".mhtml": "mhtml",
}  # fmt: skip
_MARKUP = re.compile(rb"\s*+(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body|table|meta|div)\b", re.I | re.S)
_DATA = (".csv", ".tsv", ".tab", ".json", ".geojson", ".ipynb")
"""Suffixes under which a server's page, such as one for signing in, is often saved."""
_SOURCES = frozenset(
    (".astro", ".ejs", ".erb", ".hbs", ".js", ".jsx", ".md", ".mdx", ".php", ".rst", ".svelte", ".ts", ".tsx", ".vue")
)
"""Suffixes of texts that may begin with markup and are no pages."""
_UTF = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_BLOCKS = (
    ("\0", "strange"), ("\t", "plain"), ("\x0b", "strange"), ("\r", "plain"), ("\x0e", "strange"), (" ", "plain"),
    ("\x7f", "strange"), ("\xa0", "Latin"), ("\u0370", "Greek"), ("\u0400", "Cyrillic"), ("\u0530", "Armenian"),
    ("\u0590", "Hebrew"), ("\u0600", "Arabic"), ("\u0780", "strange"), ("\u0900", "Indic"), ("\u0e00", "Thai"),
    ("\u0e80", "strange"), ("\u10a0", "Georgian"), ("\u1100", "Asian"), ("\u1200", "strange"), ("\u1e00", "Latin"),
    ("\u1f00", "Greek"), ("\u2000", "plain"), ("\u2070", "strange"), ("\u20a0", "plain"), ("\u2190", "strange"),
    ("\u3000", "Asian"), ("\ua000", "strange"), ("\uac00", "Asian"), ("\ud7b0", "strange"), ("\uff00", "Asian"),
    ("\ufff0", "strange"), ("\U0001f300", "plain"), ("\U0001fb00", "strange"),
)  # fmt: skip
"""First letter of a block -> its script; "plain" stands beside any other, "strange" in no text that is guessed."""
_SCRIPT_STARTS, _SCRIPTS = zip(*_BLOCKS, strict=True)
_CUE = re.compile(rb"\s*\d+\r?\n\d{1,2}:\d\d:\d\d[,.]\d{1,3} --> ")
_FROM = re.compile(rb"From [^\r\n]*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b[^\r\n]*\d\d:\d\d[^\r\n]*\r?\n[A-Za-z-]+:")
_HEADERS = re.compile(rb"\n?(?:\d{1,12} *\n)?(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*){3,}\r?\n")


def kind_of(source: Source) -> str:
    """The kind of a file; of an empty one "text".

    Raises:
        ReadError: it cannot be opened.
    """
    head = source.head
    if head.startswith(_ZIP):
        return _in_zip(source)
    if head.startswith(_OLE):
        return _in_ole(source)
    found = next(((magic, kind) for magic, kind in _MAGIC if head.startswith(magic)), None)
    if found is not None and not (_is_word(found[0]) and _is_words(head)):
        return found[1]
    pdf = _PDF.search(head[:1_024])
    if pdf and (pdf.start() == 0 or _OBJECT.search(head, pdf.end())):
        return "pdf"
    if is_tar(head):
        return "tar"
    if head[:4] == b"RIFF" and not _is_words(head):
        return "webp" if head[8:12] == b"WEBP" else "audio"
    if head[:2] == bytes(2) and head[4:8] in _BOXES:
        return "heif" if head[8:12] in _HEIF else "audio"
    if head[60:68] in (b"BOOKMOBI", b"TEXtREAd"):
        return "mobi"
    if _is_sound(head):
        return "audio"
    if head.startswith(b"MZ") and _ends_in_zip(source):
        return _in_zip(source)
    if head.startswith((b"BM", b"MZ", b"ORC")) and not _is_mostly_text(head):
        return {b"BM": "bmp", b"MZ": "program", b"OR": "orc"}[head[:2]]
    return _of_text(source, head)


def _is_sound(head: bytes) -> bool:
    """Frames of MP3 or AAC without a label before them, AIFF, or packets of a transport stream."""
    is_frame = head[:1] == b"\xff" and head[1:2] in (b"\xfb", b"\xfa", b"\xf3", b"\xf2", b"\xf1", b"\xf9")
    is_stream = head[:1] == b"G" and head[188:189] == head[376:377] == b"G" and len(head) > 376
    is_aiff = head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC")
    return (is_frame or is_stream or is_aiff) and not _is_mostly_text(head)


def is_tar(head: bytes) -> bool:
    """Whether a file begins with the header of a tar, by its sign, or by its checksum where it is older."""
    if head[257:262] == b"ustar":
        return True
    said = head[148:156].strip(b" \0")
    return bool(re.fullmatch(rb"[0-7]{4,7}", said)) and int(said, 8) == sum(head[:148] + b" " * 8 + head[156:512])


def _of_text(source: Source, head: bytes) -> str:
    bare = head.removeprefix(b"\xef\xbb\xbf")
    if bare.startswith(b"WEBVTT"):
        return "vtt"
    if _CUE.match(bare):
        return "srt"
    if source.suffix in _BY_SUFFIX and not (source.suffix in _DATA and _MARKUP.match(bare)):
        return _BY_SUFFIX[source.suffix]
    if _MARKUP.match(bare) and source.suffix not in _SOURCES:
        return "html"
    if (bare.startswith(b"From ") and b"\nFrom:" in bare) or _FROM.match(bare):
        return "mbox"
    if bare.startswith(b"<?xml") and b"office:document" in bare:
        return "fodt"
    if bare.startswith(b"<?xml") and b"<Workbook" in bare and b"urn:schemas-microsoft-com:office:spreadsheet" in bare:
        return "xlsxml"
    if _is_mail(bare):
        return "mhtml" if b"multipart/related" in bare.lower() and b"<html" in source.content().lower() else "eml"
    if source.suffix in (".html", ".htm", ".xhtml") and b"<" in bare:
        return "html"
    if head.startswith(_BOMS) or _is_mostly_text(head):
        return "text"
    return "unknown"


def _is_mail(head: bytes) -> bool:
    """Whether headers begin it, of which a mail has a subject beside a sender or a recipient, or those of programs."""
    headers = _HEADERS.match(head.replace(b"\r\n", b"\n"))
    names = set(re.findall(rb"^[a-z-]+(?=:)", headers[0].lower(), re.M)) if headers else set()
    return bool(names & {b"message-id", b"mime-version"} or (b"subject" in names and names & {b"from", b"to"}))


def _is_mostly_text(head: bytes) -> bool:
    """A few NUL bytes, or a run of them at an end, as in a log that was cut by a crash, make a text no binary.

    Nor do control characters in UTF-8, such as those between the fields of a FIX log.
    """
    if len(head) < LEAST_GUESSED:
        return b"\0" not in head and is_utf8(head)
    if _controls(head) <= len(head) * 0.02:
        return True
    words = head.strip(b"\0")
    if len(words) > len(head) * 0.2 and _controls(words) <= len(words) * 0.3 and b"\0" not in words:
        return _begins_utf8(words)
    return bool(unmarked_utf(head))


def _is_word(magic: bytes) -> bool:
    return magic.isalnum() and magic.isascii()


def _is_words(head: bytes) -> bool:
    """Whether it is UTF-8 without control characters: words on a format may begin as its files do."""
    return _controls(head) == 0 and _begins_utf8(head)


def unmarked_utf(data: bytes) -> str:
    """UTF-16 or UTF-32 without a mark; `""` otherwise.

    >>> unmarked_utf("Два слова\\n".encode("utf-16-le"))
    'utf-16-le'
    """
    if b"\0" not in data[:HEAD_BYTES]:
        return ""
    for start, coding in ((1, "utf-16-le"), (0, "utf-16-be")):
        is_alternate = data[start::2].count(0) > len(data) * 0.3 and data[1 - start :: 2].count(0) < len(data) * 0.1
        if is_alternate and 0 in data[start:64:2]:
            return coding
    head = data[: HEAD_BYTES if len(data) > HEAD_BYTES else len(data) - len(data) % 4 or 2]
    return next((coding for coding in _UTF if _is_script(head, coding)), "")


def _is_script(head: bytes, coding: str) -> bool:
    """Whether nearly all letters in this coding are those of one script and of ASCII, without control characters."""
    try:
        text = codecs.getincrementaldecoder(coding)().decode(head)
    except UnicodeDecodeError:
        return False
    scripts = Counter(_SCRIPTS[bisect(_SCRIPT_STARTS, letter) - 1] for letter in text)
    plain, strange = scripts.pop("plain", 0), scripts.pop("strange", 0)
    return plain > 0 and strange == 0 and max(scripts.values(), default=0) >= 0.98 * scripts.total()


def _controls(data: bytes) -> int:
    return sum(data.count(byte) for byte in (*range(9), 11, *range(14, 27), *range(28, 32)))


def _begins_utf8(data: bytes) -> bool:
    """Whether it is UTF-8 that may go on: its last letter may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
        return True
    except UnicodeDecodeError:
        return False


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


def _in_zip(source: Source) -> str:
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if "mimetype" in names:
                mime = _beginning(archive, "mimetype").decode("ascii", "replace").strip()
                if mime == "application/epub+zip":
                    return "epub"
                if "META-INF/manifest.xml" in names and _LOCK in _beginning(archive, "META-INF/manifest.xml"):
                    return "locked"
                part = mime.rpartition(".")[2].removesuffix("-template")
                return _OPEN_DOCUMENT.get(part, "zip") if "opendocument" in mime else "zip"
            if "[Content_Types].xml" in names:
                types = _beginning(archive, "[Content_Types].xml").decode("utf-8", "replace")
                return next(filter(None, map(_OFFICE.get, _MAIN_PART.findall(types))), None) or _by_folder(names)
            return "iwork" if "Index/Document.iwa" in names else "zip"
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, KeyError, zlib.error, EOFError) as fault:
        raise ReadError(
            f"{source.name} begins like a zip archive (zip, docx, xlsx, ...) and is broken: {fault}."
        ) from None


def _ends_in_zip(source: Source) -> bool:
    """Whether a program has an archive behind it, which it unpacks."""
    with source.open() as file:
        return zipfile.is_zipfile(file)


def _beginning(archive: zipfile.ZipFile, name: str) -> bytes:
    """As much of a part as tells the kind, however much the part unpacks to."""
    with archive.open(name) as part:
        return part.read(PART_BYTES)


def _by_folder(names: set[str]) -> str:
    """The kind of an Office file whose list of types does not tell it."""
    folders = {name.partition("/")[0] for name in names}
    return next(
        (kind for folder, kind in (("word", "docx"), ("xl", "xlsx"), ("ppt", "pptx")) if folder in folders), "zip"
    )


def _in_ole(source: Source) -> str:
    """Streams of a compound file are named in UTF-16; a directory of a few kB is enough to find them."""
    data = source.content()
    found = [kind for name, kind in _STREAMS.items() if f"{name}\0".encode("utf-16-le") in data]
    if "locked" in found:
        return "locked"
    directory = 512 + (int.from_bytes(data[48:52], "little") << int.from_bytes(data[30:32], "little"))
    likely = (_ROOTS.get(data[directory + 80 : directory + 96], ""), source.suffix.removeprefix("."), *found)
    return next((kind for kind in likely if kind in found), "ole")
