"""Files: a real file, read line by line or by regular expressions from the REPL, without being loaded.

In: an open `Lab` and sizes. Out: `Row`s for the growth of the heap and for patterns beside those of CPython, and the
seconds of one point of the curve.
"""

from __future__ import annotations

import subprocess
import sys
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

EVENTS = (
    b"2026-11-29 10:32:07 INFO gate north opened for the keeper of the harbor, 17 boats wait\n" * 999
    + b"2026-11-29 10:32:08 INFO gate north closed for the keeper of the harbor, no boats wait\n"
)
COUNT = """
import re
PATTERNS = [r"gate (\\w+) closed", r"\\d\\d:\\d\\d:\\d\\d \\w+ gate \\w+ closed"]
count = lambda text: sum(len(re.findall(pattern, text)) for pattern in PATTERNS)
"""
IN_PARTS = (
    HEAP
    + COUNT
    + """
import pathlib, time
before, began = heap(), time.perf_counter()
found = sum(map(count, read_parts(pathlib.Path({path}))))
print(heap() - before, time.perf_counter() - began, found)
"""
)
WHOLE = (
    COUNT
    + """
import sys, time
began = time.perf_counter()
with open(sys.argv[1]) as file: found = count(file.read())
print(0, time.perf_counter() - began, found)
"""
)
"""The same by CPython, which holds the text."""


def file_rows(lab: Lab, *, quick: bool) -> Iterator[Row]:
    size = 300 * MB if quick else 1000 * MB
    grown, seconds = scan(lab, size)
    note = f"{size / MB:.0f} MB in {seconds:.1f} s"
    yield Row("a file read line by line, heap growth", grown / MB, "MB", 64, note=note)
    yield from pattern_rows(lab, size)


def pattern_rows(lab: Lab, size: int) -> Iterator[Row]:
    """Two patterns over a text of `size` bytes by `read_parts`, and by CPython over the whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "events.txt")
        with path.open("wb") as file:
            for _ in range(size // len(EVENTS)):
                file.write(EVENTS)
        choose(lab, path)
        printed = lab.bench("file", blocks=[IN_PARTS.format(path="'/context/events.txt'")])["printed"][0]
        native = subprocess.run([sys.executable, "-c", WHOLE, path], capture_output=True, text=True, check=True).stdout
    (grown, seconds, found), (_, whole, same) = printed.split(), native.split()
    assert found == same, (found, same)
    what = f"{size / MB:.0f} MB by two patterns"
    yield Row(f"{what}, read_parts", float(seconds), "s", 1 / 0.7, "CPython, the text whole", float(whole))
    yield Row(f"{what}, heap growth", int(grown) / MB, "MB", 64)


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
