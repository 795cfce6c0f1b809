"""Documents of every kind, read by model code in the contained worker with the packages that are shipped in it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.lab import code, printed, run
from tests.browser.papers import docx, pdf, xlsx, zipped

PDF = pdf("Rent is due on the third.", "Signed by Ada Lovelace.")
DOCX = docx("Minutes of the meeting.", "Bo was late.")
XLSX = xlsx("Costs", [["item", "euro"], ["lamp", 12.5], ["chair", 80]])
ZIP = zipped({"notes/a.txt": "alpha", "notes/b.txt": "beta"})
CSV = b"id,name\n1,Ada\n2,Bo\n"
JSON = b'[{"id": 1}, {"id": 2}]'
JSONL = b'{"id": 1}\n{"id": 2}\n'

READ = {
    "a PDF": (
        ("lease.pdf", PDF),
        "import pypdf\nFINAL([page.extract_text() for page in pypdf.PdfReader(context).pages])",
        "['Rent is due on the third.', 'Signed by Ada Lovelace.']",
        "It is a PDF, 2 pages. `read(context)` gives its text.",
    ),
    "a workbook": (
        ("costs.xlsx", XLSX),
        "import openpyxl\nbook = openpyxl.load_workbook(context, read_only=True, data_only=True)\n"
        "FINAL([*book['Costs'].iter_rows(values_only=True)])",
        "[('item', 'euro'), ('lamp', 12.5), ('chair', 80)]",
        "It is an Excel workbook (xlsx), sheet \"Costs\": 3 rows, ['item', 'euro'], ['lamp', 12.5].",
    ),
    "a Word document": (
        ("minutes.docx", DOCX),
        "import mammoth\nwith open(context, 'rb') as file:\n    FINAL(mammoth.extract_raw_text(file).value)",
        "Minutes of the meeting.\n\nBo was late.\n\n",
        "It is a Word document. `read(context)` gives its text, `tables(context)` its rows.",
    ),
    "an archive": (
        ("notes.zip", ZIP),
        "import zipfile\narchive = zipfile.ZipFile(context)\n"
        "FINAL([archive.read(name).decode() for name in archive.namelist()])",
        "['alpha', 'beta']",
        "It is a zip archive, 2 files: notes/a.txt, notes/b.txt.",
    ),
    "a table": (
        ("people.csv", CSV),
        "import csv, io\nFINAL([row['name'] for row in csv.DictReader(io.StringIO(context))])",
        "['Ada', 'Bo']",
        "It looks like CSV, 2 rows of 2 columns: id, name.",
    ),
    "JSON": (
        ("a.json", JSON),
        "import json\nFINAL(sum(item['id'] for item in json.loads(context)))",
        "3",
        "It is JSON, a list of 2 items; keys of the first: id.",
    ),
    "JSON Lines": (
        ("a.jsonl", JSONL),
        "import json\nFINAL(sum(json.loads(line)['id'] for line in context.splitlines()))",
        "3",
        "It looks like JSON Lines, 2 records; keys of the first: id.",
    ),
}
IMPORTS = "import pypdf, openpyxl, et_xmlfile, mammoth, cobble\n"


def told(result: Any) -> str:
    """The first message to the root model, about its context."""
    first = next(event for event in result["events"] if event["type"] == "call_started")
    return str(first["messages"][1]["content"])


@pytest.mark.parametrize("kind", READ)
def test_model_code_reads(shared_page: Page, kind: str) -> None:
    (name, data), block, answer, shape = READ[kind]
    result = run(shared_page, [code(block)], context={"files": {name: [*data]}})
    assert result["answer"] == answer, printed(result)
    assert shape in told(result)


@pytest.mark.parametrize("kind", ["a PDF", "a workbook", "a Word document", "an archive"])
def test_bytes_are_read_as_the_prompt_says(shared_page: Page, kind: str) -> None:
    (_, data), _, _, shape = READ[kind]
    result = run(shared_page, [code("FINAL(len(read(context)) > 10)")], context={"bytes": [*data]})
    assert result["answer"] == "True", printed(result)
    assert shape in told(result)


def test_several_documents_are_told_apart(shared_page: Page) -> None:
    files = {"lease.pdf": [*PDF], "sub/costs.xlsx": [*XLSX], "people.csv": CSV.decode()}
    block = "import pypdf, openpyxl\nFINAL([len(pypdf.PdfReader(context['lease.pdf']).pages), \
openpyxl.load_workbook(context['sub/costs.xlsx']).sheetnames, len(context['people.csv'])])"
    result = run(shared_page, [code(block)], context={"files": files})
    assert result["answer"] == "[2, ['Costs'], 19]", printed(result)
    assert f"'lease.pdf': Path of a file of {len(PDF):,} bytes, a PDF document" in told(result)
    assert "'people.csv': str of 19 characters" in told(result)


def test_the_system_prompt_names_what_is_there(shared_page: Page) -> None:
    result = run(shared_page, [code("FINAL(1)")])
    first = next(event for event in result["events"] if event["type"] == "call_started")
    assert (
        "pypdfium2 (PDF), pypdf (PDF), python_calamine (xlsx, xls, xlsb, ods), openpyxl (xlsx)"
        in first["messages"][0]["content"]
    )


def test_nothing_is_imported_before_model_code_asks(shared_page: Page) -> None:
    block = "import sys\nprint({'pypdf', 'openpyxl', 'mammoth', 'et_xmlfile', 'cobble'} & set(sys.modules))"
    result = run(shared_page, [code(block), code(f"{IMPORTS}FINAL(pypdf.__version__)")])
    assert printed(result).startswith("set()\n")
    assert result["answer"].count(".") == 2


def test_each_block_may_import_whatever_was_done_to_the_hooks(shared_page: Page) -> None:
    broken = "import sys\nsys.meta_path.clear(); sys.path_hooks.clear(); sys.path_importer_cache.clear()"
    result = run(shared_page, [code("import mammoth"), code(broken), code("import pypdf\nFINAL('read')")])
    assert result["answer"] == "read", printed(result)


def test_a_child_run_imports_them_too(shared_page: Page) -> None:
    ask = code("FINAL(rlm_query('Who signed?', context))")
    child = code("import pypdf\nFINAL(pypdf.PdfReader(context).pages[1].extract_text())")
    result = run(shared_page, [ask, child], context={"files": {"a.pdf": [*PDF]}}, options={"maxDepth": 2})
    assert result["answer"] == "Signed by Ada Lovelace.", printed(result)


def test_what_was_imported_is_there_again_after_the_interpreter_died(shared_page: Page) -> None:
    first = code(f"{IMPORTS}reader = pypdf.PdfReader(context)\nprint('open')")
    last = code("import openpyxl\nFINAL(reader.pages[1].extract_text())")
    result = run(shared_page, [first, code("import os; os.abort()"), last], context={"files": {"a.pdf": [*PDF]}})
    assert result["answer"] == "Signed by Ada Lovelace.", printed(result)
    assert len(result["posts"]) == 3


def test_a_later_run_fetches_no_wheel_again(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(2):
        assert run(page, [code(f"{IMPORTS}FINAL('read')")])["answer"] == "read"
    assert len([url for url in asked if ".whl" in url]) == 5


@pytest.mark.parametrize("begin", ["[", '{"a": ', '["]", '])
def test_a_context_that_nests_without_end_is_no_danger_to_the_worker(shared_page: Page, begin: str) -> None:
    result = run(shared_page, [code("FINAL(len(context))")], context=begin * (16_000 // len(begin)))
    assert result["stoppedBy"] == "final_answer", result["detail"]
