"""Memory: the size of a worker, and whether a tab that has run many questions has grown.

In: an open `Lab`. Out: `Row`s of the resident memory of the browser's page processes, read while nothing runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.lab import Lab
from tests.bench.rows import MB, Row

HELD = 4
EARLY = 5
READINGS = 4
READING_MS = 1_000


def memory_rows(lab: Lab, *, quick: bool) -> Iterator[Row]:
    lab.bench("prepare")
    before = settled_bytes(lab)
    lab.bench("hold", count=HELD)
    each = (settled_bytes(lab) - before) / HELD / MB
    lab.bench("release")
    yield Row("memory of a worker", each, "MB", 150)
    ask(lab, EARLY)
    early = settled_bytes(lab)
    runs = 10 if quick else 50
    ask(lab, runs)
    late = settled_bytes(lab)
    yield Row(f"memory of the tab after {runs} more runs", late / MB, "MB", 1.1, f"after {EARLY} runs", early / MB)


def ask(lab: Lab, runs: int) -> None:
    for _ in range(runs):
        lab.bench("run", blocks=["pass"], instant=True)


def settled_bytes(lab: Lab) -> int:
    """The least of some readings: ended workers give their memory back within seconds."""
    readings = []
    for _ in range(READINGS):
        lab.page.wait_for_timeout(READING_MS)
        readings.append(lab.renderer_bytes())
    return min(readings)
