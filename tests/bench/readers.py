"""Readers: documents read in the worker by `read` and `tables`, against the libraries in pure Python beside them.

In: an open `Lab`. Out: `Row`s. Both sides run in one worker over one file, in turn and twice. The second times are
compared; the first, with the imports, stand in the note, beside the same reader natively, on CPython of this machine.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.files import choose
from tests.bench.lab import ROOT, Lab
from tests.bench.rows import Row

WORDS = ("river", "stone", "ledger", "violet", "candle", "morning", "engine", "paper", "window", "silver", "market")
PAGES = 500
ROWS = 100_000
TIMED = """
import io, time
def timed(work):
    began = time.perf_counter()
    size = work()
    return time.perf_counter() - began, size
data = context.read_bytes()
def compared(ours, theirs):
    for _ in range(2):
        mine, others = timed(ours), timed(theirs)
        print(mine[0], others[0], mine[1], others[1])
"""
PDF = (
    TIMED
    + """
def other():
    import pypdf
    return sum(len(page.extract_text()) for page in pypdf.PdfReader(io.BytesIO(data)).pages)
compared(lambda: len(read(data)), other)
"""
)
XLSX = (
    TIMED
    + """
def other():
    import openpyxl
    return sum(1 for row in openpyxl.load_workbook(io.BytesIO(data), read_only=True).active.iter_rows(values_only=True))
compared(lambda: len(tables(data)["Data"]), other)
"""
)


def reader_rows(lab: Lab) -> Iterator[Row]:
    sys.path.append(str(ROOT / "worker" / "sandbox"))
    from readers import read, tables

    yield row(lab, "text of a PDF of 500 pages", pdf(), PDF, "pypdf 7.1", 1 / 4, read)
    yield row(lab, "100,000 rows of an xlsx", xlsx(), XLSX, "openpyxl 3.1", 1 / 6, tables)


def row(lab: Lab, what: str, data: bytes, block: str, peer: str, budget: float, reader: Callable[[bytes], Any]) -> Row:
    """One comparison; both must have found as much as the other."""
    began = time.perf_counter()
    reader(data)
    native = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "document.bin")
        path.write_bytes(data)
        choose(lab, path)
        first, second = lab.bench("file", blocks=[block])["printed"][0].splitlines()
    cold, other_cold, *_ = map(float, first.split())
    ours, theirs, size, other_size = map(float, second.split())
    assert 0.9 < size / other_size < 1.1, f"{what}: {size:.0f} of {other_size:.0f}"
    note = f"with the imports {cold:.2f} s against {other_cold:.2f} s, natively {native:.2f} s"
    return Row(what, ours, "s", budget, peer, theirs, note=note)


def line(chosen: random.Random) -> str:
    return " ".join(chosen.choices(WORDS, k=14))


def pdf() -> bytes:
    from reportlab.pdfgen import canvas

    chosen, out = random.Random(5), io.BytesIO()
    drawn = canvas.Canvas(out)
    for _ in range(PAGES):
        for number in range(45):
            drawn.drawString(50, 800 - 16 * number, line(chosen)[:95])
        drawn.showPage()
    drawn.save()
    return out.getvalue()


def xlsx() -> bytes:
    from openpyxl import Workbook

    chosen, out = random.Random(5), io.BytesIO()
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    sheet.append(["id", "place", "remark", "x"])
    for number in range(ROWS - 1):
        sheet.append([number, f"site {number % 900}", line(chosen)[:60], number / 7])
    book.save(out)
    return out.getvalue()
