"""`python -m tests.bench [--quick] [OLD ...]`: measure every row of the performance budget, and write results.json.

Whole runs beside peers come first (`end_to_end.py`), then parts, most against stand-ins for what surrounds them.

The exit status is the number of rows that miss their budget. What is timed here is asserted in no test.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.children import child_rows
from tests.bench.curves import all_curves
from tests.bench.end_to_end import WORKS, missing_lines, row_line, rows_of, write_table
from tests.bench.end_to_end import measured as end_to_end
from tests.bench.files import file_rows
from tests.bench.lab import Lab, open_lab
from tests.bench.large_table import large_table_rows
from tests.bench.memory import memory_rows
from tests.bench.pauses import pause_rows
from tests.bench.peers import LABELS
from tests.bench.quotes import quote_rows
from tests.bench.readers import reader_rows
from tests.bench.relay import relay_rows
from tests.bench.report import line_of, write_reports
from tests.bench.rows import Row, all_rows


def measured(lab: Lab, *, quick: bool) -> Iterator[Row]:
    """Every row of every module, in turn."""
    yield from all_rows(lab, quick=quick)
    yield from file_rows(lab, quick=quick)
    yield from reader_rows(lab)
    yield from large_table_rows(lab)
    yield from quote_rows(count=1 if quick else 3)
    yield from child_rows(lab, quick=quick)
    yield from pause_rows(lab, quick=quick)
    yield from memory_rows(lab, quick=quick)
    yield from relay_rows(lab.app, lab.site, count=100 if quick else 300)


def whole_runs(old: Sequence[Path], *, quick: bool, with_peers: bool) -> Iterator[Row]:
    """The rows of `end_to_end`; its table is written."""
    chosen = [work for work in WORKS if not (quick and work.is_long)]
    peers = [*LABELS] if with_peers else []
    found = end_to_end(chosen, times=1 if quick else 3, peers=peers, old=old)
    for line in missing_lines(found):
        print(line)
    write_table(found, chosen, peers)
    yield from rows_of(found, chosen, old)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer repetitions, shorter curves, and no work that takes a minute"
    )
    parser.add_argument("--no-peers", action="store_true", help="whole runs of this build alone")
    parser.add_argument(
        "old", nargs="*", type=Path, help="older checkouts with built assets, beside which it is measured"
    )
    given = parser.parse_args()
    quick: bool = given.quick
    began = time.perf_counter()
    whole: list[Row] = []
    for row in whole_runs(given.old, quick=quick, with_peers=not given.no_peers):
        whole.append(row)
        print(row_line(row), flush=True)
    parts: list[Row] = []
    with open_lab() as lab:
        for row in measured(lab, quick=quick):
            parts.append(row)
            print(f"part: {line_of(row)}", flush=True)
        curves = list(all_curves(lab, quick=quick))
    load = os.getloadavg()[0]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the end"
    write_reports(whole, parts, curves, machine=machine, quick=quick, seconds=time.perf_counter() - began)
    rows = [*whole, *parts]
    missed = [row.what for row in rows if not row.ok]
    print(f"{len(rows) - len(missed)} of {len(rows)} rows within budget in {time.perf_counter() - began:.0f} s")
    for what in missed:
        print(f"missed: {what}")
    return min(len(missed), 100)


if __name__ == "__main__":
    sys.exit(main())
