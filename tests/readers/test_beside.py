"""Text beside the text of a document: comments, boxes, inserted files, headers; and documents in Strict form."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from readers import ReadError, parts, read, tables
from readers.source import Source

from tests.readers import files, office, pdfs, planted
from tests.readers.test_office import word_with

CODE = planted.CODE
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
TRANSITIONAL = b"http://schemas.openxmlformats.org/%s/2006/%s"


def strict(data: bytes) -> bytes:
    """An Office file in the namespaces of ISO 29500 Strict."""
    names = [(b"officeDocument", b"relationships"), (b"presentationml", b"main")]
    names += [(kind, b"main") for kind in (b"wordprocessingml", b"spreadsheetml", b"drawingml")]

    def edit(name: str, part: bytes) -> bytes:
        for kind, last in names:
            part = part.replace(TRANSITIONAL % (kind, last), b"http://purl.oclc.org/ooxml/%s/%s" % (kind, last))
        return part

    return planted.patched(data, edit)


STRICT: dict[str, Callable[[], bytes]] = {
    "docx": lambda: planted.saved(office.word()),
    "docx, header": office.docx_with_a_header,
    "docx, footnote": office.docx_with_a_footnote,
    "docx, deletion": office.docx_with_a_deletion,
    "xlsx": office.xlsx,
    "xlsx, comment": office.xlsx_with_a_comment,
    "pptx": office.pptx,
}


@pytest.mark.parametrize("kind", STRICT)
def test_a_strict_document_is_read_like_any(kind: str) -> None:
    assert CODE in read(strict(STRICT[kind]()))


def paragraph(words: str) -> str:
    return f"<w:p><w:r><w:t>{words}</w:t></w:r></w:p>"


BOX = f"<w:drawing><w:txbxContent>{paragraph('in a box')}</w:txbxContent></w:drawing>"
RUBY = "<w:ruby><w:rt><w:r><w:t>kan</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>KANJI</w:t></w:r></w:rubyBase></w:ruby>"
VML = "urn:schemas-microsoft-com:vml"
INSIDE = f'<v:textbox xmlns:v="{VML}"><w:txbxContent>{paragraph("in a box")}</w:txbxContent></v:textbox>'
OLDER = f"<w:pict>{INSIDE}</w:pict>"


def either(fallback: str) -> str:
    choice = f'<mc:AlternateContent xmlns:mc="{MC}"><mc:Choice Requires="wps">{BOX}</mc:Choice>{fallback}'
    return f"<w:p><w:r>{choice}</mc:AlternateContent></w:r></w:p>"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (either(""), "[text box] in a box"),
        (either("<mc:Fallback><w:pict/></mc:Fallback>"), "[text box] in a box"),
        (either(f"<mc:Fallback>{OLDER}</mc:Fallback>"), "in a box"),
        (f"<w:p><w:r>{RUBY}</w:r></w:p>", "KANJI"),
        ('<w:p><w:bdo w:val="rtl"><w:r><w:t>to the left</w:t></w:r></w:bdo></w:p>', "to the left"),
    ],
)
def test_word_keeps_boxes_and_directions(body: str, words: str) -> None:
    text = read(word_with(body))
    assert text.count(words) == 1
    assert "[text box]" not in text.replace(words, "")


@pytest.mark.parametrize("name", ["a.html", "a.mht"])
def test_a_file_that_is_inserted_in_a_document_is_read(name: str) -> None:
    data = files.mhtml() if name == "a.mht" else f"<html><p>{CODE}</p>".encode()
    relation = f'<Relationship Id="rA" Type="{office.RELATION}/aFChunk" Target="{name}"/></Relationships>'.encode()
    made = planted.patched(
        word_with(f'<w:altChunk xmlns:r="{office.RELATION}" r:id="rA"/>'),
        lambda part, xml: xml.replace(b"</Relationships>", relation) if part.startswith("word/_rels/doc") else xml,
    )
    out = io.BytesIO(made)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(f"word/{name}", data)
    assert CODE in read(out.getvalue())


def book(fill: Callable[[Any, Any], object]) -> bytes:
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as made:
        fill(made, made.add_worksheet("Data"))
    return out.getvalue()


def test_a_formula_whose_value_is_a_stand_in_is_told() -> None:
    def fill(made: Any, sheet: Any) -> None:
        sheet.write_row("A1", [2, 3, 0])
        sheet.write_formula("A2", "=A1+B1")
        sheet.write_formula("B2", "=A1*B1", None, 6)

    assert tables(book(fill)) == {"Data": [[2, 3, 0], ["=A1+B1", 6, ""]]}


def test_boxes_charts_and_headers_of_a_sheet_are_read() -> None:
    def fill(made: Any, sheet: Any) -> None:
        sheet.write_column("A1", [1, 2])
        sheet.insert_textbox("C1", "in a box")
        chart = made.add_chart({"type": "column"})
        chart.add_series({"values": "=Data!$A$1:$A$2"})
        chart.set_title({"name": "Sales"})
        sheet.insert_chart("C9", chart)
        sheet.set_header('&C&"Arial,Bold"&12Draft of May&R&P')

    assert read(book(fill)) == '[sheet "Data"]\n1\n2\n[header] Draft of May\n[shape] in a box\n[chart] Sales'


def test_an_error_is_told_in_whatever_order_its_attributes_are() -> None:
    cell = b'<row r="30"><c t="e" r="B30"><v>#REF!</v></c></row></sheetData>'
    made = planted.patched(office.xlsx(), lambda name, data: data.replace(b"</sheetData>", cell))
    assert tables(made)["Data"][29][1] == "#REF!"


NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{place}:1.0"'
    for name, place in (("office", "office"), ("table", "table"), ("text", "text"), ("draw", "drawing"))
)


def in_office(kind: str, body: str, root: str = "document-content") -> str:
    return (
        f"<office:{root} {NAMESPACES}><office:body><office:{kind}>{body}</office:{kind}></office:body></office:{root}>"
    )


def cell(words: str, more: str = "", about: str = "") -> str:
    return f'<table:table-cell office:value-type="string" {about}>{more}<text:p>{words}</text:p></table:table-cell>'


ERROR = 'office:string-value="" table:value-type="error"'
NOTE = "<office:annotation><text:p>of Ada</text:p></office:annotation>"
SHEET = (
    '<table:table table:name="Data"><table:table-header-rows><table:table-row>'
    f"{cell('a')}{cell('b', NOTE)}</table:table-row></table:table-header-rows>"
    f'<table:table-row table:number-rows-repeated="2">{cell("same")}</table:table-row>'
    f'<table:table-row><table:table-cell table:number-columns-repeated="27"/>{cell("c", NOTE)}</table:table-row>'
    f"<table:table-row>{cell('#DIV/0!', '', ERROR)}</table:table-row></table:table>"
)


def test_comments_and_errors_of_an_ods_are_told() -> None:
    made = planted.patched(
        office.ods(), lambda name, data: in_office("spreadsheet", SHEET).encode() if name == "content.xml" else data
    )
    text = read(made)
    assert "[comment B1] of Ada\n[comment AB4] of Ada" in text
    assert "#DIV/0!" in text


def test_a_flat_sheet_has_all_its_rows_and_comments() -> None:
    flat = "<?xml version='1.0'?>" + in_office("spreadsheet", SHEET, "document")
    source = Source("a.fods", data=flat.encode())
    assert read(source).startswith('[sheet "Data"]\na,"b\n[comment] of Ada"\nsame\nsame\n')  # type: ignore[arg-type]
    assert tables(source)["Data"][:3] == [["a", "b\n[comment] of Ada"], ["same"], ["same"]]


ROW = f"<table:table-row>{cell('k')}{cell('v')}</table:table-row>"
FRAME = "<draw:frame><draw:text-box>{}</draw:text-box></draw:frame>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            f"<text:p>one{FRAME.format('<text:p>two</text:p><text:p>three</text:p>')} more</text:p>",
            "one more\ntwo\nthree",
        ),
        (f"<text:p>{FRAME.format(f'<table:table>{ROW}</table:table>')}</text:p>", "k\tv"),
        (
            f"<text:p>{FRAME.format('<text:p>out' + FRAME.format('<text:p>in</text:p>') + '</text:p>')}</text:p>",
            "out\nin",
        ),
    ],
)
def test_boxes_of_an_odt_are_lines_of_their_own(body: str, text: str) -> None:
    made = planted.patched(
        office.odt(), lambda name, data: in_office("text", body).encode() if name == "content.xml" else data
    )
    assert read(made) == text


def test_a_table_in_a_cell_is_no_row_of_the_outer_one() -> None:
    inner = f"<table:table-row><table:table-cell><table:table>{ROW}</table:table></table:table-cell></table:table-row>"
    flat = "<?xml version='1.0'?>" + in_office("text", f"<table:table>{inner}</table:table>", "document")
    assert tables(flat) == {"table 1": [["k\nv"]], "table 2": [["k", "v"]]}


def test_a_slide_that_is_not_there_is_refused() -> None:
    flat = "<?xml version='1.0'?>" + in_office("presentation", "<draw:page/>", "document")
    with pytest.raises(ReadError, match="has 1 slide, counted from 1; there is no slide 9"):
        read(flat, pages=9)


@pytest.mark.parametrize("kind", ["FreeText", "Text"])
def test_notes_and_typed_text_over_a_page_are_read(kind: str) -> None:
    import pypdf
    from pypdf import annotations

    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdfs.pdf("words"))))
    writer.add_annotation(1, getattr(annotations, kind)(text="Grüße\nof Ada", rect=(50, 550, 200, 650)))
    writer.add_annotation(1, annotations.Link(url="https://example.org", rect=(50, 50, 90, 90)))
    out = io.BytesIO()
    writer.write(out)
    text = read(out.getvalue())
    assert text.count("[comment]") == 1
    assert text.index("[page 2]") < text.index("[comment] Grüße\nof Ada") < text.index("[page 3]")


LETTER = ("word/_rels/document.xml.rels", "word")
HOLDERS: dict[str, tuple[Callable[[], bytes], str, str, str]] = {
    "docx": (lambda: planted.saved(office.word("Before.")), LETTER[0], "embeddings/a.xlsx", "word/embeddings/a.xlsx"),
    "xlsx": (
        lambda: planted.saved(office.workbook(with_fact=False)),
        "xl/worksheets/_rels/sheet1.xml.rels",
        "../embeddings/a.xlsx",
        "xl/embeddings/a.xlsx",
    ),
    "pptx": (office.pptx, "ppt/slides/_rels/slide1.xml.rels", "../embeddings/a.xlsx", "ppt/embeddings/a.xlsx"),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_a_workbook_in_a_document_is_read_and_one_that_cannot_be_is_named(kind: str) -> None:
    make, rels, target, path = HOLDERS[kind]
    assert f'[inserted file {path}]\n[sheet "Data"]\nid,place' in read(
        office.with_part(make(), rels, "package", target, path, office.xlsx())
    )
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    text = read(office.with_part(make(), rels, "oleObject", target, path, ole))
    assert f"[inserted file {path}, not read: {path} is an OLE compound file" in text


def test_documents_in_documents_are_opened_four_deep() -> None:
    made = planted.saved(office.word("Inmost."))
    for _ in range(6):
        made = office.with_part(
            planted.saved(office.word("Around.")),
            LETTER[0],
            "package",
            "embeddings/a.docx",
            "word/embeddings/a.docx",
            made,
        )
    assert "not read: files in files are opened 4 deep]" in read(made)


def test_files_in_documents_are_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LEAST_BYTES", 170 << 20)
    made = planted.saved(office.word("Around."))
    for number in range(5):
        made = office.with_part(made, LETTER[0], "package", f"e/{number}.txt", f"word/e/{number}.txt", f"file {number}")
    text = read(made)
    assert (text.count("]\nfile "), text.count("not read: it is beyond the 512 MiB of such files]")) == (3, 2)


DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
SAID = f'<a:p xmlns:a="{DRAWING}"><a:r><a:t>{{}}</a:t></a:r></a:p>'
CHART = (
    '<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"><c:chart><c:title>'
    f"{SAID.format('Sales')}</c:title><c:ser><c:cat><c:pt><c:v>East</c:v></c:pt></c:cat>"
    "<c:val><c:pt><c:v>42.5</c:v></c:pt></c:val></c:ser></c:chart></c:chartSpace>"
)


def test_charts_and_diagrams_of_a_letter_are_read() -> None:
    made = planted.saved(office.word("Before."))
    chart = office.with_part(made, LETTER[0], "chart", "charts/chart1.xml", "word/charts/chart1.xml", CHART)
    assert read(chart).endswith("[chart] Sales\n\nEast: 42.5")
    model = f'<d:dataModel xmlns:d="u">{SAID.format("In a diagram")}</d:dataModel>'
    diagram = office.with_part(made, LETTER[0], "diagramData", "diagrams/data1.xml", "word/diagrams/data1.xml", model)
    assert "In a diagram" in read(diagram)


def test_tabs_and_deletions_of_a_header_are_kept() -> None:
    run = "<w:t>left</w:t><w:tab/><w:t>right</w:t><w:br/><w:t>below</w:t></w:r>"
    deleted = "<w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:r><w:t/>"
    made = planted.patched(
        office.docx_with_a_header(),
        lambda name, data: (
            data.replace(f"<w:t>{planted.FACT}</w:t>".encode(), f"{run}{deleted}".encode())
            if name.startswith("word/header")
            else data
        ),
    )
    assert read(made).startswith("[header]\nleft\tright\nbelow\n[deleted] old\n")


def test_a_formula_of_a_slide_is_in_its_text() -> None:
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    formula = f'</a:t></a:r><m:oMath xmlns:m="{math}"><m:r><m:t>E=mc</m:t></m:r></m:oMath><a:r><a:t>'
    made = planted.patched(
        office.pptx(),
        lambda name, data: (
            data.replace(b"Sentence 0 ", f"Let {formula} be ".encode()) if "slides/slide" in name else data
        ),
    )
    assert "[slide 1]\nLet E=mc be tells" in read(made)


def test_shared_formulas_and_empty_texts_of_a_sheet_are_told_apart() -> None:
    cells = (
        b'<row r="1"><c r="A1"><v>2</v></c><c r="B1"><f t="shared" ref="B1:B3" si="0">A1*2</f></c></row>'
        b'<row r="2"><c r="A2"><v>3</v></c><c r="B2"><f t="shared" si="0"/></c></row>'
        b'<row r="3"><c r="A3"><v>4</v></c><c r="B3" s="0"><f si="0" t="shared"></f><v/></c></row>'
        b'<row r="4"><c r="A4"><v>5</v></c><c r="B4" t="str"><f>IF(A4=5,"","x")</f><v></v></c></row>'
    )
    made = planted.patched(
        office.xlsx(),
        lambda name, data: (
            re.sub(rb"<sheetData>.*</sheetData>", b"<sheetData>" + cells + b"</sheetData>", data, flags=re.S)
            if name == "xl/worksheets/sheet1.xml"
            else data
        ),
    )
    assert tables(made)["Data"] == [[2, "=A1*2"], [3, "=[as in B1]"], [4, "=[as in B1]"], [5, ""]]


def test_rows_and_columns_of_a_flat_sheet_are_counted_and_bounded() -> None:
    row = f'<table:table-row table:number-rows-repeated="{{}}">{cell("k")}</table:table-row>'
    far = f'<table:table-row><table:table-cell table:number-columns-repeated="2000"/>{cell("far")}</table:table-row>'
    rows = tables(flat_sheet(row.format(1_500) + far))["S"]
    assert (len(rows), rows[1_499], len(rows[1_500]), rows[1_500][-1]) == (1_501, ["k"], 2_001, "far")
    for much in (
        row.format(10**9),
        row.format(1) + row.format(1).replace(">k<", "><") * 2 + far.replace("2000", "9" * 9),
    ):
        with pytest.raises(ReadError, match="more than 4,000,000 cells"):
            tables(flat_sheet(much))


def flat_sheet(rows: str) -> Source:
    sheet = f'<table:table table:name="S">{rows}</table:table>'
    body = f"<office:body><office:spreadsheet>{sheet}</office:spreadsheet></office:body>"
    return Source(
        "a.fods", data=f'<?xml version="1.0"?><office:document {NAMESPACES}>{body}</office:document>'.encode()
    )


def open_document(kind: str, body: str, manifest: str = "") -> bytes:
    content = f"<office:document-content {NAMESPACES}><office:body>{body}</office:body></office:document-content>"
    mime = f"application/vnd.oasis.opendocument.{kind}"
    return planted.zipped({"mimetype": mime, "content.xml": content, "META-INF/manifest.xml": manifest or "<m/>"})


def test_drawings_and_master_documents_are_read_and_locked_files_named() -> None:
    box = FRAME.format("<text:p>in a box</text:p>")
    assert read(open_document("graphics", f"<draw:page>{box}</draw:page>")) == "[slide 1]\nin a box"
    assert read(open_document("text-master", "<text:p>of a book</text:p>")) == "of a book"
    for kind in ("text", "spreadsheet"):
        with pytest.raises(ReadError, match="locked with a password"):
            read(open_document(kind, "", "<m:manifest xmlns:m='u'><m:encryption-data/></m:manifest>"))


def pdf_of(edit: Callable[[Any], None]) -> bytes:
    from pypdf import PdfWriter

    writer = PdfWriter(io.BytesIO(pdfs.pdf(planted.FACT)))
    edit(writer)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_file_at_a_note_of_a_pdf_is_read() -> None:
    from pypdf.generic import (
        ArrayObject,
        DecodedStreamObject,
        DictionaryObject,
        NameObject,
        NumberObject,
        TextStringObject,
    )

    def attach(writer: Any) -> None:
        stream = DecodedStreamObject()
        stream.set_data(b"attached words")
        held = DictionaryObject({NameObject("/F"): writer._add_object(stream)})
        file = {"/Type": NameObject("/Filespec"), "/F": TextStringObject("n.txt"), "/UF": TextStringObject("n.txt")}
        name = DictionaryObject({NameObject(key): value for key, value in {**file, "/EF": held}.items()})
        note = {
            "/Type": NameObject("/Annot"),
            "/Subtype": NameObject("/FileAttachment"),
            "/FS": writer._add_object(name),
        }
        note["/Rect"] = ArrayObject(map(NumberObject, (0, 0, 9, 9)))
        notes = ArrayObject([writer._add_object(DictionaryObject({NameObject(key): note[key] for key in note}))])
        writer.pages[0][NameObject("/Annots")] = notes

    assert "[attachment n.txt]\nattached words" in read(pdf_of(attach))


def test_a_form_in_xfa_gives_its_values() -> None:
    from pypdf.generic import (
        ArrayObject,
        BooleanObject,
        DecodedStreamObject,
        DictionaryObject,
        NameObject,
        TextStringObject,
    )

    def fill(writer: Any) -> None:
        stream = DecodedStreamObject()
        stream.set_data(b'<x:datasets xmlns:x="u"><x:data><form><code>K-99</code></form></x:data></x:datasets>')
        parts = ArrayObject([TextStringObject("datasets"), writer._add_object(stream)])
        form = {NameObject("/Fields"): ArrayObject(), NameObject("/XFA"): parts}
        writer._root_object[NameObject("/NeedsRendering")] = BooleanObject(True)
        writer._root_object[NameObject("/AcroForm")] = DictionaryObject(form)

    assert read(pdf_of(fill)).endswith("for its labels]\n[field code] K-99")


def test_a_font_that_tells_no_letters_is_named() -> None:
    from pypdf.generic import DecodedStreamObject, NameObject

    def overwrite(writer: Any) -> None:
        stream = DecodedStreamObject()
        stream.set_data(b"BT /F1 12 Tf 50 700 Td <" + bytes(range(1, 32)).hex().encode() + b"> Tj ET")
        writer.pages[0][NameObject("/Contents")] = writer._add_object(stream)

    assert read(pdf_of(overwrite)).startswith(
        "[a font does not tell its letters, so the text is wrong: page 1; see page_image]"
    )


def test_a_workbook_of_2003_in_xml_keeps_far_cells_and_formulas() -> None:
    spreadsheet = "urn:schemas-microsoft-com:office:spreadsheet"
    rows = (
        '<Row s:Index="3000"><Cell s:Index="1500"><Data s:Type="String">far</Data></Cell></Row>'
        '<Row><Cell s:Formula="=A1"><Data s:Type="Number"></Data></Cell></Row>'
    )
    sheet = f'<Worksheet s:Name="S"><Table>{rows}</Table></Worksheet>'
    book = f'<?xml version="1.0"?><Workbook xmlns="{spreadsheet}" xmlns:s="{spreadsheet}">{sheet}</Workbook>'
    found = tables(Source("a.xls", data=book.encode()))["S"]
    assert (len(found), found[2_999][1_499], found[3_000]) == (3_001, "far", ["=A1"])


def test_a_workbook_of_2003_in_xml_is_read_as_sheets() -> None:
    spreadsheet = "urn:schemas-microsoft-com:office:spreadsheet"
    cells = (
        '<Cell><Data s:Type="String">a &amp; b</Data></Cell>'
        '<Cell s:Index="3"><Data s:Type="Number">1.50</Data><Comment><Data>of Ada</Data></Comment></Cell>'
    )
    rows = (
        f"<Row>{cells}</Row>"
        '<Row s:Index="3"><Cell s:MergeAcross="1"><Data s:Type="Number">7</Data></Cell>'
        '<Cell><Data s:Type="DateTime">2025-03-01T00:00:00.000</Data></Cell></Row>'
    )
    book = (
        '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n'
        f'<Workbook xmlns="{spreadsheet}" xmlns:s="{spreadsheet}"><Worksheet s:Name="Data"><Table>{rows}</Table>'
        "</Worksheet></Workbook>"
    )
    source = Source("export.xls", data=book.encode())
    assert tables(source) == {"Data": [["a & b", "", "1.50\n[comment] of Ada"], [], [7, "", "2025-03-01T00:00:00.000"]]}
    assert read(source).startswith('[sheet "Data"]\na & b,,"1.50\n')  # type: ignore[arg-type]
    with pytest.raises(ReadError, match="has 1 sheet, counted from 1; there is no sheet 9"):
        read(book, pages=9)
