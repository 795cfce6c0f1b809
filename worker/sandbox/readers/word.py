"""Word (docx), by mammoth: text with tables as rows, comments, footnotes, and deletions that are still to be accepted.

Mammoth leaves out headers, footers and tracked deletions: they are read from their parts. Its HTML goes through the
reader of HTML, which keeps tables.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any
from xml.etree import ElementTree

from readers import markup, slides
from readers.parts import embedded, part
from readers.source import ReadError, Source

_BODY = re.compile(r"word/(document|footnotes|endnotes|comments)\d*\.xml")
_FIELD = re.compile(
    rb"</?w:(?:fldSimple|bdo|dir)\b[^>]*>|<w:ruby>(?>[^<]*(?:<(?!/?w:ruby(?:Base)?>)[^<]*)*)<w:rubyBase>|</w:rubyBase>\s*</w:ruby>|</?m:oMathPara>|<m:oMathParaPr>(?>[^<]*(?:<(?!/?m:oMathParaPr>)[^<]*)*)</m:oMathParaPr>"
)
_FORMULA = re.compile(rb"<m:oMath(?: [^<>]*)?>(?>[^<]*(?:<(?!/?m:oMath[ >])[^<]*)*)</m:oMath>")
_FORMULA_PARTS = re.compile(rb"<m:t(?: [^>]*)?>([^<]*)</m:t>|</?m:(?:num|den|sup|sub|deg|rad)>")
_SIGNS = {
    b"<m:num>": b"(", b"</m:num>": b")/", b"<m:den>": b"(", b"</m:den>": b")", b"<m:sup>": b"^", b"<m:sub>": b"_",
    b"<m:rad>": "\u221a(".encode(), b"</m:rad>": b")",
}  # fmt: skip
_STYLES = "comment-reference => sup"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def text(source: Source, kind: str, pages: set[int] | None) -> str:
    body = markup.text_of(_marked(_html(source)))
    edges, beside = _edges(source)
    return "\n\n".join(words for words in (*edges, body, *beside) if words.strip())


def tables(source: Source, kind: str) -> dict[str, list[list[Any]]]:
    found = markup.tables_of(_html(source))
    if not found:
        raise ReadError(f"{source.name} is a Word document without a table. Read its text with `read`.")
    return found


def _html(source: Source) -> str:
    import mammoth

    try:
        return str(
            mammoth.convert_to_html(io.BytesIO(_whole(source)), style_map=_STYLES, convert_image=_no_image).value
        )
    except (KeyError, ValueError, zipfile.BadZipFile, ElementTree.ParseError, OSError) as fault:
        raise ReadError(f"{source.name} is a Word document that is broken: {fault}.") from None


def _whole(source: Source) -> bytes:
    """The file with the results of its fields and its formulas as plain text: mammoth leaves both out."""
    data = source.content()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if _BODY.fullmatch(name)}
        plain = {name: _FORMULA.sub(_as_run, _FIELD.sub(b"", part)) for name, part in parts.items()}
        if plain == parts:
            return data
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as copy:
            for name in archive.namelist():
                copy.writestr(name, plain.get(name) or archive.read(name))
    return out.getvalue()


def _as_run(formula: re.Match[bytes]) -> bytes:
    """A formula in one line, as in `(a+b)/(c)` or `x^2`."""
    words = b"".join(found[1] or _SIGNS.get(found[0], b"") for found in _FORMULA_PARTS.finditer(formula[0]))
    return b'<w:r><w:t xml:space="preserve"> ' + words + b" </w:t></w:r>"


def _no_image(image: Any) -> list[Any]:
    return []


def _marked(page: str) -> str:
    """Footnotes and comments, which mammoth puts at the end as lists, with the marks that `read` promises."""
    page = re.sub(r'<li id="(foot|end)note-[^"]*">\s*<p>', lambda match: f"<li><p>[{match[1]}note] ", page)
    page = re.sub(r'<dt id="comment-\d+">.*?</dt>\s*<dd>\s*<p>', "<dd><p>[comment] ", page, flags=re.S)
    return re.sub(r'<a href="#(?:foot|end)note-ref-[^"]*">.*?</a>|<a href="#comment-ref-[^"]*">.*?</a>', "", page)


def _edges(source: Source) -> tuple[list[str], list[str]]:
    """Headers and footers as marked paragraphs; and the deletions, boxes, charts, diagrams and files of the body."""
    edges, beside = [], []
    with source.open() as file, zipfile.ZipFile(file) as archive:
        for name in sorted(archive.namelist()):
            found = re.fullmatch(r"word/(header|footer|document)\d*\.xml", name)
            if found is None:
                continue
            root = part(archive, name)
            if found[1] == "document":
                beside = [*_deletions(root), *_boxes(root), *slides.beside(archive, name)]
                beside += embedded(source, archive, name)
            elif lines := [*(_words(each, "t") for each in root.iter(f"{_W}p")), *_deletions(root)]:
                words = "\n".join(filter(None, lines))
                edges.append(f"[{found[1]}]\n{words}" if words else "")
    return list(dict.fromkeys(edges)), beside


def _deletions(root: ElementTree.Element) -> list[str]:
    return [f"[deleted] {words}" for each in root.iter(f"{_W}del") if (words := _words(each, "delText"))]


def _boxes(root: ElementTree.Element) -> list[str]:
    """Text boxes in the form of Word 2010 alone: mammoth reads the older form, which not all programs write too."""
    found = []
    for each in root.iter(f"{_MC}AlternateContent"):
        older = each.find(f"{_MC}Fallback")
        if older is None or next(older.iter(f"{_W}txbxContent"), None) is None:
            boxes = (paragraph for box in each.iter(f"{_W}txbxContent") for paragraph in box.iter(f"{_W}p"))
            found += [f"[text box] {words}" for paragraph in boxes if (words := _words(paragraph, "t"))]
    return found


def _words(element: ElementTree.Element, tag: str) -> str:
    """Its text, with tabs, line breaks and hyphens that are elements; `tag` tells what is kept from what is deleted."""
    signs = {f"{_W}tab": "\t", f"{_W}ptab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
    said = (each.text or "" if each.tag == f"{_W}{tag}" else signs.get(each.tag, "") for each in element.iter())
    return "".join(said) if next(element.iter(f"{_W}{tag}"), None) is not None else ""
