"""E-books (EPUB): title and authors, and the chapters in reading order, each under its file's name."""

from __future__ import annotations

import posixpath
import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

from readers import markup
from readers.plain import decode
from readers.source import ReadError, Source, check_numbers

_LOCKS = "META-INF/encryption.xml"


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            head, chapters = _package(archive)
            wanted = sorted(pages or range(1, len(chapters) + 1))
            check_numbers(source, "chapter", wanted, len(chapters))
            _check_locks(source, archive, chapters)
            parts = [] if pages else head
            for number in wanted:
                name = chapters[number - 1]
                parts.append(f"[chapter {number}, file {name}]\n{_chapter(archive, name)}")
            return "\n\n".join(parts)
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile) as fault:
        raise ReadError(f"{source.name} is an e-book that is broken or locked: {fault}.") from None


def _package(archive: zipfile.ZipFile) -> tuple[list[str], list[str]]:
    """A line with title and authors, and the files of the spine, by the package that the container names."""
    container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
    package = next(each.get("full-path", "") for each in container.iter() if each.tag.endswith("}rootfile"))
    root = ElementTree.fromstring(archive.read(package))
    about = [each.text or "" for each in root.iter() if each.tag.endswith(("}title", "}creator"))]
    items = {each.get("id"): each.get("href", "") for each in root.iter() if each.tag.endswith("}item")}
    spine = [items.get(each.get("idref"), "") for each in root.iter() if each.tag.endswith("}itemref")]
    folder = posixpath.dirname(package)
    names = [posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0]))) for href in spine if href]
    return [f"[book] {', '.join(filter(None, about))}"] if any(about) else [], names


def _chapter(archive: zipfile.ZipFile, name: str) -> str:
    try:
        return markup.text_of(decode(archive.read(name))[0])
    except KeyError:
        return "[not read: it is missing in the archive]"


def _check_locks(source: Source, archive: zipfile.ZipFile, chapters: list[str]) -> None:
    """Raises ReadError for a book whose chapters are encrypted; fonts are in many that can be read."""
    if _LOCKS not in archive.namelist():
        return
    root = ElementTree.fromstring(archive.read(_LOCKS))
    locked = {unquote(each.get("URI", "")) for each in root.iter() if each.tag.endswith("}CipherReference")}
    if count := len(locked.intersection(chapters)):
        raise ReadError(
            f"{source.name} is an e-book locked by DRM: {count:,} of {len(chapters):,} chapters are encrypted. "
            "Give a copy without it."
        )
