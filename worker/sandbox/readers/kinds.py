"""Kinds: a file's kind, by its first bytes, its directory where it is an archive, and only then by its name.

In: a source. Out: a short name such as "pdf" or "xlsx", or one of `NO_READER`, which says why and what to do instead.
"""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from uuid import UUID

from readers.source import ReadError, Source

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
    (b"\x7fELF", "program"),
)  # fmt: skip
_PDF = re.compile(rb"(?:\A|[\r\n\0\x80-\xff])%PDF-\d")
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
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
_OPEN_DOCUMENT = {"text": "odt", "spreadsheet": "ods", "presentation": "odp"}
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BY_SUFFIX = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".json": "json", ".geojson": "json", ".ipynb": "ipynb",
    ".srt": "srt", ".vtt": "vtt", ".eml": "eml", ".emlx": "eml", ".mbox": "mbox", ".mht": "mhtml", ".mhtml": "mhtml",
}  # fmt: skip
_MARKUP = re.compile(rb"\s*+(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body|table|meta|div)\b", re.I | re.S)
_SOURCES = frozenset(
    (".astro", ".ejs", ".erb", ".hbs", ".js", ".jsx", ".md", ".mdx", ".php", ".rst", ".svelte", ".ts", ".tsx", ".vue")
)
"""Suffixes of texts that may begin with markup and are no pages."""
_CUE = re.compile(rb"\s*\d+\r?\n\d{1,2}:\d\d:\d\d[,.]\d{1,3} --> ")
_FROM = re.compile(rb"From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n[A-Za-z-]+:")
_HEADERS = re.compile(rb"\n?(?:\d{1,12} *\n)?(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*){3,}\r?\n")


def kind_of(source: Source) -> str:
    """The kind of a file; of an empty one "text".

    Raises:
        ReadError: it cannot be opened.
    """
    head = source.head
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _in_zip(source)
    if head.startswith(_OLE):
        return _in_ole(source)
    found = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if found is not None:
        return found
    if _PDF.search(head[:1_024]):
        return "pdf"
    if is_tar(head):
        return "tar"
    if head[:4] == b"RIFF":
        return "webp" if head[8:12] == b"WEBP" else "audio"
    if head[:3] == bytes(3) and head[4:8] == b"ftyp":
        return "heif" if head[8:12] in _HEIF else "audio"
    if head.startswith((b"BM", b"MZ", b"ORC")) and not _is_mostly_text(head):
        return {b"BM": "bmp", b"MZ": "program", b"OR": "orc"}[head[:2]]
    return _of_text(source, head)


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
    if source.suffix in _BY_SUFFIX:
        return _BY_SUFFIX[source.suffix]
    if _MARKUP.match(bare) and source.suffix not in _SOURCES:
        return "html"
    if (bare.startswith(b"From ") and b"\nFrom:" in bare) or bare.startswith(b"From - ") or _FROM.match(bare):
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
    # UTF-16 without a mark
    return any(head[at::2].count(0) > len(head) * 0.3 > 3 * head[1 - at :: 2].count(0) for at in (0, 1))


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
