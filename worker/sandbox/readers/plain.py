"""Plain text: coding and byte order marks.

In: a source. Out: its text as `str` whatever its coding, or its rows. A coding that is no UTF-8 is named in the text's
first line.
"""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from readers.alphabets import coding_of
from readers.kinds import unmarked_utf
from readers.rows import tables_of
from readers.source import Source

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
PROBED_BYTES = 1 << 20
"""Bytes by which a coding that is no UTF is guessed."""
READ_BYTES = 4 << 20
"""Bytes of a large file that are read at once: each read asks the browser's process."""
ROOM_BYTES = 8 * READ_BYTES
"""Memory beside the text of such a file: two pieces of it, as bytes and decoded, and what they leave."""
MIXED = "utf-8 with cp1252"
"""Coding of a UTF-8 text with a few bytes of another, as a log that several programs write."""
_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]+encoding=["']([\w.-]+)|<meta[^>]+charset=["']?([\w.-]+)""", re.I)
DECLARED_BYTES = 4_096
"""Bytes of a text's beginning in which it may name its coding."""
_SUPERSETS = {
    "iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "tis-620": "cp874",
}  # fmt: skip
"""Coding -> the larger one that is meant by its name, as in browsers."""
_JIS = re.compile(rb"\x1b\$[@B](?:[!-~]{2})+\x1b\([BJ]")
"""Letters of ISO-2022-JP, whose bytes are all ASCII."""
_OF_OTHERS = re.compile(rb"[A-Za-z][\x81-\x84\x87-\x8f\x94\x9a\x9d\x9f][a-z]")
"""A letter of DOS or of an old Macintosh in a word, where Windows has a quotation mark, a sign or nothing."""
_HAN, _HANGUL = re.compile("[\u4e00-\u9fff]"), re.compile("[\uac00-\ud7a3]")
_IN_C1 = ("cp437", "cp850", "cp852", "cp866", "mac_cyrillic", "mac_roman")
"""Codings of which a text has some of the bytes from 80 to 9F, whatever its language."""
LIKELY = (
    *_IN_C1, "big5", "cp037", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874",
    "cp932", "cp949", "euc_jp", "gb18030", "iso8859_2", "iso8859_5", "iso8859_7", "koi8_r",
)  # fmt: skip
"""Codings that programs have written; of the others that a library knows it guesses some for short texts."""
MAX_LINE_CHARS = 64 << 20


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    """All of it; a first line in brackets names a coding that is no UTF-8."""
    if source.decoded is not None:
        return source.decoded
    decoded, coding = decode(source.content())
    return decoded if coding == "utf-8" else f"[{coding}]\n{decoded}"


def parts(source: Source, chars: int) -> Iterator[str]:
    """What `text` gives, in parts of about `chars` characters that end at line ends; a longer line is one by itself.

    One beyond `MAX_LINE_CHARS` is cut. No more than a part is in memory, and the rest of a line. Where the coding is no
    UTF, the beginning tells it.
    """
    with source.open() as file:
        head = file.read(PROBED_BYTES)
        mark, coding = _mark(head)
        coding = coding or _guessed(head)
        decoder = _decoder(coding, STRAY)
        rest = "" if coding == "utf-8" else f"[{coding}]\n"
        data = head[len(mark) :]
        while data:
            rest += decoder.decode(data)
            end = rest.rfind("\n") + 1 if len(rest) < MAX_LINE_CHARS else len(rest)
            if end > 0:
                yield rest[:end]
                rest = rest[end:]
            data = file.read(chars)
        if rest := rest + decoder.decode(b"", final=True):
            yield rest


def decode_file(file: io.FileIO, size: int) -> tuple[str, str]:
    """Text and coding of an open file at its beginning, as `decode` gives them.

    A large one is decoded while it is read: the interpreter's memory, which never shrinks, never holds all its bytes.
    """
    if size <= PROBED_BYTES:
        return decode(file.readall())
    first = file.read(READ_BYTES)
    for coding, errors, start in _readings(first[:PROBED_BYTES]):
        file.seek(len(first))
        with suppress(UnicodeDecodeError):
            return _in_pieces(file, size, first[start:], _decoder(coding, errors)), coding
    raise AssertionError("the last reading takes every byte")


def _in_pieces(file: io.FileIO, size: int, data: bytes, decoder: codecs.IncrementalDecoder) -> str:
    """The text of `data`, and of what follows in the file."""
    text, form = "", (0, True)
    while data:
        text += decoder.decode(data)  # one reference to the text, so that it grows in its own memory
        if form != (form := _form(text)):
            _reserve(file, sys.getsizeof(text) * size // file.tell() + ROOM_BYTES)
        data = file.read(READ_BYTES)
    text += decoder.decode(b"", final=True)
    return text


def _form(text: str) -> tuple[int, bool]:
    """Bytes in memory of each letter of a long text, and whether all are ASCII: where that changes, the text moves."""
    return sys.getsizeof(text) // max(1, len(text)), text.isascii()


def _reserve(file: io.FileIO, size: int) -> None:
    """Take memory and give it back unused, by a read at the file's end: what grows then need not be moved."""
    position = file.tell()
    file.seek(0, io.SEEK_END)
    with suppress(MemoryError):  # a text that fits nevertheless is moved as it grows
        file.read(size)
    file.seek(position)


def decode(data: bytes) -> tuple[str, str]:
    """Text and coding of `data`, without a byte order mark.

    >>> decode(b"\\xff\\xfeh\\x00i\\x00")
    ('hi', 'utf-16-le')
    """
    for coding, errors, start in _readings(data[:PROBED_BYTES]):
        with suppress(UnicodeDecodeError):
            return data[start:].decode(_codec(coding), errors), coding
    raise AssertionError("the last reading takes every byte")


def _readings(head: bytes) -> Iterator[tuple[str, str, int]]:
    """Codings in which a text that begins with `head` is read, until one fits: each with the handler of its errors, and
    the length of its mark."""
    mark, coding = _mark(head)
    if mark:
        yield coding, STRAY, len(mark)
        return
    if not _unmarked(head):
        yield "utf-8", "strict", 0
    yield _guessed(head), STRAY, 0


def _decoder(coding: str, errors: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(_codec(coding))(errors)


def _mark(data: bytes) -> tuple[bytes, str]:
    """The byte order mark and its coding; some programs write a second one before a text that has it."""
    for mark, coding in _BOMS:
        if data.startswith(mark):
            return mark * (1 + data.startswith(mark * 2)), coding
    return b"", ""


def superset(coding: str) -> str:
    """The coding that is meant by a name in a page or a mail; raises LookupError for an unknown one.

    >>> superset("latin1"), superset("GB2312")
    ('cp1252', 'gb18030')
    """
    name = codecs.lookup(coding.lower().removeprefix("x-")).name
    return _SUPERSETS.get(name, name)


def _codec(coding: str) -> str:
    return "utf-8" if coding == MIXED else coding


def _stray(fault: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8, as letters of cp1252; a letter that was cut at the end, as a mark."""
    assert isinstance(fault, UnicodeDecodeError)
    is_letter = fault.encoding == "utf-8" and fault.reason != "unexpected end of data"
    bytes_ = fault.object[fault.start : fault.end]
    return bytes_.decode("cp1252", "replace") if is_letter else "\ufffd", fault.end


STRAY = "rlm-stray"
"""Name of the handler of bytes that are no letter of the coding."""
codecs.register_error(STRAY, _stray)


def _guessed(data: bytes) -> str:
    """The coding of text that is no UTF-8 and has no mark."""
    if coding := _unmarked(data):
        return coding
    if _is_in(data, "utf-8"):
        return "utf-8"  # the fault lies beyond what is probed, or at its cut
    if coding := _declared(data):
        return coding
    if _is_mostly_utf8(data):
        return MIXED
    if len(re.findall(rb"[\x80-\xff]", data)) <= max(3, len(data) // 200) and not _OF_OTHERS.search(data):
        return "cp1252"  # a few letters tell no coding from another: the commonest
    if coding := coding_of(data):
        return coding
    from charset_normalizer import from_bytes

    likely = [coding for coding in LIKELY if coding not in _IN_C1 or re.search(rb"[\x80-\x9f]", data)]
    best = from_bytes(data, cp_isolation=likely).best()
    if best is None or "cp1252" in best.could_be_from_charset:
        return "cp1252"  # of several that give the same text, the commonest
    if best.encoding == "cp949" and 10 * len(_HAN.findall(str(best))) > len(_HANGUL.findall(str(best))):
        return "gb18030"  # Korean is written in its own letters
    return best.encoding


def _is_in(data: bytes, coding: str) -> bool:
    """Whether `data` is in `coding`, but for a letter that is cut where the probe ends."""
    try:
        codecs.getincrementaldecoder(coding)().decode(data, final=len(data) < PROBED_BYTES)
    except UnicodeDecodeError:
        return False
    return True


def _declared(data: bytes) -> str:
    """The coding that an XML declaration or a page's `meta` names, where it fits; `""` otherwise."""
    found = _DECLARED.search(data[:DECLARED_BYTES])
    try:
        coding = superset((found[1] or found[2]).decode("ascii")) if found else ""
    except LookupError:
        return ""
    return coding if coding and _is_in(data, coding) else ""


def _is_mostly_utf8(data: bytes) -> bool:
    """Whether more letters are in UTF-8 than bytes are not: in no other coding that happens by chance."""
    decoded = data.decode("utf-8", "surrogateescape")
    others = len(re.findall("[\udc80-\udcff]", decoded))
    return len(re.findall("[^\0-\x7f]", decoded)) > 2 * others


def _unmarked(data: bytes) -> str:
    """UTF-16, UTF-32 or ISO-2022-JP without a mark; `""` otherwise."""
    return unmarked_utf(data) or ("iso2022_jp" if _JIS.search(data) else "")


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    """Its tables, as `tables_of` gives them."""
    return tables_of(source, kind, decode(source.content())[0])
