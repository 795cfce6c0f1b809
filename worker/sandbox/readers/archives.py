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

from readers.kinds import ARCHIVES, kind_of
from readers.source import ReadError, Source

MAX_DEPTH = 4
"""Archives inside archives that are opened."""
MAX_BYTES = 512 << 20
"""Unpacked bytes of an archive in all, those of the archives inside it too."""
PIECE_BYTES = 1 << 20
MAX_FILES = 20_000
"""Files of an archive in all."""
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
        for name, rows in _tables_of(member).items():
            found[path if path.endswith(name) else f"{path}: {name}"] = rows
    if not found:
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
    if head[257:262] == b"ustar":
        return f"a tar archive whose first file is {head[:100].rstrip(bytes(1)).decode('utf-8', 'replace')}"
    return ""


def _names(source: Source, kind: str) -> Iterator[str]:
    """Names of the files of an archive, by its directory: nothing is unpacked."""
    try:
        with source.open() as file:
            if kind == "zip":
                with zipfile.ZipFile(file) as archive:
                    yield from (entry.filename for entry in archive.infolist() if not entry.is_dir())
            else:
                with tarfile.open(fileobj=file, mode="r:") as pile:
                    yield from (entry.name for entry in pile if entry.isfile())
    except _FAULTS as fault:
        raise ReadError(f"{source.name} is {kind} data that is broken: {fault}.") from None


def _text(source: Source, kind: str, room: Room, *, depth: int) -> str:
    parts = []
    for path, member in _members(source, kind, room):
        name = "".join(letter if letter.isprintable() else "?" for letter in path)  # no mark can be forged by a name
        parts.append(
            f"[file {name}]\n{_read(member, room, depth)}" if isinstance(member, Source) else f"[file {name}] {member}"
        )
    if kind not in ("zip", "tar") and len(parts) == 1:
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
    """Each file's path with its bytes, or with the reason why it cannot be had."""
    try:
        if kind == "zip":
            yield from _in_zip(source, room)
        elif kind == "tar":
            yield from _in_tar(io.BytesIO(source.content()), room)
        else:
            yield from _unpacked(source, kind, room)
    except _FAULTS as fault:
        raise ReadError(f"{source.name} is {kind} data that is broken: {fault}.") from None


def _in_zip(source: Source, room: Room) -> Iterator[tuple[str, Source | str]]:
    with source.open() as file, zipfile.ZipFile(file) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for index, entry in enumerate(entries):
            if room.files <= 0:
                yield _rest(len(entries) - index)
                return
            if entry.flag_bits & 1:
                yield entry.filename, "[not read: it is locked with a password]"
            elif entry.compress_type in METHODS:
                yield entry.filename, f"[not read: {METHODS[entry.compress_type]} is not known here]"
            else:
                yield entry.filename, _bounded(entry.filename, lambda entry=entry: archive.open(entry), room)  # type: ignore[misc]


def _in_tar(file: BinaryIO, room: Room) -> Iterator[tuple[str, Source | str]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for entry in archive:
            if not entry.isfile():
                continue
            if room.files <= 0:
                yield _rest(None)
                return
            yield entry.name, _bounded(entry.name, lambda entry=entry: archive.extractfile(entry), room)  # type: ignore[misc]


def _rest(count: int | None) -> tuple[str, str]:
    files = "the rest" if count is None else f"{count:,} more"
    return "...", f"[not read: {files}, since {MAX_FILES:,} files of an archive are read at most]"


def _unpacked(source: Source, kind: str, room: Room) -> Iterator[tuple[str, Source | str]]:
    """What one compressed stream holds: a tar's files, or one file."""
    name = PurePosixPath(source.name)
    inner = name.stem if name.suffix.lower() not in (".tgz", ".txz", ".tbz2", ".tzst") else f"{name.stem}.tar"
    member = _bounded(inner, lambda: _stream(source, kind), room)
    if isinstance(member, str):
        raise ReadError(f"{source.name} is {kind} data: {member.strip('[]')}.")
    if member.head[257:262] == b"ustar":
        room.bytes += len(member.content())  # its files are counted, not the tar around them
        yield from _in_tar(io.BytesIO(member.content()), room)
    else:
        yield inner, member


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
    room.files -= 1
    try:
        with opened() as file:
            data = _up_to(file, room.bytes + 1)
    except _FAULTS as fault:
        return f"[not read: it is broken ({fault})]"
    if len(data) > room.bytes:
        return f"[not read: unpacked, the archive is larger than {MAX_BYTES >> 20} MiB. Give its files themselves]"
    room.bytes -= len(data)
    return Source(name, data=data)


def _up_to(file: Any, size: int) -> bytes:
    """The first `size` bytes, in pieces: one read of so many takes memory for all of them, however few there are."""
    whole = io.BytesIO()
    while piece := file.read(min(PIECE_BYTES, size - whole.tell())):
        whole.write(piece)
    return whole.getvalue()
