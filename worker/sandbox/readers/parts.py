"""Parts of Office files (docx, xlsx, pptx): their XML by the names of ISO 29500 Transitional, and the parts they name.

Word, Excel and PowerPoint save "Strict" files too, whose XML has the same elements in other namespaces.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from xml.etree import ElementTree

from readers.source import MAX_INSERTED_BYTES, ReadError, Source

MAX_DEPTH = 4
"""Documents inside documents that are opened."""
LEAST_BYTES = 512 << 10
"""Bytes that each file inside another counts for at least, so that their number is bounded too."""
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def part(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    return ElementTree.fromstring(_STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", archive.read(name)))


def related(archive: zipfile.ZipFile, name: str) -> dict[str, tuple[str, str]]:
    """Id -> type and path of the parts that `name` names."""
    folder, file = posixpath.split(name)
    path = f"{folder}/_rels/{file}.rels"
    if path not in archive.namelist():
        return {}
    return {
        each.get("Id", ""): (each.get("Type", ""), _joined(folder, each.get("Target", "")))
        for each in part(archive, path)
    }


def embedded(source: Source, archive: zipfile.ZipFile, name: str) -> list[str]:
    """Text of the files that stand as a whole in what the part `name` shows, such as a workbook in a letter."""
    kinds = ("/package", "/oleObject", "/aFChunk")
    paths = dict.fromkeys(path for kind, path in related(archive, name).values() if kind.endswith(kinds))
    return [_whole(source, archive, path) for path in paths]


def _whole(source: Source, archive: zipfile.ZipFile, path: str) -> str:
    import readers

    if source.depth >= MAX_DEPTH:
        return f"[inserted file {path}, not read: files in files are opened {MAX_DEPTH} deep]"
    try:
        source.room[0] -= max(archive.getinfo(path).file_size, LEAST_BYTES)
        if source.room[0] < 0:
            return f"[inserted file {path}, not read: it is beyond the {MAX_INSERTED_BYTES >> 20} MiB of such files]"
        inner = Source(path, data=archive.read(path), depth=source.depth + 1, room=source.room)
        words = readers.read_source(inner)
        source.room[0] -= len(words)
        return f"[inserted file {path}]\n{words}"
    except (ReadError, KeyError) as fault:
        return f"[inserted file {path}, not read: {fault}]"


def paragraphs(element: ElementTree.Element) -> list[str]:
    """The lines of a shape or a title."""
    lines = ("".join(each.text or "" for each in line.iter(f"{_A}t")) for line in element.iter(f"{_A}p"))
    return [line for line in lines if line.strip()]


def _joined(folder: str, target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
