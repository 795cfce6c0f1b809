"""Office documents with the parts that their libraries leave out, or divide in other ways than a reader does."""

from __future__ import annotations

import datetime
import io
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "worker" / "sandbox"))

from readers import read, tables
from readers.kinds import kind_of
from readers.source import Source

from tests.readers import office, planted


def word_with(body: str) -> bytes:
    """A Word document whose last paragraphs are `body`."""
    end = f"{body}<w:sectPr".encode()
    return planted.patched(
        planted.saved(office.word("Before.")),
        lambda name, data: data.replace(b"<w:sectPr", end, 1) if name == "word/document.xml" else data,
    )


def test_a_row_of_a_word_table_is_one_line_and_covered_cells_are_empty() -> None:
    document = office.word("Before.")
    table = document.add_table(rows=3, cols=3)
    for number, cell in enumerate(table._cells):
        cell.text = f"c{number}"
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(1, 2).merge(table.cell(2, 2))
    inner = table.cell(1, 0).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "in1", "in2"
    table.cell(2, 1).add_paragraph("second line")
    data = planted.saved(document)
    assert "c0 c1\tc2" in read(data)
    assert "in1\tin2" in read(data)
    assert "c6\tc7 second line" in read(data)
    assert tables(data) == {
        "table 1": [["c0 c1", "", "c2"], ["c3", "c4", "c5 c8"], ["c6", "c7 second line", ""]],
        "table 2": [["in1", "in2"]],
    }


def test_fields_formulas_and_text_boxes_of_word_are_in_the_text() -> None:
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    terms = "<m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f>"
    formula = f'<m:oMath xmlns:m="{math}">{terms}<m:r><m:t>=c</m:t></m:r></m:oMath>'
    field = '<w:fldSimple w:instr="DATE"><w:r><w:t>4 May</w:t></w:r></w:fldSimple>'
    box = (
        '<w:r><w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml"><v:textbox><w:txbxContent><w:p><w:r>'
        "<w:t>In a box</w:t></w:r></w:p></w:txbxContent></v:textbox></v:shape></w:pict></w:r>"
    )
    text = read(word_with(f"<w:p><w:r><w:t>Due</w:t></w:r>{formula}{field}</w:p><w:p>{box}</w:p>"))
    assert "Due (a)/(b)=c 4 May" in text
    assert "In a box" in text


def test_a_sheet_tells_errors_and_integers() -> None:
    book = office.workbook(with_fact=False)
    sheet = book.create_sheet("Types")
    sheet.append(["id", "share", "error", "code", "day"])
    sheet.append([1001, 0.25, "#DIV/0!", "007", datetime.datetime(2025, 3, 1, 12, 30)])
    data = planted.saved(book)
    row = [1001, 0.25, "#DIV/0!", "007", datetime.datetime(2025, 3, 1, 12, 30)]
    assert tables(data)["Types"][1] == row
    assert [type(cell) for cell in tables(data)["Types"][1]] == [type(cell) for cell in row]
    assert "1001,0.25,#DIV/0!,007,2025-03-01 12:30:00" in read(data)


def test_dates_count_from_1904_where_the_workbook_does() -> None:
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    book = office.workbook()
    book.epoch = CALENDAR_MAC_1904
    book.create_sheet("Days").append([datetime.datetime(2025, 3, 1)])
    assert tables(planted.saved(book))["Days"] == [[datetime.date(2025, 3, 1)]]


def test_cells_beside_a_chart_sheet_and_an_empty_one_keep_their_sheet() -> None:
    book = office.workbook()
    book.create_sheet("Empty")
    book.create_chartsheet("Chart")
    last = book.create_sheet("Last")
    last["A1"], last["A2"] = 4, "=SUM(A1:A1)"
    found = tables(planted.saved(book))
    assert [*found] == ["Data", "Empty", "Chart", "Last"]
    assert found["Last"] == [[4], ["=SUM(A1:A1)"]]


def deck_with_a_chart() -> bytes:
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Sales"
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["East", "West"]
    data.add_series("Q1", (1.5, 2.5))  # type: ignore[no-untyped-call]
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 1_000_000, 1_000_000, data)
    table = slide.shapes.add_table(2, 2, 0, 0, 1_000_000, 1_000_000).table
    for cell, text in zip(table.iter_cells(), ["year", "names", "2024", "Ada\nBo"], strict=True):
        cell.text = text
    slide.shapes.add_textbox(0, 0, 1_000, 1_000).text_frame.text = "42"
    return planted.saved(deck)


def test_a_deck_with_a_charts_workbook_in_it_is_a_deck_and_its_chart_is_read() -> None:
    data = deck_with_a_chart()
    assert kind_of(Source("deck.pptx", data=data)) == "pptx"
    text = read(data)
    assert "[chart]\nQ1\tEast: 1.5\tWest: 2.5" in text
    assert "\n42\n" in text
    assert tables(data) == {"slide 1 table 1": [["year", "names"], ["2024", "Ada Bo"]]}


def test_an_exponent_on_a_slide_is_no_part_of_the_number_before_it() -> None:
    from pptx import Presentation

    deck = Presentation()
    paragraph = deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text_frame.paragraphs[0]
    for words, baseline in (("10", "0"), ("6", "30000"), (" m", "0"), ("2", "30000")):
        run = paragraph.add_run()
        run.text = words
        run.font._element.set("baseline", baseline)
    assert read(planted.saved(deck)) == "[slide 1]\n10^6 m2"


def test_an_exponent_in_an_odt_is_no_part_of_the_number_before_it() -> None:
    from odf.opendocument import OpenDocumentText
    from odf.style import Style, TextProperties
    from odf.text import P, Span

    document = OpenDocumentText()
    style = Style(name="T1", family="text")
    style.addElement(TextProperties(textposition="super 58%"))
    document.automaticstyles.addElement(style)
    paragraph = P(text="10")
    paragraph.addElement(Span(text="6", stylename=style))
    paragraph.addText(" m")
    paragraph.addElement(Span(text="2", stylename=style))
    document.text.addElement(paragraph)
    assert read(planted.saved(document)) == "10^6 m2"


def test_parts_of_a_header_that_are_set_apart_stay_apart() -> None:
    from docx.oxml import OxmlElement

    document = office.word("Body")
    paragraph = document.sections[0].header.paragraphs[0]
    paragraph.add_run("Harbor")._element.append(OxmlElement("w:ptab"))
    paragraph.add_run("Page 1")
    assert read(planted.saved(document)) == "[header]\nHarbor\tPage 1\n\nBody"


@pytest.mark.parametrize("kind", ["docx", "xlsx", "xlsm", "xlsb", "potx", "dotm"])
def test_a_documents_kind_is_that_of_its_main_part(kind: str) -> None:
    main = {
        "docx": "vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        "xlsx": "vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        "xlsm": "vnd.ms-excel.sheet.macroEnabled.main+xml",
        "xlsb": "vnd.ms-excel.sheet.binary.macroEnabled.main",
        "potx": "vnd.openxmlformats-officedocument.presentationml.template.main+xml",
        "dotm": "vnd.ms-word.template.macroEnabledTemplate.main+xml",
    }[kind]
    embedded = (
        '<Default Extension="xlsx" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"/>'
    )
    types = f'<Types>{embedded}<Override PartName="/a" ContentType="application/{main}"/></Types>'
    found = kind_of(Source("file", data=planted.zipped({"[Content_Types].xml": types})))
    assert found == {"xlsm": "xlsx", "potx": "pptx", "dotm": "docx"}.get(kind, kind)


_IDS = {
    ("urn:oasis:names:tc:opendocument:xmlns:text:1.0", "id"): "c1",
    ("http://www.w3.org/XML/1998/namespace", "id"): "c1",
}


def test_an_odt_tells_notes_headers_and_deletions() -> None:
    from odf.opendocument import OpenDocumentText
    from odf.style import Header, MasterPage, PageLayout
    from odf.table import CoveredTableCell, Table, TableCell, TableRow
    from odf.text import ChangedRegion, Deletion, Note, NoteBody, NoteCitation, P, TrackedChanges

    document = OpenDocumentText()
    document.automaticstyles.addElement(PageLayout(name="L"))
    master = MasterPage(name="Standard", pagelayoutname="L")
    header = Header()
    header.addElement(P(text="Harbor office"))
    master.addElement(header)
    document.masterstyles.addElement(master)
    changes, region, deletion = TrackedChanges(), ChangedRegion(qattributes=_IDS), Deletion()
    deletion.addElement(P(text="an old price"))
    region.addElement(deletion)
    changes.addElement(region)
    document.text.addElement(changes)
    line, note, body = P(text="See"), Note(noteclass="footnote"), NoteBody()
    note.addElement(NoteCitation(text="1"))
    body.addElement(P(text="a note"))
    note.addElement(body)
    line.addElement(note)
    document.text.addElement(line)
    table, row = Table(name="T"), TableRow()
    wide, last = TableCell(numbercolumnsspanned=2), TableCell()
    wide.addElement(P(text="wide"))
    last.addElement(P(text="x"))
    for cell in (wide, CoveredTableCell(), last):
        row.addElement(cell)
    table.addElement(row)
    document.text.addElement(table)
    out = io.BytesIO()
    document.save(out)
    text = read(out.getvalue())
    assert "[header]\nHarbor office" in text
    assert "[deleted] an old price" in text
    assert "See\n[footnote] a note" in text
    assert tables(out.getvalue()) == {"T": [["wide", "", "x"]]}
