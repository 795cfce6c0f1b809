"""Archives and compressed files: each file under its path, read by its own kind; archives inside are opened too.

One that cannot be read is named with the reason, and the others are read. Depth, number and size are bounded, so that a
small archive cannot fill the memory.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from readers.kinds import ARCHIVES, is_tar, is_utf8, kind_of
from readers.plain import decode
from readers.source import ReadError, Source

MAX_DEPTH = 4
"""Archives inside archives that are opened."""
MAX_BYTES = 512 << 20
"""Unpacked bytes of an archive in all, those of the archives inside it too."""
PIECE_BYTES = 1 << 20
MAX_FILES = 20_000
"""Files of an archive in all."""
REST = "..."
"""Path that stands for the files of which nothing can be read."""
_IS_OF_MACOS = re.compile(r"__MACOSX/|(?:.*/)?(?:\._[^/]*|\.DS_Store)\Z").match
"""Paths of the entries that macOS adds to an archive: attributes of files, and of windows."""
METHODS = {9: "Deflate64", 99: "AES encryption"}
"""Methods of zip that the standard library does not know, by name."""
_NOTHING = re.compile(r"\[file [^\n]*\]\s\[not read: [^\n]*\]\Z")
"""A file of which nothing but the reason is there."""
_FAULTS = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    NotImplementedError,
    RuntimeError,
)


@dataclass
class Room:
    """Bytes and files that may still be unpacked, shared by an archive and those inside it."""

    bytes: int
    files: int


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    found = _text(source, kind, Room(MAX_BYTES, MAX_FILES), depth=1)
    if found and all(_NOTHING.match(part) for part in found.split("\n\n")):
        raise ReadError(f"{source.name} is {kind} data of which no file can be read: {found[:500]}")
    return found


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    """Tables of the files inside, each under its file's path; archives inside are not opened."""
    found: dict[str, list[list[Any]]] = {}
    for path, member in _members(source, kind, Room(MAX_BYTES, MAX_FILES)):
        if isinstance(member, str) and path == REST:
            found[REST] = [[member.strip("[]")]]
        for name, rows in _tables_of(member).items():
            called = path if path.endswith(name) else f"{path}: {name}"
            found[called if called not in found else f"{called} ({len(found) + 1})"] = rows
    if not found.keys() - {REST}:
        raise ReadError(f"{source.name} is {kind} data of which no file has tables. Read its text with `read`.")
    return found


def _tables_of(member: Source | str) -> dict[str, list[list[Any]]]:
    """None of a file that cannot be read, or has none: `read` says why."""
    import readers

    if isinstance(member, str):
        return {}
    try:
        return {} if kind_of(member) in ARCHIVES else readers.tables(member)
    except ReadError:
        return {}


def outline(source: Source, kind: str) -> str:
    """Names of the files; of compressed data, the first of them alone, so that it need not be unpacked."""
    if kind not in ("zip", "tar"):
        return _outline_of_stream(source, kind)
    names = list(_names(source, kind))
    count = f"{len(names):,} file{'s' * (len(names) != 1)}"
    return f"{count}: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"


def _outline_of_stream(source: Source, kind: str) -> str:
    try:
        with _stream(source, kind) as file:
            head = file.read(512)
    except (*_FAULTS, ReadError) as fault:
        return f"which cannot be unpacked ({fault})"
    if is_tar(head):
        return f"a tar archive whose first file is {head[:100].rstrip(bytes(1)).decode('utf-8', 'replace')}"
    return ""


def _names(source: Source, kind: str) -> Iterator[str]:
    """Names of the files of an archive, by its directory: nothing is unpacked."""
    try:
        with source.open() as file:
            if kind == "zip":
                with zipfile.ZipFile(file) as archive:
                    yield from (name for name, _ in _entries(archive))
            else:
                with tarfile.open(fileobj=file, mode="r:") as pile:
                    yield from (_said(entry.name) for entry in pile if entry.isfile() and not _IS_OF_MACOS(entry.name))
    except _FAULTS as fault:
        raise ReadError(f"{source.name} is {kind} data that is broken: {fault}.") from None


def _text(source: Source, kind: str, room: Room, *, depth: int) -> str:
    parts: list[str] = []
    path = ""
    for path, member in _members(source, kind, room):
        name = "".join(letter if letter.isprintable() else "?" for letter in path)  # no mark can be forged by a name
        parts.append(
            f"[file {name}]\n{_read(member, room, depth)}" if isinstance(member, Source) else f"[file {name}] {member}"
        )
    if kind not in ("zip", "tar") and len(parts) == 1 and path == _inner(source):
        return parts[0].partition("\n")[2]
    return "\n\n".join(parts) or "[an empty archive]"


def _read(member: Source, room: Room, depth: int) -> str:
    import readers

    try:
        kind = kind_of(member)
        if kind in ARCHIVES:
            if depth >= MAX_DEPTH:
                return f"[not read: archives are opened {MAX_DEPTH} deep]"
            return _text(member, kind, room, depth=depth + 1)
        return readers.read_source(member)
    except ReadError as fault:
        return f"[not read: {fault}]"


def _members(source: Source, kind: str, room: Room) -> Iterator[tuple[str, Source | str]]:
    """Each file's path with its bytes, or with the reason why it cannot be had; `REST` stands for all behind."""
    is_begun = False
    try:
        for member in _found(source, kind, room):
            yield member
            is_begun = True
    except _FAULTS as fault:
        if not is_begun:
            raise ReadError(f"{source.name} is {kind} data that is broken: {fault}.") from None
        yield REST, f"[not read: the rest, since the data is broken ({fault})]"


def _found(source: Source, kind: str, room: Room) -> Iterator[tuple[str, Source | str]]:
    if kind == "zip":
        yield from _in_zip(source, room)
    elif kind == "tar":
        yield from _in_tar(io.BytesIO(source.content()), room)
    else:
        yield from _unpacked(source, kind, room)


def _in_zip(source: Source, room: Room) -> Iterator[tuple[str, Source | str]]:
    with source.open() as file, zipfile.ZipFile(file) as archive:
        entries = _entries(archive)
        for index, (name, entry) in enumerate(entries):
            if room.files <= 0:
                yield _rest(len(entries) - index)
                return
            if entry.external_attr >> 16 & 0o170000 == 0o120000:
                yield name, "[not read: it is a link]"
            elif entry.flag_bits & 1:
                yield name, "[not read: it is locked with a password]"
            elif entry.compress_type in METHODS:
                yield name, f"[not read: {METHODS[entry.compress_type]} is not known here]"
            else:
                yield name, _bounded(name, lambda entry=entry: archive.open(entry), room)  # type: ignore[misc]


def _in_tar(file: BinaryIO, room: Room) -> Iterator[tuple[str, Source | str]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for entry in archive:
            if not (entry.isfile() or entry.islnk() or entry.issym()) or _IS_OF_MACOS(entry.name):
                continue
            if room.files <= 0:
                yield _rest(None)
                return
            name = _said(entry.name)
            if not entry.isfile():
                yield name, f"[not read: it is a link to {_said(entry.linkname)}]"
                continue
            yield name, _bounded(name, lambda entry=entry: archive.extractfile(entry), room)  # type: ignore[misc]


def _is_file(entry: zipfile.ZipInfo) -> bool:
    return not entry.is_dir() and not _IS_OF_MACOS(entry.filename)


def _said(name: str) -> str:
    """A name in a tar, which is in the coding of the machine that made it."""
    return name if name.isprintable() else decode(name.encode("utf-8", "surrogateescape"))[0]


def _entries(archive: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Path and entry of each file. macOS writes names in UTF-8, and Windows in the coding of its language, unsaid."""
    entries = [entry for entry in archive.infolist() if _is_file(entry)]
    unsaid = [entry.filename for entry in entries if not (entry.flag_bits & 0x800 or entry.filename.isascii())]
    coded = {name: name.encode("cp437", "replace") for name in unsaid}
    meant = {name: data.decode() for name, data in coded.items() if is_utf8(data)}
    others = [name for name in coded if name not in meant]
    if not all(letter.isascii() or (letter.isalpha() and letter < "\u0180") for letter in "".join(others)):
        found = decode(b"\n".join(coded[name] for name in others))[0].split("\n")
        meant |= dict(zip(others, found, strict=True)) if len(found) == len(others) else {}
    return [(meant.get(entry.filename, entry.filename), entry) for entry in entries]


def _rest(count: int | None) -> tuple[str, str]:
    files = "the rest" if count is None else f"{count:,} more"
    return REST, f"[not read: {files}, since {MAX_FILES:,} files of an archive are read at most]"


def _unpacked(source: Source, kind: str, room: Room) -> Iterator[tuple[str, Source | str]]:
    """What one compressed stream holds: a tar's files, or one file."""
    inner = _inner(source)
    data, fault = _taken(lambda: _stream(source, kind), room)
    if fault and not data:
        raise ReadError(f"{source.name} is {kind} data that is broken: {fault}.")
    if len(data) > room.bytes:
        raise ReadError(f"{source.name} is {kind} data: not read: {_too_large()}.")
    member = Source(inner, data=data)
    if is_tar(member.head):
        yield from _in_tar(io.BytesIO(data), room)  # its files are counted, not the tar around them
    else:
        room.bytes -= len(data)
        yield inner, member
    if fault:
        yield REST, f"[not read: the rest, since the data is broken ({fault})]"


def _inner(source: Source) -> str:
    """Name of what a compressed file holds."""
    name = PurePosixPath(source.name)
    return name.stem if name.suffix.lower() not in (".tgz", ".txz", ".tbz2", ".tzst") else f"{name.stem}.tar"


def _stream(source: Source, kind: str) -> Any:
    if kind == "zst":
        try:
            from compression import zstd  # type: ignore[import-not-found]  # Python 3.14
        except ImportError:
            raise ReadError(f"{source.name} is zstd data, which needs Python 3.14.") from None
        return zstd.open(source.open())
    openers: dict[str, Callable[[BinaryIO], Any]] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    return openers[kind](source.open())


def _bounded(name: str, opened: Callable[[], Any], room: Room) -> Source | str:
    """A file of an archive with its bytes, read up to what room is left, whatever size is said."""
    data, fault = _taken(opened, room)
    if fault:
        return f"[not read: it is broken ({fault})]"
    if len(data) > room.bytes:
        return f"[not read: {_too_large()}]"
    room.bytes -= len(data)
    return Source(name, data=data)


def _too_large() -> str:
    return f"unpacked, the archive is larger than {MAX_BYTES >> 20} MiB. Give its files themselves"


def _taken(opened: Callable[[], Any], room: Room) -> tuple[bytes, str]:
    """The bytes of a file, one more than there is room for at most, and the fault that ended them; `""` for none."""
    room.files -= 1
    whole = io.BytesIO()
    fault = ""
    try:
        with opened() as file:
            _fill(whole, file, room.bytes + 1)
    except _FAULTS as broken:
        fault = str(broken) or type(broken).__name__
    return whole.getvalue(), fault


def _fill(whole: io.BytesIO, file: Any, size: int) -> None:
    """The first `size` bytes, in pieces: one read of so many takes memory for all of them, however few there are."""
    while piece := file.read1(min(PIECE_BYTES, size - whole.tell())):
        whole.write(piece)
