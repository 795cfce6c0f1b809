"""E-books (EPUB): the chapters in reading order, each under its file's name."""

from __future__ import annotations

import posixpath
import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

from readers import markup
from readers.plain import decode
from readers.source import ReadError, Source


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            parts = []
            for number, name in enumerate(_chapters(archive), 1):
                if pages is None or number in pages:
                    words = markup.text_of(decode(archive.read(name))[0])
                    parts.append(f"[chapter {number}, file {name}]\n{words}")
            return "\n\n".join(parts)
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile) as fault:
        raise ReadError(f"{source.name} is an e-book that is broken or locked: {fault}.") from None


def _chapters(archive: zipfile.ZipFile) -> list[str]:
    """The files of the spine, by the package that the container names."""
    container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
    package = next(each.get("full-path", "") for each in container.iter() if each.tag.endswith("}rootfile"))
    root = ElementTree.fromstring(archive.read(package))
    items = {each.get("id"): each.get("href", "") for each in root.iter() if each.tag.endswith("}item")}
    spine = [items.get(each.get("idref"), "") for each in root.iter() if each.tag.endswith("}itemref")]
    folder = posixpath.dirname(package)
    names = [posixpath.normpath(posixpath.join(folder, unquote(href))) for href in spine if href]
    return [name for name in names if name in archive.namelist()]
