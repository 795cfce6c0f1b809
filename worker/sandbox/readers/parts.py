"""Parts of Office files (docx, xlsx, pptx): their XML by the names of ISO 29500 Transitional, and the parts they name.

Word, Excel and PowerPoint save "Strict" files too, whose XML has the same elements in other namespaces.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from xml.etree import ElementTree

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


def paragraphs(element: ElementTree.Element) -> list[str]:
    """The lines of a shape or a title."""
    lines = ("".join(each.text or "" for each in line.iter(f"{_A}t")) for line in element.iter(f"{_A}p"))
    return [line for line in lines if line.strip()]


def _joined(folder: str, target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
