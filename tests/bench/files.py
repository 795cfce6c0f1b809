"""Files: a real file, read line by line from the REPL, without being loaded.

In: an open `Lab` and sizes. Out: a `Row` for the growth of the heap, and the seconds of one point of the curve.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.lab import Lab
from tests.bench.rows import HEAP, MB, Row

LINE = b"x" * 99 + b"\n"
LINES_AT_ONCE = 10_000
SCAN = (
    HEAP
    + """
import time
before, began, lines = heap(), time.perf_counter(), 0
with open({path}) as file:
    for line in file: lines += 1
print(heap() - before, time.perf_counter() - began, lines)
"""
)


def file_rows(lab: Lab, *, quick: bool) -> Iterator[Row]:
    size = 300 * MB if quick else 1000 * MB
    grown, seconds = scan(lab, size)
    note = f"{size / MB:.0f} MB in {seconds:.1f} s"
    yield Row("a file read line by line, heap growth", grown / MB, "MB", 64, note=note)


def file_seconds(lab: Lab, size: int) -> float:
    return scan(lab, size)[1]


def scan(lab: Lab, size: int) -> tuple[int, float]:
    """Bytes that the heap grew and seconds that it took to read a file of `size` bytes by line."""
    path = "'/context/lines.txt'"
    with tempfile.TemporaryDirectory() as folder:
        choose(lab, write_lines(Path(folder, "lines.txt"), size))
        grown, seconds, lines = lab.bench("file", blocks=[SCAN.format(path=path)])["printed"][0].split()
    assert int(lines) == size // len(LINE)
    return int(grown), float(seconds)


def write_lines(path: Path, size: int) -> Path:
    """A file of `size` bytes in lines of 100."""
    whole, rest = divmod(size // len(LINE), LINES_AT_ONCE)
    with path.open("wb") as file:
        for _ in range(whole):
            file.write(LINE * LINES_AT_ONCE)
        file.write(LINE * rest)
    return path


def choose(lab: Lab, path: Path) -> None:
    """Choose the file in the page, as a person does."""
    script = "document.body.append(Object.assign(document.createElement('input'), {type: 'file', id: 'bench-file'}))"
    lab.page.evaluate(f"document.getElementById('bench-file') || {script}")
    lab.page.set_input_files("#bench-file", path)
