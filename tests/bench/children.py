"""Children: real child runs, one alone and many at once.

In: an open `Lab`. Out: `Row`s, and the seconds of one point of the curve.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator

from tests.bench.lab import Lab
from tests.bench.rows import Row

MODEL_MS = 1_000


def child_rows(lab: Lab, *, quick: bool) -> Iterator[Row]:
    """A child run alone from a warm pool, and several beside each other against the same in turn."""
    first = [lab.bench("childRuns", count=1)["asked"][0] / 1000 for _ in range(3 if quick else 7)]
    yield Row("child run, warm pool, until its first root call", statistics.median(first), "s", 0.4)
    many = 4 if quick else 8
    together = lab.bench("childRuns", count=many, modelMs=MODEL_MS)["ms"] / 1000
    in_turn = lab.bench("childRuns", count=many, modelMs=MODEL_MS, atOnce=1)["ms"] / 1000
    note = f"{os.cpu_count()} cores"
    yield Row(f"{many} child runs at once, model of 1 s", together, "s", 0.5, "one after another", in_turn, note)


def children_seconds(lab: Lab, count: int) -> float:
    """From the reply that asks for `count` child runs at once until all have answered; the model is instant."""
    return float(lab.bench("childRuns", count=count)["ms"]) / 1000
