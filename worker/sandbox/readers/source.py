"""Source: one file to read, a path or bytes, and the fault of a file that cannot be read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 8_192
"""Bytes of a file's beginning by which its kind is known."""


MAX_INSERTED_BYTES = 512 << 20
"""Bytes of the files that stand in a document, unpacked, and of their text."""


_NAMED: dict[int, tuple[str, str]] = {}
"""Identity of a text of the context -> the name of its file, and the text."""


class ReadError(Exception):
    """A file cannot be read: its message names the kind, the reason and the remedy."""


@dataclass(frozen=True)
class Source:
    """A file of the context, bytes, or the text of a file, with a name for messages."""

    name: str
    path: Path | None = None
    data: bytes | None = None
    decoded: str | None = None
    depth: int = 0
    """Documents around it, in which it stands as a whole file."""
    room: list[int] = field(default_factory=lambda: [MAX_INSERTED_BYTES], compare=False)
    """Bytes that may still be read of the files inside it, and inside those: one number for all of them."""

    @classmethod
    def name_texts(cls, texts: Mapping[str, str]) -> None:
        """Let the texts of the context be known by the names of their files, which tell the kind of some."""
        _NAMED.clear()
        _NAMED.update({id(text): (name, text) for name, text in texts.items()})

    @classmethod
    def of(cls, file: object) -> Source:
        """Raises ReadError for any value but a path, bytes, or the text of a file such as an HTML page."""
        if isinstance(file, Source):
            return file
        if isinstance(file, Path):
            return cls(file.name, path=file)
        if isinstance(file, bytes | bytearray | memoryview):
            return cls("the data", data=bytes(file))
        if isinstance(file, str):
            name, text = _NAMED.get(id(file), ("", ""))
            return cls(Path(name).name if text is file else "the text", decoded=file)
        raise ReadError(f"a {type(file).__name__} is no file. Give a Path of the context, bytes, or a str.")

    @classmethod
    def begun(cls, path: Path, head: bytes) -> Source:
        """A file whose first bytes have been read."""
        source = cls(path.name, path=path)
        source.__dict__["head"] = head
        return source

    def open(self) -> BinaryIO:
        """The file at its beginning; raises ReadError where it cannot be opened."""
        if self.path is None:
            return io.BytesIO(self.content())
        assert self.path is not None
        try:
            return open(self.path, "rb")
        except OSError as fault:
            reason = "it is a folder" if self.path.is_dir() else (fault.strerror or type(fault).__name__)
            raise ReadError(f"{self.name} cannot be opened: {reason}.") from None

    def content(self) -> bytes:
        """All of it."""
        if self.data is not None:
            return self.data
        if self.decoded is not None:
            return self.decoded.encode("utf-8", "surrogatepass")
        with self.open() as file:
            return file.read()

    @cached_property
    def head(self) -> bytes:
        if self.decoded is not None:
            return self.decoded[:HEAD_BYTES].encode("utf-8", "surrogatepass")
        with self.open() as file:
            return file.read(HEAD_BYTES)

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()


def check_unpacked(source: Source, max_bytes: int, kind: str) -> None:
    """Raises ReadError for a document whose parts are larger, unpacked, than `max_bytes`: the library reads them whole.

    The sizes are those of the directory; no part gives more than its size there, whatever its data say.
    """
    with source.open() as file, zipfile.ZipFile(file) as archive:
        size = sum(part.file_size for part in archive.infolist())
    source.room[0] -= size if source.depth else 0
    if source.room[0] < 0:
        raise ReadError(f"{source.name} is {kind} beyond the {MAX_INSERTED_BYTES >> 20} MiB of inserted files.")
    if size > max_bytes:
        sizes = f"{size >> 20:,} MiB unpacked; {max_bytes >> 20:,} MiB are read at most"
        raise ReadError(f"{source.name} is {kind} of {sizes}. Split it.")


def check_numbers(source: Source, noun: str, wanted: Iterable[int], count: int) -> None:
    """Raises ReadError for a page, a slide or a mail that a file does not have."""
    beyond = next((number for number in wanted if not 1 <= number <= count), None)
    if beyond is not None:
        nouns = f"{count:,} {noun}{'s' * (count != 1)}"
        raise ReadError(f"{source.name} has {nouns}, counted from 1; there is no {noun} {beyond}.")
